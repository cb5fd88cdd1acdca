use axum::extract::State;
use promptops_registry::MAX_PAGE;
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Caller, InProject, Path, Query, prompt, selector};
use crate::reply::Reply;
use crate::{App, etag};

#[derive(Debug, Deserialize)]
pub(crate) struct List {
    project_id: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

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
