//! The one place that waits.

use std::time::Duration;

#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(super) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
