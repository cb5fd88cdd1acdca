//! Where connections are opened and kept going: in the runtime of the request that opens them, or
//! elsewhere.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;

/// Something to be polled until it ends.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A tokio runtime of its own that opens connections and keeps them going.
///
/// A connection makes progress only while the runtime that opened it runs. One that is shared by
/// several runtimes, some of which are blocked or not run at times, needs one that always does.
pub trait Driver: fmt::Debug + Send + Sync + 'static {
    /// Whether it runs. Until it does, connections belong to the runtimes that open them; once it does,
    /// it goes on, and those that there are by then are not used any more.
    fn is_running(&self) -> bool;

    /// Runs a task, with I/O and time.
    fn spawn(&self, task: Task);
}

/// What hyper spawns on.
#[derive(Clone)]
pub(super) enum Spawner {
    Current,
    Driver(Arc<dyn Driver>),
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, future: F) {
        match self {
            Self::Current => TokioExecutor::new().execute(future),
            Self::Driver(driver) => driver.spawn(Box::pin(future)),
        }
    }
}

impl Spawner {
    /// The output of a future that is polled where it has to be. `None` if it was dropped there.
    pub(super) async fn run<T: Send + 'static>(
        self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let Self::Driver(driver) = self else { return Some(future.await) };
        let (tell, told) = tokio::sync::oneshot::channel();
        driver.spawn(Box::pin(async move {
            let _ = tell.send(future.await);
        }));
        told.await.ok()
    }
}
