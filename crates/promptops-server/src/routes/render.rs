use axum::extract::State;
use promptops_template::{PromptTemplate, RenderOptions};
use promptops_types::RenderRequest;

use crate::App;
use crate::error::ApiError;
use crate::extract::{Caller, InProject, Json, Path, Query, one_project, prompt, selector};
use crate::reply::Reply;

pub(crate) async fn render(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<InProject>,
    Json(body): Json<RenderRequest>,
) -> Result<Reply, ApiError> {
    let selector = selector(body.version.as_deref())?;
    let prompt = prompt(id, one_project(query.project_id, body.project_id)?);
    let found = app.registry.get(&access, &prompt, &selector, body.key.as_deref()).await?;
    let started = app.time.monotonic();
    let options = RenderOptions {
        provider: body.model_provider.as_ref(),
        model: body.model_name.as_deref(),
        strict: body.strict,
    };
    let rendered = PromptTemplate::parse(&found.prompt)?.render(&body.variables, &options)?;
    let took = app.time.monotonic().saturating_sub(started);
    Reply::ok(&rendered.into_response(&found.prompt, took))
}
