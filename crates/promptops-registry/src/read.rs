//! Reading: one prompt, its versions, lists, projects, modules and the audit trail.

use std::sync::Arc;

use tokio::sync::watch;

use promptops_types::{PromptPage, PromptResponse, Selector, Version};

use crate::limits::MAX_PAGE;
use crate::registry::Viewed;
use crate::{
    Access, AuditEntry, AuditQuery, Found, ListPage, ListQuery, Located, Module, Pick, Project,
    PromptHead, PromptRef, Receipted, Reference, Registry, RegistryError, Scope, Store, StoreError,
    StoredVersion, cursor, rollout,
};

/// Looks at a weighted label while the prompt keeps changing under it.
const LOOKS: usize = 10;

/// Versions an error names.
const NAMED_VERSIONS: u64 = 5;

impl Registry {
    /// The version of a prompt that a selector selects. `key` chooses behind a weighted label.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`] with suggestions, [`RegistryError::VersionNotFound`] with
    /// the versions there are.
    pub async fn get(
        &self,
        access: &Access,
        prompt: &PromptRef,
        selector: &Selector,
        key: Option<&str>,
    ) -> Result<Found, RegistryError> {
        let viewed = Viewed::new(access, prompt);
        match self.select(&viewed, selector, key).await {
            Ok((head, stored)) => Ok(found(head, stored)),
            Err(error) => Err(self.explain(&viewed, error).await),
        }
    }

    async fn select(
        &self,
        viewed: &Viewed,
        selector: &Selector,
        key: Option<&str>,
    ) -> Result<(PromptHead, StoredVersion), RegistryError> {
        let reference = viewed.reference()?;
        let mut last = None;
        for link in selector.links() {
            match self.locate(&reference, link, key).await? {
                Located::Version(both) => {
                    viewed.check(Some(&both.0))?;
                    return Ok(*both);
                }
                Located::NoVersion(head) | Located::Weights(head, _) => last = Some(head),
                Located::NoPrompt => return Err(viewed.not_found()),
            }
        }
        let head = viewed.check(last.as_ref())?;
        Err(self.version_not_found(head, &selector.to_string()).await?)
    }

    /// What one link of a selector finds, behind a weighted label too.
    async fn locate(
        &self,
        reference: &Reference,
        link: &Selector,
        key: Option<&str>,
    ) -> Result<Located, StoreError> {
        for _ in 0..LOOKS {
            let located = self.store.find(reference, &pick(link)).await?;
            let (Located::Weights(head, weights), Selector::Label(label)) = (&located, link) else {
                return Ok(located);
            };
            let Some(version) = rollout::pick(label, weights, key) else {
                return Ok(Located::NoVersion(head.clone()));
            };
            let chosen = self.store.find(reference, &Pick::Exact(version.clone())).await?;
            match &chosen {
                Located::Version(both) if both.0.revision == head.revision => return Ok(chosen),
                // The prompt has changed between the two looks: look again.
                _ => {}
            }
        }
        Err(StoreError::Busy)
    }

    pub(crate) async fn version_not_found(
        &self,
        head: &PromptHead,
        selector: &str,
    ) -> Result<RegistryError, StoreError> {
        let highest = self.store.numbers(&head.id, NAMED_VERSIONS).await?;
        Ok(RegistryError::VersionNotFound {
            slug: head.slug.clone(),
            selector: selector.to_owned(),
            available: highest.iter().map(ToString::to_string).collect(),
        })
    }

    /// The numbers of a prompt's versions, highest first, at most 1000.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`].
    pub async fn version_numbers(
        &self,
        access: &Access,
        prompt: &PromptRef,
    ) -> Result<Vec<Version>, RegistryError> {
        let head = self.head(access, prompt).await?;
        Ok(self.store.numbers(&head.id, MAX_PAGE).await?)
    }

