//! The runtime behind blocking calls: one for the process, with a thread of its own that always runs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};

use promptops_types::{Error, ErrorCode, ErrorContext};
use tokio::runtime::{Builder, Handle, Runtime};

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
            .enable_all()
            .build()
            .map_err(|error| Error::config("blocking", error))?;
        // Nobody else sets it.
        let _ = RUNTIME.set(runtime);
    }
    RUNTIME.get().map(Runtime::handle).ok_or_else(|| Error::config("blocking", "has no runtime"))
}

/// The output of a future, once it has run there. The thread waits, whatever it is: a worker of
/// another runtime too.
pub(super) fn wait<T: Send + 'static>(
    future: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let (tell, told) = mpsc::sync_channel(1);
    let runtime = start()?;
    runtime.spawn(async move {
        let _ = tell.send(future.await);
    });
    told.recv().unwrap_or_else(|_| {
        let message = "the call ended without an answer: something it calls panicked";
        Err(Error::Config { context: ErrorContext::new(ErrorCode::Config, message).into() })
    })
}

/// The runtime as what opens connections and sends telemetry: for every client of a process that uses
/// a blocking one, since they may share.
#[derive(Clone, Copy)]
pub(crate) struct BlockingRuntime;

impl BlockingRuntime {
    pub(crate) fn spawn(task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        match start() {
            Ok(runtime) => drop(runtime.spawn(task)),
            Err(error) => tracing::warn!(%error, "nothing runs beside the calls"),
        }
    }
}

#[cfg(feature = "hyper")]
impl promptops_transport::Driver for BlockingRuntime {
    fn is_running(&self) -> bool {
        RUNTIME.get().is_some()
    }

    fn spawn(&self, task: promptops_transport::Task) {
        Self::spawn(task);
    }
}

impl fmt::Debug for BlockingRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingRuntime")
    }
}
