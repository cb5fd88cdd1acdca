//! The contract's paths, one module a subject. Each handler says what it takes and gives; routes and their
//! description are made of the same list.
#![allow(unused_qualifications, reason = "what `utoipa::path` makes of its parameters has them")]

mod batch;
mod changes;
mod diff;
mod health;
mod keys;
mod labels;
mod models;
mod prompts;
mod render;
mod usage;
mod versions;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{App, keyed};

/// Every path that asks who is there, below [`BASE_PATH`](crate::BASE_PATH).
pub(crate) fn routes(app: &App) -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(prompts::list, prompts::create))
        .routes(routes!(prompts::get, prompts::update, prompts::delete))
        // `/prompts/batch`, which is described by itself.
        .route("/prompts/{id}", post(batch::batch))
        .routes(routes!(versions::list))
        .routes(routes!(versions::get))
        .routes(routes!(render::render))
        .routes(routes!(models::body))
        .routes(routes!(labels::list))
        .routes(routes!(labels::set, labels::remove))
        .routes(routes!(diff::diff))
        .routes(routes!(models::list))
        .routes(routes!(models::compatibility))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(usage::log))
        .routes(routes!(usage::stats))
        .routes(routes!(usage::limits))
        .route_layer(from_fn_with_state(app.clone(), keyed::once))
}

/// Paths whose answers may stay open.
pub(crate) fn feeds() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(changes::changes))
}

/// Paths below [`BASE_PATH`](crate::BASE_PATH) that ask for no key.
pub(crate) fn open() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(health::health)).routes(routes!(keys::validate))
}

/// What is described beside the routes: it has none of its own.
#[derive(utoipa::OpenApi)]
#[openapi(paths(batch::batch))]
pub(crate) struct Beside;

/// Paths of whoever runs the server.
pub(crate) fn root() -> Router<App> {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
}
