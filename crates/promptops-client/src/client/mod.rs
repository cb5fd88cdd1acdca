//! The client: what it holds, and the requests that it makes.

mod settings;

use std::path::Path;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use promptops_transport::{CircuitState, Pipeline};
use promptops_types::{
    BatchEntry, CacheStats, ClientConfig, Error, ModelProvider, NewKey, NewPrompt, PromptResponse,
    PromptUpdate, PromptVariables, TimeSource, ValidationIssue,
};
use serde::Serialize;

use self::settings::Settings;
use crate::ClientBuilder;
use crate::base_url::BaseUrl;
use crate::cache::Cache;
use crate::observer::Observer;
use crate::requests::{
    Changes, ClearCache, CreateApiKey, CreatePrompt, DeletePrompt, DiffPrompt,
    GetModelCompatibility, GetPrompt, GetPrompts, GetUsageStats, Labels, ListApiKeys, ListModels,
    ListPrompts, Prefetch, PromptVersions, RemoveLabel, RenderPrompt, RevokeApiKey, SetLabel,
    UpdatePrompt, ValidatePrompt, cached,
};
use crate::templates::Templates;

/// A client of one registry. A clone shares everything; make one and clone it.
///
/// Each method gives a request, which is sent when it is awaited and can be spawned. It needs a
/// tokio runtime with time enabled. The deadline of [`ClientConfig::timeout`] covers a whole call,
/// retries included; what is retried, and how often, is the [`Pipeline`]'s and
/// [`ClientConfig::retry`]'s.
///
/// # Cancel safety
/// Every request can be dropped at any await; a write that was dropped is made whole or not at all.
#[derive(Debug, Clone)]
pub struct PromptOpsClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    settings: ArcSwap<Settings>,
    /// Held while they are changed.
    changes: Mutex<()>,
    /// What every path is appended to.
    base: String,
    /// Of calls that name none; it does not change.
    project: Option<String>,
    /// Without retries and circuit breaker.
    direct: Pipeline,
    pub(crate) cache: Cache,
    pub(crate) observer: Observer,
    templates: Templates,
    time: Arc<dyn TimeSource>,
}

impl Inner {
    pub(crate) fn circuit_state(&self) -> CircuitState {
        let base = self.base.parse();
        let settings = self.settings.load();
        base.map_or(CircuitState::Closed, |uri| settings.pipeline.circuit_state(&uri))
    }
}

/// What a client is made of.
pub(crate) struct Parts {
    pub(crate) config: ClientConfig,
    pub(crate) pipeline: Pipeline,
    pub(crate) direct: Pipeline,
    pub(crate) cache: Cache,
    pub(crate) observer: Observer,
    pub(crate) time: Arc<dyn TimeSource>,
}

