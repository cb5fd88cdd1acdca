//! Connections are kept: made, and replaced when they no longer do.

use std::time::Duration;

use deadpool_redis::redis::cmd;

use super::{LONGEST_WAIT, SHORTEST_WAIT, invalidate};
use crate::redis::clock::{STEP, sleep, within};
use crate::redis::link::Held;
use crate::redis::shared::{Owed, Shared, State};

/// How often connections that answer are replaced, at most, because they only refuse writes.
const DOUBT: Duration = Duration::from_secs(5);

/// Keeps connections: makes them, and makes others when they no longer do.
pub(super) async fn connect(shared: &Shared) {
    let mut state = shared.state.subscribe();
    let mut wait = SHORTEST_WAIT;
    let mut held: Option<Held> = None;
    loop {
        let fresh = match shared.address.connect().await {
            Ok(fresh) => match check(shared, &fresh).await {
                Ok(()) => Ok(fresh),
                Err(reason) => {
                    fresh.discard();
                    Err(reason)
                }
            },
            Err(reason) => Err(reason),
        };
        match fresh {
            Ok(fresh) => {
                let is_used = shared.use_links(fresh.links());
                if let Some(old) = held.replace(fresh) {
                    old.discard();
                }
                // Otherwise something is owed that was not a moment ago.
                if is_used {
                    tracing::debug!("the cache in redis is in use");
                    let up = std::pin::pin!(state.wait_for(|state| !matches!(state, State::Up(_))));
                    tokio::select! {
                        _ = up => wait = SHORTEST_WAIT,
                        () = async { sleep(DOUBT).await; shared.doubted.notified().await } => {
                            // Those there are go on while others are made.
                            continue;
                        }
                    }
                }
            }
            Err(reason) => {
                tracing::debug!(%reason, "the cache in redis cannot be reached");
                shared.state.send_replace(State::Away(reason));
            }
        }
        if let Some(old) = held.take() {
            old.discard();
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether new connections can be used. What is no longer true there must not be read: that is told
/// before anybody reads.
async fn check(shared: &Shared, fresh: &Held) -> Result<(), String> {
    let Some(mut link) = fresh.links().into_iter().next() else { return Ok(()) };
    let well = within(STEP, link.command(&cmd("PING"))).await;
    well.ok_or("no answer to PING")?.map_err(|error| error.to_string())?;
    let mut owed = Owed::new(shared, shared.take_owed());
    while let Some(what) = owed.next() {
        invalidate(shared, &mut link, what).await.map_err(|error| error.to_string())?;
        owed.made();
    }
    Ok(())
}
