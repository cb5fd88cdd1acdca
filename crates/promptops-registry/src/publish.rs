//! Creating prompts, publishing versions and editing those that no label points at.

use std::sync::Arc;

use promptops_types::{Bump, DEFAULT_PROJECT, NewPrompt, PromptUpdate, ValidationIssue, Version};

use crate::digest::render_digest;
use crate::naming::{check_name, check_slug, check_words, is_uuid, slug_for};
use crate::read::{exact, found};
use crate::registry::{Viewed, check_revision};
use crate::{
    Access, Action, Change, Focus, Found, Op, PromptHead, PromptRef, PromptState, Reference,
    Registry, RegistryError, Scope, Store, StoredVersion, Target, VersionContent,
};

/// How an update is made. The default publishes the next minor version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpdateOptions {
    /// The version to edit; with `create_new_version`, the number of the new one.
    pub version: Option<String>,
    /// Whether to publish a new version: unless said, when no version is given. `false` without a
    /// version edits the latest.
    pub create_new_version: Option<bool>,
    /// Which number to raise when no version is given.
    pub bump: Bump,
    /// Why, for the audit trail.
    pub message: Option<String>,
    /// Publishes even if nothing changes.
    pub force: bool,
    /// The revisions the caller has read, mostly one; any other is refused.
    pub if_revision: Option<Vec<u64>>,
}

/// What every registry would refuse in a new prompt, found without one; nothing where it would be taken,
/// unless its slug is.
pub fn check_prompt(new: &NewPrompt) -> Vec<ValidationIssue> {
    let mut issues = Vec::new();
    if let Some(slug) = &new.slug {
        check_slug(slug, &mut issues);
    }
    match VersionContent::from_new(new.clone()) {
        Ok(_) => {}
        Err(RegistryError::Invalid(more)) => issues.extend(more),
        Err(other) => {
            let field =
                if let RegistryError::TooLarge { field, .. } = &other { field } else { "prompt" };
            issues.push(ValidationIssue::new(field, "refused", other.to_string()));
        }
    }
    issues
}

impl Registry {
    /// Creates a prompt with its first version.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] that names every wrong field, [`RegistryError::TooLarge`],
    /// [`RegistryError::SlugTaken`], [`RegistryError::ProjectNotAllowed`].
    pub async fn create(
        &self,
        access: &Access,
        project: Option<&str>,
        new: NewPrompt,
    ) -> Result<Found, RegistryError> {
        access.require(Scope::Write)?;
        let project = project.unwrap_or(DEFAULT_PROJECT);
        if !access.allows(project) {
            return Err(RegistryError::ProjectNotAllowed { project: project.to_owned() });
        }
        let at = self.now();
        let id = new_id(at);
        let mut issues = Vec::new();
        check_name("project_id", project, &mut issues);
        let slug = match &new.slug {
            Some(slug) => {
                check_slug(slug, &mut issues);
                slug.clone()
            }
            // A name of symbols alone leaves nothing for a slug, and one that looks like an id
            // would hide one: the end of the id is unique.
            None => slug_for(&new.name)
                .filter(|slug| !is_uuid(slug))
                .unwrap_or_else(|| format!("prompt-{}", &id[id.len() - 12..])),
        };
        let version = match new.version.as_deref().map(|text| exact("version", text)) {
            None => Version::FIRST,
            Some(Ok(version)) => version,
            Some(Err(error)) => {
                issues.extend(error.into_issues()?);
                Version::FIRST
            }
        };
        let content = match VersionContent::from_new(new) {
            Ok(content) if issues.is_empty() => content,
            Ok(_) => return Err(RegistryError::Invalid(issues)),
            Err(error) => {
                issues.extend(error.into_issues()?);
                return Err(RegistryError::Invalid(issues));
            }
        };
        let stored = StoredVersion {
            version,
            digest: render_digest(&content),
            content,
            updated_at: at,
            created_by: access.actor().to_owned(),
            message: None,
            labels: Vec::new(),
        };
        let head = PromptHead {
            id,
            project: project.to_owned(),
            slug: slug.clone(),
            created_at: at,
            revision: 0,
            last_release: None,
            version_count: 1,
        };
        let reference = Reference::Slug { project: project.to_owned(), slug };
        let decide = {
            let (access, head, stored) = (access.clone(), head.clone(), stored.clone());
            move |state: &PromptState| create(&access, state, &head, &stored)
        };
        let receipt = access.receipt().cloned();
        let target = Target { reference, focus: Focus::default(), receipt };
        let applied = self.store.change(target, Arc::new(decide)).await?;
        Ok(found(PromptHead { revision: applied.revision, ..head }, stored))
    }

