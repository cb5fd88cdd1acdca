use serde::{Deserialize, Serialize};

use crate::ModelProvider;

/// A model to check, on the wire `{"provider": "openai", "name": "gpt-4"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelRef {
    /// Who serves it.
    pub provider: ModelProvider,
    /// Its name.
    pub name: String,
}

impl ModelRef {
    /// A model by provider and name.
    pub fn new(provider: impl Into<ModelProvider>, name: impl Into<String>) -> Self {
        Self { provider: provider.into(), name: name.into() }
    }
}

/// The body of a compatibility request: a stored prompt, or a text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompatibilityRequest {
    /// The stored prompt to check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
    /// Selector of its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Project to look in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// A text to check in place of a stored prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_content: Option<String>,
    /// The models to check against.
    pub models: Vec<ModelRef>,
}

/// How well a prompt fits each model that was asked for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompatibilityReport {
    /// One entry a model, in the order asked.
    pub models: Vec<ModelCompatibility>,
}

impl CompatibilityReport {
    /// A report, as a registry gives it.
    pub fn new(models: Vec<ModelCompatibility>) -> Self {
        Self { models }
    }
}

/// How well a prompt fits one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelCompatibility {
    /// Who serves the model.
    pub provider: ModelProvider,
    /// Its name, as asked.
    pub name: String,
    /// Whether the prompt can be used with it.
    pub compatible: bool,
    /// 0.0 (unusable) to 1.0 (nothing to remark).
    #[serde(default)]
    pub score: f64,
    /// What stands against it.
    #[serde(default)]
    pub issues: Vec<String>,
    /// What would make it fit better.
    #[serde(default)]
    pub recommendations: Vec<String>,
    /// About how many tokens its text takes before variables are filled in.
    #[serde(default)]
    pub estimated_tokens: u64,
    /// Most tokens that the model reads; `None` where it is not known.
    #[serde(default)]
    pub context_window: Option<u64>,
}

impl ModelCompatibility {
    /// A model with nothing to remark.
    pub fn perfect(model: &ModelRef) -> Self {
        Self {
            provider: model.provider.clone(),
            name: model.name.clone(),
            compatible: true,
            score: 1.0,
            issues: Vec::new(),
            recommendations: Vec::new(),
            estimated_tokens: 0,
            context_window: None,
        }
    }
}
