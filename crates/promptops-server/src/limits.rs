//! What a server takes on at a time: beyond it, requests wait a moment, and are then told to come back.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use promptops_types::ErrorCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::App;
use crate::clock::within;
use crate::error::ApiError;

/// Longest time that the body of a request may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Most bytes of bodies that are held at a time, in units of [`UNIT`].
const BODIES: usize = 256 * 1024 * 1024 / UNIT;
const UNIT: usize = 1024;

/// Change feeds that are open at a time.
const FEEDS: usize = 2000;

/// How long a request waits for others to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// What all requests over a network share. In process there is no such limit: the caller is its own.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) body_time: Duration,
    bodies: Arc<Semaphore>,
    in_flight: Arc<Semaphore>,
    feeds: Arc<Semaphore>,
    renders: Arc<Semaphore>,
}

impl Limits {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let semaphore =
            |permits: usize| Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            body_time: BODY_TIME,
            bodies: semaphore(BODIES),
            in_flight: semaphore(max_in_flight),
            feeds: semaphore(FEEDS),
            renders: semaphore(cores),
        }
    }

    /// Room for a body of so many bytes.
    pub(crate) fn body(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.bodies)
            .try_acquire_many_owned(units)
            .map_err(|_| busy("the bodies of other requests take up all the room"))
    }

    /// Room for a change feed.
    pub(crate) fn feed(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.feeds)
            .try_acquire_owned()
            .map_err(|_| busy("as many change feeds are open as this server has"))
    }

    /// Room for a render that may take its time.
    pub(crate) async fn render(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let room = Arc::clone(&self.renders).acquire_owned();
        let room = within(PATIENCE, room).await.and_then(Result::ok);
        room.ok_or_else(|| busy("other templates are being rendered"))
    }
}

fn busy(why: &str) -> ApiError {
    ApiError::new(ErrorCode::Unavailable, format!("the server is busy: {why}; try again"))
        .detail("retry_after", 1)
}

/// Lets so many requests in at a time.
pub(crate) async fn in_flight(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(limits) = &app.limits else { return next.run(request).await };
    let room = Arc::clone(&limits.in_flight).acquire_owned();
    let Some(Ok(_room)) = within(PATIENCE, room).await else {
        return busy("as many requests are under way as it takes").into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use http::StatusCode;
    use promptops_registry::Registry;
    use promptops_types::SystemTime;
    use tower::ServiceExt;

    use super::*;
    use crate::{MasterKey, Parts};

    #[test]
    fn bodies_and_feeds_have_so_much_room() {
        let limits = Limits::new(1);
        let all = limits.body(BODIES * UNIT).unwrap();
        assert!(limits.body(1).is_err());
        drop(all);
        assert!(limits.body(1).is_ok());
        let feeds: Vec<_> = (0..FEEDS).map(|_| limits.feed().unwrap()).collect();
        assert!(limits.feed().is_err());
        drop(feeds);
        assert!(limits.feed().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_what_it_takes_a_server_says_when_to_come_back() {
        let registry = Registry::in_memory().unwrap();
        let mut parts = Parts::new(registry, Arc::new(SystemTime), MasterKey::random().unwrap());
        let limits = Arc::new(Limits::new(1));
        parts.limits = Some(Arc::clone(&limits));
        let app = App(Arc::new(parts));
        let router = Router::new()
            .route("/", get(async || "ok"))
            .route_layer(from_fn_with_state(app.clone(), in_flight))
            .with_state(app);
        let ask = async || router.clone().oneshot(Request::new(Body::empty())).await.unwrap();
        let other = Arc::clone(&limits.in_flight).acquire_owned().await.unwrap();
        let refused = ask().await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
        drop(other);
        assert_eq!(ask().await.status(), StatusCode::OK);
    }
}
