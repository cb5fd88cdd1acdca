use axum::extract::State;
use serde::Deserialize;

use crate::App;
use crate::error::ApiError;
use crate::extract::{Caller, Path, Query, prompt, selector};
use crate::reply::Reply;

#[derive(Debug, Deserialize)]
pub(crate) struct Between {
    from: Option<String>,
    to: Option<String>,
    project_id: Option<String>,
}

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
