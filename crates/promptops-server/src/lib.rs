#![doc = include_str!("../README.md")]

mod auth;
mod body;
mod clock;
mod envelope;
mod error;
mod etag;
mod extract;
mod in_process;
mod keyed;
mod limits;
mod metrics;
mod openapi;
mod progress;
mod rates;
mod reply;
mod requests;
mod routes;
mod serve;
mod tls;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

pub use auth::MasterKey;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
pub use in_process::InProcess;
pub use promptops_registry::{
    Access, ApiKey, NewKey, RateLimits, Registry, Scope, StoreError, Transferred, copy_sqlite,
};
#[cfg(feature = "postgres")]
pub use promptops_registry::{PostgresOptions, PostgresStore};
use promptops_types::{SystemTime, TimeSource};
pub use serve::{Server, ServerConfig, Stopper};
pub use tls::{Reloader, TlsFiles};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::Failures;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::rates::Rates;
use crate::requests::Requests;

/// Most bytes of a request's body: a few templates of the largest size.
pub const MAX_REQUEST_BYTES: usize = 8 * 1024 * 1024;

/// Where the contract's paths begin.
pub const BASE_PATH: &str = "/v1/client";

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What every handler shares: a clone, of which each request makes several, is one count.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Parts>);

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The parts of it.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) registry: Registry,
    pub(crate) time: Arc<dyn TimeSource>,
    /// What is taken on at a time; none in process.
    pub(crate) limits: Option<Arc<Limits>>,
    pub(crate) started: Duration,
    pub(crate) master: MasterKey,
    pub(crate) failures: Arc<Failures>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) metrics: Arc<Metrics>,
    /// The number of the last change that this process knows of.
    pub(crate) changed: watch::Receiver<u64>,
    /// Whether no more requests are taken.
    pub(crate) stopping: Arc<watch::Sender<bool>>,
}

impl Parts {
    fn new(registry: Registry, time: Arc<dyn TimeSource>, master: MasterKey) -> Self {
        Self {
            changed: registry.watch(),
            registry,
            started: time.monotonic(),
            limits: None,
            master,
            failures: Arc::default(),
            rates: Arc::new(Rates::new(Arc::clone(&time))),
            time,
            requests: Arc::default(),
            metrics: Arc::default(),
            stopping: Arc::new(watch::Sender::new(false)),
        }
    }
}

/// The contract's routes over a registry, with the system's clock, for callers inside the process: who
/// asks is an [`Access`] in the request's extensions.
///
/// # Panics
/// Where the system gives no random bytes.
pub fn router(registry: Registry) -> Router {
    router_with_time(registry, Arc::new(SystemTime))
}

/// The same with another clock, which the answers' timestamps are read from.
///
/// # Panics
/// Where the system gives no random bytes.
#[expect(clippy::expect_used, reason = "as everything else that needs random bytes does")]
pub fn router_with_time(registry: Registry, time: Arc<dyn TimeSource>) -> Router {
    let master = MasterKey::random().expect("the system gives random bytes");
    let app = App(Arc::new(Parts::new(registry, time, master)));
    let routes = routes::routes(&app).merge(routes::feeds()).merge(routes::open());
    wrapped(Router::new().nest(BASE_PATH, routes.into()), app)
}

/// The same for callers over a network, who prove who they are, and the paths that ask for no key.
pub(crate) fn network_router(parts: Parts) -> Router {
    let app = App(Arc::new(parts));
    let (keyed, of_keyed) = routes::routes(&app)
        .route_layer(from_fn_with_state(app.clone(), limits::in_flight))
        .merge(routes::feeds())
        .route_layer(from_fn_with_state(app.clone(), rates::limit))
        .route_layer(from_fn_with_state(app.clone(), auth::authenticate))
        .split_for_parts();
    let (open, of_open) = routes::open().split_for_parts();
    let described = openapi::served(openapi::describe(of_keyed, of_open));
    let routes = Router::new().nest(BASE_PATH, keyed.merge(open));
    wrapped(routes.merge(routes::root()).merge(described), app)
}

fn wrapped(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(from_fn_with_state(app.clone(), body::read))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(app.clone(), envelope::wrap))
        .with_state(app)
}
