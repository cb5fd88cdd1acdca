//! The change feed: what was published, labelled and deleted, in order, from a cursor on. By polling,
//! by a request that waits, or as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderMap;
use http::header::ACCEPT;
use promptops_registry::{Access, AuditEntry, KeyHash};
use promptops_types::{ChangePage, Success};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;

use crate::App;
use crate::auth::{UsedKey, refused};
use crate::clock::within;
use crate::error::ApiError;
use crate::extract::{Caller, Query};
use crate::reply::Reply;

/// Changes of one answer unless said otherwise.
const PAGE: u64 = 100;

/// The cursor of what has not happened yet.
const NOW: &str = "now";

/// Longest wait of a request, in seconds.
const MOST_WAIT: u64 = 60;

/// How often the store is looked at all the same: a server is told of every change, a process that has
/// the registry in it only of its own.
const LOOK: Duration = Duration::from_secs(15);
const LOOK_IN_PROCESS: Duration = Duration::from_millis(500);

/// How often a stream without changes says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Changes {
    /// `next_cursor` of the answer before, or `now` for what comes from now on; from the beginning unless
    /// given.
    since: Option<String>,
    /// Only this project.
    project_id: Option<String>,
    /// Most changes; 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// Seconds that may pass until there is a change, at most 60; 0.
    wait: Option<u64>,
}

/// A place in the feed: the number of the last change that was seen. It is the store's, so it outlives
/// this process.
fn cursor(seq: u64) -> String {
    format!("c{seq}")
}

fn parsed(text: &str) -> Result<u64, ApiError> {
    let seq = text.strip_prefix('c').and_then(|number| number.parse().ok());
    // One spelling: `parse` takes signs and leading zeros too.
    seq.filter(|seq| cursor(*seq) == text).ok_or_else(|| {
        ApiError::invalid("since", "invalid", "is no cursor; take one from `next_cursor`, or `now`")
    })
}

/// What was published, labelled and deleted, in order. With `Accept: text/event-stream` the answer stays
/// open, and each change is an event.
#[utoipa::path(
    get,
    path = "/changes",
    tag = "changes",
    params(Changes),
    responses((status = 200, description = "Changes after the cursor", body = Success<ChangePage>)),
)]
pub(crate) async fn changes(
    State(app): State<App>,
    Caller(access): Caller,
    used: Option<Extension<UsedKey>>,
    Query(query): Query<Changes>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let told = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let since = match told.or(query.since.as_deref()) {
        Some(NOW) => *app.changed.borrow(),
        since => since.map(parsed).transpose()?.unwrap_or(0),
    };
    let room = app.limits.as_ref().map(|limits| limits.feed()).transpose()?;
    let mut feed = Feed {
        changed: app.changed.clone(),
        stopping: app.stopping.subscribe(),
        app,
        access,
        key: used.map(|Extension(UsedKey(_, hash))| hash),
        project: query.project_id,
        since,
        _room: room,
    };
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/event-stream") {
        // Refused before the stream begins.
        feed.page(1).await?;
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
        return Ok(Sse::new(feed.events()).keep_alive(keep_alive).into_response());
    }
    let limit = query.limit.unwrap_or(PAGE);
    let wait = Duration::from_secs(query.wait.unwrap_or(0).min(MOST_WAIT));
    let end = feed.app.time.monotonic() + wait;
    let found = loop {
        let found = feed.page(limit).await?;
        let left = end.saturating_sub(feed.app.time.monotonic());
        if !found.is_empty() || left.is_zero() || !feed.pause(left).await {
            break found;
        }
    };
    let next = found.last().map_or(since, |last| last.seq);
    let has_more = found.len() as u64 >= limit;
    let page = ChangePage::new(found, cursor(next), has_more);
    Ok(Reply::ok(&page)?.into_response())
}

struct Feed {
    app: App,
    access: Access,
    /// What the caller's key is found by: a feed outlives the request that it was asked with.
    key: Option<KeyHash>,
    project: Option<String>,
    since: u64,
    changed: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Feed {
    async fn page(&mut self, limit: u64) -> Result<Vec<AuditEntry>, ApiError> {
        let Self { app, access, key, project, since, changed, .. } = self;
        if let Some(hash) = key
            && !app.registry.is_key_valid(hash).await?
        {
            return Err(refused());
        }
        // Before it is read: what comes after that is told again.
        changed.borrow_and_update();
        Ok(app.registry.changes(access, project.as_deref(), *since, limit).await?)
    }

    /// Waits for a change, or for a while; gives whether the server goes on.
    async fn pause(&mut self, time: Duration) -> bool {
        let look = if self.app.limits.is_some() { LOOK } else { LOOK_IN_PROCESS };
        let Self { changed, stopping, .. } = self;
        let told = async {
            tokio::select! {
                told = changed.changed() => told.is_ok(),
                _ = stopping.wait_for(|is_stopping| *is_stopping) => false,
            }
        };
        // Time that passes is as good as being told.
        within(look.min(time), told).await.unwrap_or(true)
    }

    /// Each change as an event, until the server stops, the key ends or the store fails.
    fn events(self) -> impl stream::Stream<Item = Result<Event, Infallible>> {
        stream::unfold((self, Vec::new().into_iter()), |(mut feed, mut ready)| async move {
            loop {
                let next: Option<AuditEntry> = ready.next();
                if let Some(entry) = next {
                    feed.since = entry.seq;
                    let data = serde_json::to_string(&entry).unwrap_or_default();
                    let event = Event::default().id(cursor(entry.seq)).event("change").data(data);
                    return Some((Ok(event), (feed, ready)));
                }
                match feed.page(PAGE).await {
                    Ok(found) if !found.is_empty() => ready = found.into_iter(),
                    Ok(_) if feed.pause(LOOK).await => {}
                    _ => return None,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::parsed;

    #[test]
    fn a_cursor_of_the_feed_is_written_in_one_way() {
        assert_eq!(parsed("c5").ok(), Some(5));
        for other in ["c00", "c+5", "c05", "c", "5", "c-1"] {
            assert!(parsed(other).is_err(), "{other}");
        }
    }
}
