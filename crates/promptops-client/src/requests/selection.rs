use promptops_types::{Error, ErrorCode, ErrorContext, Selector};

use crate::PromptOpsClient;
use crate::call::Call;

/// Which version of a prompt, and how it is to be found.
#[derive(Clone)]
pub(crate) struct Selection {
    pub(crate) version: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) use_cache: bool,
}

/// Not the key, which names whoever asks.
impl std::fmt::Debug for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selection")
            .field("version", &self.version)
            .field("project", &self.project)
            .field("use_cache", &self.use_cache)
            .finish_non_exhaustive()
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self { version: None, project: None, key: None, use_cache: true }
    }
}

impl Selection {
    /// Adds the selection to a call.
    ///
    /// # Errors
    /// [`Error::Validation`] for a selector that can select nothing: before anything is sent.
    pub(crate) fn apply(self, client: &PromptOpsClient, call: Call) -> Result<Call, Error> {
        check_selector(self.version.as_deref())?;
        Ok(call
            .query("version", self.version)
            .in_project(super::project(client, self.project).as_ref())
            .query("key", self.key)
            .query("use_cache", (!self.use_cache).then_some("false")))
    }
}

/// Checks a selector before anything is sent; one that is refused is counted as a call all the same.
pub(crate) fn checked_selector(
    client: &PromptOpsClient,
    operation: &'static str,
    selector: Option<&str>,
) -> Result<(), Error> {
    check_selector(selector).inspect_err(|error| client.observer().refused(operation, error))
}

/// Refuses a selector that can select nothing.
fn check_selector(selector: Option<&str>) -> Result<(), Error> {
    let parsed = selector.map(str::parse::<Selector>).transpose();
    parsed.map(drop).map_err(|error| {
        let context = ErrorContext::new(ErrorCode::BadRequest, error.to_string());
        Error::Validation { validation_errors: Vec::new(), context: context.into() }
    })
}

/// The setters of a [`Selection`], for the requests that have one.
macro_rules! selection_setters {
    () => {
        /// Selects a version: `1.2.0`, `1.2`, a label, or a chain such as `staging,production`.
        pub fn version(mut self, selector: impl Into<String>) -> Self {
            self.selection_mut().version = Some(selector.into());
            self
        }

        /// Looks in this project, and not in the client's.
        pub fn project(mut self, project: impl Into<String>) -> Self {
            self.selection_mut().project = Some(project.into());
            self
        }

        /// Decides behind a weighted label: the same key always gets the same version.
        pub fn key(mut self, key: impl Into<String>) -> Self {
            self.selection_mut().key = Some(key.into());
            self
        }

        /// Whether a cache may answer, the registry's own included; true.
        pub fn use_cache(mut self, use_cache: bool) -> Self {
            self.selection_mut().use_cache = use_cache;
            self
        }
    };
}

pub(crate) use selection_setters;
