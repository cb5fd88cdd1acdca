use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// Where prompts are cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheLevel {
    /// Nowhere.
    None,
    /// In the process.
    #[default]
    Memory,
    /// In Redis alone.
    Redis,
    /// In the process, then in Redis.
    Hybrid,
}

/// What is cached, where and how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Where; memory.
    pub level: CacheLevel,
    /// How long an entry is fresh; 300 s.
    #[serde(with = "seconds")]
    pub ttl: Duration,
    /// Most entries in memory; 1000.
    pub max_size: usize,
    /// Most bytes in memory; 64 MiB.
    pub max_bytes: usize,
    /// How long after `ttl` an entry is still served while it is refreshed; 60 s.
    #[serde(with = "seconds")]
    pub stale_while_revalidate: Duration,
    /// How long after `ttl` an entry is served when the registry fails; 24 h.
    #[serde(with = "seconds")]
    pub stale_if_error: Duration,
    /// How long a missing prompt is remembered; 5 s.
    #[serde(with = "seconds")]
    pub negative_ttl: Duration,
    /// `redis://…`, `rediss://…`; may hold a password.
    #[serde(skip_serializing)]
    pub redis_url: Option<Secret>,
    /// What every key in Redis starts with; `promptops:`.
    pub redis_prefix: String,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            level: CacheLevel::Memory,
            ttl: Duration::from_mins(5),
            max_size: 1000,
            max_bytes: 64 * 1024 * 1024,
            stale_while_revalidate: Duration::from_mins(1),
            stale_if_error: Duration::from_hours(24),
            negative_ttl: Duration::from_secs(5),
            redis_url: None,
            redis_prefix: "promptops:".to_owned(),
        }
    }
}

impl CacheConfig {
    /// No cache.
    pub fn none() -> Self {
        Self { level: CacheLevel::None, ..Self::default() }
    }

    /// In the process.
    pub fn memory() -> Self {
        Self::default()
    }

    /// In Redis alone.
    pub fn redis(url: impl Into<Secret>) -> Self {
        Self { level: CacheLevel::Redis, redis_url: Some(url.into()), ..Self::default() }
    }

    /// In the process, then in Redis.
    pub fn hybrid(url: impl Into<Secret>) -> Self {
        Self { level: CacheLevel::Hybrid, redis_url: Some(url.into()), ..Self::default() }
    }

    /// How long an entry is fresh.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Most entries in memory.
    pub fn max_size(mut self, entries: usize) -> Self {
        self.max_size = entries;
        self
    }

    /// Most bytes in memory.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long after `ttl` an entry is still served while it is refreshed.
    pub fn stale_while_revalidate(mut self, time: Duration) -> Self {
        self.stale_while_revalidate = time;
        self
    }

    /// How long after `ttl` an entry is served when the registry fails.
    pub fn stale_if_error(mut self, time: Duration) -> Self {
        self.stale_if_error = time;
        self
    }

    /// How long a missing prompt is remembered.
    pub fn negative_ttl(mut self, time: Duration) -> Self {
        self.negative_ttl = time;
        self
    }

    /// What every key in Redis starts with.
    pub fn redis_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.redis_prefix = prefix.into();
        self
    }

    fn validate(&self) -> Result<(), Error> {
        for (field, duration) in [
            ("cache.ttl", self.ttl),
            ("cache.stale_while_revalidate", self.stale_while_revalidate),
            ("cache.stale_if_error", self.stale_if_error),
            ("cache.negative_ttl", self.negative_ttl),
        ] {
            bounded(field, duration)?;
        }
        let uses_memory = matches!(self.level, CacheLevel::Memory | CacheLevel::Hybrid);
        if uses_memory && self.max_size == 0 {
            return Err(Error::config(
                "cache.max_size",
                "must be at least 1; choose the level `none` to cache nothing",
            ));
        }
        let uses_redis = matches!(self.level, CacheLevel::Redis | CacheLevel::Hybrid);
        if uses_redis && self.redis_url.is_none() {
            return Err(Error::config(
                "cache.redis_url",
                "is needed for this level; set it, or PROMPTOPS_REDIS_URL",
            ));
        }
        Ok(())
    }
}

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

    fn validate(&self) -> Result<(), Error> {
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

    fn validate(&self) -> Result<(), Error> {
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

/// Durations as seconds, fractions allowed, in configuration files.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| serde::de::Error::custom(format!("{seconds} is not a time in seconds")))
    }
}

/// A duration that may be left out.
mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "what serde hands over")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        super::seconds::serialize(&value.unwrap_or_default(), to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Seconds(#[serde(with = "super::seconds")] Duration);
        Ok(Option::<Seconds>::deserialize(from)?.map(|seconds| seconds.0))
    }
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
