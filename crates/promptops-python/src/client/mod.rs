//! The clients: one for asyncio, one that blocks. Each method makes a request of the Rust client and says
//! how its answer is converted; the two differ in how they wait.

mod convert;
mod methods;

use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};

use promptops_client as client;
use promptops_client::{NewPrompt, PromptUpdate, SortBy, SortOrder};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use self::convert::{data, fallback, list_of, nothing, prompt, provider, variables, word};
use self::methods::methods;
use crate::call::Call;
use crate::config::{self, Given};
use crate::core::Core;
use crate::data::{
    CacheStats, ClientStats, HealthStatus, ModelInfo, Object, PromptResponse, RenderResponse,
    TelemetrySummary, flag,
};
use crate::errors::{invalid, raised};
use crate::ready::ready;
use crate::runtime::runtime;

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
