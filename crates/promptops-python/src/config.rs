//! Settings between Python and the client. The classes are Python's own (`promptops._config`).

use promptops_client::{ClientConfig, ConfigPatch, Secret};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::errors;
use crate::json;

/// What a constructor is given; what is None is left to the environment and to defaults.
pub(crate) struct Given<'a, 'py> {
    pub(crate) config: Option<&'a Bound<'py, PyAny>>,
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) timeout: Option<f64>,
    pub(crate) cache: Option<&'a Bound<'py, PyAny>>,
    pub(crate) telemetry: Option<&'a Bound<'py, PyAny>>,
    pub(crate) secret_key: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) retry: Option<&'a Bound<'py, PyAny>>,
}

/// The settings of a constructor: `config` may be a ClientConfig, a dict, or an API key; the other
/// arguments come over it.
///
/// # Errors
/// `ConfigError` that names the setting.
pub(crate) fn settings(py: Python<'_>, given: Given<'_, '_>) -> PyResult<ClientConfig> {
    let mut fields = match given.config {
        None => Map::new(),
        Some(key) if key.is_instance_of::<PyString>() => {
            Map::from_iter([("api_key".to_owned(), Value::String(key.extract()?))])
        }
        Some(config) => group(py, "config", config)?,
    };
    let texts = [
        ("base_url", given.base_url),
        ("api_key", given.api_key),
        ("secret_key", given.secret_key),
        ("project", given.project),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.into());
        }
    }
    if let Some(timeout) = given.timeout {
        fields.insert("timeout".to_owned(), seconds(py, "timeout", timeout)?);
    }
    let groups = [("cache", given.cache), ("retry", given.retry), ("telemetry", given.telemetry)];
    for (name, value) in groups {
        if let Some(value) = value {
            fields.insert(name.to_owned(), group(py, name, value)?.into());
        }
    }
    read(py, "", fields)
}

/// A change of settings: a dict, or a whole ClientConfig.
///
/// # Errors
/// `ConfigError` that names the setting, one that cannot be changed among them.
pub(crate) fn patch(
    py: Python<'_>,
    before: &ClientConfig,
    config: &Bound<'_, PyAny>,
) -> PyResult<ConfigPatch> {
    let fields = group(py, "config", config)?;
    let mut patch = ConfigPatch::new();
    for (name, value) in fields {
        match name.as_str() {
            "timeout" => {
                let whole = Map::from_iter([(name.clone(), value)]);
                patch.timeout = Some(read::<ClientConfig>(py, "", whole)?.timeout);
            }
            "cache" => patch.cache = Some(read(py, "cache", object(py, "cache", value)?)?),
            "retry" => patch.retry = Some(read(py, "retry", object(py, "retry", value)?)?),
            "telemetry" => {
                patch.telemetry = Some(read(py, "telemetry", object(py, "telemetry", value)?)?);
            }
            // Those of a whole ClientConfig, as they were.
            "base_url" if value == *before.base_url => {}
            "project" if value.as_str() == before.project.as_deref() => {}
            "api_key" if is_same(&value, before.api_key.as_ref()) => {}
            "secret_key" if is_same(&value, before.secret_key.as_ref()) => {}
            "base_url" | "api_key" | "secret_key" | "project" => {
                let reason = "cannot be changed while the client runs; make another client";
                return Err(errors::config(py, &name, reason));
            }
            _ => return Err(errors::config(py, &name, "is no setting")),
        }
    }
    Ok(patch)
}

fn is_same(value: &Value, before: Option<&Secret>) -> bool {
    value.as_str() == before.map(Secret::expose)
}

fn object(py: Python<'_>, name: &str, value: Value) -> PyResult<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(errors::config(py, name, "is no group of settings")),
    }
}

/// A group of settings as JSON.
fn group(py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<Map<String, Value>> {
    let fields = json::object(value)
        .or_else(|error| Err(errors::config(py, name, errors::said(py, error)?)))?;
    Ok(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

fn seconds(py: Python<'_>, name: &str, value: f64) -> PyResult<Value> {
    let number = serde_json::Number::from_f64(value);
    number.map(Value::Number).ok_or_else(|| errors::config(py, name, "is not a finite number"))
}

/// The settings of a group, whose name stands before those of its fields.
fn read<T: DeserializeOwned>(
    py: Python<'_>,
    group: &str,
    fields: Map<String, Value>,
) -> PyResult<T> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let name = match (group, path.as_str()) {
            ("", path) => path.to_owned(),
            (group, ".") => group.to_owned(),
            (group, path) => format!("{group}.{path}"),
        };
        errors::config(py, &name, error.inner())
    })
}

/// The settings in force as a ClientConfig of Python.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    config: &ClientConfig,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = serde_json::to_value(config).unwrap_or_default();
    let fields = json::to_python(py, &fields)?.cast_into::<PyDict>()?;
    let secret = |secret: &Option<Secret>| secret.as_ref().map(|s| s.expose().to_owned());
    fields.set_item("api_key", secret(&config.api_key))?;
    fields.set_item("secret_key", secret(&config.secret_key))?;
    if let Some(cache) = fields.get_item("cache")? {
        cache.set_item("redis_url", secret(&config.cache.redis_url))?;
    }
    py.import("promptops._config")?.getattr("ClientConfig")?.call((), Some(&fields))
}