    /// The versions of a prompt, the one published last first, at most `limit` (1 to 1000), after a
    /// cursor; and the cursor of what comes after them, if anything does.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`]; [`RegistryError::Invalid`] for a cursor of another list.
    pub async fn versions(
        &self,
        access: &Access,
        prompt: &PromptRef,
        after: Option<&str>,
        limit: u64,
    ) -> Result<(Vec<Found>, Option<String>), RegistryError> {
        check_limit(limit)?;
        let head = self.head(access, prompt).await?;
        let before = after.map(|text| cursor::read_version(text, &head.id)).transpose()?;
        let mut versions = self.store.versions(&head.id, before, limit + 1).await?;
        // One more than wanted, or fewer since they are large.
        let is_all = before.is_none() && versions.len() as u64 == head.version_count;
        let has_more =
            versions.len() as u64 > limit || (!is_all && self.is_cut(&head, &versions).await?);
        versions.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = versions.last().filter(|_| has_more);
        let next = next.map(|(place, _)| cursor::version(*place, &head.id));
        let versions = versions.into_iter().map(|(_, stored)| found(head.clone(), stored));
        Ok((versions.collect(), next))
    }

    /// Whether there are versions before the last of these.
    async fn is_cut(
        &self,
        head: &PromptHead,
        versions: &[(u64, StoredVersion)],
    ) -> Result<bool, StoreError> {
        let Some((last, _)) = versions.last() else { return Ok(false) };
        Ok(!self.store.versions(&head.id, Some(*last), 1).await?.is_empty())
    }

    /// A prompt without its versions, for those who may see it.
    pub(crate) async fn head(
        &self,
        access: &Access,
        prompt: &PromptRef,
    ) -> Result<PromptHead, RegistryError> {
        let viewed = Viewed::new(access, prompt);
        let look = async {
            let reference = viewed.reference()?;
            let head = match self.store.find(&reference, &Pick::Latest).await? {
                Located::Version(both) => Some(both.0),
                Located::NoVersion(head) | Located::Weights(head, _) => Some(head),
                Located::NoPrompt => None,
            };
            viewed.check(head.as_ref()).cloned()
        };
        match look.await {
            Ok(head) => Ok(head),
            Err(error) => Err(self.explain(&viewed, error).await),
        }
    }

    /// One page of prompts, each at its highest release (or, where there is none, at its highest
    /// version). `query.projects` is narrowed to what the caller may see.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] for a limit of 0 or above 1000, and for a cursor of another list.
    pub async fn list(
        &self,
        access: &Access,
        mut query: ListQuery,
        after: Option<&str>,
    ) -> Result<PromptPage, RegistryError> {
        access.require(Scope::Read)?;
        check_limit(query.limit)?;
        query.projects = access.narrow(query.projects);
        query.after = after.map(|text| cursor::read(text, &query)).transpose()?;
        if query.after.is_some() {
            // A cursor says where the page begins: what was skipped before it is not skipped again.
            query.offset = 0;
        }
        let ListPage { prompts, total, next } = self.store.list(&query).await?;
        let prompts =
            prompts.into_iter().map(|(head, stored)| Arc::new(found(head, stored).prompt));
        let mut page = PromptPage::new(prompts.collect(), total, query.limit, query.offset);
        page.has_more = next.is_some();
        page.next_cursor = next.map(|place| cursor::of(&place, &query));
        Ok(page)
    }

