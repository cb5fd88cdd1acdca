//! Where this crate reads the time and sleeps. Nothing outside a file of this name does.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use promptops_types::{SystemTime, TimeSource, Timestamp};

/// A sleep that has begun.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Time that can be waited for.
pub trait Clock: TimeSource + fmt::Debug {
    /// Ends once `duration` has passed.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The system's clock, and tokio's timer to wait with: it needs a runtime with time enabled.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioClock;

/// Tokio's own instant, so that a test that pauses tokio's clock moves this one.
static ORIGIN: LazyLock<tokio::time::Instant> = LazyLock::new(tokio::time::Instant::now);

impl TimeSource for TokioClock {
    fn now(&self) -> Timestamp {
        SystemTime.now()
    }

    fn monotonic(&self) -> Duration {
        let origin = *ORIGIN;
        tokio::time::Instant::now().saturating_duration_since(origin)
    }
}

impl Clock for TokioClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    fn sleep(&self, duration: Duration) -> Sleep {
        // Outside tokio's cooperative budget: what is raced against the sleep may have used it up,
        // and the sleep has to be able to end all the same.
        Box::pin(tokio::task::unconstrained(tokio::time::sleep(duration)))
    }
}

pin_project! {
    /// The future of [`within`].
    ///
    /// No `async fn`: that would hold the future twice, as its argument and pinned, and each attempt
    /// moves it.
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct Within<F> {
        timer: Sleep,
        #[pin]
        future: F,
    }
}

/// The output of a future, or `None` if the timer, a [`Clock`]'s sleep, ends first.
pub(crate) fn within<F: Future>(timer: Sleep, future: F) -> Within<F> {
    Within { timer, future }
}

impl<F: Future> Future for Within<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(context) {
            return Poll::Ready(Some(output));
        }
        this.timer.as_mut().poll(context).map(|()| None)
    }
}
