//! The runtime behind blocking calls: one for the process, with a thread of its own that always runs.

use std::cell::Cell;
use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};

use promptops_types::{Driver, Error, ErrorCode, ErrorContext, Task};
use tokio::runtime::{Builder, Handle, Runtime};
use tracing::Instrument;

thread_local! {
    /// Whether this is a thread of the runtime.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Where blocking calls run.
///
/// # Errors
/// [`Error::Config`] where the system has no thread for it.
pub(super) fn start() -> Result<&'static Handle, Error> {
    static STARTING: Mutex<()> = Mutex::new(());
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle());
    }
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if RUNTIME.get().is_none() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("promptops-blocking")
            .on_thread_start(|| IS_OURS.set(true))
            .enable_all()
            .build()
            .map_err(|error| Error::config("blocking", error))?;
        // Nobody else sets it.
        let _ = RUNTIME.set(runtime);
    }
    RUNTIME.get().map(Runtime::handle).ok_or_else(|| Error::config("blocking", "has no runtime"))
}

/// The output of a future, once it has run there. The thread waits, whatever it is: a worker of
/// another runtime too, or of this one, where something that a call calls makes another call.
pub(super) fn wait<T: Send + 'static>(
    future: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let (tell, told) = mpsc::sync_channel(1);
    let runtime = start()?;
    #[cfg(feature = "otel")]
    let future = promptops_telemetry::otel::in_current_context(future);
    let task = async move {
        let _ = tell.send(future.await);
    };
    runtime.spawn(task.in_current_span());
    let waiting = || {
        told.recv().unwrap_or_else(|_| {
            let message = "the call ended without an answer: something it calls panicked";
            Err(Error::Config { context: ErrorContext::new(ErrorCode::Config, message).into() })
        })
    };
    // Its other tasks need a thread meanwhile.
    if IS_OURS.get() { tokio::task::block_in_place(waiting) } else { waiting() }
}

/// The runtime as what opens connections and sends telemetry: for every client of a process that uses
/// a blocking one, since they may share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockingRuntime;

impl Driver for BlockingRuntime {
    fn is_running(&self) -> bool {
        RUNTIME.get().is_some()
    }

    fn spawn(&self, task: Task) {
        match start() {
            Ok(runtime) => drop(runtime.spawn(task)),
            Err(error) => tracing::warn!(%error, "nothing runs beside the calls"),
        }
    }
}
