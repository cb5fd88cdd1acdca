use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Message, ModelSpecificPrompt, PromptResponse, TemplateFormat};

/// What a new prompt is made of. Everything but the name and a body has a default.
///
/// ```
/// use promptops_types::{ModelProvider, NewPrompt};
///
/// let prompt = NewPrompt::new("Technical Support Response", "Hello {{customer_name}}!")
///     .target_models([ModelProvider::OpenAi])
///     .tags(["support"]);
/// assert_eq!(prompt.target_models, ["openai"]);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPrompt {
    /// Display name, 1 to 200 characters.
    pub name: String,
    /// Slug, unique in the project; made from the name unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// What the prompt is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The template of a plain prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The templates of a chat prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// Names of the variables; filled from the placeholders unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<String>>,
    /// Providers the prompt is written for; empty means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_models: Vec<String>,
    /// Bodies that replace the content for certain models.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_specific_prompts: Vec<ModelSpecificPrompt>,
    /// How the templates are read; `simple` unless given.
    pub template_format: TemplateFormat,
    /// Tags, for filtering.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whatever the authors keep beside the prompt.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// The module to file the prompt under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// Version to start with; 1.0.0 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The setters that a new prompt and an update share: same names, each field wrapped as it needs.
macro_rules! shared_setters {
    () => {
        /// What the prompt is for.
        pub fn description(mut self, description: impl Into<String>) -> Self {
            self.description = Some(description.into());
            self
        }

        /// Names of the variables. Every placeholder has to be among them.
        pub fn variables<S: Into<String>>(
            mut self,
            variables: impl IntoIterator<Item = S>,
        ) -> Self {
            self.variables = Some(variables.into_iter().map(Into::into).collect());
            self
        }

        /// Providers the prompt is written for.
        pub fn target_models<S: Into<String>>(
            mut self,
            models: impl IntoIterator<Item = S>,
        ) -> Self {
            self.target_models = models.into_iter().map(Into::into).collect::<Vec<_>>().into();
            self
        }

        /// Bodies that replace the content for certain models.
        pub fn model_specific_prompts(
            mut self,
            bodies: impl IntoIterator<Item = ModelSpecificPrompt>,
        ) -> Self {
            self.model_specific_prompts = bodies.into_iter().collect::<Vec<_>>().into();
            self
        }

        /// How the templates are read.
        pub fn template_format(mut self, format: TemplateFormat) -> Self {
            self.template_format = format.into();
            self
        }

        /// Tags, for filtering.
        pub fn tags<S: Into<String>>(mut self, tags: impl IntoIterator<Item = S>) -> Self {
            self.tags = tags.into_iter().map(Into::into).collect::<Vec<_>>().into();
            self
        }

        /// Whatever the authors keep beside the prompt.
        pub fn metadata(mut self, metadata: Map<String, Value>) -> Self {
            self.metadata = metadata.into();
            self
        }

        /// The module to file the prompt under.
        pub fn module(mut self, module: impl Into<String>) -> Self {
            self.module_id = Some(module.into());
            self
        }
    };
}

impl NewPrompt {
    /// A plain prompt.
    pub fn new(name: impl Into<String>, content: impl Into<String>) -> Self {
        Self { name: name.into(), content: Some(content.into()), ..Self::default() }
    }

    /// A chat prompt.
    pub fn chat(name: impl Into<String>, messages: impl IntoIterator<Item = Message>) -> Self {
        let messages = Some(messages.into_iter().collect());
        Self { name: name.into(), messages, ..Self::default() }
    }

    /// Slug, unique in the project.
    pub fn slug(mut self, slug: impl Into<String>) -> Self {
        self.slug = Some(slug.into());
        self
    }

    /// Version to start with.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    shared_setters!();
}

