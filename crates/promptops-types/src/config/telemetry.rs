//! Settings of what a client reports.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{positive, seconds};
use crate::Error;

/// What the client reports about its calls: never prompt text, variables or keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TelemetryConfig {
    /// Whether calls are recorded; true.
    pub enabled: bool,
    /// Share of calls that are recorded, 0.0 to 1.0; 0.1.
    pub sample_rate: f64,
    /// Events sent at once; 100.
    pub batch_size: usize,
    /// Most events that wait; the oldest is dropped, and counted, beyond it; 2048.
    pub queue_size: usize,
    /// How often events are sent; 30 s.
    #[serde(with = "seconds")]
    pub flush_interval: Duration,
    /// Where events go; the registry's own `/usage/log` unless given.
    pub endpoint: Option<String>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            sample_rate: 0.1,
            batch_size: 100,
            queue_size: 2048,
            flush_interval: Duration::from_secs(30),
            endpoint: None,
        }
    }
}

impl TelemetryConfig {
    /// Records nothing.
    pub fn disabled() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// Share of calls that are recorded.
    pub fn sample_rate(mut self, rate: f64) -> Self {
        self.sample_rate = rate;
        self
    }

    /// Events sent at once.
    pub fn batch_size(mut self, events: usize) -> Self {
        self.batch_size = events;
        self
    }

    /// Most events that wait.
    pub fn queue_size(mut self, events: usize) -> Self {
        self.queue_size = events;
        self
    }

    /// How often events are sent.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// Where events go, in the place of the registry's own `/usage/log`: a whole URL, to which they are
    /// posted. The credential goes with them only if the origin is the registry's.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        if !(0.0..=1.0).contains(&self.sample_rate) {
            return Err(Error::config("telemetry.sample_rate", "must be 0.0 to 1.0"));
        }
        if !(1..=1000).contains(&self.batch_size) {
            return Err(Error::config("telemetry.batch_size", "must be 1 to 1000"));
        }
        if self.queue_size < self.batch_size {
            return Err(Error::config("telemetry.queue_size", "must be at least batch_size"));
        }
        if let Some(endpoint) = &self.endpoint {
            let rest = ["https://", "http://"].iter().find_map(|s| endpoint.strip_prefix(s));
            if rest.is_none_or(|rest| rest.is_empty() || rest.contains(['@', ' '])) {
                return Err(Error::config(
                    "telemetry.endpoint",
                    "must be a URL such as https://HOST/PATH, without a user name",
                ));
            }
        }
        positive("telemetry.flush_interval", self.flush_interval)
    }
}