    /// The audit trail of what the caller may see, oldest first: entries after `after`, at most
    /// `limit` (1 to 1000). The trail of a prompt outlives it and is found by its UUID.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn audit(
        &self,
        access: &Access,
        prompt_id: Option<&str>,
        after: u64,
        limit: u64,
    ) -> Result<Vec<AuditEntry>, RegistryError> {
        access.require(Scope::Read)?;
        let query = AuditQuery {
            projects: access.narrow(None),
            prompt_id: prompt_id.map(str::to_lowercase),
            after,
            limit: limit.clamp(1, MAX_PAGE),
        };
        Ok(self.store.audit(&query).await?)
    }

    /// What was changed in the projects that the caller may see, or in one of them, in order: after the
    /// change with the number `after`, at most `limit` (1 to 1000).
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] for a limit of 0 or above 1000; [`RegistryError::Store`].
    pub async fn changes(
        &self,
        access: &Access,
        project: Option<&str>,
        after: u64,
        limit: u64,
    ) -> Result<Vec<AuditEntry>, RegistryError> {
        access.require(Scope::Read)?;
        check_limit(limit)?;
        let query = AuditQuery {
            projects: access.narrow(project.map(|project| vec![project.to_owned()])),
            prompt_id: None,
            after,
            limit,
        };
        Ok(self.store.audit(&query).await?)
    }

    /// The number of the last change that this process knows of, as [`Store::watch`] tells it.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.store.watch()
    }

    /// What was done under a receipt's id.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn receipt(&self, id: &[u8; 32]) -> Result<Option<Receipted>, RegistryError> {
        Ok(self.store.receipt(id).await?)
    }

    /// Keeps the answer that was given for a receipt: it is given again when the write is sent again.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn answered(
        &self,
        id: &[u8; 32],
        status: u16,
        etag: Option<&str>,
        answer: &[u8],
    ) -> Result<(), RegistryError> {
        Ok(self.store.answered(id, status, etag, answer).await?)
    }

    /// The projects that the caller may see, by id.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn projects(&self, access: &Access) -> Result<Vec<Project>, RegistryError> {
        access.require(Scope::Read)?;
        let mut projects = self.store.projects().await?;
        projects.retain(|project| access.allows(&project.id));
        Ok(projects)
    }

    /// The modules of a project, by id; none of a project that the caller may not see.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn modules(
        &self,
        access: &Access,
        project: &str,
    ) -> Result<Vec<Module>, RegistryError> {
        access.require(Scope::Read)?;
        if !access.allows(project) {
            return Ok(Vec::new());
        }
        Ok(self.store.modules(project).await?)
    }
}

/// Refuses a page that is empty or too large.
pub(crate) fn check_limit(limit: u64) -> Result<(), RegistryError> {
    if limit == 0 || limit > MAX_PAGE {
        let message = format!("is {limit}; it must be 1 to {MAX_PAGE}");
        return Err(RegistryError::invalid("limit", "out_of_range", message));
    }
    Ok(())
}

fn pick(link: &Selector) -> Pick {
    match link {
        Selector::Exact(version) => Pick::Exact(version.clone()),
        Selector::Range { major, minor } => Pick::Range { major: *major, minor: *minor },
        Selector::Label(label) => Pick::Label(label.clone()),
        _ => Pick::Latest,
    }
}

/// An exact version, for operations that change one.
pub(crate) fn exact(field: &str, text: &str) -> Result<Version, RegistryError> {
    text.parse().map_err(|error: promptops_types::VersionError| {
        RegistryError::invalid(field, "invalid_version", error.to_string())
    })
}

/// A stored version as a prompt on the wire.
pub(crate) fn found(head: PromptHead, stored: StoredVersion) -> Found {
    let StoredVersion { version, content, digest, updated_at, created_by, labels, .. } = stored;
    let mut prompt = PromptResponse::default();
    prompt.id = head.id;
    prompt.slug = head.slug;
    prompt.name = content.name;
    prompt.description = content.description;
    prompt.content = content.content;
    prompt.messages = content.messages;
    prompt.variables = content.variables;
    prompt.target_models = content.target_models;
    prompt.model_specific_prompts = content.model_specific_prompts;
    prompt.template_format = content.template_format;
    prompt.version = version.to_string();
    prompt.labels = labels;
    prompt.created_at = head.created_at;
    prompt.updated_at = updated_at;
    prompt.created_by = created_by;
    prompt.tags = content.tags;
    prompt.metadata = content.metadata;
    prompt.module_id = content.module_id;
    prompt.project_id = head.project;
    prompt.digest = digest;
    Found { prompt, revision: head.revision }
}
