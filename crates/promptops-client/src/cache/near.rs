//! The tier in this process, where there is one.

use std::sync::Arc;

use promptops_cache::{Aged, CacheKey, CacheKeyRef, Invalidation, Ticket};
use promptops_types::{CacheConfig, CacheStats, TimeSource};

#[cfg(feature = "memory")]
use promptops_cache::{CacheBackend, MemoryCache};

/// A clone is the same tier.
#[derive(Debug, Clone)]
pub(crate) struct Near(#[cfg(feature = "memory")] Arc<MemoryCache>);

#[cfg(feature = "memory")]
impl Near {
    #[expect(clippy::unnecessary_wraps, reason = "as without the feature")]
    pub(super) fn new(config: &CacheConfig, time: &Arc<dyn TimeSource>) -> Option<Self> {
        let memory = MemoryCache::new(config.max_size, config.max_bytes, Arc::clone(time));
        Some(Self(Arc::new(memory)))
    }

    pub(super) fn resize(&self, config: &CacheConfig) {
        self.0.resize(config.max_size, config.max_bytes);
    }

    /// What there is, counted.
    pub(super) fn find(&self, key: CacheKeyRef<'_>) -> Option<Aged> {
        self.0.find(key)
    }

    /// What there is, not counted, and the ticket for what is fetched after this.
    pub(super) fn read(&self, key: &CacheKey) -> (Option<Aged>, Ticket) {
        self.0.read(key)
    }

    pub(super) fn keep(&self, key: &CacheKey, entry: &Aged, ticket: Ticket) {
        self.0.keep(key, entry, ticket);
    }

    pub(super) fn forget(&self, what: &Invalidation) {
        self.0.forget(what);
    }

    pub(super) fn stats(&self) -> CacheStats {
        self.0.stats()
    }
}

/// Without the feature there is never one.
#[cfg(not(feature = "memory"))]
impl Near {
    pub(super) fn new(_: &CacheConfig, _: &Arc<dyn TimeSource>) -> Option<Self> {
        None
    }

    pub(super) fn resize(&self, _: &CacheConfig) {}

    pub(super) fn find(&self, _: CacheKeyRef<'_>) -> Option<Aged> {
        None
    }

    pub(super) fn read(&self, _: &CacheKey) -> (Option<Aged>, Ticket) {
        (None, Ticket::default())
    }

    pub(super) fn keep(&self, _: &CacheKey, _: &Aged, _: Ticket) {}

    pub(super) fn forget(&self, _: &Invalidation) {}

    pub(super) fn stats(&self) -> CacheStats {
        CacheStats::default()
    }
}
