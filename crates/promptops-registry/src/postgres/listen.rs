//! Hearing of changes that other processes make: LISTEN and NOTIFY.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::AsyncMessage;

use super::clock::pause;
use super::connect::Database;

/// Where changes are told.
pub(super) const CHANNEL: &str = "promptops_changes";

/// How long after a connection was lost another one is made.
const WAIT: Duration = Duration::from_secs(1);

/// Hears of changes until it is dropped. Where the database cannot tell them, nobody is told, and whoever
/// waits looks now and then.
pub(super) async fn listen(database: Arc<Database>, tell: Arc<watch::Sender<u64>>) {
    loop {
        if let Err(error) = hear(&database, &tell).await {
            tracing::debug!(%error, "changes of other processes are not heard");
        }
        pause(WAIT).await;
    }
}

async fn hear(database: &Database, tell: &watch::Sender<u64>) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = database.config.connect(database.tls.clone()).await?;
    let mut listening =
        std::pin::pin!(async { client.batch_execute("LISTEN promptops_changes").await });
    let mut is_listening = false;
    std::future::poll_fn(|context| {
        if !is_listening && let std::task::Poll::Ready(outcome) = listening.as_mut().poll(context) {
            outcome?;
            is_listening = true;
            // What was told before may have been missed: whoever waits looks.
            tell.send_modify(|_| {});
        }
        while let std::task::Poll::Ready(message) = connection.poll_message(context) {
            match message {
                Some(Ok(AsyncMessage::Notification(told))) if told.channel() == CHANNEL => {
                    if let Ok(seq) = told.payload().parse() {
                        raise(tell, seq);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return std::task::Poll::Ready(Err(error)),
                None => return std::task::Poll::Ready(Ok(())),
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// Tells the number of a change, unless a later one was told.
pub(super) fn raise(tell: &watch::Sender<u64>, seq: u64) {
    tell.send_if_modified(|told| {
        let is_new = seq > *told;
        *told = seq.max(*told);
        is_new
    });
}
