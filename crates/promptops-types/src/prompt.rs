use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::open_enum::open_enum;
use crate::{ModelProvider, Timestamp};

/// The project a prompt belongs to unless another is given.
pub const DEFAULT_PROJECT: &str = "default";

/// One version of a prompt, as a registry gives it.
///
/// Fields that the registry leaves out, or gives as `null`, read as empty; fields this build does not know are ignored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromptResponse {
    /// UUID.
    #[serde(deserialize_with = "null_as_default")]
    pub id: String,
    /// Readable name, unique in the project; accepted wherever an id is.
    #[serde(deserialize_with = "null_as_default")]
    pub slug: String,
    /// Display name.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// What the prompt is for.
    #[serde(deserialize_with = "null_as_default")]
    pub description: String,
    /// The template of a plain prompt; empty for a chat prompt.
    #[serde(deserialize_with = "null_as_default")]
    pub content: String,
    /// The templates of a chat prompt; empty for a plain one.
    #[serde(deserialize_with = "null_as_default")]
    pub messages: Vec<Message>,
    /// Names of the variables, as given or in order of first use.
    #[serde(deserialize_with = "null_as_default")]
    pub variables: Vec<String>,
    /// Providers the prompt is written for; empty means any.
    #[serde(deserialize_with = "null_as_default")]
    pub target_models: Vec<String>,
    /// Bodies that replace the content for certain models.
    #[serde(deserialize_with = "null_as_default")]
    pub model_specific_prompts: Vec<ModelSpecificPrompt>,
    /// How `{{ }}` in content, messages and bodies is read.
    #[serde(deserialize_with = "null_as_default")]
    pub template_format: TemplateFormat,
    /// Version, without `v`.
    #[serde(deserialize_with = "null_as_default")]
    pub version: String,
    /// Labels that point at this version.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: Vec<String>,
    /// When the prompt was created.
    #[serde(deserialize_with = "null_as_default")]
    pub created_at: Timestamp,
    /// When this version was published or last edited.
    #[serde(deserialize_with = "null_as_default")]
    pub updated_at: Timestamp,
    /// Who published it.
    #[serde(deserialize_with = "null_as_default")]
    pub created_by: String,
    /// Tags, for filtering.
    #[serde(deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    /// Whatever the authors keep beside the prompt.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Map<String, Value>,
    /// The module the prompt is filed under.
    pub module_id: Option<String>,
    /// The project the prompt belongs to.
    #[serde(deserialize_with = "null_as_default")]
    pub project_id: String,
    /// SHA-256 of the rendered parts as canonical JSON, in hex: equal digests render equally.
    #[serde(deserialize_with = "null_as_default")]
    pub digest: String,
}

/// Reads `null` as the default: registries give either for what is not there.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// One message of a chat prompt or of a render.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool`, or whatever the provider knows.
    pub role: String,
    /// The text, or its template. A `null` reads as empty.
    #[serde(default, deserialize_with = "null_as_default")]
    pub content: String,
    /// Other fields of the message, such as `tool_calls`, kept as they are and never rendered.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Message {
    /// A message with a role and a text.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), extra: Map::new() }
    }
}

/// A body that replaces the prompt's content for the models it names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelSpecificPrompt {
    /// The provider.
    pub model_provider: ModelProvider,
    /// The model, or what its name starts with (`gpt-4` serves `gpt-4-turbo`); `None` serves every
    /// model of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// The template.
    #[serde(default, deserialize_with = "null_as_default")]
    pub content: String,
    /// What the answer should look like, such as `json`. Kept, not interpreted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_output_format: Option<String>,
    /// The template of a system message that goes before the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

impl ModelSpecificPrompt {
    /// A body for every model of `provider`.
    pub fn new(provider: impl Into<ModelProvider>, content: impl Into<String>) -> Self {
        Self {
            model_provider: provider.into(),
            model_name: None,
            content: content.into(),
            expected_output_format: None,
            instructions: None,
        }
    }

    /// Limits the body to models whose name starts with `name`.
    pub fn model_name(mut self, name: impl Into<String>) -> Self {
        self.model_name = Some(name.into());
        self
    }

    /// Adds a system message that goes before the content.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }
}

open_enum! {
    /// How the templates of a prompt are read.
    pub enum TemplateFormat {
        /// `{{ name }}` and `{{ user.role }}`; everything else is literal text.
        Simple = "simple",
        /// Jinja: conditions, loops and filters, undefined variables refused.
        Jinja = "jinja",
        /// No template: the text as it is.
        None = "none",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that declares the enum derives no default")]
impl Default for TemplateFormat {
    fn default() -> Self {
        Self::Simple
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_newer_registry() {
        let json = r#"{"id": "p", "content": null, "tags": null, "metadata": null, "digest": null,
            "created_at": null, "template_format": "mustache", "novelty": [1],
            "messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "t"}]}]}"#;
        let prompt: PromptResponse = serde_json::from_str(json).unwrap();
        assert_eq!(prompt.template_format, TemplateFormat::Other("mustache".to_owned()));
        assert_eq!(prompt.content, "");
        assert_eq!(prompt.messages[0].extra["tool_calls"][0]["id"], "t");
        assert_eq!(prompt.created_at, Timestamp::default());
    }

    #[test]
    fn round_trips_with_keys_in_order() {
        let json = r#"{"role":"tool","content":"x","name":"b","a":1}"#;
        let message: Message = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), json);
    }
}
