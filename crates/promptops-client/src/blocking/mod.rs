//! The client without async: the same methods, and a request is sent by `send`.
//!
//! ```
//! # #[cfg(feature = "embedded")] {
//! use promptops_client::blocking::PromptOpsClient;
//! use promptops_client::{NewPrompt, vars};
//!
//! let client = PromptOpsClient::builder().base_url("sqlite::memory:").build_blocking()?;
//! client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).send()?;
//! let render = client.render_prompt("greeting", vars! { "name" => "Ann" }).send()?;
//! assert_eq!(render.rendered_content, "Hello Ann!");
//! client.shutdown()?;
//! # }
//! # Ok::<(), promptops_client::Error>(())
//! ```
//!
//! Calls run in a tokio runtime of the process, with one thread, that is started by the first client;
//! what the cache in memory answers needs not even that. A call blocks its thread until it has ended, at
//! the latest after the client's timeout; it may be made anywhere, in a task of another runtime too,
//! though that task's thread does nothing else meanwhile. While there is that runtime, connections
//! to HTTP registries are opened in it for async clients too, so that both can share them.

mod requests;
mod runtime;

use std::path::Path;
use std::sync::Arc;

use promptops_types::{
    BatchEntry, CacheStats, ClientConfig, ClientStats, ConfigPatch, Error, HealthStatus,
    ModelProvider, NewKey, NewPrompt, PromptUpdate, Secret, TelemetrySummary,
};
use serde::Serialize;

pub use self::requests::Request;
pub(crate) use self::runtime::BlockingRuntime;
use crate::requests::{
    Changes, ClearCache, CreateApiKey, CreatePrompt, DeletePrompt, DiffPrompt,
    GetModelCompatibility, GetPrompt, GetPrompts, GetUsageStats, Labels, ListApiKeys, ListModels,
    ListPrompts, Prefetch, PromptVersions, RemoveLabel, RenderPrompt, RevokeApiKey, SetLabel,
    UpdatePrompt, ValidatePrompt,
};
use crate::{ClientBuilder, PromptOpsClient as Async};

/// A client of one registry whose calls block. A clone shares everything, and so does the async client
/// that it is made [from](From): cache, connections, telemetry.
#[derive(Debug, Clone)]
pub struct PromptOpsClient {
    client: Async,
}

impl From<Async> for PromptOpsClient {
    fn from(client: Async) -> Self {
        // The connections from here on are opened where they make progress whoever waits for them. If
        // there is no thread for that, the first call says so.
        let _ = runtime::start();
        Self { client }
    }
}

