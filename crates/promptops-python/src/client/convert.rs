//! Conversions between the values of Python and those of the Rust client.

use std::sync::Arc;

use promptops_client as client;
use promptops_client::{ModelProvider, PromptVariables as Variables};
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::data::{Object, PromptResponse};
use crate::errors::{invalid, unreadable};
use crate::json;
use crate::variables::PromptVariables;

/// A list of what there is a class for.
macro_rules! list_of {
    ($class:ident) => {
        |py: Python<'_>, values: Vec<_>| -> PyResult<Object> {
            let list = PyList::empty(py);
            for value in values {
                list.append(Bound::new(py, $class(value.into()))?)?;
            }
            Ok(list.into_any().unbind())
        }
    };
}
pub(super) use list_of;

pub(super) fn prompt(py: Python<'_>, prompt: Arc<client::PromptResponse>) -> PyResult<Object> {
    Ok(Bound::new(py, PromptResponse(prompt))?.into_any().unbind())
}

pub(super) fn nothing(py: Python<'_>, (): ()) -> PyResult<Object> {
    Ok(py.None())
}

/// A member of ModelProvider, or its name.
pub(super) fn provider(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<ModelProvider> {
    let text = if value.is_instance_of::<PyString>() {
        value.extract::<String>()
    } else {
        value.getattr("value").and_then(|value| value.extract())
    };
    text.map(ModelProvider::from).map_err(|_| {
        invalid(py, "model_provider", "is no ModelProvider and no name of one".to_owned())
    })
}

/// The data of a write: a dict, or anything that has `to_dict` or `model_dump`.
pub(super) fn data<T: DeserializeOwned>(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<T> {
    let wrong = |reason: String| invalid(py, "prompt_data", reason);
    let fields = json::object(value).map_err(|error| unreadable(py, "prompt_data", error))?;
    serde_json::from_value(Value::Object(fields)).map_err(|error| wrong(error.to_string()))
}

pub(super) fn variables(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Variables> {
    let read = match value.cast::<PromptVariables>() {
        Ok(variables) => json::object(variables.borrow().dict(py).as_any()),
        Err(_) => json::object(value),
    };
    let map = read.map_err(|error| unreadable(py, "variables", error))?;
    Ok(Variables::from(map))
}

/// One of a few words.
pub(super) fn word<T: DeserializeOwned>(py: Python<'_>, field: &str, text: &str) -> PyResult<T> {
    let value = serde_json::from_value(Value::String(text.to_owned()));
    value.map_err(|error| invalid(py, field, error.to_string()))
}

/// A fallback: a PromptResponse, or the fields of one.
pub(super) fn fallback(
    py: Python<'_>,
    value: &Bound<'_, PyAny>,
) -> PyResult<Arc<client::PromptResponse>> {
    if let Ok(prompt) = value.cast::<PromptResponse>() {
        return Ok(Arc::clone(&prompt.get().0));
    }
    Ok(PromptResponse::read(py, "fallback", value)?.0)
}
