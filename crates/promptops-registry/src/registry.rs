use std::path::Path;
use std::sync::Arc;

use promptops_types::{DEFAULT_PROJECT, PromptResponse, SystemTime, TimeSource, Timestamp};

use crate::naming::is_uuid;
use crate::{
    Access, Action, AuditEntry, PromptHead, Reference, RegistryError, Scope, SharedStore,
    SqliteStore, Store, StoreError,
};

/// A prompt registry over a [`Store`]: every rule about prompts, versions and labels is here.
///
/// A clone shares the store. Each operation is in the module named for it: reading, publishing,
/// deleting, labels.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(crate) store: SharedStore,
    time: Arc<dyn TimeSource>,
}

/// A prompt by id or slug, and the project to look in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptRef {
    /// UUID or slug.
    pub id: String,
    /// The project: a slug is looked for there, or in `default`; a UUID is found in any project
    /// that the caller may see, or in this one alone.
    pub project: Option<String>,
}

impl PromptRef {
    /// A prompt in the default project, or anywhere by its UUID.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), project: None }
    }

    /// Looks in a project.
    pub fn in_project(mut self, project: Option<impl Into<String>>) -> Self {
        self.project = project.map(Into::into);
        self
    }
}

/// A version of a prompt, and the prompt's revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The version.
    pub prompt: PromptResponse,
    /// Number of the prompt's last change, of whatever version or label.
    pub revision: u64,
}

impl Registry {
    /// A registry over any store, with the system's clock.
    pub fn new(store: impl Store) -> Self {
        Self { store: SharedStore::new(store), time: Arc::new(SystemTime) }
    }

    /// A registry in one SQLite file, created if it is not there.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteStore::open(path).map(Self::new)
    }

    /// An empty registry in memory.
    ///
    /// # Errors
    /// As [`SqliteStore::in_memory`].
    pub fn in_memory() -> Result<Self, StoreError> {
        SqliteStore::in_memory().map(Self::new)
    }

    /// Reads the time elsewhere.
    pub fn time_source(mut self, time: impl TimeSource) -> Self {
        self.time = Arc::new(time);
        self
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Adds suggestions to an error about a prompt that is not there.
    pub(crate) async fn explain(&self, viewed: &Viewed, error: RegistryError) -> RegistryError {
        let Viewed { access, prompt: PromptRef { project, .. } } = viewed;
        let project = project.as_deref();
        let RegistryError::PromptNotFound { reference, place, suggestions } = error else {
            return error;
        };
        if !suggestions.is_empty() || is_uuid(&reference) {
            return RegistryError::PromptNotFound { reference, place, suggestions };
        }
        // The answer is "not found" with or without suggestions.
        let project = project.unwrap_or(DEFAULT_PROJECT);
        let suggestions = self.suggest(access, project, &reference).await.unwrap_or_default();
        RegistryError::PromptNotFound { reference, place, suggestions }
    }
}

/// A prompt as one caller may see it: what to ask the store, and whether the answer is theirs.
#[derive(Debug, Clone)]
pub(crate) struct Viewed {
    pub(crate) access: Access,
    pub(crate) prompt: PromptRef,
}

impl Viewed {
    pub(crate) fn new(access: &Access, prompt: &PromptRef) -> Self {
        Self { access: access.clone(), prompt: prompt.clone() }
    }

    /// What to ask the store.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`] for a project that the caller may not see.
    pub(crate) fn reference(&self) -> Result<Reference, RegistryError> {
        self.access.require(Scope::Read)?;
        let PromptRef { id, project } = &self.prompt;
        if let Ok(uuid) = uuid::Uuid::try_parse(id) {
            return Ok(Reference::Id(uuid.hyphenated().to_string()));
        }
        let project = project.as_deref().unwrap_or(DEFAULT_PROJECT);
        if !self.access.allows(project) {
            return Err(self.not_found());
        }
        Ok(Reference::Slug { project: project.to_owned(), slug: id.clone() })
    }

    /// The prompt, if there is one and the caller may see it.
    pub(crate) fn check<'h>(
        &self,
        head: Option<&'h PromptHead>,
    ) -> Result<&'h PromptHead, RegistryError> {
        head.filter(|head| self.access.allows(&head.project))
            .filter(|head| self.prompt.project.as_ref().is_none_or(|p| *p == head.project))
            .ok_or_else(|| self.not_found())
    }

    pub(crate) fn not_found(&self) -> RegistryError {
        let by_id = is_uuid(&self.prompt.id);
        let place = match &self.prompt.project {
            Some(project) => format!("project `{project}`"),
            None if by_id => "any project".to_owned(),
            None => format!("project `{DEFAULT_PROJECT}`"),
        };
        RegistryError::PromptNotFound {
            reference: self.prompt.id.clone(),
            place,
            suggestions: Vec::new(),
        }
    }

    /// A line for the audit trail about this prompt; the caller adds what it is about.
    pub(crate) fn audit(&self, head: &PromptHead, action: Action, at: Timestamp) -> AuditEntry {
        head.audit(self.access.actor(), action, at)
    }
}

/// Refuses a change to a prompt that has changed since the caller read it.
pub(crate) fn check_revision(
    head: &PromptHead,
    expected: Option<&[u64]>,
) -> Result<(), RegistryError> {
    match expected {
        Some(expected) if !expected.contains(&head.revision) => {
            Err(RegistryError::RevisionMismatch {
                slug: head.slug.clone(),
                expected: expected.to_vec(),
                current: head.revision,
            })
        }
        _ => Ok(()),
    }
}
