use std::sync::Arc;
use std::time::Duration;

use promptops_types::{
    ApiKey, ApiKeyPage, BatchResponse, Bump, ChangePage, CreatedKey, Deleted, Error, Granularity,
    Label, ModelCompatibility, ModelInfo, ModelProvider, PromptDiff, PromptPage, PromptResponse,
    RenderResponse, SortBy, SortOrder, UsageStats,
};

use super::runtime::wait;
use crate::Fetched;
use crate::requests::{
    Changes, ClearCache, CreateApiKey, CreatePrompt, DeletePrompt, DiffPrompt,
    GetModelCompatibility, GetPrompt, GetPrompts, GetUsageStats, Labels, ListApiKeys, ListModels,
    ListPrompts, Prefetch, PromptVersions, RemoveLabel, RenderPrompt, RevokeApiKey, SetLabel,
    UpdatePrompt, ValidatePrompt, ValidationReport,
};

/// A request whose call blocks: set what is optional, then [`send`](Self::send) it.
#[derive(Debug)]
#[must_use = "a request is sent by `send`"]
pub struct Request<R>(R);

impl<R> Request<R> {
    pub(super) fn new(request: R) -> Self {
        Self(request)
    }
}

/// The setters of an async request, by name, and what is sent.
macro_rules! request {
    ($request:ident { $($setter:ident($($name:ident: $type:ty),*))* } $($method:ident => $output:ty),*) => {
        impl Request<$request> {
            $(
                #[doc = concat!("As [`", stringify!($request), "::", stringify!($setter), "`].")]
                pub fn $setter(self $(, $name: $type)*) -> Self {
                    Self(self.0.$setter($($name),*))
                }
            )*
            $(
                #[doc = concat!("As [`", stringify!($request), "::", stringify!($method), "`].")]
                ///
                /// # Errors
                /// As there.
                pub fn $method(self) -> Result<$output, Error> {
                    wait(self.0.$method())
                }
            )*
        }
    };
}

/// What most requests are: awaited, they give their output.
macro_rules! sent {
    ($($request:ty => $output:ty;)*) => {
        $(
            impl Request<$request> {
                /// Sends the request, and blocks until it has ended.
                ///
                /// # Errors
                /// As awaiting it on the async client.
                pub fn send(self) -> Result<$output, Error> {
                    wait(self.0.into_future())
                }
            }
        )*
    };
}

sent! {
    ListPrompts => Vec<Arc<PromptResponse>>;
    CreatePrompt => Arc<PromptResponse>;
    UpdatePrompt => Arc<PromptResponse>;
    DeletePrompt => bool;
    ValidatePrompt => bool;
    GetModelCompatibility => bool;
    ListModels => Vec<ModelInfo>;
    GetPrompts => BatchResponse;
    Prefetch => u64;
    PromptVersions => Vec<Arc<PromptResponse>>;
    DiffPrompt => PromptDiff;
    Labels => Vec<Label>;
    SetLabel => Option<Label>;
    RemoveLabel => bool;
    ClearCache => ();
    Changes => ChangePage;
    GetUsageStats => UsageStats;
    ListApiKeys => ApiKeyPage;
    CreateApiKey => CreatedKey;
    RevokeApiKey => ApiKey;
}

impl Request<GetPrompt> {
    /// Sends the request, and blocks until it has ended. What the cache in memory has is given at once.
    ///
    /// # Errors
    /// As awaiting it on the async client.
    pub fn send(self) -> Result<Arc<PromptResponse>, Error> {
        self.0.at_once().unwrap_or_else(wait)
    }

    /// As [`GetPrompt::fallback_with`].
    pub fn fallback_with<P: Into<Arc<PromptResponse>>>(
        self,
        make: impl FnOnce(&Error) -> P + Send + 'static,
    ) -> Self {
        Self(self.0.fallback_with(make))
    }
}

impl Request<RenderPrompt> {
    /// Sends the request, and blocks until it has ended. What the cache in memory has is rendered at
    /// once.
    ///
    /// # Errors
    /// As awaiting it on the async client.
    pub fn send(self) -> Result<RenderResponse, Error> {
        self.0.at_once().unwrap_or_else(|| wait(self.0.into_future()))
    }
}

request!(GetPrompt {
    version(selector: impl Into<String>)
    project(project: impl Into<String>)
    key(key: impl Into<String>)
    use_cache(use_cache: bool)
    fallback(prompt: impl Into<Arc<PromptResponse>>)
} fetch => Fetched<PromptResponse>);

request!(RenderPrompt {
    version(selector: impl Into<String>)
    project(project: impl Into<String>)
    key(key: impl Into<String>)
    use_cache(use_cache: bool)
    model(provider: impl Into<ModelProvider>, model: impl Into<String>)
    provider(provider: impl Into<ModelProvider>)
    strict(strict: bool)
    fallback(prompt: impl Into<Arc<PromptResponse>>)
});

request!(ListPrompts {
    project(project: impl Into<String>)
    module(module: impl Into<String>)
    query(text: impl Into<String>)
    tags(tags: impl IntoIterator<Item = impl Into<String>>)
    skip(prompts: u64)
    cursor(cursor: impl Into<String>)
    limit(prompts: u64)
    sort_by(sort_by: SortBy)
    sort_order(sort_order: SortOrder)
    use_cache(use_cache: bool)
} page => PromptPage);

request!(CreatePrompt {
    project(project: impl Into<String>)
    idempotency_key(key: impl Into<String>)
});

request!(UpdatePrompt {
    project(project: impl Into<String>)
    version(version: impl Into<String>)
    create_new_version(create: bool)
    bump(bump: Bump)
    message(message: impl Into<String>)
    force(force: bool)
    if_match(etag: impl Into<String>)
    idempotency_key(key: impl Into<String>)
});

request!(DeletePrompt {
    project(project: impl Into<String>)
    version(version: impl Into<String>)
    force(force: bool)
    if_match(etag: impl Into<String>)
} report => Deleted);

request!(ValidatePrompt {
    version(selector: impl Into<String>)
    project(project: impl Into<String>)
    key(key: impl Into<String>)
    use_cache(use_cache: bool)
} report => ValidationReport);

request!(GetModelCompatibility {
    project(project: impl Into<String>)
    version(selector: impl Into<String>)
} report => ModelCompatibility);

request!(ListModels {
    provider(provider: impl Into<ModelProvider>)
    capability(capability: impl Into<String>)
    use_cache(use_cache: bool)
});

request!(GetPrompts {
    project(project: impl Into<String>)
    include_versions(include: bool)
});

request!(Prefetch { project(project: impl Into<String>) });
request!(PromptVersions { project(project: impl Into<String>) });
request!(DiffPrompt { project(project: impl Into<String>) });
request!(Labels { project(project: impl Into<String>) });

request!(SetLabel {
    project(project: impl Into<String>)
    if_match(etag: impl Into<String>)
    idempotency_key(key: impl Into<String>)
});

request!(RemoveLabel {
    project(project: impl Into<String>)
    if_match(etag: impl Into<String>)
});

request!(Changes {
    project(project: impl Into<String>)
    since(cursor: impl Into<String>)
    from_now()
    limit(changes: u64)
    wait(time: Duration)
});

request!(GetUsageStats {
    project(project: impl Into<String>)
    prompt(id: impl Into<String>)
    start(date: impl Into<String>)
    end(date: impl Into<String>)
    granularity(granularity: Granularity)
});

request!(ListApiKeys {
    limit(keys: u64)
    cursor(cursor: impl Into<String>)
});

request!(ClearCache {
    prompt(prompt: impl Into<String>)
    version(version: impl Into<String>)
});
