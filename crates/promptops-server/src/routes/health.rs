//! Whether the server is there, and whether it can answer.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use promptops_registry::Access;
use std::collections::BTreeMap;

use promptops_types::Success;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::error::ApiError;
use crate::reply::Reply;

/// How well the server is. No key is asked for.
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    responses((status = 200, description = "How well it is", body = Success<Health>)),
)]
pub(crate) async fn health(State(app): State<App>) -> Result<Reply, ApiError> {
    let started = app.time.monotonic();
    let store = app.registry.projects(&Access::full("health")).await;
    let took = app.time.monotonic().saturating_sub(started);
    let is_well = store.is_ok();
    let status = if is_well { "healthy" } else { "unhealthy" };
    let store = Dependency { status, latency_ms: took.as_secs_f64() * 1e3 };
    Reply::ok(&Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        dependencies: [("store", store)].into(),
        uptime_seconds: app.time.monotonic().saturating_sub(app.started).as_secs(),
        requests_last_minute: app.requests.last_minute(app.time.monotonic()),
    })
}

/// How well the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    /// Of the server.
    version: &'static str,
    /// What it needs, by name.
    dependencies: BTreeMap<&'static str, Dependency>,
    uptime_seconds: u64,
    requests_last_minute: u64,
}

/// Something that the server needs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dependency {
    status: &'static str,
    latency_ms: f64,
}

/// The process runs.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Requests are taken, and the store answers.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if *app.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match app.registry.projects(&Access::full("ready")).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}

/// What the server counts.
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match app.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}
