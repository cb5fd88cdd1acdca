use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::open_enum::open_enum;

open_enum! {
    /// How a client, or something it needs, is.
    pub enum HealthState {
        /// Everything works.
        Healthy = "healthy",
        /// Calls are answered, but something that they can do without is broken.
        Degraded = "degraded",
        /// Calls fail.
        Unhealthy = "unhealthy",
    }
}

/// The health of a client and of what it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HealthStatus {
    /// The whole.
    pub status: HealthState,
    /// When it was checked.
    #[serde(default)]
    pub timestamp: Timestamp,
    /// Each dependency: `api`, `cache`, `telemetry`.
    #[serde(default)]
    pub dependencies: BTreeMap<String, DependencyHealth>,
    /// What is wrong, if anything.
    #[serde(default)]
    pub errors: Vec<String>,
}

impl HealthStatus {
    /// The health of a whole, with nothing told of its parts yet.
    pub fn new(status: HealthState, timestamp: Timestamp) -> Self {
        Self { status, timestamp, dependencies: BTreeMap::new(), errors: Vec::new() }
    }
}

/// The health of one dependency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DependencyHealth {
    /// How it is.
    pub status: HealthState,
    /// How long it took to answer, in milliseconds.
    #[serde(default)]
    pub latency_ms: Option<f64>,
    /// Its last error.
    #[serde(default)]
    pub error: Option<String>,
}

impl DependencyHealth {
    /// The health of a dependency, with neither latency nor error told yet.
    pub fn new(status: HealthState) -> Self {
        Self { status, latency_ms: None, error: None }
    }
}
