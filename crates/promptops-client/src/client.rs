use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use promptops_telemetry::Flushing;
use promptops_transport::{CircuitState, Deadline, Pipeline};
use promptops_types::{
    BatchEntry, CacheStats, ClientConfig, ClientStats, ConfigPatch, Error, ErrorCode, ErrorContext,
    ModelProvider, NewKey, NewPrompt, PromptResponse, PromptUpdate, PromptVariables,
    TelemetryConfig, TelemetrySummary, TimeSource, ValidationIssue,
};
use serde::Serialize;

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

/// Longest time of the last flush.
const CLOSING: Duration = Duration::from_secs(5);

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

/// What may change while the client runs. A call goes on with those it began with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) pipeline: Pipeline,
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

    /// The settings in force now.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.inner.settings.load().config)
    }

    /// Changes settings, for this client and its clones. Calls under way go on with those they began
    /// with. What is cached stays, unless its level goes; a cache that gets smaller forgets what is too
    /// much. A new cache without a `redis_url` has the one there was.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// use std::time::Duration;
    ///
    /// use promptops_client::{CacheConfig, CacheLevel, ConfigPatch, PromptOpsClient};
    ///
    /// let client = PromptOpsClient::builder().base_url("https://registry.example/v1").build()?;
    /// let patch = ConfigPatch::new().timeout(Duration::from_secs(5)).cache(CacheConfig::none());
    /// client.update_config(&patch)?;
    /// assert_eq!(client.config().cache.level, CacheLevel::None);
    /// # Ok::<(), promptops_client::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] that names the wrong setting; nothing is changed then.
    pub fn update_config(&self, patch: &ConfigPatch) -> Result<(), Error> {
        let _one_at_a_time = self.inner.changes.lock().unwrap_or_else(PoisonError::into_inner);
        self.change(|config| *config = patch.apply(config))
    }

    /// Changes settings; one after the other.
    fn change(&self, change: impl FnOnce(&mut ClientConfig)) -> Result<(), Error> {
        let before = self.inner.settings.load_full();
        let mut config = (*before.config).clone();
        change(&mut config);
        if config.cache.redis_url.is_none() {
            config.cache.redis_url.clone_from(&before.config.cache.redis_url);
        }
        config.validate()?;
        let mut pipeline = before.pipeline.clone();
        if config.retry != before.config.retry {
            pipeline = pipeline.retry(&config.retry);
        }
        self.inner.observer.configure(&config.telemetry)?;
        if config.cache != before.config.cache
            && let Err(error) = self.inner.cache.configure(&config.cache)
        {
            // They were good before.
            let _ = self.inner.observer.configure(&before.config.telemetry);
            return Err(error);
        }
        self.inner.settings.store(Arc::new(Settings { config: Arc::new(config), pipeline }));
        Ok(())
    }

    /// What the client has done since it was built, all clones together.
    pub fn stats(&self) -> ClientStats {
        let cache = self.cache_stats();
        let mut stats = self.observer().stats(self.cache().quick_calls());
        (stats.cache_hits, stats.cache_misses) = (cache.hits, cache.misses);
        stats
    }

    /// How telemetry is set, and what became of the events.
    pub fn telemetry_summary(&self) -> TelemetrySummary {
        self.observer().summary(&self.inner.settings.load().config.telemetry)
    }

    /// Records no more calls. What waits is still sent.
    pub fn disable_telemetry(&self) {
        self.change_telemetry(|telemetry| telemetry.enabled = false);
    }

    /// Records this share of the calls from now on, 0.0 to 1.0. What is outside is taken for the nearer
    /// end, and a warning is logged; [`update_config`](Self::update_config) refuses it.
    pub fn enable_telemetry(&self, sample_rate: f64) {
        let rate = if sample_rate.is_nan() { 0.0 } else { sample_rate.clamp(0.0, 1.0) };
        if (rate - sample_rate).abs() > 0.0 || sample_rate.is_nan() {
            tracing::warn!(sample_rate, taken = rate, "a sample rate is 0.0 to 1.0");
        }
        self.change_telemetry(|telemetry| {
            (telemetry.enabled, telemetry.sample_rate) = (true, rate);
        });
    }

    fn change_telemetry(&self, change: impl FnOnce(&mut TelemetryConfig)) {
        let _one_at_a_time = self.inner.changes.lock().unwrap_or_else(PoisonError::into_inner);
        // Neither of the two can be refused: the rest is as it was.
        if let Err(error) = self.change(|config| change(&mut config.telemetry)) {
            tracing::warn!(%error, "telemetry stays as it was");
        }
    }

    /// Sends what was recorded so far, within the client's timeout.
    ///
    /// # Errors
    /// [`Error::Telemetry`] that says how many events were not sent, and why.
    ///
    /// # Cancel safety
    /// What was not sent by then is sent later.
    pub async fn flush_telemetry(&self) -> Result<(), Error> {
        let limit = self.settings().config.timeout;
        self.finish(limit, self.observer().sink().flush(limit)).await
    }

    /// Sends what was recorded, within 5 s, and records nothing any more. Calls go on to work, so that
    /// a clone that is still in use fails nobody. Calling it again is no error.
    ///
    /// # Errors
    /// [`Error::Telemetry`] that says how many events were not sent, and why; they are lost then.
    ///
    /// # Cancel safety
    /// If it is dropped, what was not sent by then is lost.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.finish(CLOSING, self.observer().sink().shutdown(CLOSING)).await
    }

    /// A sink of the caller's own might not keep its limit.
    async fn finish(&self, limit: Duration, flushing: Flushing<'_>) -> Result<(), Error> {
        let pipeline = self.settings().pipeline.clone();
        let deadline = pipeline.deadline(limit);
        let failed = |message: String| Error::Telemetry {
            context: ErrorContext::new(ErrorCode::Telemetry, message).retryable(true).into(),
        };
        match pipeline.by(deadline, flushing).await {
            Ok(flushed) => flushed.map_err(|failure| failed(failure.to_string())),
            Err(_) => Err(failed(format!("the telemetry sink did not end within {limit:?}"))),
        }
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

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.inner.settings.load_full()
    }

    /// The deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        let settings = self.inner.settings.load();
        settings.pipeline.deadline(settings.config.timeout)
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
