use std::time::Duration;

use crate::{CacheConfig, ClientConfig, RetryConfig, TelemetryConfig};

/// Settings to change while a client runs; those left out stay as they are.
///
/// ```
/// use std::time::Duration;
///
/// use promptops_types::{CacheConfig, CacheLevel, ClientConfig, ConfigPatch};
///
/// let patch = ConfigPatch::new().timeout(Duration::from_secs(60)).cache(CacheConfig::none());
/// let config = patch.apply(&ClientConfig::default());
/// assert_eq!(config.timeout.as_secs(), 60);
/// assert_eq!(config.cache.level, CacheLevel::None);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ConfigPatch {
    /// Deadline of a whole call.
    pub timeout: Option<Duration>,
    /// What is cached, where and how long.
    pub cache: Option<CacheConfig>,
    /// How failed requests are retried.
    pub retry: Option<RetryConfig>,
    /// What the client reports.
    pub telemetry: Option<TelemetryConfig>,
}

impl ConfigPatch {
    /// A patch that changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Deadline of a whole call.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What is cached, where and how long.
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.cache = Some(cache);
        self
    }

    /// How failed requests are retried.
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.retry = Some(retry);
        self
    }

    /// What the client reports.
    pub fn telemetry(mut self, telemetry: TelemetryConfig) -> Self {
        self.telemetry = Some(telemetry);
        self
    }

    /// `config` with the changes made.
    pub fn apply(&self, config: &ClientConfig) -> ClientConfig {
        let mut changed = config.clone();
        if let Some(timeout) = self.timeout {
            changed.timeout = timeout;
        }
        if let Some(cache) = &self.cache {
            changed.cache = cache.clone();
        }
        if let Some(retry) = &self.retry {
            changed.retry = retry.clone();
        }
        if let Some(telemetry) = &self.telemetry {
            changed.telemetry = telemetry.clone();
        }
        changed
    }
}
