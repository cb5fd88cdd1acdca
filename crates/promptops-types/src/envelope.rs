use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ErrorCode, Timestamp};

/// A successful answer on the wire: `{"success": true, "data": …, "metadata": {…}}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Success<T> {
    /// Always true.
    pub success: bool,
    /// What was asked for.
    pub data: T,
    /// About the answer.
    pub metadata: ResponseMetadata,
}

/// An error on the wire: `{"success": false, "error": {…}, "metadata": {…}}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// Always false.
    pub success: bool,
    /// What went wrong.
    pub error: ErrorBody,
    /// About the answer.
    pub metadata: ResponseMetadata,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A fixed word for programs.
    pub code: ErrorCode,
    /// What happened and what to do.
    #[serde(default)]
    pub message: String,
    /// More, by name.
    #[serde(default)]
    pub details: Map<String, Value>,
}

/// About an answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseMetadata {
    /// The id under which the request was logged.
    pub request_id: String,
    /// Time spent, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_time_ms: Option<f64>,
    /// Whether the registry answered from a cache of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_hit: Option<bool>,
    /// When the answer was made.
    pub timestamp: Timestamp,
}
