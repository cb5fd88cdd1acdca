//! Settings of retries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{bounded, optional_seconds, positive, seconds};
use crate::Error;

/// How failed requests are retried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RetryConfig {
    /// Most requests of one call, the first included; 3.
    pub max_attempts: u32,
    /// Longest wait before the first retry, doubling with each; 50 ms.
    #[serde(with = "seconds")]
    pub base_delay: Duration,
    /// The same after a 429; 1 s.
    #[serde(with = "seconds")]
    pub throttle_delay: Duration,
    /// Longest wait before any retry; 20 s.
    #[serde(with = "seconds")]
    pub max_delay: Duration,
    /// Longest time of one attempt, connecting included. None unless set: an attempt may use what is
    /// left of the call. With it, an attempt that hangs leaves time for another.
    #[serde(with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// Tokens shared by a client's clones: 14 a retry, 5 when throttled, one back for each
    /// success at the first try; 500.
    pub budget: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay: Duration::from_millis(50),
            throttle_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(20),
            attempt_timeout: None,
            budget: 500,
        }
    }
}

impl RetryConfig {
    /// One request a call.
    pub fn none() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// Most requests of one call, the first included.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Longest wait before the first retry.
    pub fn base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// Longest wait before any retry.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Longest time of one attempt.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        if !(1..=10).contains(&self.max_attempts) {
            return Err(Error::config("retry.max_attempts", "must be 1 to 10"));
        }
        if let Some(timeout) = self.attempt_timeout {
            positive("retry.attempt_timeout", timeout)?;
        }
        bounded("retry.base_delay", self.base_delay)?;
        bounded("retry.throttle_delay", self.throttle_delay)?;
        bounded("retry.max_delay", self.max_delay)
    }
}
