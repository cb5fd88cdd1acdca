//! What calls give: values of the client, which are read as attributes and as mappings. They are made of
//! the client's own values and converted when they are looked at.

use std::sync::Arc;

use promptops_client as client;
use promptops_types::Timestamp;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyType};
use serde_json::Value;

use crate::errors::{invalid, unreadable};
use crate::json;

/// Any object of Python.
pub(crate) type Object = Py<PyAny>;

pub(crate) fn flag(py: Python<'_>, yes: bool) -> PyResult<Object> {
    Ok(PyBool::new(py, yes).to_owned().into_any().unbind())
}

/// A moment, aware, in UTC.
pub(crate) fn moment<'py>(py: Python<'py>, at: Timestamp) -> PyResult<Bound<'py, PyAny>> {
    static EPOCH: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
    let (epoch, delta) = EPOCH.get_or_try_init(py, || -> PyResult<_> {
        let datetime = py.import("datetime")?;
        let utc = datetime.getattr("timezone")?.getattr("utc")?;
        let epoch = datetime.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
        Ok((epoch.unbind(), datetime.getattr("timedelta")?.unbind()))
    })?;
    let since = delta.bind(py).call1((0, 0, at.unix_micros()))?;
    epoch.bind(py).add(since)
}

/// A value as an attribute of Python.
trait Attribute {
    fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;
}

macro_rules! attributes {
    ($($kind:ty),*) => {
        $(impl Attribute for $kind {
            fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                Ok(self.clone().into_pyobject(py)?.to_owned().into_any())
            }
        })*
    };
}

attributes!(u64, f64, bool);

impl Attribute for String {
    fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyString::new(py, self).into_any())
    }
}

impl Attribute for Timestamp {
    fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, *self)
    }
}

impl<T: Attribute> Attribute for Option<T> {
    fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Some(value) => value.python(py),
            None => Ok(py.None().into_bound(py)),
        }
    }
}

impl<T: Attribute> Attribute for Vec<T> {
    fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let list = PyList::empty(py);
        for value in self {
            list.append(value.python(py)?)?;
        }
        Ok(list.into_any())
    }
}

impl Attribute for serde_json::Map<String, Value> {
    fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(json::dict(py, self)?.into_any())
    }
}

/// What is plain JSON.
macro_rules! plain {
    ($($kind:ty),*) => {
        $(impl Attribute for $kind {
            fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                let value = serde_json::to_value(self).unwrap_or_default();
                json::to_python(py, &value)
            }
        })*
    };
}

plain!(
    client::Message,
    client::ModelProvider,
    client::TemplateFormat,
    client::BodyChoice,
    client::HealthState,
    std::collections::BTreeMap<String, client::DependencyHealth>
);

impl Attribute for client::ModelSpecificPrompt {
    fn python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(Bound::new(py, ModelSpecificPrompt(self.clone().into()))?.into_any())
    }
}

/// A class of values: its fields, and what all such classes have.
macro_rules! data {
    ($(#[$doc:meta])* $name:ident of $inner:ty { $($field:ident),* $(,)? } $($more:tt)*) => {
        $(#[$doc])*
        #[pyclass(module = "promptops", frozen, mapping, weakref)]
        pub(crate) struct $name(pub(crate) Arc<$inner>);

        impl $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            /// One of its fields, of which `place` is the name in errors.
            pub(crate) fn read(
                py: Python<'_>,
                place: &str,
                fields: &Bound<'_, PyAny>,
            ) -> PyResult<Self> {
                let fields = written(fields).and_then(|fields| json::object(&fields));
                let fields = fields.map_err(|error| unreadable(py, place, error))?;
                let inner = serde_json::from_value::<$inner>(Value::Object(fields));
                let inner = inner.map_err(|error| invalid(py, place, error.to_string()))?;
                Ok(Self(inner.into()))
            }
        }

        #[pymethods]
        impl $name {
            $(
                #[getter]
                fn $field<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                    self.0.$field.python(py)
                }
            )*

            fn __getitem__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
                if Self::FIELDS.contains(&name) {
                    return slf.getattr(name);
                }
                Err(PyKeyError::new_err(name.to_owned()))
            }

            fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
                name.extract::<String>().is_ok_and(|name| Self::FIELDS.contains(&name.as_str()))
            }

            fn __len__(&self) -> usize {
                Self::FIELDS.len()
            }

            fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                PyList::new(py, Self::FIELDS)?.call_method0("__iter__")
            }

            /// The names of its fields.
            fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
                PyList::new(py, Self::FIELDS)
            }

            /// Its fields, plain values through and through.
            fn to_dict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
                let dict = PyDict::new(slf.py());
                for name in Self::FIELDS {
                    dict.set_item(name, undone(&slf.getattr(*name)?)?)?;
                }
                Ok(dict)
            }

            /// One of what `to_dict` gives, or of what the registry's API gives.
            #[classmethod]
            fn from_dict(class: &Bound<'_, PyType>, fields: &Bound<'_, PyAny>) -> PyResult<Self> {
                Self::read(class.py(), stringify!($name), fields)
            }

            fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
                let mut fields = Vec::new();
                for name in Self::FIELDS {
                    fields.push(format!("{name}={}", slf.getattr(*name)?.repr()?));
                }
                Ok(format!("{}({})", stringify!($name), fields.join(", ")))
            }

            fn __rich_repr__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
                let pairs = PyList::empty(slf.py());
                for name in Self::FIELDS {
                    pairs.append((*name, slf.getattr(*name)?))?;
                }
                pairs.call_method0("__iter__")
            }

            fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<Object> {
                let py = other.py();
                match other.cast::<Self>() {
                    Ok(other) => flag(py, other.get().0 == self.0),
                    Err(_) => Ok(py.NotImplemented()),
                }
            }

            #[classmethod]
            fn _restored(class: &Bound<'_, PyType>, text: &str) -> PyResult<Self> {
                let inner = serde_json::from_str::<$inner>(text);
                let inner = inner.map_err(|e| invalid(class.py(), stringify!($name), e.to_string()))?;
                Ok(Self(inner.into()))
            }

            fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
                let text = serde_json::to_string(&*slf.get().0).unwrap_or_default();
                Ok((slf.get_type().getattr("_restored")?, (text,)))
            }

            fn __copy__<'py>(slf: Bound<'py, Self>) -> Bound<'py, Self> {
                slf
            }

            fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
                slf
            }

            /// Lets pydantic take it as it is, or from a mapping.
            #[classmethod]
            fn __get_pydantic_core_schema__<'py>(
                class: &Bound<'py, PyType>,
                _source: &Bound<'py, PyAny>,
                _handler: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let py = class.py();
                py.import("promptops._pydantic")?.getattr("schema")?.call1((class,))
            }

            $($more)*
        }
    };
}

