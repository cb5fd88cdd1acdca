use axum::extract::State;
use promptops_types::{PromptDiff, Success};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::App;
use crate::error::ApiError;
use crate::extract::{Caller, Path, Query, prompt, selector};
use crate::reply::Reply;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Between {
    /// Selector of the version before.
    #[param(required)]
    from: Option<String>,
    /// Selector of the version after; the latest unless given.
    to: Option<String>,
    /// The prompt's project.
    project_id: Option<String>,
}

/// What changed between two versions.
#[utoipa::path(
    get,
    path = "/prompts/{id}/diff",
    tag = "versions",
    params(("id" = String, Path, description = "UUID or slug"), Between),
    responses((status = 200, description = "The differences", body = Success<PromptDiff>)),
)]
pub(crate) async fn diff(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<Between>,
) -> Result<Reply, ApiError> {
    let Some(from) = query.from else {
        return Err(ApiError::invalid("from", "missing", "say from which version"));
    };
    let (from, to) = (selector(Some(&from))?, selector(query.to.as_deref())?);
    let prompt = prompt(id, query.project_id);
    let from = app.registry.get(&access, &prompt, &from, None).await?;
    let to = app.registry.get(&access, &prompt, &to, None).await?;
    Reply::ok(&promptops_registry::diff(&from.prompt, &to.prompt))
}