impl PromptOpsClient {
    /// A client of the default registry.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn new(api_key: impl Into<Secret>) -> Result<Self, Error> {
        Async::new(api_key).map(Self::from)
    }

    /// A client set by the environment alone.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Async::from_env().map(Self::from)
    }

    /// A client of a registry in this process, kept in one SQLite file.
    ///
    /// # Errors
    /// As [`PromptOpsClient::embedded`](Async::embedded).
    pub fn embedded(path: impl AsRef<Path>) -> Result<Self, Error> {
        Async::embedded(path).map(Self::from)
    }

    /// A builder, for [`ClientBuilder::build_blocking`].
    pub fn builder() -> ClientBuilder {
        Async::builder()
    }

    /// The async client with which it shares everything.
    pub fn as_async(&self) -> &Async {
        &self.client
    }

    /// As [`PromptOpsClient::config`](Async::config).
    pub fn config(&self) -> Arc<ClientConfig> {
        self.client.config()
    }

    /// As [`PromptOpsClient::update_config`](Async::update_config).
    ///
    /// # Errors
    /// As there.
    pub fn update_config(&self, patch: &ConfigPatch) -> Result<(), Error> {
        self.client.update_config(patch)
    }

    /// As [`PromptOpsClient::stats`](Async::stats).
    pub fn stats(&self) -> ClientStats {
        self.client.stats()
    }

    /// As [`PromptOpsClient::cache_stats`](Async::cache_stats).
    pub fn cache_stats(&self) -> CacheStats {
        self.client.cache_stats()
    }

    /// As [`PromptOpsClient::telemetry_summary`](Async::telemetry_summary).
    pub fn telemetry_summary(&self) -> TelemetrySummary {
        self.client.telemetry_summary()
    }

    /// As [`PromptOpsClient::disable_telemetry`](Async::disable_telemetry).
    pub fn disable_telemetry(&self) {
        self.client.disable_telemetry();
    }

    /// As [`PromptOpsClient::enable_telemetry`](Async::enable_telemetry).
    pub fn enable_telemetry(&self, sample_rate: f64) {
        self.client.enable_telemetry(sample_rate);
    }

    /// As [`PromptOpsClient::flush_telemetry`](Async::flush_telemetry).
    ///
    /// # Errors
    /// As there.
    pub fn flush_telemetry(&self) -> Result<(), Error> {
        let client = self.client.clone();
        runtime::wait(async move { client.flush_telemetry().await })
    }

    /// As [`PromptOpsClient::health_check`](Async::health_check).
    ///
    /// # Errors
    /// As there.
    pub fn health_check(&self) -> Result<HealthStatus, Error> {
        let client = self.client.clone();
        runtime::wait(async move { client.health_check().await })
    }

    /// As [`PromptOpsClient::initialize`](Async::initialize).
    ///
    /// # Errors
    /// As there.
    pub fn initialize(&self) -> Result<(), Error> {
        let client = self.client.clone();
        runtime::wait(async move { client.initialize().await })
    }

    /// As [`PromptOpsClient::shutdown`](Async::shutdown).
    ///
    /// # Errors
    /// As there.
    pub fn shutdown(&self) -> Result<(), Error> {
        let client = self.client.clone();
        runtime::wait(async move { client.shutdown().await })
    }

    /// As [`PromptOpsClient::clear_cache`](Async::clear_cache).
    pub fn clear_cache(&self) -> Request<ClearCache> {
        Request::new(self.client.clear_cache())
    }

    /// As [`PromptOpsClient::prefetch`](Async::prefetch).
    pub fn prefetch<E: Into<BatchEntry>>(
        &self,
        ids: impl IntoIterator<Item = E>,
    ) -> Request<Prefetch> {
        Request::new(self.client.prefetch(ids))
    }

    /// As [`PromptOpsClient::get_prompt`](Async::get_prompt).
    pub fn get_prompt(&self, id: impl AsRef<str>) -> Request<GetPrompt> {
        Request::new(self.client.get_prompt(id))
    }

    /// As [`PromptOpsClient::render_prompt`](Async::render_prompt).
    pub fn render_prompt(
        &self,
        id: impl AsRef<str>,
        variables: impl Serialize,
    ) -> Request<RenderPrompt> {
        Request::new(self.client.render_prompt(id, variables))
    }

    /// As [`PromptOpsClient::list_prompts`](Async::list_prompts).
    pub fn list_prompts(&self) -> Request<ListPrompts> {
        Request::new(self.client.list_prompts())
    }

    /// As [`PromptOpsClient::create_prompt`](Async::create_prompt).
    pub fn create_prompt(&self, prompt: NewPrompt) -> Request<CreatePrompt> {
        Request::new(self.client.create_prompt(prompt))
    }

    /// As [`PromptOpsClient::update_prompt`](Async::update_prompt).
    pub fn update_prompt(
        &self,
        id: impl Into<String>,
        update: PromptUpdate,
    ) -> Request<UpdatePrompt> {
        Request::new(self.client.update_prompt(id, update))
    }

    /// As [`PromptOpsClient::delete_prompt`](Async::delete_prompt).
    pub fn delete_prompt(&self, id: impl Into<String>) -> Request<DeletePrompt> {
        Request::new(self.client.delete_prompt(id))
    }

    /// As [`PromptOpsClient::validate_prompt`](Async::validate_prompt).
    pub fn validate_prompt(&self, id: impl AsRef<str>) -> Request<ValidatePrompt> {
        Request::new(self.client.validate_prompt(id))
    }

    /// As [`PromptOpsClient::get_model_compatibility`](Async::get_model_compatibility).
    pub fn get_model_compatibility(
        &self,
        id: impl Into<String>,
        provider: impl Into<ModelProvider>,
        model: impl Into<String>,
    ) -> Request<GetModelCompatibility> {
        Request::new(self.client.get_model_compatibility(id, provider, model))
    }

    /// As [`PromptOpsClient::list_models`](Async::list_models).
    pub fn list_models(&self) -> Request<ListModels> {
        Request::new(self.client.list_models())
    }

    /// As [`PromptOpsClient::get_prompts`](Async::get_prompts).
    pub fn get_prompts<E: Into<BatchEntry>>(
        &self,
        ids: impl IntoIterator<Item = E>,
    ) -> Request<GetPrompts> {
        Request::new(self.client.get_prompts(ids))
    }

    /// As [`PromptOpsClient::prompt_versions`](Async::prompt_versions).
    pub fn prompt_versions(&self, id: impl Into<String>) -> Request<PromptVersions> {
        Request::new(self.client.prompt_versions(id))
    }

    /// As [`PromptOpsClient::diff_prompt`](Async::diff_prompt).
    pub fn diff_prompt(
        &self,
        id: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> Request<DiffPrompt> {
        Request::new(self.client.diff_prompt(id, from, to))
    }

    /// As [`PromptOpsClient::labels`](Async::labels).
    pub fn labels(&self, id: impl Into<String>) -> Request<Labels> {
        Request::new(self.client.labels(id))
    }

    /// As [`PromptOpsClient::set_label`](Async::set_label).
    pub fn set_label(
        &self,
        id: impl Into<String>,
        label: impl Into<String>,
        version: impl Into<String>,
    ) -> Request<SetLabel> {
        Request::new(self.client.set_label(id, label, version))
    }

    /// As [`PromptOpsClient::set_label_weights`](Async::set_label_weights).
    pub fn set_label_weights<V: Into<String>>(
        &self,
        id: impl Into<String>,
        label: impl Into<String>,
        weights: impl IntoIterator<Item = (V, u32)>,
    ) -> Request<SetLabel> {
        Request::new(self.client.set_label_weights(id, label, weights))
    }

    /// As [`PromptOpsClient::undo_label`](Async::undo_label).
    pub fn undo_label(&self, id: impl Into<String>, label: impl Into<String>) -> Request<SetLabel> {
        Request::new(self.client.undo_label(id, label))
    }

    /// As [`PromptOpsClient::remove_label`](Async::remove_label).
    pub fn remove_label(
        &self,
        id: impl Into<String>,
        label: impl Into<String>,
    ) -> Request<RemoveLabel> {
        Request::new(self.client.remove_label(id, label))
    }

    /// As [`PromptOpsClient::changes`](Async::changes).
    pub fn changes(&self) -> Request<Changes> {
        Request::new(self.client.changes())
    }

    /// As [`PromptOpsClient::get_usage_stats`](Async::get_usage_stats).
    pub fn get_usage_stats(&self) -> Request<GetUsageStats> {
        Request::new(self.client.get_usage_stats())
    }

    /// As [`PromptOpsClient::list_api_keys`](Async::list_api_keys).
    pub fn list_api_keys(&self) -> Request<ListApiKeys> {
        Request::new(self.client.list_api_keys())
    }

    /// As [`PromptOpsClient::create_api_key`](Async::create_api_key).
    pub fn create_api_key(&self, key: NewKey) -> Request<CreateApiKey> {
        Request::new(self.client.create_api_key(key))
    }

    /// As [`PromptOpsClient::revoke_api_key`](Async::revoke_api_key).
    pub fn revoke_api_key(&self, id: impl Into<String>) -> Request<RevokeApiKey> {
        Request::new(self.client.revoke_api_key(id))
    }
}
