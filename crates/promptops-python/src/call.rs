//! A call as a coroutine: nothing happens until it is awaited, it runs in our runtime, and the loop is
//! woken once for all that have ended meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use promptops_client::Error;
use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use tokio::task::AbortHandle;

use crate::errors::raised;
use crate::hub::Hub;
use crate::runtime::runtime;
use crate::trace;

/// Makes the Python object of what came, where the interpreter is attached.
pub(crate) type Converted = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// What a call gives.
pub(crate) type Outcome = Result<Converted, Error>;

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

enum State {
    /// Not awaited yet.
    Begun(Running),
    /// What it was asked with is wrong, as whoever awaits it is told.
    Refused(PyErr),
    /// It runs; the future of the loop, as an iterator, ends when it has.
    Waiting(Waiting),
    Ended,
}

struct Waiting {
    iterator: Py<PyAny>,
    abort: AbortHandle,
    hub: Py<Hub>,
    number: u64,
}

impl Waiting {
    /// Ends the call: nobody waits for it any more.
    fn abandon(&self) {
        self.abort.abort();
        self.hub.get().forget(self.number);
    }
}

/// A call that is made when it is awaited.
#[pyclass(module = "promptops", frozen)]
pub(crate) struct Call(Mutex<State>);

impl Call {
    /// A coroutine of a future, whose value `convert` makes a Python object of.
    pub(crate) fn new<T: Send + 'static>(
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> Self {
        let running = async move {
            let value = future.await?;
            Ok(Box::new(move |py: Python<'_>| convert(py, value)) as Converted)
        };
        Self(Mutex::new(State::Begun(Box::pin(running))))
    }

    /// A coroutine that fails once it is awaited.
    pub(crate) fn refused(error: PyErr) -> Self {
        Self(Mutex::new(State::Refused(error)))
    }

    fn replace(&self, state: State) -> State {
        let mut held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::replace(&mut held, state)
    }

    fn begin(py: Python<'_>, running: Running) -> PyResult<Waiting> {
        let runtime = runtime().map_err(|error| raised(py, &error))?;
        let hub = Hub::of_running_loop(py)?;
        let running = trace::scoped(py, running)?;
        let (number, future) = hub.get().wait(py)?;
        let task = {
            let hub = hub.get().sender();
            runtime.spawn(async move {
                let outcome = running.await;
                hub.ended(number, outcome);
            })
        };
        let iterator = future.call_method0("__await__")?.unbind();
        Ok(Waiting { iterator, abort: task.abort_handle(), hub: hub.unbind(), number })
    }
}

impl Drop for Call {
    /// Nobody waits for it any more.
    fn drop(&mut self) {
        if let State::Waiting(waiting) = self.replace(State::Ended) {
            waiting.abandon();
        }
    }
}

#[pymethods]
impl Call {
    /// A task that nobody ends is a circle: it holds this, which holds the loop's future, which holds the
    /// task.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(state) = self.0.try_lock()
            && let State::Waiting(waiting) = &*state
        {
            visit.call(&waiting.iterator)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        if let State::Waiting(waiting) = self.replace(State::Ended) {
            waiting.abandon();
        }
    }

    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.send(py, None)
    }

    #[pyo3(signature = (value = None))]
    fn send(&self, py: Python<'_>, value: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        let _ = value;
        let waiting = match self.replace(State::Ended) {
            State::Begun(running) => Self::begin(py, running)?,
            State::Refused(error) => return Err(error),
            State::Waiting(waiting) => waiting,
            State::Ended => {
                let message = "cannot reuse already awaited coroutine";
                return Err(PyRuntimeError::new_err(message));
            }
        };
        // It yields the loop's future, or ends with what that holds.
        let stepped = waiting.iterator.call_method0(py, "__next__");
        if stepped.is_ok() {
            self.replace(State::Waiting(waiting));
        }
        stepped
    }

    #[pyo3(signature = (*arguments))]
    fn throw(&self, py: Python<'_>, arguments: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        match self.replace(State::Ended) {
            State::Waiting(waiting) => {
                // A task that is cancelled: so is the call.
                waiting.abandon();
                waiting.iterator.call_method1(py, "throw", arguments)
            }
            State::Begun(_) | State::Refused(_) | State::Ended => {
                match thrown(arguments.as_any()) {
                    Ok(error) | Err(error) => Err(error),
                }
            }
        }
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Waiting(waiting) = self.replace(State::Ended) {
            waiting.abandon();
            waiting.iterator.call_method0(py, "close")?;
        }
        Ok(())
    }
}

/// What `throw` was given: an exception, or its class and perhaps a value.
pub(crate) fn thrown(arguments: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let arguments = arguments.cast::<PyTuple>()?;
    let first = arguments.get_item(0)?;
    if first.is_instance_of::<PyBaseException>() {
        return Ok(PyErr::from_value(first));
    }
    let Ok(class) = first.cast::<PyType>() else {
        return Ok(PyTypeError::new_err("exceptions must be classes or instances of them"));
    };
    let value = arguments.get_item(1).ok().filter(|value| !value.is_none());
    match value {
        Some(value) if value.is_instance_of::<PyBaseException>() => Ok(PyErr::from_value(value)),
        Some(value) => Ok(PyErr::from_value(class.call1((value,))?)),
        None => Ok(PyErr::from_value(class.call0()?)),
    }
}