impl PromptOpsClient {
    /// A client of the default registry.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn new(api_key: impl Into<promptops_types::Secret>) -> Result<Self, Error> {
        Self::builder().api_key(api_key).build()
    }

    /// A client set by the environment alone; see [`ClientBuilder`].
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client of a registry in this process, kept in one SQLite file. Blocks while the file is
    /// opened.
    ///
    /// # Errors
    /// [`Error::Config`] that names the file and why it cannot be opened.
    pub fn embedded(path: impl AsRef<Path>) -> Result<Self, Error> {
        let Some(path) = path.as_ref().to_str() else {
            return Err(Error::config("base_url", "the path is not UTF-8; choose another"));
        };
        Self::builder().base_url(format!("sqlite:{path}")).build()
    }

    /// A builder.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn assemble(url: &BaseUrl, parts: Parts) -> Self {
        let Parts { config, pipeline, direct, cache, observer, time } = parts;
        let project = config.project.clone();
        let settings = ArcSwap::from_pointee(Settings { config: Arc::new(config), pipeline });
        let (changes, base, templates) = (Mutex::default(), url.base(), Templates::default());
        let inner =
            Inner { settings, changes, base, project, direct, cache, observer, templates, time };
        let inner = Arc::new(inner);
        #[cfg(feature = "otel")]
        crate::span::observe(Arc::downgrade(&inner));
        Self { inner }
    }

    /// How the cache has done. A stale answer is a hit, and so is waiting for a fetch that another
    /// call had begun.
    pub fn cache_stats(&self) -> CacheStats {
        self.cache().stats()
    }

    /// Forgets what is cached: everything, a prompt, or one version of it.
    pub fn clear_cache(&self) -> ClearCache {
        ClearCache::new(self)
    }

    /// Fetches many prompts into the cache, in one request for each 500, and says how many there
    /// were.
    pub fn prefetch<E: Into<BatchEntry>>(&self, ids: impl IntoIterator<Item = E>) -> Prefetch {
        Prefetch::new(self.get_prompts(ids))
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.inner.cache
    }

    pub(crate) fn templates(&self) -> &Templates {
        &self.inner.templates
    }

    pub(crate) fn direct(&self) -> &Pipeline {
        &self.inner.direct
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.inner.observer
    }

    pub(crate) fn project(&self) -> Option<&str> {
        self.inner.project.as_deref()
    }

    pub(crate) fn base(&self) -> &str {
        &self.inner.base
    }

    /// Whether calls are made: while a registry over HTTP only fails, it is left alone.
    pub fn circuit_state(&self) -> CircuitState {
        self.inner.circuit_state()
    }

    pub(crate) fn time(&self) -> &dyn TimeSource {
        &*self.inner.time
    }

    /// Fetches a prompt: its latest version unless another is selected.
    pub fn get_prompt(&self, id: impl AsRef<str>) -> GetPrompt {
        GetPrompt::new(self, id.as_ref())
    }

    /// What the memory of the process has of a prompt, where awaiting [`get_prompt`](Self::get_prompt)
    /// with the same would give it at once; it counts as such a call. None has no effect. The quickest
    /// way, for callers that cannot wait here: no request is made.
    pub fn cached_prompt(
        &self,
        id: &str,
        version: Option<&str>,
        project: Option<&str>,
        key: Option<&str>,
    ) -> Option<Arc<PromptResponse>> {
        cached(self, id, version, project, key)
    }

    /// Fetches a prompt and fills in its variables, here: they do not leave the process.
    /// `variables` is anything that serialises as an object; see [`vars!`](crate::vars).
    pub fn render_prompt(&self, id: impl AsRef<str>, variables: impl Serialize) -> RenderPrompt {
        let variables = PromptVariables::from_serialize(&variables).map_err(|error| {
            let issue = ValidationIssue::new("variables", "invalid_type", error.to_string());
            Error::invalid("the variables are not an object", vec![issue])
        });
        RenderPrompt::new(self.get_prompt(id), variables)
    }

    /// Lists prompts, each at its latest version.
    pub fn list_prompts(&self) -> ListPrompts {
        ListPrompts::new(self)
    }

    /// Creates a prompt.
    pub fn create_prompt(&self, prompt: NewPrompt) -> CreatePrompt {
        CreatePrompt::new(self, prompt)
    }

    /// Publishes a new version of a prompt, or edits one that no label points at.
    pub fn update_prompt(&self, id: impl Into<String>, update: PromptUpdate) -> UpdatePrompt {
        UpdatePrompt::new(self, id.into(), update)
    }

    /// Deletes a prompt, or one version of it.
    pub fn delete_prompt(&self, id: impl Into<String>) -> DeletePrompt {
        DeletePrompt::new(self, id.into())
    }

    /// Whether a prompt exists and its templates are sound.
    pub fn validate_prompt(&self, id: impl AsRef<str>) -> ValidatePrompt {
        ValidatePrompt::new(self.get_prompt(id))
    }

    /// Whether a prompt can be used with a model.
    pub fn get_model_compatibility(
        &self,
        id: impl Into<String>,
        provider: impl Into<ModelProvider>,
        model: impl Into<String>,
    ) -> GetModelCompatibility {
        GetModelCompatibility::new(self, id.into(), provider.into(), model.into())
    }

    /// Lists the models the registry knows.
    pub fn list_models(&self) -> ListModels {
        ListModels::new(self)
    }

    /// Fetches many prompts at once. One that is missing does not fail the rest.
    pub fn get_prompts<E: Into<BatchEntry>>(&self, ids: impl IntoIterator<Item = E>) -> GetPrompts {
        GetPrompts::new(self, ids.into_iter().map(Into::into).collect())
    }

    /// Lists the versions of a prompt, the one published last first, at most 1000.
    pub fn prompt_versions(&self, id: impl Into<String>) -> PromptVersions {
        PromptVersions::new(self, id.into())
    }

    /// Shows what changed between two versions of a prompt; `from` and `to` are selectors.
    pub fn diff_prompt(
        &self,
        id: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> DiffPrompt {
        DiffPrompt::new(self, id.into(), from.into(), to.into())
    }

    /// Lists the labels of a prompt.
    pub fn labels(&self, id: impl Into<String>) -> Labels {
        Labels::new(self, id.into())
    }

    /// Points a label at a version: atomically, and it can be undone.
    pub fn set_label(
        &self,
        id: impl Into<String>,
        label: impl Into<String>,
        version: impl Into<String>,
    ) -> SetLabel {
        SetLabel::version(self, id.into(), label.into(), version.into())
    }

    /// Points a label at several versions with weights. A caller's
    /// [`key`](GetPrompt::key) decides which one it gets, always the same.
    pub fn set_label_weights<V: Into<String>>(
        &self,
        id: impl Into<String>,
        label: impl Into<String>,
        weights: impl IntoIterator<Item = (V, u32)>,
    ) -> SetLabel {
        let weights = weights.into_iter().map(|(version, weight)| (version.into(), weight));
        SetLabel::weights(self, id.into(), label.into(), weights.collect())
    }

    /// Takes the last move of a label back.
    pub fn undo_label(&self, id: impl Into<String>, label: impl Into<String>) -> SetLabel {
        SetLabel::undo(self, id.into(), label.into())
    }

    /// Takes a label away.
    pub fn remove_label(&self, id: impl Into<String>, label: impl Into<String>) -> RemoveLabel {
        RemoveLabel::new(self, id.into(), label.into())
    }

    /// Tells what was published, labelled and deleted, in order, from a cursor on.
    pub fn changes(&self) -> Changes {
        Changes::new(self)
    }

    /// Tells what was used of the registry, as far as its clients told it.
    pub fn get_usage_stats(&self) -> GetUsageStats {
        GetUsageStats::new(self)
    }

    /// Lists the keys that may do no more than the client's own.
    pub fn list_api_keys(&self) -> ListApiKeys {
        ListApiKeys::new(self)
    }

    /// Makes a key, which may do no more than the client's own. Its text and its secret are told this
    /// once; a call that failed may have made it all the same.
    pub fn create_api_key(&self, key: NewKey) -> CreateApiKey {
        CreateApiKey::new(self, key)
    }

    /// Ends a key: it is refused from the next request on.
    pub fn revoke_api_key(&self, id: impl Into<String>) -> RevokeApiKey {
        RevokeApiKey::new(self, id.into())
    }
}
