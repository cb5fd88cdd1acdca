//! The requests that the client's methods give: set what is optional, then await.

mod api_keys;
mod batch;
mod changes;
mod clear_cache;
mod compatibility;
mod create;
mod delete;
mod diff;
mod get;
mod labels;
mod list;
mod models;
mod prefetch;
mod prompt_id;
mod render;
mod selection;
mod update;
mod usage_stats;
mod validate;
mod versions;

pub use api_keys::{CreateApiKey, ListApiKeys, RevokeApiKey};
pub use batch::GetPrompts;
pub use changes::Changes;
pub use clear_cache::ClearCache;
pub use compatibility::GetModelCompatibility;
pub use create::CreatePrompt;
pub use delete::DeletePrompt;
pub use diff::DiffPrompt;
pub(crate) use get::cached;
pub use get::{GetPrompt, GettingPrompt};
pub use labels::{Labels, RemoveLabel, SetLabel};
pub use list::ListPrompts;
pub use models::ListModels;
pub use prefetch::Prefetch;
pub use render::RenderPrompt;
pub use update::UpdatePrompt;
pub use usage_stats::GetUsageStats;
pub use validate::{ValidatePrompt, ValidationReport};
pub use versions::PromptVersions;

/// Makes a request awaitable by its `send`.
macro_rules! awaitable {
    ($request:ty => $output:ty) => {
        impl std::future::IntoFuture for $request {
            type Output = Result<$output, promptops_types::Error>;
            type IntoFuture =
                std::pin::Pin<Box<dyn std::future::Future<Output = Self::Output> + Send>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    };
}

/// The setter of the project, which every request has.
macro_rules! project_setter {
    () => {
        /// Looks in this project, and not in the client's.
        pub fn project(mut self, project: impl Into<String>) -> Self {
            self.project = Some(project.into());
            self
        }
    };
}

/// The setter of whether a cache may answer, for the requests without a selection.
macro_rules! use_cache_setter {
    () => {
        /// Whether a cache may answer, the registry's own included; true.
        pub fn use_cache(mut self, use_cache: bool) -> Self {
            self.use_cache = use_cache;
            self
        }
    };
}

/// The setter of the ETag, which every conditional write has.
macro_rules! if_match_setter {
    () => {
        /// Fails with [`Error::Conflict`](promptops_types::Error::Conflict) if the prompt has
        /// changed since the fetch that gave this ETag.
        pub fn if_match(mut self, etag: impl Into<String>) -> Self {
            self.if_match = Some(etag.into());
            self
        }
    };
}

/// The setter of the idempotency key, which every keyed write has.
macro_rules! idempotency_key_setter {
    () => {
        /// The key by which the registry knows this write again, within 24 h, and answers as it did
        /// the first time: for a caller that tries again by itself. Visible ASCII; a new one for
        /// each call unless given.
        pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
            self.idempotency_key = Some(key.into());
            self
        }
    };
}

pub(crate) use awaitable;
pub(crate) use idempotency_key_setter;
pub(crate) use if_match_setter;
pub(crate) use project_setter;
pub(crate) use use_cache_setter;

use crate::PromptOpsClient;

/// The project of a call: its own, else the client's.
pub(crate) fn project(client: &PromptOpsClient, own: Option<String>) -> Option<String> {
    own.or_else(|| client.project().map(str::to_owned))
}
