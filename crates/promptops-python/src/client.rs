//! The clients: one for asyncio, one that blocks. Each method makes a request of the Rust client and says
//! how its answer is converted; the two differ in how they wait.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use promptops_client as client;
use promptops_client::{
    ModelProvider, NewPrompt, PromptUpdate, PromptVariables as Variables, SortBy, SortOrder,
};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::Call;
use crate::config::{self, Given};
use crate::core::Core;
use crate::data::{
    CacheStats, ClientStats, HealthStatus, ModelInfo, Object, PromptResponse, RenderResponse,
    TelemetrySummary, flag,
};
use crate::errors::{invalid, raised, unreadable};
use crate::json;
use crate::ready::ready;
use crate::runtime::runtime;
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

fn prompt(py: Python<'_>, prompt: Arc<client::PromptResponse>) -> PyResult<Object> {
    Ok(Bound::new(py, PromptResponse(prompt))?.into_any().unbind())
}

fn nothing(py: Python<'_>, (): ()) -> PyResult<Object> {
    Ok(py.None())
}

/// A member of ModelProvider, or its name.
fn provider(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<ModelProvider> {
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
fn data<T: DeserializeOwned>(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<T> {
    let wrong = |reason: String| invalid(py, "prompt_data", reason);
    let fields = json::object(value).map_err(|error| unreadable(py, "prompt_data", error))?;
    serde_json::from_value(Value::Object(fields)).map_err(|error| wrong(error.to_string()))
}

fn variables(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Variables> {
    let read = match value.cast::<PromptVariables>() {
        Ok(variables) => json::object(variables.borrow().dict(py).as_any()),
        Err(_) => json::object(value),
    };
    let map = read.map_err(|error| unreadable(py, "variables", error))?;
    Ok(Variables::from(map))
}

/// One of a few words.
fn word<T: DeserializeOwned>(py: Python<'_>, field: &str, text: &str) -> PyResult<T> {
    let value = serde_json::from_value(Value::String(text.to_owned()));
    value.map_err(|error| invalid(py, field, error.to_string()))
}

/// Sets what is given.
macro_rules! with {
    ($request:expr, $($setter:ident = $value:expr),+ $(,)?) => {{
        let mut request = $request;
        $(if let Some(value) = $value {
            request = request.$setter(value);
        })+
        request
    }};
}

/// A client for asyncio.
#[pyclass(module = "promptops", name = "PromptOpsClient", subclass, weakref, frozen)]
pub(crate) struct AsyncClient(OnceLock<Core>);

/// A client whose calls block, with the interpreter free for other threads.
#[pyclass(module = "promptops.blocking", name = "PromptOpsClient", subclass, weakref, frozen)]
pub(crate) struct BlockingClient(OnceLock<Core>);

impl AsyncClient {
    fn finish<T: Send + 'static>(
        py: Python<'_>,
        future: impl Future<Output = Result<T, client::Error>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Object> + Send + 'static,
    ) -> PyResult<Object> {
        Ok(Bound::new(py, Call::new(future, convert))?.into_any().unbind())
    }

    fn at_once(py: Python<'_>, value: Bound<'_, PyAny>) -> PyResult<Object> {
        Ok(ready(py, value)?.unbind())
    }

    /// What is wrong with a call is told where it is awaited, as it is of any coroutine.
    fn coroutine(py: Python<'_>, call: impl FnOnce() -> PyResult<Object>) -> PyResult<Object> {
        match call() {
            Ok(awaitable) => Ok(awaitable),
            Err(error) => Ok(Bound::new(py, Call::refused(error))?.into_any().unbind()),
        }
    }
}

impl BlockingClient {
    fn finish<T: Send + 'static>(
        py: Python<'_>,
        future: impl Future<Output = Result<T, client::Error>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Object> + Send + 'static,
    ) -> PyResult<Object> {
        let runtime = runtime().map_err(|error| raised(py, &error))?;
        let future = crate::trace::scoped(py, Box::pin(future))?;
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let task = runtime.spawn(async move {
            let _ = tell.send(future.await);
        });
        // Ours alone; the lock is for the compiler.
        let told = Mutex::new(told);
        let wait = || told.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(SIGNALS);
        // Now and then the interpreter looks for signals: Ctrl-C ends a call.
        loop {
            match py.detach(wait) {
                Ok(outcome) => {
                    let value = outcome.map_err(|error| raised(py, &error))?;
                    return convert(py, value);
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    if let Err(interrupt) = py.check_signals() {
                        task.abort();
                        return Err(interrupt);
                    }
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    let reason = "the call ended without an answer: this is a bug of promptops";
                    return Err(PyRuntimeError::new_err(reason));
                }
            }
        }
    }

    fn at_once(_: Python<'_>, value: Bound<'_, PyAny>) -> PyResult<Object> {
        Ok(value.unbind())
    }

    fn coroutine(_: Python<'_>, call: impl FnOnce() -> PyResult<Object>) -> PyResult<Object> {
        call()
    }
}

/// How often a blocked call looks for signals.
const SIGNALS: std::time::Duration = std::time::Duration::from_millis(100);

/// The methods of the document, in its order, with its parameters and defaults.
macro_rules! methods {
    ($class:ident { $($more:tt)* }) => {
        impl $class {
            fn core(&self) -> PyResult<&Core> {
                self.0.get().ok_or_else(|| {
                    let reason = "this client was not initialised: an initialiser of a subclass calls \
                                  super().__init__(...)";
                    PyRuntimeError::new_err(reason)
                })
            }
        }

        #[pymethods]
        impl $class {
            /// A subclass has an initialiser of its own, whose arguments these are.
            #[new]
            #[pyo3(signature = (*_arguments, **_named), text_signature = "(config=None, base_url=None, api_key=None, timeout=None, cache=None, telemetry=None, *, secret_key=None, project=None, retry=None)")]
            fn new(
                _arguments: &Bound<'_, PyTuple>,
                _named: Option<&Bound<'_, PyDict>>,
            ) -> Self {
                Self(OnceLock::new())
            }

            #[pyo3(signature = (config = None, base_url = None, api_key = None, timeout = None, cache = None, telemetry = None, *, secret_key = None, project = None, retry = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn __init__(
                &self,
                py: Python<'_>,
                config: Option<&Bound<'_, PyAny>>,
                base_url: Option<String>,
                api_key: Option<String>,
                timeout: Option<f64>,
                cache: Option<&Bound<'_, PyAny>>,
                telemetry: Option<&Bound<'_, PyAny>>,
                secret_key: Option<String>,
                project: Option<String>,
                retry: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<()> {
                let given = Given {
                    config, base_url, api_key, timeout, cache, telemetry, secret_key, project, retry,
                };
                let core = Core::new(py, config::settings(py, given)?)?;
                self.0.set(core).map_err(|_| PyRuntimeError::new_err("a client is initialised once"))
            }

            #[pyo3(signature = (prompt_id, version = None, use_cache = true, project_id = None, *, key = None, fallback = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn get_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                version: Option<&str>,
                use_cache: bool,
                project_id: Option<&str>,
                key: Option<&str>,
                fallback: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Object> {
                let core = self.core()?;
                if use_cache
                    && let Some(own) = core.own()
                    && let Some(found) = own.cached_prompt(prompt_id, version, project_id, key)
                {
                    return Self::at_once(py, core.object(py, found)?);
                }
                Self::coroutine(py, || {
                    let rust = core.client(py)?;
                    let request = with!(
                        rust.get_prompt(prompt_id).use_cache(use_cache),
                        version = version, project = project_id, key = key,
                    );
                    let request = match fallback {
                        Some(fallback) => request.fallback(self::fallback(py, fallback)?),
                        None => request,
                    };
                    match request.at_once() {
                        Ok(found) => {
                            let found = found.map_err(|error| raised(py, &error))?;
                            Self::at_once(py, Bound::new(py, PromptResponse(found))?.into_any())
                        }
                        Err(begun) => Self::finish(py, begun, prompt),
                    }
                })
            }

            #[pyo3(signature = (prompt_id, variables, version = None, model_provider = None, model_name = None, use_cache = true, project_id = None, *, strict = false, key = None, fallback = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn render_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                variables: &Bound<'_, PyAny>,
                version: Option<&str>,
                model_provider: Option<&Bound<'_, PyAny>>,
                model_name: Option<&str>,
                use_cache: bool,
                project_id: Option<&str>,
                strict: bool,
                key: Option<&str>,
                fallback: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    let variables = self::variables(py, variables)?;
                    let request = with!(
                        rust.render_prompt(prompt_id, ()).variables(variables).use_cache(use_cache)
                            .strict(strict),
                        version = version, project = project_id, key = key,
                    );
                    let model_provider = model_provider.map(|it| provider(py, it)).transpose()?;
                    let request = match (model_provider, model_name) {
                        (Some(provider), Some(name)) => request.model(provider, name),
                        (Some(provider), None) => request.provider(provider),
                        (None, Some(_)) => {
                            let reason = "is needed beside model_name".to_owned();
                            return Err(invalid(py, "model_provider", reason));
                        }
                        (None, None) => request,
                    };
                    let request = match fallback {
                        Some(fallback) => request.fallback(self::fallback(py, fallback)?),
                        None => request,
                    };
                    let made = |py: Python<'_>, render: client::RenderResponse| -> PyResult<Object> {
                        Ok(Bound::new(py, RenderResponse(render.into()))?.into_any().unbind())
                    };
                    match request.at_once() {
                        Some(render) => {
                            let render = render.map_err(|error| raised(py, &error))?;
                            Self::at_once(py, made(py, render)?.into_bound(py))
                        }
                        None => Self::finish(py, request.into_future(), made),
                    }
                })
            }

            #[pyo3(signature = (module_id = None, skip = 0, limit = 100, sort_by = "created_at", sort_order = "desc", use_cache = true, project_id = None, *, query = None, tags = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn list_prompts(
                &self,
                py: Python<'_>,
                module_id: Option<&str>,
                skip: u64,
                limit: u64,
                sort_by: &str,
                sort_order: &str,
                use_cache: bool,
                project_id: Option<&str>,
                query: Option<&str>,
                tags: Option<Vec<String>>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let request = with!(
                        self.core()?.client(py)?.list_prompts().skip(skip).limit(limit).use_cache(use_cache)
                            .sort_by(word::<SortBy>(py, "sort_by", sort_by)?)
                            .sort_order(word::<SortOrder>(py, "sort_order", sort_order)?),
                        module = module_id, project = project_id, query = query, tags = tags,
                    );
                    Self::finish(py, request.into_future(), list_of!(PromptResponse))
                })
            }

            #[pyo3(signature = (prompt_data, project_id = None, *, idempotency_key = None))]
            fn create_prompt(
                &self,
                py: Python<'_>,
                prompt_data: &Bound<'_, PyAny>,
                project_id: Option<&str>,
                idempotency_key: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let new: NewPrompt = data(py, prompt_data)?;
                    let request = with!(
                        self.core()?.client(py)?.create_prompt(new),
                        project = project_id, idempotency_key = idempotency_key,
                    );
                    Self::finish(py, request.into_future(), prompt)
                })
            }

            #[pyo3(signature = (prompt_id, prompt_data, version = None, project_id = None, *, bump = None, message = None, force = false, idempotency_key = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn update_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                prompt_data: &Bound<'_, PyAny>,
                version: Option<&str>,
                project_id: Option<&str>,
                bump: Option<&str>,
                message: Option<&str>,
                force: bool,
                idempotency_key: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let update: PromptUpdate = data(py, prompt_data)?;
                    let bump = bump.map(|bump| word::<client::Bump>(py, "bump", bump)).transpose()?;
                    let request = with!(
                        self.core()?.client(py)?.update_prompt(prompt_id, update).force(force),
                        version = version, project = project_id, bump = bump, message = message,
                        idempotency_key = idempotency_key,
                    );
                    Self::finish(py, request.into_future(), prompt)
                })
            }

            #[pyo3(signature = (prompt_id, version = None, project_id = None, *, force = false))]
            fn delete_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                version: Option<&str>,
                project_id: Option<&str>,
                force: bool,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let request = with!(
                        self.core()?.client(py)?.delete_prompt(prompt_id).force(force),
                        version = version, project = project_id,
                    );
                    Self::finish(py, request.into_future(), flag)
                })
            }

            #[pyo3(signature = (prompt_id, version = None, project_id = None))]
            fn validate_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                version: Option<&str>,
                project_id: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let request = with!(
                        self.core()?.client(py)?.validate_prompt(prompt_id),
                        version = version, project = project_id,
                    );
                    Self::finish(py, request.into_future(), flag)
                })
            }

            #[pyo3(signature = (prompt_id, model_provider, model_name, version = None, project_id = None))]
            fn get_model_compatibility(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                model_provider: &Bound<'_, PyAny>,
                model_name: &str,
                version: Option<&str>,
                project_id: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let provider = provider(py, model_provider)?;
                    let request = with!(
                        self.core()?.client(py)?.get_model_compatibility(prompt_id, provider, model_name),
                        version = version, project = project_id,
                    );
                    Self::finish(py, request.into_future(), flag)
                })
            }

            #[pyo3(signature = (provider = None, use_cache = true))]
            fn list_models(
                &self,
                py: Python<'_>,
                provider: Option<&Bound<'_, PyAny>>,
                use_cache: bool,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let provider = provider.map(|it| self::provider(py, it)).transpose()?;
                    let request = with!(
                        self.core()?.client(py)?.list_models().use_cache(use_cache),
                        provider = provider,
                    );
                    Self::finish(py, request.into_future(), list_of!(ModelInfo))
                })
            }

            fn get_stats(&self, py: Python<'_>) -> PyResult<ClientStats> {
                Ok(ClientStats(self.core()?.client(py)?.stats().into()))
            }

            fn get_cache_stats(&self, py: Python<'_>) -> PyResult<CacheStats> {
                Ok(CacheStats(self.core()?.client(py)?.cache_stats().into()))
            }

            #[pyo3(signature = (prompt_id = None, version = None))]
            fn clear_cache(
                &self,
                py: Python<'_>,
                prompt_id: Option<&str>,
                version: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    if prompt_id.is_none() && version.is_some() {
                        let reason = "is needed beside version".to_owned();
                        return Err(invalid(py, "prompt_id", reason));
                    }
                    let request = with!(
                        self.core()?.client(py)?.clear_cache(),
                        prompt = prompt_id, version = version,
                    );
                    Self::finish(py, request.into_future(), nothing)
                })
            }

            fn get_telemetry_summary(&self, py: Python<'_>) -> PyResult<TelemetrySummary> {
                Ok(TelemetrySummary(self.core()?.client(py)?.telemetry_summary().into()))
            }

            fn flush_telemetry(&self, py: Python<'_>) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    Self::finish(py, async move { rust.flush_telemetry().await }, nothing)
                })
            }

            fn disable_telemetry(&self, py: Python<'_>) -> PyResult<()> {
                self.core()?.client(py)?.disable_telemetry();
                Ok(())
            }

            #[pyo3(signature = (sample_rate = 0.1))]
            fn enable_telemetry(&self, py: Python<'_>, sample_rate: f64) -> PyResult<()> {
                if !(0.0..=1.0).contains(&sample_rate) {
                    return Err(invalid(py, "sample_rate", "must be 0.0 to 1.0".to_owned()));
                }
                self.core()?.client(py)?.enable_telemetry(sample_rate);
                Ok(())
            }

            fn update_config(&self, py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<()> {
                let rust = self.core()?.client(py)?;
                let patch = config::patch(py, &rust.config(), config)?;
                rust.update_config(&patch).map_err(|error| raised(py, &error))
            }

            fn get_config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                config::to_python(py, &self.core()?.client(py)?.config())
            }

            fn health_check(&self, py: Python<'_>) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    let made = |py: Python<'_>, health: client::HealthStatus| -> PyResult<Object> {
                        Ok(Bound::new(py, HealthStatus(health.into()))?.into_any().unbind())
                    };
                    Self::finish(py, async move { rust.health_check().await }, made)
                })
            }

            fn initialize(&self, py: Python<'_>) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    Self::finish(py, async move { rust.initialize().await }, nothing)
                })
            }

            fn shutdown(&self, py: Python<'_>) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    Self::finish(py, async move { rust.shutdown().await }, nothing)
                })
            }

            /// Points a label at a version.
            #[pyo3(signature = (prompt_id, label, version, project_id = None))]
            fn set_label(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                label: &str,
                version: &str,
                project_id: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let request = with!(
                        self.core()?.client(py)?.set_label(prompt_id, label, version),
                        project = project_id,
                    );
                    Self::finish(py, request.into_future(), |py, _| Ok(py.None()))
                })
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let rust = self.core()?.client(py)?;
                Ok(format!("PromptOpsClient(base_url='{}')", rust.config().base_url))
            }

            $($more)*
        }
    };
}

