use serde::{Deserialize, Serialize};

use crate::open_enum::open_enum;
use crate::prompt::null_as_default;
use crate::{Message, ModelProvider, PromptVariables};

/// A prompt with its variables filled in.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenderResponse {
    /// UUID of the prompt.
    #[serde(deserialize_with = "null_as_default")]
    pub prompt_id: String,
    /// Version that was rendered.
    #[serde(deserialize_with = "null_as_default")]
    pub version: String,
    /// The rendered content; of a chat prompt its messages' contents, a blank line between them.
    #[serde(deserialize_with = "null_as_default")]
    pub rendered_content: String,
    /// The rendered messages, ready for a provider: a chat prompt's own, otherwise one (after a
    /// `system` message where the chosen body has `instructions`).
    #[serde(deserialize_with = "null_as_default")]
    pub messages: Vec<Message>,
    /// Names of the variables that the chosen body used, in order of first use.
    #[serde(deserialize_with = "null_as_default")]
    pub variables_used: Vec<String>,
    /// Names that were given and not used, in the order given.
    #[serde(deserialize_with = "null_as_default")]
    pub unused_variables: Vec<String>,
    /// Which body was rendered.
    #[serde(deserialize_with = "null_as_default")]
    pub body: BodyChoice,
    /// Time spent rendering, in milliseconds.
    #[serde(deserialize_with = "null_as_default")]
    pub processing_time_ms: f64,
    /// Whether the prompt came from a cache.
    #[serde(deserialize_with = "null_as_default")]
    pub cache_hit: bool,
}

/// Which body of a prompt a model got.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BodyChoice {
    /// How it was chosen.
    pub kind: BodyKind,
    /// Provider of the chosen body; `None` for the prompt's own content.
    pub model_provider: Option<ModelProvider>,
    /// Model name of the chosen body, if it has one.
    pub model_name: Option<String>,
}

open_enum! {
    /// How a body was chosen.
    pub enum BodyKind {
        /// A body for exactly this provider and model.
        Exact = "exact",
        /// A body of the provider with the longest name that the model's name starts with.
        Prefix = "prefix",
        /// The prompt's own content or messages.
        Default = "default",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that declares the enum derives no default")]
impl Default for BodyKind {
    fn default() -> Self {
        Self::Default
    }
}

/// The body of a request to render on the registry's side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenderRequest {
    /// Values by name.
    pub variables: PromptVariables,
    /// Selector of the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Target provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_provider: Option<ModelProvider>,
    /// Target model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// Project to look in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Whether variables that nothing uses are an error.
    pub strict: bool,
    /// Chooses the version behind a weighted label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
