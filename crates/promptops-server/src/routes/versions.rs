use axum::extract::State;
use promptops_registry::MAX_PAGE;
use promptops_types::{PromptResponse, Success};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::extract::{Caller, InProject, Path, Query, prompt, selector};
use crate::reply::Reply;
use crate::{App, etag};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    /// The prompt's project.
    project_id: Option<String>,
    /// Most versions; 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// `X-Next-Cursor` of the page before.
    cursor: Option<String>,
}

/// The versions of a prompt, the one published last first. Where more follow, the header
/// `X-Next-Cursor` says so.
#[utoipa::path(
    get,
    path = "/prompts/{id}/versions",
    tag = "versions",
    params(("id" = String, Path, description = "UUID or slug"), List),
    responses((status = 200, description = "The versions", body = Success<Vec<PromptResponse>>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<List>,
) -> Result<Reply, ApiError> {
    let (after, limit) = (query.cursor.as_deref(), query.limit.unwrap_or(MAX_PAGE));
    let prompt = prompt(id, query.project_id);
    let (versions, next) = app.registry.versions(&access, &prompt, after, limit).await?;
    let prompts: Vec<_> = versions.iter().map(|found| &found.prompt).collect();
    Ok(Reply::ok(&prompts)?.next_cursor(next))
}

/// One version of a prompt.
#[utoipa::path(
    get,
    path = "/prompts/{id}/versions/{version}",
    tag = "versions",
    params(("id" = String, Path, description = "UUID or slug"), ("version" = String, Path, description = "Selector"), InProject),
    responses((status = 200, description = "The version", body = Success<PromptResponse>)),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(access): Caller,
    Path((id, version)): Path<(String, String)>,
    Query(query): Query<InProject>,
) -> Result<Reply, ApiError> {
    let selector = selector(Some(&version))?;
    let prompt = prompt(id, query.project_id);
    let found = app.registry.get(&access, &prompt, &selector, None).await?;
    Ok(Reply::ok(&found.prompt)?.etag(etag::of_prompt(&found)))
}
