use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a client has done since it was built.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ClientStats {
    /// Calls that have ended; one that was dropped half-way is not among them.
    pub total_requests: u64,
    /// Calls that succeeded.
    pub successful_requests: u64,
    /// Calls that failed, those in whose place a fallback was given included.
    pub failed_requests: u64,
    /// `successful_requests / total_requests`, 0.0 to 1.0; 0.0 before the first call.
    pub success_rate: f64,
    /// Mean duration of a call, in milliseconds. What the memory of the process answers at once is not
    /// measured, since it takes less than a microsecond, and counts as 0.
    pub avg_response_time_ms: f64,
    /// Calls answered from the cache.
    pub cache_hits: u64,
    /// Calls that the cache could not answer.
    pub cache_misses: u64,
    /// When the last call began, to some milliseconds.
    pub last_request_time: Option<Timestamp>,
}

/// How a cache performs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CacheStats {
    /// `hits / (hits + misses)`, 0.0 to 1.0; 0.0 with neither.
    pub hit_rate: f64,
    /// Entries held.
    pub size: u64,
    /// Most entries it holds.
    pub max_size: u64,
    /// Bytes held.
    pub memory_usage: u64,
    /// Look-ups answered, stale ones and coalesced followers included.
    pub hits: u64,
    /// Look-ups not answered.
    pub misses: u64,
    /// Operations of a cache that failed; each was a miss, or something that was not kept.
    pub failures: u64,
    /// Values in a shared cache that were deleted because they were damaged or somebody else's.
    pub discarded: u64,
}

/// What waits in the telemetry queue, and how it is set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TelemetrySummary {
    /// Events not yet sent.
    pub pending_events: u64,
    /// Whether events are recorded.
    pub enabled: bool,
    /// Share of calls that are recorded, 0.0 to 1.0.
    pub sample_rate: f64,
    /// Events sent at once.
    pub batch_size: u64,
    /// Events recorded since the client was built: always the sum of `exported_events`,
    /// `dropped_events` and `pending_events`.
    pub emitted_events: u64,
    /// Events that arrived where they were sent.
    pub exported_events: u64,
    /// Events that never will: for want of room, refused, or after the end.
    pub dropped_events: u64,
}
