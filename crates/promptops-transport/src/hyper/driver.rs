//! Where connections are opened and kept going: in the runtime of the request that opens them, or
//! elsewhere.

use std::future::Future;
use std::sync::Arc;

use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use promptops_types::Driver;

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
