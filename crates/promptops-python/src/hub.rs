//! What wakes an event loop: calls that have ended wait in a list, and one byte in a pair of sockets tells
//! the loop to look at it, however many there are. Our threads never wait for the interpreter.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyAnyMethods;

use crate::call::Outcome;
use crate::errors::raised;
use crate::runtime::generation;

/// The calls of one loop that wait.
#[pyclass(module = "promptops", frozen, weakref)]
pub(crate) struct Hub {
    shared: Arc<Shared>,
    waiting: Mutex<HashMap<u64, Py<PyAny>>>,
    next: AtomicU64,
    event_loop: Py<PyAny>,
    /// Of which generation of the process it is.
    generation: u64,
    reader: UnixStream,
}

/// The part of it that our threads have.
struct Shared {
    ended: Mutex<Vec<(u64, Outcome)>>,
    /// Whether the loop has been told and has not looked yet.
    is_told: AtomicBool,
    writer: UnixStream,
}

/// Tells a hub that a call has ended.
pub(crate) struct Sender(Arc<Shared>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sender {
    pub(crate) fn ended(&self, number: u64, outcome: Outcome) {
        locked(&self.0.ended).push((number, outcome));
        if !self.0.is_told.swap(true, SeqCst) {
            self.0.wake();
        }
    }
}

impl Shared {
    fn wake(&self) {
        // A full pair of sockets has something for the loop to read already; one whose loop is gone has
        // nobody to tell.
        let _ = (&self.writer).write(&[1]);
    }
}

impl Hub {
    /// The hub of the loop that runs here.
    pub(crate) fn of_running_loop(py: Python<'_>) -> PyResult<Bound<'_, Self>> {
        static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static HUBS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let running = RUNNING.get_or_try_init(py, || {
            let asyncio = py.import("asyncio")?;
            asyncio.getattr("get_running_loop").map(Bound::unbind)
        })?;
        let event_loop = running.bind(py).call0()?;
        let hubs = HUBS.get_or_try_init(py, || {
            let weak = py.import("weakref")?.getattr("WeakKeyDictionary")?;
            weak.call0().map(Bound::unbind)
        })?;
        let hubs = hubs.bind(py);
        if let Ok(hub) = hubs.get_item(&event_loop)
            && let Ok(hub) = hub.cast_into::<Self>()
            && hub.get().generation == generation()
        {
            return Ok(hub);
        }
        discard_closed(hubs)?;
        let hub = Self::open(py, &event_loop)?;
        hubs.set_item(&event_loop, &hub)?;
        Ok(hub)
    }

    fn open<'py>(py: Python<'py>, event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        let descriptor = reader.as_raw_fd();
        let shared = Shared { ended: Mutex::default(), is_told: AtomicBool::new(false), writer };
        let hub = Self {
            shared: Arc::new(shared),
            waiting: Mutex::default(),
            next: AtomicU64::new(0),
            event_loop: weak(py, event_loop)?,
            generation: generation(),
            reader,
        };
        let hub = Bound::new(py, hub)?;
        event_loop.call_method1("add_reader", (descriptor, hub.getattr("_drain")?))?;
        Ok(hub)
    }

    /// A future of the loop for a call that begins now, and the call's number.
    pub(crate) fn wait<'py>(&self, py: Python<'py>) -> PyResult<(u64, Bound<'py, PyAny>)> {
        let number = self.next.fetch_add(1, SeqCst);
        let event_loop = self.event_loop.bind(py).call0()?;
        let future = event_loop.call_method0("create_future")?;
        locked(&self.waiting).insert(number, future.clone().unbind());
        Ok((number, future))
    }

    /// Nobody waits for a call any more.
    pub(crate) fn forget(&self, number: u64) {
        let future = locked(&self.waiting).remove(&number);
        drop(future);
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender(Arc::clone(&self.shared))
    }
}

/// Forgets the loops that were closed with calls in flight: their futures, which nobody ends any more, hold
/// them.
fn discard_closed(hubs: &Bound<'_, PyAny>) -> PyResult<()> {
    // A list made in one step: other threads have loops of their own.
    for reference in hubs.call_method0("keyrefs")?.try_iter()? {
        let event_loop = reference?.call0()?;
        if event_loop.is_none() || !event_loop.call_method0("is_closed")?.is_truthy()? {
            continue;
        }
        let hub = hubs.call_method1("pop", (event_loop, hubs.py().None()))?;
        if let Ok(hub) = hub.cast::<Hub>() {
            let futures = std::mem::take(&mut *locked(&hub.get().waiting));
            drop(futures);
        }
    }
    Ok(())
}

/// A loop is not kept alive by its hub.
fn weak(py: Python<'_>, event_loop: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    py.import("weakref")?.getattr("ref")?.call1((event_loop,)).map(Bound::unbind)
}

#[pymethods]
impl Hub {
    /// Gives each call that has ended its outcome, in the thread of the loop.
    fn _drain(&self, py: Python<'_>) -> PyResult<()> {
        let mut bytes = [0; 64];
        let _ = (&self.reader).read(&mut bytes);
        self.shared.is_told.store(false, SeqCst);
        let ended = std::mem::take(&mut *locked(&self.shared.ended));
        let mut broken = Ok(());
        for (number, outcome) in ended {
            let Some(future) = locked(&self.waiting).remove(&number) else { continue };
            // The others are told whatever becomes of one.
            broken = broken.and(settle(future.bind(py), outcome));
        }
        broken
    }
}

/// Ends a future, unless it was cancelled meanwhile.
fn settle(future: &Bound<'_, PyAny>, outcome: Outcome) -> PyResult<()> {
    let py = future.py();
    if future.call_method0("done")?.is_truthy()? {
        return Ok(());
    }
    let value = match outcome {
        Ok(convert) => convert(py),
        Err(error) => Err(raised(py, &error)),
    };
    match value {
        Ok(value) => future.call_method1("set_result", (value,))?,
        Err(error) => future.call_method1("set_exception", (error.into_value(py),))?,
    };
    Ok(())
}
