//! Where the command waits.

use std::time::Duration;

pub(crate) async fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "this is clock.rs")]
    tokio::time::sleep(time).await;
}