    /// Publishes a new version, or edits one that no label points at.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`RegistryError::PromptNotFound`],
    /// [`RegistryError::VersionNotFound`], [`RegistryError::VersionExists`],
    /// [`RegistryError::VersionFrozen`], [`RegistryError::Unchanged`],
    /// [`RegistryError::RevisionMismatch`].
    pub async fn update(
        &self,
        access: &Access,
        prompt: &PromptRef,
        update: PromptUpdate,
        options: UpdateOptions,
    ) -> Result<Found, RegistryError> {
        access.require(Scope::Write)?;
        let mut issues = Vec::new();
        check_words("message", options.message.as_deref().unwrap_or_default(), &mut issues);
        if !issues.is_empty() {
            return Err(RegistryError::Invalid(issues));
        }
        let version = options.version.as_deref().map(|text| exact("version", text)).transpose()?;
        let viewed = Viewed::new(access, prompt);
        let at = self.now();
        let change = async {
            let target = Target {
                reference: viewed.reference()?,
                focus: Focus { versions: version.iter().cloned().collect(), ..Focus::default() },
                receipt: access.receipt().cloned(),
            };
            let decide = {
                let viewed = viewed.clone();
                move |state: &PromptState| {
                    let head = viewed.check(state.head.as_ref())?;
                    check_revision(head, options.if_revision.as_deref())?;
                    let step = Step { viewed: &viewed, head, state, at, options: &options };
                    match (&version, options.create_new_version) {
                        (Some(version), None | Some(false)) => step.edit(version, &update),
                        (None, Some(false)) => step.edit(&step.shown()?.version, &update),
                        (number, _) => step.publish(number.as_ref(), &update),
                    }
                }
            };
            self.store.change(target, Arc::new(decide)).await
        };
        let applied = match change.await {
            Ok(applied) => applied,
            Err(RegistryError::VersionNotFound { selector, .. }) => {
                let head = self.head(access, prompt).await?;
                return Err(self.version_not_found(&head, &selector).await?);
            }
            Err(error) => return Err(self.explain(&viewed, error).await),
        };
        let head = viewed.check(applied.before.head.as_ref())?.clone();
        let written = applied.change.ops.into_iter().find_map(|op| match op {
            Op::AddVersion(stored) | Op::EditVersion(stored) => Some(*stored),
            _ => None,
        });
        let stored = written.ok_or_else(|| viewed.not_found())?;
        Ok(found(PromptHead { revision: applied.revision, ..head }, stored))
    }
}

/// A UUID version 7 of the registry's own time, so that ids sort by age.
fn new_id(at: promptops_types::Timestamp) -> String {
    let micros = u64::try_from(at.unix_micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1000).unwrap_or(0);
    let timestamp = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
    uuid::Uuid::new_v7(timestamp).hyphenated().to_string()
}

