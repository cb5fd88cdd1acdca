//! What other processes invalidate is heard.

use std::time::Duration;

use deadpool_redis::redis::Value;
use futures_util::StreamExt;

use super::{LONGEST_WAIT, SHORTEST_WAIT};
use crate::redis::clock::{sleep, within};
use crate::redis::message::Message;
use crate::redis::shared::Shared;

/// How often the subscription is asked whether it still stands.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Hears what other processes invalidate, while anybody here wants to know.
pub(super) async fn listen(shared: &Shared) {
    let mut wait = SHORTEST_WAIT;
    loop {
        while !shared.has_listener() {
            shared.listener_came.notified().await;
        }
        match shared.address.subscribe(&shared.names.channel()).await {
            Ok(pub_sub) => {
                wait = SHORTEST_WAIT;
                shared.set_subscribed(true);
                let (mut sink, mut messages) = pub_sub.split();
                loop {
                    tokio::select! {
                        message = messages.next() => match message {
                            Some(message) => heard(shared, message.get_payload_bytes()),
                            None => break,
                        },
                        () = sleep(HEARTBEAT) => {
                            let answered = within(HEARTBEAT, sink.ping::<Value>()).await;
                            if answered.is_none_or(|answer| answer.is_err()) {
                                break;
                            }
                        }
                    }
                }
                shared.set_subscribed(false);
                tracing::debug!("what other processes invalidate is not heard for now");
            }
            Err(reason) => tracing::debug!(%reason, "cannot subscribe to invalidations"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

fn heard(shared: &Shared, message: &[u8]) {
    let Some(message) = Message::read(message) else { return };
    // What was told by this cache too: others may share it.
    for (scope, listener) in shared.listeners(&message.digest) {
        listener(&message.of(&scope));
    }
}
