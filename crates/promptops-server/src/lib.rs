#![doc = include_str!("../README.md")]

mod envelope;
mod error;
mod etag;
mod extract;
mod in_process;
mod reply;
mod routes;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
pub use in_process::InProcess;
pub use promptops_registry::{Access, Registry, StoreError};
use promptops_types::{SystemTime, TimeSource};
use tower_http::catch_panic::CatchPanicLayer;

/// Most bytes of a request's body: a few templates of the largest size.
pub const MAX_REQUEST_BYTES: usize = 8 * 1024 * 1024;

/// Where the contract's paths begin.
pub const BASE_PATH: &str = "/v1/client";

/// What every handler shares.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) registry: Registry,
    pub(crate) time: Arc<dyn TimeSource>,
}

/// The contract's routes over a registry, with the system's clock.
pub fn router(registry: Registry) -> Router {
    router_with_time(registry, Arc::new(SystemTime))
}

/// The same with another clock, which the answers' timestamps are read from.
pub fn router_with_time(registry: Registry, time: Arc<dyn TimeSource>) -> Router {
    let app = App { registry, time };
    Router::new()
        .nest(BASE_PATH, routes::routes())
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(app.clone(), envelope::wrap))
        .with_state(app)
}
