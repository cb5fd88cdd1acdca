//! Dotprompt: `.prompt` files.

use promptops_types::NewPrompt;
use serde_json::Value;

use super::handlebars::translate;
use super::parts::{Parts, as_text, as_texts, finish, keep, parts, provider, set_body, text};
use crate::Imported;
use crate::mistake::Mistakes;

/// Reads a `.prompt` file: front matter, then a Handlebars template.
///
/// A template of placeholders alone becomes `simple`; one with conditions or loops becomes `jinja`, with the same
/// meaning. `{{role "system"}}` begins a message. Model, configuration, schemas and whatever else there is no field
/// for are kept in the metadata; defaults of variables too, which are not applied.
///
/// # Errors
/// Every mistake, with its place: in YAML, in fields, and helpers that there is nothing for here: `history`,
/// `media`, `section`, partials and helpers of one's own.
pub fn dotprompt(path: &str, slug: &str, bytes: &[u8]) -> Result<Imported, Mistakes> {
    let source = text(path, bytes)?;
    let mut mistakes = Vec::new();
    let Parts { source, fields, body } = parts(source, &mut mistakes);
    let mut prompt = NewPrompt::default();
    for field in &fields {
        let (name, _, value) = field;
        match name.as_str() {
            "name" => prompt.name = as_text(field, &mut mistakes).unwrap_or_default(),
            "description" => prompt.description = as_text(field, &mut mistakes),
            "tags" => prompt.tags = as_texts(field, &mut mistakes),
            // As they were: a nested `metadata` would read badly.
            "metadata" if value.is_object() => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    keep(&mut prompt.metadata, name, value);
                }
            }
            _ => {
                if name == "model"
                    && let Some((kind, _)) = value.as_str().and_then(|model| model.split_once('/'))
                {
                    prompt.target_models = vec![provider(kind)];
                }
                keep(&mut prompt.metadata, name, value);
            }
        }
    }
    if let Some(Value::String(variant)) = prompt.metadata.get("variant")
        && !prompt.name.is_empty()
    {
        prompt.name = format!("{} ({variant})", prompt.name);
    }
    let translated = translate(source, body.clone(), &mut mistakes);
    prompt.template_format = translated.format;
    set_body(&mut prompt, translated.messages);
    finish(path, slug, source, &body, prompt, mistakes)
}
