use axum::extract::State;

use crate::error::ApiError;
use crate::extract::{Caller, InProject, Path, Query, prompt, selector};
use crate::reply::Reply;
use crate::{App, etag};

pub(crate) async fn list(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<InProject>,
) -> Result<Reply, ApiError> {
    let versions = app.registry.versions(&access, &prompt(id, query.project_id)).await?;
    let prompts: Vec<_> = versions.iter().map(|found| &found.prompt).collect();
    Reply::ok(&prompts)
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
