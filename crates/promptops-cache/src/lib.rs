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

pub use backend::{CacheBackend, CacheFailure, Found, Invalidation, Reading, SharedCache, Ticket};
pub use entry::{Entry, EntryKind, Names};
pub use flight::{Role, SingleFlight};
pub use freshness::{Freshness, Use};
pub use key::{CacheKey, CacheScope};
#[cfg(feature = "memory")]
pub use memory::MemoryCache;
