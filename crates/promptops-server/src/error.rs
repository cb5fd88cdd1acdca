//! Errors on the wire: a code, a message that says what to do, details, and nothing internal.

use std::any::Any;
use std::fmt::Display;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode, Uri};
use promptops_registry::{MAX_BODY_BYTES, RegistryError, StoreError};
use promptops_template::TemplateError;
use promptops_types::{ErrorBody, ErrorCode, SelectorError, ValidationIssue};
use serde_json::{Map, Value, json};

use crate::reply::Payload;

/// An error of the contract.
#[derive(Debug)]
pub(crate) struct ApiError(ErrorBody);

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(ErrorBody { code, message: message.into(), details: Map::new() })
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    /// One wrong field.
    pub(crate) fn invalid(field: &str, code: &str, message: impl Into<String>) -> Self {
        let issue = ValidationIssue::new(field, code, message);
        Self::validation(issue.to_string(), &[issue])
    }

    pub(crate) fn validation(message: String, issues: &[ValidationIssue]) -> Self {
        Self::new(ErrorCode::Validation, message).detail("errors", json!(issues))
    }

    /// A fault of ours: the log has it, the answer does not.
    pub(crate) fn internal(error: &dyn Display) -> Self {
        tracing::error!(%error, "internal error");
        Self::new(ErrorCode::Internal, "the registry failed; its log has more under the request id")
    }

    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// The error as it stands in a list of several.
    pub(crate) fn into_body(self) -> ErrorBody {
        self.0
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.0.code.status().and_then(|status| StatusCode::from_u16(status).ok());
        let mut response = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        if let Some(seconds) = self.0.details.get("retry_after").and_then(Value::as_u64) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Payload::Error(self.0));
        response
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        let message = error.to_string();
        match error {
            RegistryError::PromptNotFound { reference, suggestions, .. } => {
                Self::new(ErrorCode::PromptNotFound, message)
                    .detail("prompt_id", reference)
                    .detail("suggested_prompts", suggestions)
            }
            RegistryError::VersionNotFound { slug, selector, available } => {
                Self::new(ErrorCode::PromptNotFound, message)
                    .detail("prompt_id", slug)
                    .detail("suggested_prompts", json!([]))
                    .detail("version", selector)
                    .detail("available_versions", available)
            }
            RegistryError::LabelNotFound { label, .. }
            | RegistryError::NothingToUndo { label, .. } => {
                Self::new(ErrorCode::NotFound, message).detail("label", label.as_str())
            }
            RegistryError::SlugTaken { slug, project } => Self::new(ErrorCode::SlugTaken, message)
                .detail("slug", slug)
                .detail("project_id", project),
            RegistryError::ProjectNotAllowed { project } => {
                Self::new(ErrorCode::Authorization, message).detail("project_id", project)
            }
            RegistryError::ScopeMissing { scope } => {
                Self::new(ErrorCode::Authorization, message).detail("scope", scope.as_str())
            }
            RegistryError::KeyNotFound { id } => {
                Self::new(ErrorCode::NotFound, message).detail("id", id)
            }
            RegistryError::AlreadyDone => {
                Self::new(ErrorCode::from(crate::keyed::ALREADY_DONE.to_owned()), message)
            }
            RegistryError::VersionExists { version, .. }
            | RegistryError::Unchanged { version, .. } => {
                Self::new(ErrorCode::VersionExists, message).detail("version", version.to_string())
            }
            RegistryError::VersionFrozen { version, labels, .. } => {
                Self::new(ErrorCode::VersionFrozen, message)
                    .detail("version", version.to_string())
                    .detail("labels", labels)
            }
            RegistryError::RevisionMismatch { expected, current, .. } => {
                Self::new(ErrorCode::PreconditionFailed, message)
                    .detail("expected_revisions", expected)
                    .detail("current_revision", current)
            }
            RegistryError::Invalid(issues) => Self::validation(message, &issues),
            RegistryError::TooLarge { field, size, limit } => {
                Self::new(ErrorCode::PayloadTooLarge, message)
                    .detail("field", field)
                    .detail("size", size)
                    .detail("limit", limit)
            }
            RegistryError::Store(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = match &error {
            StoreError::Busy => "the registry is busy with other writers; try again",
            StoreError::Full(_) => {
                "the registry's disk is full, and nothing was written; make room and try again"
            }
            StoreError::ReadOnly(_) => {
                "the registry's file is read-only, and nothing was written; make it writable"
            }
            StoreError::Io(_) => "the registry's file cannot be read or written now; try again",
            StoreError::Unreachable(_) => {
                "the registry's database cannot be reached now; try again"
            }
            StoreError::Closed => "the registry is shutting down",
            _ => return Self::internal(&error),
        };
        tracing::error!(%error, "the store cannot answer");
        Self::new(ErrorCode::Unavailable, message)
    }
}

impl From<SelectorError> for ApiError {
    fn from(error: SelectorError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<TemplateError> for ApiError {
    fn from(error: TemplateError) -> Self {
        Self::validation(error.to_string(), &error.issues())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match &rejection {
            JsonRejection::MissingJsonContentType(_) => Self::new(
                ErrorCode::UnsupportedMediaType,
                "the body is not JSON; send `Content-Type: application/json`",
            ),
            JsonRejection::JsonDataError(error) => {
                Self::invalid("body", "invalid_type", error.body_text())
            }
            rejection if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            rejection => Self::bad_request(rejection.body_text()),
        }
    }
}

/// A body that is larger than any request's.
pub(crate) fn too_large() -> ApiError {
    let limit = crate::MAX_REQUEST_BYTES;
    let message = format!(
        "the body of the request is larger than {limit} bytes; one template of a prompt may have \
         {MAX_BODY_BYTES}"
    );
    ApiError::new(ErrorCode::PayloadTooLarge, message)
        .detail("limit", limit)
        .detail("template_limit", MAX_BODY_BYTES)
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

/// A path, as far as it is worth repeating.
fn shown(uri: &Uri) -> String {
    const MOST: usize = 200;
    let mut path: String = uri.path().chars().take(MOST).collect();
    if path.len() < uri.path().len() {
        path.push('…');
    }
    path
}

pub(crate) async fn no_such_route(uri: Uri) -> ApiError {
    let message = format!("there is nothing at {}; paths begin with /v1/client", shown(&uri));
    ApiError::new(ErrorCode::NotFound, message)
}

pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Response {
    let message = format!("{} does not take {method}", shown(&uri));
    let mut response = ApiError::new(ErrorCode::MethodNotAllowed, message).into_response();
    // A batch is found by the path of a prompt, which takes other methods.
    let of_prompts = uri.path().rsplit_once("/prompts/").map(|(_, id)| id);
    let allowed = match of_prompts {
        Some("batch") => "POST",
        Some(id) if !id.contains('/') => "GET,HEAD,PUT,DELETE",
        // The router says what there is.
        _ => return response,
    };
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// A handler that panicked: a fault of ours, logged by its message.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands over the panic's payload")]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a handler panicked");
    ApiError::internal(&text).into_response()
}
