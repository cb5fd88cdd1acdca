use axum::extract::State;
use promptops_registry::{catalogue, check_models};
use promptops_template::choose_body;
use promptops_types::{
    CompatibilityReport, CompatibilityRequest, Message, ModelCatalogue, ModelProvider,
    PromptResponse, Success,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Caller, Json, Path, Query, prompt, selector};
use crate::reply::Reply;
use crate::{App, etag};

/// Most models of one compatibility request.
const MAX_MODELS: usize = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    /// Only models from there.
    provider: Option<ModelProvider>,
    /// Only models that can do this.
    capability: Option<String>,
}

/// The models that are known.
#[utoipa::path(
    get,
    path = "/models",
    tag = "models",
    params(List),
    responses((status = 200, description = "The models", body = Success<ModelCatalogue>)),
)]
pub(crate) async fn list(Caller(_): Caller, Query(query): Query<List>) -> Result<Reply, ApiError> {
    let all = catalogue();
    let models = all
        .models
        .iter()
        .filter(|info| query.provider.as_ref().is_none_or(|wanted| info.provider == *wanted))
        .filter(|info| query.capability.as_ref().is_none_or(|c| info.capabilities.contains(c)))
        .cloned()
        .collect();
    Reply::ok(&all.with_models(models))
}

/// How well a prompt fits models.
#[utoipa::path(
    post,
    path = "/models/compatibility",
    tag = "models",
    request_body = CompatibilityRequest,
    responses((status = 200, description = "How well it fits each", body = Success<CompatibilityReport>)),
)]
pub(crate) async fn compatibility(
    State(app): State<App>,
    Caller(access): Caller,
    Json(body): Json<CompatibilityRequest>,
) -> Result<Reply, ApiError> {
    if body.models.is_empty() || body.models.len() > MAX_MODELS {
        let message = format!("name 1 to {MAX_MODELS} models to check");
        return Err(ApiError::invalid("models", "out_of_range", message));
    }
    let subject = match (body.prompt_id, body.prompt_content) {
        (Some(id), None) => {
            let selector = selector(body.version.as_deref())?;
            let prompt = prompt(id, body.project_id);
            app.registry.get(&access, &prompt, &selector, None).await?.prompt
        }
        (None, Some(content)) => {
            let mut text = PromptResponse::default();
            text.content = content;
            text
        }
        _ => {
            let message = "give either `prompt_id` or `prompt_content`";
            return Err(ApiError::invalid("prompt_id", "conflict", message));
        }
    };
    Reply::ok(&check_models(&subject, &body.models))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Body {
    /// Selector of the version.
    version: Option<String>,
    /// The prompt's project.
    project_id: Option<String>,
}

/// The body that a model gets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelBody {
    prompt_id: String,
    version: String,
    model_provider: ModelProvider,
    /// Any model of the provider without.
    model_name: Option<String>,
    /// The template; empty where there are messages.
    content: String,
    /// Templates of a chat prompt.
    messages: Vec<Message>,
    instructions: Option<String>,
    expected_output_format: Option<String>,
    /// Whether it is written for this model, or for all.
    is_model_specific: bool,
}

/// The body that a model gets, not rendered.
#[utoipa::path(
    get,
    path = "/prompts/{id}/model/{provider}/{name}",
    tag = "prompts",
    params(("id" = String, Path, description = "UUID or slug"), ("provider" = ModelProvider, Path, description = "Who the model is from"), ("name" = String, Path, description = "The model"), Body),
    responses((status = 200, description = "The body", body = Success<ModelBody>)),
)]
pub(crate) async fn body(
    State(app): State<App>,
    Caller(access): Caller,
    Path((id, provider, name)): Path<(String, ModelProvider, String)>,
    Query(query): Query<Body>,
) -> Result<Reply, ApiError> {
    let selector = selector(query.version.as_deref())?;
    let prompt = prompt(id, query.project_id);
    let found = app.registry.get(&access, &prompt, &selector, None).await?;
    let prompt = &found.prompt;
    let chosen = choose_body(&prompt.model_specific_prompts, Some(&provider), Some(&name));
    let data = match chosen {
        Some((index, _)) => {
            let body = prompt.model_specific_prompts[index].clone();
            ModelBody {
                prompt_id: prompt.id.clone(),
                version: prompt.version.clone(),
                model_provider: body.model_provider,
                model_name: body.model_name,
                content: body.content,
                messages: Vec::new(),
                instructions: body.instructions,
                expected_output_format: body.expected_output_format,
                is_model_specific: true,
            }
        }
        None => ModelBody {
            prompt_id: prompt.id.clone(),
            version: prompt.version.clone(),
            model_provider: provider,
            model_name: Some(name),
            content: prompt.content.clone(),
            messages: prompt.messages.clone(),
            instructions: None,
            expected_output_format: None,
            is_model_specific: false,
        },
    };
    Ok(Reply::ok(&data)?.etag(etag::of_prompt(&found)))
}
