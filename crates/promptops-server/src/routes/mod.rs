//! The contract's paths, one module a subject.

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
use axum::routing::{delete, get, post, put};

use crate::{App, keyed};

/// Every path that asks who is there, below [`BASE_PATH`](crate::BASE_PATH).
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/prompts", get(prompts::list).post(prompts::create))
        .route(
            "/prompts/{id}",
            get(prompts::get)
                .put(prompts::update)
                .delete(prompts::delete)
                // `/prompts/batch`. A path of its own would hide a prompt with that slug.
                .post(batch::batch),
        )
        .route("/prompts/{id}/versions", get(versions::list))
        .route("/prompts/{id}/versions/{version}", get(versions::get))
        .route("/prompts/{id}/render", post(render::render))
        .route("/prompts/{id}/model/{provider}/{name}", get(models::body))
        .route("/prompts/{id}/labels", get(labels::list))
        .route("/prompts/{id}/labels/{label}", put(labels::set).delete(labels::remove))
        .route("/prompts/{id}/diff", get(diff::diff))
        .route("/models", get(models::list))
        .route("/models/compatibility", post(models::compatibility))
        .route("/auth/api-keys", get(keys::list).post(keys::create))
        .route("/auth/api-keys/{id}", delete(keys::revoke))
        .route("/usage/log", post(usage::log))
        .route("/usage/stats", get(usage::stats))
        .route("/usage/limits", get(usage::limits))
        .route_layer(from_fn_with_state(app.clone(), keyed::once))
}

/// Paths whose answers may stay open.
pub(crate) fn feeds() -> Router<App> {
    Router::new().route("/changes", get(changes::changes))
}

/// Paths below [`BASE_PATH`](crate::BASE_PATH) that ask for no key.
pub(crate) fn open() -> Router<App> {
    Router::new()
        .route("/health", get(health::health))
        .route("/auth/validate", post(keys::validate))
}

/// Paths of whoever runs the server.
pub(crate) fn root() -> Router<App> {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
}
