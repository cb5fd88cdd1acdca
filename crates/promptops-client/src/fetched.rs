use std::sync::Arc;
use std::time::Duration;

use promptops_types::Source;

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
