//! The one place that waits.

use std::future::Future;
use std::time::Duration;

/// What a future gives within a limit; None after it. The future is dropped then.
#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}
