use std::sync::Arc;
use std::time::Duration;

/// A value, and where it came from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fetched<T> {
    /// The value, shared.
    pub value: Arc<T>,
    /// Where it came from.
    pub source: Source,
    /// How long ago the registry said so; zero for what just came.
    pub age: Duration,
    /// Which state of the thing this is, for `if_match`. A fallback has none.
    pub etag: Option<String>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The registry, for this call or for one that waited with it.
    Network,
    /// The cache in this process.
    Near,
    /// The cache outside this process.
    Far,
    /// A cache, though its time is over: while it is refreshed, or since the registry failed.
    Stale,
    /// The caller's fallback, since the call failed.
    Fallback,
}