fn create(
    access: &Access,
    state: &PromptState,
    head: &PromptHead,
    stored: &StoredVersion,
) -> Result<Change, RegistryError> {
    if state.head.is_some() {
        return Err(RegistryError::SlugTaken {
            slug: head.slug.clone(),
            project: head.project.clone(),
        });
    }
    let at = head.created_at;
    let mut entry = head.audit(access.actor(), Action::Publish, at);
    entry.version = Some(stored.version.clone());
    entry.digest_after = Some(stored.digest.clone());
    Ok(Change {
        ops: vec![
            Op::CreatePrompt {
                id: head.id.clone(),
                project: head.project.clone(),
                slug: head.slug.clone(),
                at,
            },
            Op::AddVersion(Box::new(stored.clone())),
        ],
        audit: vec![entry],
    })
}

/// What an update decides on.
struct Step<'s> {
    viewed: &'s Viewed,
    head: &'s PromptHead,
    state: &'s PromptState,
    at: promptops_types::Timestamp,
    options: &'s UpdateOptions,
}

impl Step<'_> {
    /// A new version, on top of the one that a list shows.
    fn publish(
        &self,
        number: Option<&Version>,
        update: &PromptUpdate,
    ) -> Result<Change, RegistryError> {
        let base = self.shown()?;
        let content = base.content.updated(update)?;
        if content == base.content && !self.options.force {
            return Err(RegistryError::Unchanged {
                slug: self.head.slug.clone(),
                version: base.version.clone(),
            });
        }
        let version = match number {
            Some(number) if self.state.versions.contains_key(number) => {
                return Err(RegistryError::VersionExists {
                    slug: self.head.slug.clone(),
                    version: number.clone(),
                });
            }
            Some(number) => number.clone(),
            // Past every release there has been, so that no number comes back with another text.
            None => {
                let last = self.head.last_release.as_ref().unwrap_or(&base.version);
                let last = last.max(&base.version);
                last.bumped(self.options.bump).ok_or_else(|| {
                    let message = format!("after {last} there is no number; give one");
                    RegistryError::invalid("version", "exhausted", message)
                })?
            }
        };
        let stored = StoredVersion {
            version,
            digest: render_digest(&content),
            content,
            updated_at: self.at,
            created_by: self.viewed.access.actor().to_owned(),
            message: self.options.message.clone(),
            labels: Vec::new(),
        };
        Ok(self.put(Action::Publish, &base.digest, stored))
    }

    /// The version that a list shows: the latest.
    fn shown(&self) -> Result<&StoredVersion, RegistryError> {
        self.state.shown.as_ref().ok_or_else(|| self.viewed.not_found())
    }

    /// Another content for a version that no label points at.
    fn edit(&self, version: &Version, update: &PromptUpdate) -> Result<Change, RegistryError> {
        let shown = self.state.shown.as_ref().filter(|shown| shown.version == *version);
        let Some(old) = self.state.versions.get(version).or(shown) else {
            return Err(RegistryError::VersionNotFound {
                slug: self.head.slug.clone(),
                selector: version.to_string(),
                available: Vec::new(),
            });
        };
        if !old.labels.is_empty() {
            return Err(RegistryError::VersionFrozen {
                slug: self.head.slug.clone(),
                version: version.clone(),
                labels: old.labels.clone(),
            });
        }
        let content = old.content.updated(update)?;
        let stored = StoredVersion {
            digest: render_digest(&content),
            content,
            updated_at: self.at,
            message: self.options.message.clone().or_else(|| old.message.clone()),
            ..old.clone()
        };
        Ok(self.put(Action::Edit, &old.digest, stored))
    }

    fn put(&self, action: Action, digest_before: &str, stored: StoredVersion) -> Change {
        let mut entry = self.viewed.audit(self.head, action, self.at);
        entry.version = Some(stored.version.clone());
        entry.digest_before = Some(digest_before.to_owned());
        entry.digest_after = Some(stored.digest.clone());
        entry.message.clone_from(&self.options.message);
        let stored = Box::new(stored);
        let op = match action {
            Action::Edit => Op::EditVersion(stored),
            _ => Op::AddVersion(stored),
        };
        Change { ops: vec![op], audit: vec![entry] }
    }
}
