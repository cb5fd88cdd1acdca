#![doc = include_str!("../README.md")]

mod backend;
#[cfg(feature = "test-util")]
pub mod contract;
mod entry;
mod flight;
mod freshness;
mod key;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "redis")]
mod redis;

pub use backend::{
    Aged, CacheBackend, CacheFailure, Invalidation, Listener, Reading, SharedCache, Subscription,
    Ticket,
};
pub use entry::{Entry, EntryKind, Names};
pub use flight::{Role, SingleFlight};
pub use freshness::{Freshness, Use};
pub use key::{CacheKey, CacheKeyRef, CacheScope};
#[cfg(feature = "memory")]
pub use memory::MemoryCache;
#[cfg(feature = "redis")]
pub use redis::{RedisCache, RedisCacheBuilder};
