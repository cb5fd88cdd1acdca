use axum::extract::State;
use promptops_registry::{catalogue, check_models};
use promptops_template::choose_body;
use promptops_types::{CompatibilityRequest, ModelProvider, PromptResponse};
use serde::Deserialize;
use serde_json::json;

use crate::error::ApiError;
use crate::extract::{Caller, Json, Path, Query, prompt, selector};
use crate::reply::Reply;
use crate::{App, etag};

/// Most models of one compatibility request.
const MAX_MODELS: usize = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct List {
    provider: Option<ModelProvider>,
    capability: Option<String>,
}

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

#[derive(Debug, Deserialize)]
pub(crate) struct Body {
    version: Option<String>,
    project_id: Option<String>,
}

/// The body that a model gets, not rendered.
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
            let body = &prompt.model_specific_prompts[index];
            json!({
                "prompt_id": prompt.id, "version": prompt.version,
                "model_provider": body.model_provider, "model_name": body.model_name,
                "content": body.content, "instructions": body.instructions,
                "expected_output_format": body.expected_output_format,
                "is_model_specific": true,
            })
        }
        None => json!({
            "prompt_id": prompt.id, "version": prompt.version,
            "model_provider": provider, "model_name": name,
            "content": prompt.content, "messages": prompt.messages,
            "is_model_specific": false,
        }),
    };
    Ok(Reply::ok(&data)?.etag(etag::of_prompt(&found)))
}
