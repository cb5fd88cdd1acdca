//! A prompt as the text of its file.

use promptops_types::{
    Message, ModelProvider, ModelSpecificPrompt, NewPrompt, PromptResponse, TemplateFormat,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::body::{escaped, written_heading};
use crate::file::{PromptFile, placeholders};
use crate::layout::{LAYOUT, woven};

/// The text of a prompt's file: as it was when the prompt was read from one, where the prompt is still
/// what such a file says, else as everybody's.
///
/// ```
/// use promptops_files::{PromptFile, write};
/// use promptops_types::PromptResponse;
///
/// let mut prompt = PromptResponse::default();
/// prompt.slug = "greeting".into();
/// prompt.name = "Greeting".into();
/// prompt.content = "Hello {{ name }}!\n".into();
/// prompt.variables = vec!["name".into()];
/// let text = write(&prompt);
/// assert_eq!(text, "---\nname: Greeting\n---\nHello {{ name }}!\n");
/// let file = PromptFile::parse("greeting.prompt.md", "greeting", text.as_bytes())?;
/// assert!(file.is_same(&prompt));
/// # Ok::<(), promptops_files::Mistakes>(())
/// ```
pub fn write(prompt: &PromptResponse) -> String {
    let authored = NewPrompt::from(prompt);
    if let Some(text) = woven(&authored)
        && PromptFile::parse("", &prompt.slug, text.as_bytes())
            .is_ok_and(|file| file.is_same(prompt))
    {
        return text;
    }
    written(&authored, placeholders(&authored).as_deref())
}

/// A prompt in the form that everybody's file has. What its placeholders name need not be said.
pub(crate) fn written(prompt: &NewPrompt, placeholders: Option<&[String]>) -> String {
    let head = FrontMatter::of(prompt, placeholders);
    // The serialiser fails for no such head; without it the content would still be there.
    let head = if head == FrontMatter::default() {
        String::new()
    } else {
        serde_saphyr::to_string(&head).unwrap_or_default()
    };
    let mut text = format!("---\n{head}---\n");
    match prompt.messages.as_deref().unwrap_or_default() {
        [] => text.push_str(&escaped(prompt.content.as_deref().unwrap_or_default())),
        messages => write_messages(messages, &mut text),
    }
    text
}

fn write_messages(messages: &[Message], text: &mut String) {
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let heading = written_heading(message);
        *text += &format!("{heading}\n\n{}\n", escaped(&message.content));
    }
}

/// What is not the content, in the order in which people look for it.
#[derive(Debug, Default, PartialEq, Serialize)]
struct FrontMatter<'p> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_id: Option<&'p str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'p str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    target_models: Vec<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_format: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<&'p [String]>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_specific_prompts: Vec<ModelBody<'p>>,
}

#[derive(Debug, PartialEq, Serialize)]
struct ModelBody<'p> {
    model_provider: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_name: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_output_format: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'p str>,
    content: &'p str,
}

impl<'p> FrontMatter<'p> {
    fn of(prompt: &'p NewPrompt, placeholders: Option<&[String]>) -> Self {
        let given = |text: &'p Option<String>| text.as_deref().filter(|text| !text.is_empty());
        let mut metadata = prompt.metadata.clone();
        metadata.shift_remove(LAYOUT);
        Self {
            name: Some(prompt.name.as_str()).filter(|name| prompt.slug.as_deref() != Some(name)),
            description: given(&prompt.description),
            module_id: given(&prompt.module_id),
            tags: prompt.tags.iter().map(String::as_str).collect(),
            target_models: prompt.target_models.iter().map(String::as_str).collect(),
            template_format: Some(prompt.template_format.as_str())
                .filter(|format| *format != TemplateFormat::Simple.as_str()),
            variables: prompt.variables.as_deref().filter(|given| placeholders != Some(given)),
            metadata,
            model_specific_prompts: prompt
                .model_specific_prompts
                .iter()
                .map(ModelBody::of)
                .collect(),
        }
    }
}

impl<'p> ModelBody<'p> {
    fn of(body: &'p ModelSpecificPrompt) -> Self {
        Self {
            model_provider: ModelProvider::as_str(&body.model_provider),
            model_name: body.model_name.as_deref(),
            expected_output_format: body.expected_output_format.as_deref(),
            instructions: body.instructions.as_deref(),
            content: &body.content,
        }
    }
}