/// What the authors of a version wrote, without its number.
impl From<&PromptResponse> for NewPrompt {
    fn from(prompt: &PromptResponse) -> Self {
        let (content, messages) = match prompt.messages.as_slice() {
            [] => (Some(prompt.content.clone()), None),
            messages => (None, Some(messages.to_vec())),
        };
        Self {
            name: prompt.name.clone(),
            slug: Some(prompt.slug.clone()),
            description: Some(prompt.description.clone()),
            content,
            messages,
            variables: Some(prompt.variables.clone()),
            target_models: prompt.target_models.clone(),
            model_specific_prompts: prompt.model_specific_prompts.clone(),
            template_format: prompt.template_format.clone(),
            tags: prompt.tags.clone(),
            metadata: prompt.metadata.clone(),
            module_id: prompt.module_id.clone(),
            version: None,
        }
    }
}

/// A prompt that no registry has: without id, version and dates.
impl From<NewPrompt> for PromptResponse {
    fn from(prompt: NewPrompt) -> Self {
        Self {
            slug: prompt.slug.unwrap_or_default(),
            name: prompt.name,
            description: prompt.description.unwrap_or_default(),
            content: prompt.content.unwrap_or_default(),
            messages: prompt.messages.unwrap_or_default(),
            variables: prompt.variables.unwrap_or_default(),
            target_models: prompt.target_models,
            model_specific_prompts: prompt.model_specific_prompts,
            template_format: prompt.template_format,
            tags: prompt.tags,
            metadata: prompt.metadata,
            module_id: prompt.module_id,
            version: prompt.version.unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// What an update changes; fields left out stay as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PromptUpdate {
    /// Display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the prompt is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The template; turns a chat prompt into a plain one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The messages; turn a plain prompt into a chat prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// Names of the variables. Left out while a body changes, they follow the placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<String>>,
    /// Providers the prompt is written for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_models: Option<Vec<String>>,
    /// Bodies that replace the content for certain models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_specific_prompts: Option<Vec<ModelSpecificPrompt>>,
    /// How the templates are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_format: Option<TemplateFormat>,
    /// Tags, for filtering.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Whatever the authors keep beside the prompt; replaces all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// The module to file the prompt under; an empty text takes it out of its module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
}

impl PromptUpdate {
    /// An update that changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Display name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The template; turns a chat prompt into a plain one.
    pub fn content(mut self, content: impl Into<String>) -> Self {
        self.content = Some(content.into());
        self
    }

    /// The messages; turn a plain prompt into a chat prompt.
    pub fn messages(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.messages = Some(messages.into_iter().collect());
        self
    }

    shared_setters!();
}

/// An update to exactly what a new prompt would be, its slug and version aside.
impl From<NewPrompt> for PromptUpdate {
    fn from(prompt: NewPrompt) -> Self {
        Self {
            name: Some(prompt.name),
            description: Some(prompt.description.unwrap_or_default()),
            content: prompt.content,
            messages: prompt.messages,
            variables: prompt.variables,
            target_models: Some(prompt.target_models),
            model_specific_prompts: Some(prompt.model_specific_prompts),
            template_format: Some(prompt.template_format),
            tags: Some(prompt.tags),
            metadata: Some(prompt.metadata),
            module_id: Some(prompt.module_id.unwrap_or_default()),
        }
    }
}

/// Which number of the version an update raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Bump {
    /// 1.2.3 becomes 2.0.0.
    Major,
    /// 1.2.3 becomes 1.3.0.
    #[default]
    Minor,
    /// 1.2.3 becomes 1.2.4.
    Patch,
}

/// What a delete removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deleted {
    /// UUID of the prompt.
    pub id: String,
    /// Slug of the prompt.
    pub slug: String,
    /// The versions that are gone.
    pub versions: Vec<String>,
    /// The labels that are gone, or that lost a weight, with them.
    pub labels: Vec<String>,
    /// Whether the prompt itself is gone.
    pub prompt_deleted: bool,
}

impl Deleted {
    /// What was removed, as a registry tells it.
    pub fn new(id: String, slug: String, versions: Vec<String>) -> Self {
        Self { id, slug, versions, labels: Vec::new(), prompt_deleted: false }
    }
}
