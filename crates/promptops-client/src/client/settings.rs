//! Settings that change while a client runs, and what it tells of itself until it is closed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use promptops_telemetry::Flushing;
use promptops_transport::{Deadline, Pipeline};
use promptops_types::{
    ClientConfig, ClientStats, ConfigPatch, Error, ErrorCode, ErrorContext, TelemetryConfig,
    TelemetrySummary,
};

use super::PromptOpsClient;

/// Longest time of the last flush.
const CLOSING: Duration = Duration::from_secs(5);

/// What may change while the client runs. A call goes on with those it began with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) pipeline: Pipeline,
}

impl PromptOpsClient {
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

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.inner.settings.load_full()
    }

    /// The deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        let settings = self.inner.settings.load();
        settings.pipeline.deadline(settings.config.timeout)
    }
}
