use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ErrorCode, Timestamp};

/// A successful answer on the wire: `{"success": true, "data": …, "metadata": {…}}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// Always false.
    pub success: bool,
    /// What went wrong.
    pub error: ErrorBody,
    /// About the answer.
    pub metadata: ResponseMetadata,
}

/// What went wrong, for programs and for people.
///
/// It is read tolerantly: a part that is missing or of another type is empty, and a plain string is
/// the message. An empty code says that none was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Value")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// A fixed word for programs.
    pub code: ErrorCode,
    /// What happened and what to do.
    pub message: String,
    /// More, by name.
    pub details: Map<String, Value>,
}

impl From<Value> for ErrorBody {
    fn from(value: Value) -> Self {
        let mut fields = match value {
            Value::Object(fields) => fields,
            Value::String(message) => Map::from_iter([("message".to_owned(), message.into())]),
            _ => Map::new(),
        };
        let mut text = |name| match fields.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (code, message) = (text("code").into(), text("message"));
        let details = match fields.remove("details") {
            Some(Value::Object(details)) => details,
            _ => Map::new(),
        };
        Self { code, message, details }
    }
}

/// About an answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_is_read_as_far_as_it_can_be() {
        for (wire, code, message) in [
            (json!({"code": "NOT_FOUND", "message": "no", "details": {"a": 1}}), "NOT_FOUND", "no"),
            (json!({"code": "NOT_FOUND", "message": null, "details": null}), "NOT_FOUND", ""),
            (json!({"message": ["no"], "details": "x"}), "", ""),
            (json!("no"), "", "no"),
            (json!(7), "", ""),
        ] {
            let body: ErrorBody = serde_json::from_value(wire.clone()).unwrap();
            assert_eq!((body.code.as_str(), body.message.as_str()), (code, message), "{wire}");
            assert_eq!(body.details.len(), usize::from(wire["details"].is_object()), "{wire}");
        }
    }
}
