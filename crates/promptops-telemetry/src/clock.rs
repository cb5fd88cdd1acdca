//! The one place of this crate that waits, by tokio's clock.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

/// As good as for ever: beyond it, arithmetic on instants may overflow.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// How long ago something began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A moment after which nothing is waited for any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit(Instant);

impl Limit {
    pub(crate) fn after(time: Duration) -> Self {
        Self(Instant::now() + time.min(LONGEST))
    }

    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// What a future gives within a time; None after it. The future is dropped then.
#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(crate) async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(time, future).await.ok()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(crate) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// What a future gives; None if another one ends before it.
pub(crate) async fn unless<F: Future>(
    stop: impl Future<Output = ()>,
    future: F,
) -> Option<F::Output> {
    let (mut stop, mut future) = (pin!(stop), pin!(future));
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        stop.as_mut().poll(context).map(|()| None)
    })
    .await
}
