//! The contract's paths, one module a subject.

mod batch;
mod diff;
mod labels;
mod models;
mod prompts;
mod render;
mod versions;

use axum::Router;
use axum::routing::{get, post, put};

use crate::App;

/// Every path, below [`BASE_PATH`](crate::BASE_PATH).
pub(crate) fn routes() -> Router<App> {
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
}
