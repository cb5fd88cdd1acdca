//! Settings of the cache.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{bounded, seconds};
use crate::{Error, Secret};

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

    pub(super) fn validate(&self) -> Result<(), Error> {
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
