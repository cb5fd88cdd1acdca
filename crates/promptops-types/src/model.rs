use serde::{Deserialize, Serialize};

use crate::open_enum::open_enum;
use crate::prompt::null_as_default;

open_enum! {
    /// Who serves a model.
    pub enum ModelProvider {
        /// OpenAI.
        OpenAi = "openai",
        /// Anthropic.
        Anthropic = "anthropic",
        /// Google.
        Google = "google",
        /// Cohere.
        Cohere = "cohere",
        /// Hugging Face.
        HuggingFace = "huggingface",
        /// A model run by the caller.
        Local = "local",
    }
}

/// A model and what it can do. Prices are the provider's list prices on the catalogue's date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelInfo {
    /// Who serves it.
    pub provider: ModelProvider,
    /// The provider's name for it.
    pub name: String,
    /// Most tokens of input, in tokens; `None` where it is not published.
    #[serde(default)]
    pub context_window: Option<u64>,
    /// Most tokens of output.
    #[serde(default)]
    pub max_output_tokens: Option<u64>,
    /// What it can do: `chat`, `vision`, `function_calling`; sorted.
    #[serde(default, deserialize_with = "null_as_default")]
    pub capabilities: Vec<String>,
    /// Price of a million input tokens.
    #[serde(default)]
    pub input_price_per_million_tokens: Option<f64>,
    /// Price of a million output tokens.
    #[serde(default)]
    pub output_price_per_million_tokens: Option<f64>,
    /// Currency of the prices, ISO 4217.
    #[serde(default, deserialize_with = "null_as_default")]
    pub currency: String,
    /// The day the provider retires it, `YYYY-MM-DD`, if announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
}

impl ModelInfo {
    /// A model of which nothing but the name is known.
    pub fn new(provider: impl Into<ModelProvider>, name: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            name: name.into(),
            context_window: None,
            max_output_tokens: None,
            capabilities: Vec::new(),
            input_price_per_million_tokens: None,
            output_price_per_million_tokens: None,
            currency: String::new(),
            deprecated_at: None,
        }
    }
}

/// Every model a registry knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelCatalogue {
    /// Where the facts were read.
    #[serde(default)]
    pub source: String,
    /// The day they were read, `YYYY-MM-DD`.
    #[serde(default)]
    pub date: String,
    /// The models, by provider and name.
    pub models: Vec<ModelInfo>,
}

impl ModelCatalogue {
    /// A catalogue with the same source and other models.
    pub fn with_models(&self, models: Vec<ModelInfo>) -> Self {
        Self { source: self.source.clone(), date: self.date.clone(), models }
    }
}
