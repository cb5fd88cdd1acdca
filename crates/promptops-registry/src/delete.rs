//! Deleting versions and prompts.

use std::sync::Arc;

use promptops_types::{Deleted, Label, LabelTarget, Timestamp, Version};

use crate::read::exact;
use crate::registry::{Viewed, check_revision};
use crate::{
    Access, Action, AuditEntry, Change, Focus, Op, PromptHead, PromptRef, PromptState, Registry,
    RegistryError, Store, Target,
};

/// What to delete. The default deletes the whole prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeleteOptions {
    /// Only this version. The prompt goes with its last one.
    pub version: Option<String>,
    /// Deletes what labels point at too; the labels go, or lose the version from their weights.
    pub force: bool,
    /// The revisions the caller has read, mostly one; any other is refused.
    pub if_revision: Option<Vec<u64>>,
}

impl Registry {
    /// Deletes a version, or a prompt with all of them. The audit trail stays.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`], [`RegistryError::VersionNotFound`];
    /// [`RegistryError::VersionFrozen`] while labels point at what would go, unless forced;
    /// [`RegistryError::RevisionMismatch`].
    pub async fn delete(
        &self,
        access: &Access,
        prompt: &PromptRef,
        options: DeleteOptions,
    ) -> Result<Deleted, RegistryError> {
        let version = options.version.as_deref().map(|text| exact("version", text)).transpose()?;
        let viewed = Viewed::new(access, prompt);
        let at = self.now();
        let change = async {
            let versions = version.iter().cloned().collect();
            let focus = Focus { versions, all_numbers: true, label: None };
            let target = Target { reference: viewed.reference()?, focus };
            let decide = {
                let viewed = viewed.clone();
                let version = version.clone();
                move |state: &PromptState| {
                    let head = viewed.check(state.head.as_ref())?;
                    check_revision(head, options.if_revision.as_deref())?;
                    let by = viewed.access.actor();
                    let plan = plan(head, state, version.as_ref(), options.force, (by, at))?;
                    let (action, version) = match &version {
                        Some(version) if !plan.deleted.prompt_deleted => {
                            (Action::DeleteVersion, Some(version.clone()))
                        }
                        version => (Action::DeletePrompt, version.clone()),
                    };
                    let gone = version.as_ref().and_then(|version| state.versions.get(version));
                    let mut entry = viewed.audit(head, action, at);
                    entry.digest_before =
                        gone.or(state.shown.as_ref()).map(|stored| stored.digest.clone());
                    entry.version = version;
                    let mut audit = label_entries(&viewed, head, state, &plan.ops, at);
                    audit.push(entry);
                    Ok(Change { ops: plan.ops, audit })
                }
            };
            self.store.change(target, Arc::new(decide)).await
        };
        match change.await {
            Ok(applied) => {
                let head = viewed.check(applied.before.head.as_ref())?;
                // The same plan on the same state, made with force: what it refused is past.
                let by = viewed.access.actor();
                plan(head, &applied.before, version.as_ref(), true, (by, at)).map(|p| p.deleted)
            }
            Err(RegistryError::VersionNotFound { selector, .. }) => {
                let head = self.head(access, prompt).await?;
                Err(self.version_not_found(&head, &selector).await?)
            }
            Err(error) => Err(self.explain(&viewed, error).await),
        }
    }
}

/// What a delete does: the steps, and what is told of them.
struct Plan {
    ops: Vec<Op>,
    deleted: Deleted,
}

fn plan(
    head: &PromptHead,
    state: &PromptState,
    version: Option<&Version>,
    force: bool,
    (by, at): (&str, Timestamp),
) -> Result<Plan, RegistryError> {
    if let Some(version) = version
        && !state.numbers.contains(version)
    {
        return Err(RegistryError::VersionNotFound {
            slug: head.slug.clone(),
            selector: version.to_string(),
            available: Vec::new(),
        });
    }
    let gone: Vec<&Version> = match version {
        Some(version) => vec![version],
        None => state.numbers.iter().collect(),
    };
    let touched: Vec<&Label> = state
        .labels
        .iter()
        .filter(|label| label.target.versions().iter().any(|version| gone.contains(version)))
        .collect();
    if let Some(label) = touched.first()
        && !force
    {
        let frozen = label.target.versions().into_iter().find(|version| gone.contains(version));
        return Err(RegistryError::VersionFrozen {
            slug: head.slug.clone(),
            version: frozen.or(version).cloned().unwrap_or(Version::FIRST),
            labels: touched.iter().map(|label| label.label.to_string()).collect(),
        });
    }
    let mut deleted = Deleted::new(
        head.id.clone(),
        head.slug.clone(),
        gone.iter().map(ToString::to_string).collect(),
    );
    deleted.labels = touched.iter().map(|label| label.label.to_string()).collect();
    if gone.len() == state.numbers.len() {
        deleted.prompt_deleted = true;
        return Ok(Plan { ops: vec![Op::DeletePrompt], deleted });
    }
    let mut ops: Vec<Op> = touched.iter().map(|label| without(label, &gone, by, at)).collect();
    ops.extend(gone.into_iter().cloned().map(Op::DeleteVersion));
    Ok(Plan { ops, deleted })
}

/// A line of the audit trail for each label that a delete changes.
fn label_entries(
    viewed: &Viewed,
    head: &PromptHead,
    state: &PromptState,
    ops: &[Op],
    at: Timestamp,
) -> Vec<AuditEntry> {
    let entry = |op: &Op| {
        let (name, action, after) = match op {
            Op::SetLabel(label) => (&label.label, Action::SetLabel, Some(label.target.clone())),
            Op::RemoveLabel(name) => (name, Action::RemoveLabel, None),
            _ => return None,
        };
        let before = state.labels.iter().find(|label| label.label == *name);
        let mut entry = viewed.audit(head, action, at);
        entry.label = Some(name.clone());
        entry.target_before = before.map(|label| label.target.clone());
        entry.target_after = after;
        Some(entry)
    };
    ops.iter().filter_map(entry).collect()
}

/// A label after versions are gone: without them in its weights, or gone itself.
fn without(label: &Label, gone: &[&Version], by: &str, at: Timestamp) -> Op {
    if let LabelTarget::Weights(weights) = &label.target {
        let mut left = weights.clone();
        left.retain(|version, _| !gone.contains(&version));
        if left.values().any(|weight| *weight > 0) {
            let target = LabelTarget::Weights(left);
            return Op::SetLabel(Label::new(label.label.clone(), target, at, by.to_owned()));
        }
    }
    Op::RemoveLabel(label.label.clone())
}
