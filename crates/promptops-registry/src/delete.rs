//! Deleting versions and prompts.

use std::sync::Arc;

use promptops_types::{Deleted, Label, LabelName, LabelTarget, Timestamp, Version};

use crate::read::exact;
use crate::registry::{Viewed, check_revision};
use crate::{
    Access, Action, Applied, AuditEntry, Change, Focus, Op, PromptHead, PromptRef, PromptState,
    Registry, RegistryError, Scope, Store, StoredVersion, Target,
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
        access.require(Scope::Write)?;
        let at = self.now();
        let change = async {
            let versions = version.iter().cloned().collect();
            let focus = Focus { versions, all_numbers: true, label: None };
            let target = Target {
                reference: viewed.reference()?,
                focus,
                receipt: access.receipt().cloned(),
            };
            let decide = {
                let viewed = viewed.clone();
                move |state: &PromptState| {
                    let head = viewed.check(state.head.as_ref())?;
                    check_revision(head, options.if_revision.as_deref())?;
                    let step = Step { viewed: &viewed, head, state, at };
                    let ops = step.ops(version.as_ref(), options.force)?;
                    let audit = step.audit(&ops);
                    Ok(Change { ops, audit })
                }
            };
            self.store.change(target, Arc::new(decide)).await
        };
        match change.await {
            Ok(applied) => Ok(told(viewed.check(applied.before.head.as_ref())?, &applied)),
            Err(RegistryError::VersionNotFound { selector, .. }) => {
                let head = self.head(access, prompt).await?;
                Err(self.version_not_found(&head, &selector).await?)
            }
            Err(error) => Err(self.explain(&viewed, error).await),
        }
    }
}

/// What a change that deleted is told as.
fn told(head: &PromptHead, applied: &Applied) -> Deleted {
    let mut deleted = Deleted::new(head.id.clone(), head.slug.clone(), Vec::new());
    for op in &applied.change.ops {
        match op {
            Op::DeletePrompt => {
                deleted.prompt_deleted = true;
                deleted.versions = applied.before.numbers.iter().map(Version::to_string).collect();
                let labels = applied.before.labels.iter();
                deleted.labels = labels.map(|label| label.label.to_string()).collect();
            }
            Op::DeleteVersion(version) => deleted.versions.push(version.to_string()),
            Op::SetLabel(label) => deleted.labels.push(label.label.to_string()),
            Op::RemoveLabel(label) => deleted.labels.push(label.to_string()),
            _ => {}
        }
    }
    deleted
}

/// What a delete decides on.
struct Step<'s> {
    viewed: &'s Viewed,
    head: &'s PromptHead,
    state: &'s PromptState,
    at: Timestamp,
}

impl Step<'_> {
    /// The steps that delete a version, or the prompt, and free the labels that point at it.
    fn ops(&self, version: Option<&Version>, force: bool) -> Result<Vec<Op>, RegistryError> {
        let numbers = &self.state.numbers;
        let gone = match version {
            None => numbers.as_slice(),
            Some(version) => match numbers.iter().position(|number| number == version) {
                Some(index) => &numbers[index..=index],
                None => {
                    return Err(RegistryError::VersionNotFound {
                        slug: self.head.slug.clone(),
                        selector: version.to_string(),
                        available: Vec::new(),
                    });
                }
            },
        };
        let goes = |label: &Label| {
            label.target.versions().into_iter().find(|version| gone.contains(version)).cloned()
        };
        let touched: Vec<(&Label, Version)> = self
            .state
            .labels
            .iter()
            .filter_map(|label| goes(label).map(|version| (label, version)))
            .collect();
        if let (Some((_, version)), false) = (touched.first(), force) {
            return Err(RegistryError::VersionFrozen {
                slug: self.head.slug.clone(),
                version: version.clone(),
                labels: touched.iter().map(|(label, _)| label.label.to_string()).collect(),
            });
        }
        if gone.len() == numbers.len() {
            return Ok(vec![Op::DeletePrompt]);
        }
        let labels = touched.iter().map(|(label, _)| self.without(label, gone));
        Ok(labels.chain(gone.iter().cloned().map(Op::DeleteVersion)).collect())
    }

    /// A label after versions are gone: without them in its weights, or gone itself.
    fn without(&self, label: &Label, gone: &[Version]) -> Op {
        if let LabelTarget::Weights(weights) = &label.target {
            let mut left = weights.clone();
            left.retain(|version, _| !gone.contains(version));
            if left.values().any(|weight| *weight > 0) {
                let (name, by) = (label.label.clone(), self.viewed.access.actor().to_owned());
                return Op::SetLabel(Label::new(name, LabelTarget::Weights(left), self.at, by));
            }
        }
        Op::RemoveLabel(label.label.clone())
    }

    /// A line of the audit trail for each step.
    fn audit(&self, ops: &[Op]) -> Vec<AuditEntry> {
        let target = |name: &LabelName| {
            let labels = &self.state.labels;
            labels.iter().find(|label| label.label == *name).map(|label| label.target.clone())
        };
        let digest = |stored: Option<&StoredVersion>| stored.map(|stored| stored.digest.clone());
        let entry = |op: &Op| {
            let line = |action| self.viewed.audit(self.head, action, self.at);
            Some(match op {
                Op::SetLabel(label) => AuditEntry {
                    label: Some(label.label.clone()),
                    target_before: target(&label.label),
                    target_after: Some(label.target.clone()),
                    ..line(Action::SetLabel)
                },
                Op::RemoveLabel(name) => AuditEntry {
                    label: Some(name.clone()),
                    target_before: target(name),
                    ..line(Action::RemoveLabel)
                },
                Op::DeleteVersion(version) => AuditEntry {
                    version: Some(version.clone()),
                    digest_before: digest(self.state.versions.get(version)),
                    ..line(Action::DeleteVersion)
                },
                Op::DeletePrompt => AuditEntry {
                    digest_before: digest(self.state.shown.as_ref()),
                    ..line(Action::DeletePrompt)
                },
                _ => return None,
            })
        };
        ops.iter().filter_map(entry).collect()
    }
}