/// A fallback: a PromptResponse, or the fields of one.
fn fallback(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Arc<client::PromptResponse>> {
    if let Ok(prompt) = value.cast::<PromptResponse>() {
        return Ok(Arc::clone(&prompt.get().0));
    }
    Ok(PromptResponse::read(py, "fallback", value)?.0)
}

/// The end of a block: what could not be told is in the summary, and is no reason to hide the block's own
/// exception.
async fn closed(rust: client::PromptOpsClient) -> Result<(), client::Error> {
    if let Err(error) = rust.shutdown().await {
        tracing::warn!(%error, "telemetry was not sent");
    }
    Ok(())
}

methods!(AsyncClient {
    fn __aenter__<'py>(slf: Bound<'py, Self>) -> PyResult<Object> {
        let py = slf.py();
        let rust = slf.get().core()?.client(py)?;
        let own = slf.into_any().unbind();
        Self::finish(py, async move { rust.initialize().await }, move |_, ()| Ok(own))
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<Object> {
        let rust = self.core()?.client(py)?;
        Self::finish(py, closed(rust), nothing)
    }
});

methods!(BlockingClient {
    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let py = slf.py();
        slf.get().initialize(py)?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<Object> {
        let rust = self.core()?.client(py)?;
        Self::finish(py, closed(rust), nothing)
    }
});
