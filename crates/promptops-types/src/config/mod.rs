//! Everything a client can be told, as one value that is read from a file and checked.

mod cache;
mod optional_seconds;
mod retry;
mod seconds;
mod telemetry;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::cache::{CacheConfig, CacheLevel};
pub use self::retry::RetryConfig;
pub use self::telemetry::TelemetryConfig;
use crate::{Error, Secret};

/// The registry a client talks to unless another is given.
pub const DEFAULT_BASE_URL: &str = "https://api.promptops.com/v1";

/// Longest duration a setting takes: 100 years. Beyond it, arithmetic on instants overflows.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// Everything a client can be told. Durations are seconds in a file, fractions allowed.
///
/// Secrets are read from a file but never written to one, and never printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ClientConfig {
    /// `https://…/v1`, `http://…/v1`, `sqlite:PATH` or `sqlite::memory:`.
    pub base_url: String,
    /// API key.
    #[serde(skip_serializing)]
    pub api_key: Option<Secret>,
    /// Secret that signs requests.
    #[serde(skip_serializing)]
    pub secret_key: Option<Secret>,
    /// Project of calls that name none.
    pub project: Option<String>,
    /// Deadline of a whole call, retries included; 30 s.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// What is cached, where and how long.
    pub cache: CacheConfig,
    /// How failed requests are retried.
    pub retry: RetryConfig,
    /// What the client reports.
    pub telemetry: TelemetryConfig,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            base_url: DEFAULT_BASE_URL.to_owned(),
            api_key: None,
            secret_key: None,
            project: None,
            timeout: Duration::from_secs(30),
            cache: CacheConfig::default(),
            retry: RetryConfig::default(),
            telemetry: TelemetryConfig::default(),
        }
    }
}

impl ClientConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Config`] that names the first wrong field and says why.
    pub fn validate(&self) -> Result<(), Error> {
        positive("timeout", self.timeout)?;
        if let Some(key) = &self.api_key {
            header_safe("api_key", key)?;
        }
        if self.secret_key.as_ref().is_some_and(|key| key.expose().is_empty()) {
            return Err(Error::config("secret_key", "is empty"));
        }
        if let Some(project) = &self.project
            && (project.trim().is_empty() || project.chars().any(char::is_control))
        {
            return Err(Error::config("project", "is empty or has control characters"));
        }
        self.cache.validate()?;
        self.retry.validate()?;
        self.telemetry.validate()
    }
}

/// A credential goes into a header, so it is visible ASCII. The reason never quotes it.
fn header_safe(field: &str, secret: &Secret) -> Result<(), Error> {
    let text = secret.expose();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::config(
            field,
            "is empty or has characters other than visible ASCII; check for a stray newline",
        ));
    }
    Ok(())
}

fn positive(field: &str, duration: Duration) -> Result<(), Error> {
    if duration.is_zero() {
        return Err(Error::config(field, "must be more than 0 seconds"));
    }
    bounded(field, duration)
}

fn bounded(field: &str, duration: Duration) -> Result<(), Error> {
    if duration > LONGEST {
        return Err(Error::config(field, "must be at most 100 years"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: &ClientConfig, field: &str) {
        let error = config.validate().unwrap_err();
        assert!(error.message().starts_with(&format!("`{field}`: ")), "{error}");
    }

    #[test]
    fn defaults_are_valid_and_every_bad_field_is_named() {
        let good = ClientConfig::default();
        good.validate().unwrap();
        refused(&ClientConfig { timeout: Duration::ZERO, ..good.clone() }, "timeout");
        refused(&ClientConfig { timeout: Duration::MAX, ..good.clone() }, "timeout");
        refused(&ClientConfig { api_key: Some("po_\n".into()), ..good.clone() }, "api_key");
        refused(&ClientConfig { project: Some(" ".into()), ..good.clone() }, "project");
        let cache = CacheConfig::memory().max_size(0);
        refused(&ClientConfig { cache, ..good.clone() }, "cache.max_size");
        let cache = CacheConfig { level: CacheLevel::Hybrid, ..CacheConfig::default() };
        refused(&ClientConfig { cache, ..good.clone() }, "cache.redis_url");
        refused(&ClientConfig { secret_key: Some("".into()), ..good.clone() }, "secret_key");
        let retry = RetryConfig::default().attempt_timeout(Duration::ZERO);
        refused(&ClientConfig { retry, ..good.clone() }, "retry.attempt_timeout");
        let retry = RetryConfig { max_attempts: 0, ..RetryConfig::default() };
        refused(&ClientConfig { retry, ..good.clone() }, "retry.max_attempts");
        let telemetry = TelemetryConfig::default().sample_rate(f64::NAN);
        refused(&ClientConfig { telemetry, ..good.clone() }, "telemetry.sample_rate");
        let telemetry = TelemetryConfig::default().queue_size(5);
        refused(&ClientConfig { telemetry, ..good.clone() }, "telemetry.queue_size");
        for endpoint in ["collector", "https://", "https://user:pw@host/"] {
            let telemetry = TelemetryConfig::default().endpoint(endpoint);
            refused(&ClientConfig { telemetry, ..good.clone() }, "telemetry.endpoint");
        }
    }

    #[test]
    fn a_file_gives_seconds_and_keeps_no_secret() {
        let config: ClientConfig = toml::from_str(
            "timeout = 2.5\napi_key = 'po_x'\n[cache]\nlevel = 'hybrid'\nttl = 60\nredis_url = 'redis://:pw@h'",
        )
        .unwrap();
        assert_eq!(config.timeout, Duration::from_millis(2500));
        let text = "[retry]\nattempt_timeout = 1.5";
        let attempt: ClientConfig = toml::from_str(text).unwrap();
        assert_eq!(attempt.retry.attempt_timeout, Some(Duration::from_millis(1500)));
        let read: ClientConfig = toml::from_str(&toml::to_string(&attempt).unwrap()).unwrap();
        assert_eq!((read, config.retry.attempt_timeout), (attempt, None));
        let written = toml::to_string(&config).unwrap() + &format!("{config:?}");
        assert!(!written.contains("po_x") && !written.contains("pw@"), "{written}");
    }

    #[test]
    fn a_misspelt_field_or_a_negative_time_is_refused() {
        for text in ["timeuot = 1", "timeout = -1", "[cache]\nlevel = 'disk'"] {
            toml::from_str::<ClientConfig>(text).unwrap_err();
        }
    }
}
