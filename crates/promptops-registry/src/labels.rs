//! Labels: pointing them at versions, taking them away, and undoing the last move.

use std::sync::Arc;

use promptops_types::{Label, LabelName, LabelTarget};

use crate::registry::{Viewed, check_revision};
use crate::{
    Access, Action, Applied, Change, Focus, Op, PromptHead, PromptRef, PromptState, Registry,
    RegistryError, Scope, Store, Target,
};

/// Most labels of one prompt.
const MAX_LABELS: usize = 100;

/// Most versions behind one label.
const MAX_WEIGHTS: usize = 20;

/// Largest weight.
const MAX_WEIGHT: u32 = 1_000_000;

/// Where a label points after a change, and the prompt's revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMove {
    /// The label; `None` when it is gone.
    pub label: Option<Label>,
    /// The prompt's revision after the change.
    pub revision: u64,
}

impl Registry {
    /// The labels of a prompt, by name, and a revision of the prompt that they are not older than.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`].
    pub async fn labels(
        &self,
        access: &Access,
        prompt: &PromptRef,
    ) -> Result<(Vec<Label>, u64), RegistryError> {
        let head = self.head(access, prompt).await?;
        Ok((self.store.labels(&head.id).await?, head.revision))
    }

    /// Points a label at a version, or at several with weights. Pointing it where it points
    /// already changes nothing.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`], [`RegistryError::VersionNotFound`],
    /// [`RegistryError::Invalid`] for weights that add up to 0, [`RegistryError::RevisionMismatch`].
    pub async fn set_label(
        &self,
        access: &Access,
        prompt: &PromptRef,
        label: &LabelName,
        target: LabelTarget,
        if_revision: Option<Vec<u64>>,
    ) -> Result<LabelMove, RegistryError> {
        check_weights(&target)?;
        self.move_label(access, prompt, label, if_revision, move |_, _| Ok(Some(target.clone())))
            .await
    }

    /// Takes a label away.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`], [`RegistryError::LabelNotFound`],
    /// [`RegistryError::RevisionMismatch`].
    pub async fn remove_label(
        &self,
        access: &Access,
        prompt: &PromptRef,
        label: &LabelName,
        if_revision: Option<Vec<u64>>,
    ) -> Result<LabelMove, RegistryError> {
        let name = label.clone();
        self.move_label(access, prompt, label, if_revision, move |head, state| {
            if state.labels.iter().any(|label| label.label == name) {
                return Ok(None);
            }
            Err(RegistryError::LabelNotFound { slug: head.slug.clone(), label: name.clone() })
        })
        .await
    }

    /// Takes the last move of a label back, a removal too. Undoing twice brings the move back.
    ///
    /// # Errors
    /// [`RegistryError::NothingToUndo`]; [`RegistryError::VersionNotFound`] when the version it
    /// pointed at has been deleted since.
    pub async fn undo_label(
        &self,
        access: &Access,
        prompt: &PromptRef,
        label: &LabelName,
        if_revision: Option<Vec<u64>>,
    ) -> Result<LabelMove, RegistryError> {
        let name = label.clone();
        self.move_label(access, prompt, label, if_revision, move |head, state| {
            let last = state.last_move.as_ref().ok_or_else(|| RegistryError::NothingToUndo {
                slug: head.slug.clone(),
                label: name.clone(),
            })?;
            Ok(last.0.clone())
        })
        .await
    }

    /// Points a label where `aim` says, or takes it away where it says `None`.
    async fn move_label(
        &self,
        access: &Access,
        prompt: &PromptRef,
        label: &LabelName,
        if_revision: Option<Vec<u64>>,
        aim: impl Fn(&PromptHead, &PromptState) -> Result<Option<LabelTarget>, RegistryError>
        + Send
        + Sync
        + 'static,
    ) -> Result<LabelMove, RegistryError> {
        access.require(Scope::Write)?;
        let viewed = Viewed::new(access, prompt);
        let at = self.now();
        let change = async {
            let focus = Focus { label: Some(label.clone()), all_numbers: true, ..Focus::default() };
            let target = Target {
                reference: viewed.reference()?,
                focus,
                receipt: access.receipt().cloned(),
            };
            let decide = {
                let (viewed, name) = (viewed.clone(), label.clone());
                move |state: &PromptState| {
                    let head = viewed.check(state.head.as_ref())?;
                    check_revision(head, if_revision.as_deref())?;
                    let to = aim(head, state)?;
                    let from = state.labels.iter().find(|label| label.label == name);
                    let from = from.map(|label| label.target.clone());
                    if from == to {
                        return Ok(Change::default());
                    }
                    let op = match &to {
                        Some(target) => {
                            check_target(head, state, from.is_none(), target)?;
                            let by = viewed.access.actor().to_owned();
                            Op::SetLabel(Label::new(name.clone(), target.clone(), at, by))
                        }
                        None => Op::RemoveLabel(name.clone()),
                    };
                    let action = if to.is_some() { Action::SetLabel } else { Action::RemoveLabel };
                    let mut entry = viewed.audit(head, action, at);
                    entry.label = Some(name.clone());
                    entry.target_before = from;
                    entry.target_after = to;
                    Ok(Change { ops: vec![op], audit: vec![entry] })
                }
            };
            self.store.change(target, Arc::new(decide)).await
        };
        match change.await {
            Ok(applied) => Ok(moved(applied, label)),
            Err(RegistryError::VersionNotFound { selector, .. }) => {
                let head = self.head(access, prompt).await?;
                Err(self.version_not_found(&head, &selector).await?)
            }
            Err(error) => Err(self.explain(&viewed, error).await),
        }
    }
}

fn moved(applied: Applied, name: &LabelName) -> LabelMove {
    let Applied { before, change, revision } = applied;
    let label = match change.ops.into_iter().next() {
        Some(Op::SetLabel(label)) => Some(label),
        Some(_) => None,
        // Nothing changed: the label is where it was.
        None => before.labels.into_iter().find(|label| label.label == *name),
    };
    LabelMove { label, revision }
}

fn check_weights(target: &LabelTarget) -> Result<(), RegistryError> {
    let LabelTarget::Weights(weights) = target else { return Ok(()) };
    let problem = if weights.values().all(|weight| *weight == 0) {
        "add up to 0; give at least one version a weight".to_owned()
    } else if weights.len() > MAX_WEIGHTS {
        format!("name {} versions; at most {MAX_WEIGHTS}", weights.len())
    } else if weights.values().any(|weight| *weight > MAX_WEIGHT) {
        format!("go beyond {MAX_WEIGHT}")
    } else {
        return Ok(());
    };
    Err(RegistryError::invalid("weights", "invalid_weights", problem))
}

fn check_target(
    head: &PromptHead,
    state: &PromptState,
    is_new: bool,
    target: &LabelTarget,
) -> Result<(), RegistryError> {
    if is_new && state.labels.len() >= MAX_LABELS {
        let problem = format!("prompt has {MAX_LABELS} labels; remove one first");
        return Err(RegistryError::invalid("label", "too_many", problem));
    }
    match target.versions().into_iter().find(|version| !state.numbers.contains(version)) {
        None => Ok(()),
        Some(missing) => Err(RegistryError::VersionNotFound {
            slug: head.slug.clone(),
            selector: missing.to_string(),
            available: Vec::new(),
        }),
    }
}
