use axum::extract::State;
use promptops_template::{PromptTemplate, RenderOptions, RenderedPrompt};
use promptops_types::{RenderRequest, RenderResponse, Success, TemplateFormat};

use crate::App;
use crate::error::ApiError;
use crate::extract::{Caller, InProject, Json, Path, Query, one_project, prompt, selector};
use crate::limits::Limits;
use crate::reply::Reply;

/// Most bytes of variables, as JSON, that a `jinja` template is rendered with here: what it does with them
/// may take more than their length.
const MAX_JINJA_BYTES: usize = 1024 * 1024;

/// Renders a prompt.
#[utoipa::path(
    post,
    path = "/prompts/{id}/render",
    tag = "prompts",
    params(("id" = String, Path, description = "UUID or slug"), InProject),
    request_body = RenderRequest,
    responses((status = 200, description = "The rendered text, or messages", body = Success<RenderResponse>)),
)]
pub(crate) async fn render(
    State(app): State<App>,
    Caller(access): Caller,
    Path(id): Path<String>,
    Query(query): Query<InProject>,
    Json(body): Json<RenderRequest>,
) -> Result<Reply, ApiError> {
    let selector = selector(body.version.as_deref())?;
    let prompt = prompt(id, one_project(query.project_id, body.project_id.clone())?);
    let found = app.registry.get(&access, &prompt, &selector, body.key.as_deref()).await?;
    let started = app.time.monotonic();
    let options = RenderOptions {
        provider: body.model_provider.as_ref(),
        model: body.model_name.as_deref(),
        strict: body.strict,
    };
    let template = PromptTemplate::parse(&found.prompt)?;
    let rendered = match &app.limits {
        Some(limits) if found.prompt.template_format == TemplateFormat::Jinja => {
            apart(limits, template, &body).await?
        }
        _ => template.render(&body.variables, &options)?,
    };
    let took = app.time.monotonic().saturating_sub(started);
    Reply::ok(&rendered.into_response(&found.prompt, took))
}

/// Renders a template that loops, beside the threads that answer others.
async fn apart(
    limits: &Limits,
    template: PromptTemplate,
    body: &RenderRequest,
) -> Result<RenderedPrompt, ApiError> {
    let bytes = serde_json::to_vec(&body.variables).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_JINJA_BYTES {
        let message = format!(
            "are {bytes} bytes; a `jinja` template is rendered here with at most {MAX_JINJA_BYTES}"
        );
        return Err(ApiError::invalid("variables", "too_large", message));
    }
    // It is held until the template is rendered, whether somebody still waits for it or not.
    let room = limits.render().await?;
    let (variables, strict) = (body.variables.clone(), body.strict);
    let (provider, model) = (body.model_provider.clone(), body.model_name.clone());
    let rendering = tokio::task::spawn_blocking(move || {
        let options =
            RenderOptions { provider: provider.as_ref(), model: model.as_deref(), strict };
        let rendered = template.render(&variables, &options);
        drop(room);
        rendered
    });
    match rendering.await {
        Ok(rendered) => Ok(rendered?),
        Err(error) => Err(ApiError::internal(&error)),
    }
}
