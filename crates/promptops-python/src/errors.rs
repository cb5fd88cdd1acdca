//! Errors of the client as the exceptions of `promptops.exceptions`.

use std::error::Error as _;

use promptops_client::{Error, ErrorKind};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule};

use crate::json;

/// The exceptions, defined in Python.
fn exceptions(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE
        .get_or_try_init(py, || PyModule::import(py, "promptops.exceptions").map(Bound::unbind))?;
    Ok(module.bind(py))
}

fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Authentication => "AuthenticationError",
        ErrorKind::Authorization => "AuthorizationError",
        ErrorKind::PromptNotFound => "PromptNotFoundError",
        ErrorKind::Validation => "ValidationError",
        ErrorKind::Network => "NetworkError",
        ErrorKind::Timeout => "TimeoutError",
        ErrorKind::RateLimit => "RateLimitError",
        ErrorKind::Server => "ServerError",
        ErrorKind::Cache => "CacheError",
        ErrorKind::Telemetry => "TelemetryError",
        ErrorKind::Conflict => "ConflictError",
        ErrorKind::NotFound => "NotFoundError",
        ErrorKind::Config => "ConfigError",
        ErrorKind::Decode => "DecodeError",
        _ => "PromptOpsError",
    }
}

/// The exception that an error is.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).map_or_else(|broken| broken, PyErr::from_value)
}

fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("error_code", error.code())?;
    fields.set_item("details", json::dict(py, error.details())?)?;
    fields.set_item("retryable", error.is_retryable())?;
    fields.set_item("request_id", error.request_id())?;
    fields.set_item("status", error.status())?;
    fields.set_item("attempts", error.attempts())?;
    fields.set_item("_text", error.to_string())?;
    match error {
        Error::PromptNotFound { prompt_id, suggested_prompts, .. } => {
            fields.set_item("prompt_id", prompt_id)?;
            fields.set_item("suggested_prompts", suggested_prompts)?;
        }
        Error::Validation { validation_errors, .. } => {
            let issues = serde_json::to_value(validation_errors).unwrap_or_default();
            fields.set_item("validation_errors", json::to_python(py, &issues)?)?;
        }
        Error::Network { .. } => {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            let original = pyo3::exceptions::PyConnectionError::new_err(cause);
            fields.set_item("original_error", original.into_value(py))?;
        }
        Error::Timeout { timeout, .. } => {
            fields.set_item("timeout_duration", timeout.as_secs_f64())?;
        }
        Error::RateLimit { retry_after, .. } => {
            // Whole seconds, and never less than was asked for.
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            fields.set_item("retry_after", seconds)?;
        }
        Error::Server { status_code, .. } => fields.set_item("status_code", status_code)?,
        Error::Cache { cache_type, .. } => fields.set_item("cache_type", cache_type)?,
        _ => {}
    }
    let class = exceptions(py)?.getattr(class_name(error.kind()))?;
    class.call((error.message(),), Some(&fields))
}

/// A `ValidationError` of one field.
pub(crate) fn invalid(py: Python<'_>, field: &str, message: String) -> PyErr {
    let issue = promptops_client::ValidationIssue::new(field, "invalid", message.clone());
    raised(py, &Error::invalid(format!("`{field}`: {message}"), vec![issue]))
}

/// What an exception says; what is no `Exception`, such as an interrupt, is given back.
pub(crate) fn said(py: Python<'_>, error: PyErr) -> Result<String, PyErr> {
    if error.is_instance_of::<PyException>(py) {
        Ok(error.value(py).to_string())
    } else {
        Err(error)
    }
}

/// A `ValidationError` of one field for what was raised while it was read.
pub(crate) fn unreadable(py: Python<'_>, field: &str, error: PyErr) -> PyErr {
    said(py, error).map_or_else(|other| other, |reason| invalid(py, field, reason))
}

/// A `ConfigError` of one setting.
pub(crate) fn config(py: Python<'_>, field: &str, message: impl std::fmt::Display) -> PyErr {
    raised(py, &Error::config(field, message.to_string()))
}
