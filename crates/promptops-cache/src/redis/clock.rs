//! The one place that waits.

use std::future::Future;
use std::time::Duration;

/// Longest wait of a caller for one step: after it, the step has failed. Less than the 100 ms that a miss may
/// take: what is left is for whoever waits beside others.
pub(super) const STEP: Duration = Duration::from_millis(80);

/// What a future gives within a limit; None after it. The future is dropped then.
#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(super) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}