/// A value with what is of these classes as dicts.
fn undone<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(list) = value.cast::<PyList>() {
        let undone_list = PyList::empty(value.py());
        for item in list.iter() {
            undone_list.append(undone(&item)?)?;
        }
        return Ok(undone_list.into_any());
    }
    match value.cast::<ModelSpecificPrompt>() {
        Ok(body) => Ok(ModelSpecificPrompt::to_dict(body)?.into_any()),
        Err(_) => Ok(value.clone()),
    }
}

/// The fields of a mapping with its moments written out.
fn written<'py>(fields: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let Ok(dict) = fields.cast::<PyDict>() else { return Ok(fields.clone()) };
    let written = PyDict::new(fields.py());
    for (name, value) in dict.iter() {
        let value = match value.getattr("isoformat") {
            Ok(isoformat) => isoformat.call0()?,
            Err(_) => value,
        };
        written.set_item(name, value)?;
    }
    Ok(written.into_any())
}

data! {
    /// A prompt at one version.
    PromptResponse of client::PromptResponse {
        id, slug, name, description, content, messages, variables, target_models,
        model_specific_prompts, version, created_at, updated_at, created_by, tags, metadata,
        module_id, project_id, template_format, labels, digest,
    }
}

data! {
    /// A body that replaces the prompt's content for the models it names.
    ModelSpecificPrompt of client::ModelSpecificPrompt {
        model_provider, model_name, content, expected_output_format, instructions,
    }
}

data! {
    /// A prompt with its variables filled in.
    RenderResponse of client::RenderResponse {
        prompt_id, version, rendered_content, messages, variables_used, unused_variables, body,
        processing_time_ms, cache_hit,
    }

    /// The arguments of OpenAI's chat completions that it gives.
    fn to_openai<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.0.to_openai())
    }

    /// The arguments of Anthropic's messages API that it gives.
    fn to_anthropic<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.0.to_anthropic())
    }

    /// The arguments of Gemini's generateContent that it gives.
    fn to_gemini<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.0.to_gemini())
    }

    /// The arguments of Cohere's chat API that it gives.
    fn to_cohere<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.0.to_cohere())
    }

    /// About how many tokens its messages take.
    fn estimated_tokens(&self) -> u64 {
        self.0.estimated_tokens()
    }
}

data! {
    /// A model and what it can do.
    ModelInfo of client::ModelInfo {
        provider, name, context_window, max_output_tokens, capabilities,
        input_price_per_million_tokens, output_price_per_million_tokens, currency, deprecated_at,
    }
}

data! {
    /// What a client has done since it was made.
    ClientStats of client::ClientStats {
        total_requests, successful_requests, failed_requests, success_rate, avg_response_time_ms,
        cache_hits, cache_misses, last_request_time,
    }
}

data! {
    /// How a cache performs.
    CacheStats of client::CacheStats {
        hit_rate, size, max_size, memory_usage, hits, misses, failures, discarded,
    }
}

data! {
    /// How telemetry is set, and what became of the events.
    TelemetrySummary of client::TelemetrySummary {
        pending_events, enabled, sample_rate, batch_size, emitted_events, exported_events,
        dropped_events,
    }
}

data! {
    /// The health of a client and of what it needs.
    HealthStatus of client::HealthStatus { status, timestamp, dependencies, errors }
}
