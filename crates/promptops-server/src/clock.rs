//! The one place that waits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a future gives within a limit; None after it. The future is dropped then.
#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// A moment that is waited for.
pub(crate) struct Alarm(Pin<Box<tokio::time::Sleep>>);

impl Alarm {
    /// After so long.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
    pub(crate) fn new(after: Duration) -> Self {
        Self(Box::pin(tokio::time::sleep(after)))
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

/// Waits.
pub(crate) async fn pause(time: Duration) {
    let mut alarm = Alarm::new(time);
    std::future::poll_fn(|context| alarm.poll(context)).await;
}
