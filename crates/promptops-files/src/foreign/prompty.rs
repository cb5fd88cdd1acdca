//! Prompty: `.prompty` files.

use std::ops::Range;

use promptops_types::{NewPrompt, TemplateFormat};
use serde_json::{Map, Value};

use super::parts::{
    Parts, as_text, as_texts, finish, format_of, is_simple, keep, parts, provider, set_body, text,
};
use crate::Imported;
use crate::mistake::{Found, Mistakes};

/// What a line may say to begin a message.
const ROLES: [&str; 6] = ["system", "user", "assistant", "tool", "function", "developer"];

/// What a name has in it that names a secret.
const SECRET: [&str; 6] = ["key", "secret", "token", "password", "credential", "connection"];

/// Reads a `.prompty` file: front matter, then a Jinja template with lines such as `system:` before messages.
///
/// A template of placeholders alone becomes `simple`, every other `jinja`. Secrets and references to the
/// environment below `model` are left out; all else that there is no field for is kept in the metadata.
///
/// # Errors
/// Every mistake, with its place: in YAML, in fields, and templates in Mustache that are more than placeholders.
pub fn prompty(path: &str, slug: &str, bytes: &[u8]) -> Result<Imported, Mistakes> {
    let source = text(path, bytes)?;
    let mut mistakes = Vec::new();
    let Parts { source, fields, body } = parts(source, &mut mistakes);
    let mut prompt = NewPrompt::default();
    let mut mustache: Option<Range<usize>> = None;
    for field in &fields {
        let (name, range, value) = field;
        match name.as_str() {
            "name" => prompt.name = as_text(field, &mut mistakes).unwrap_or_default(),
            "description" => prompt.description = as_text(field, &mut mistakes),
            "tags" => prompt.tags = as_texts(field, &mut mistakes),
            "model" => {
                let model = without_secrets(value);
                let kind = value.pointer("/configuration/type").or_else(|| value.get("provider"));
                let kind = kind.and_then(Value::as_str);
                prompt.target_models = kind.map(provider).into_iter().collect();
                keep(&mut prompt.metadata, name, &model);
            }
            "template" => {
                let kind = value.get("format").or_else(|| value.get("type")).unwrap_or(value);
                let kind = kind.get("kind").unwrap_or(kind).as_str().unwrap_or_default();
                match kind {
                    "mustache" => mustache = Some(range.clone()),
                    "jinja2" | "jinja" | "" | "prompty" => {}
                    other => {
                        let message = format!("templates in `{other}` are not read");
                        mistakes.push(Found::new(range.clone(), message).help("write it in Jinja"));
                    }
                }
                keep(&mut prompt.metadata, name, value);
            }
            _ => keep(&mut prompt.metadata, name, value),
        }
    }
    let messages = messages(source, &body);
    let needs_more = messages.iter().any(|(_, text)| !is_simple(text));
    if let Some(range) = mustache.filter(|_| needs_more) {
        let message = "this Mustache template is more than placeholders";
        mistakes.push(Found::new(range, message).help("write its sections in Jinja"));
    }
    prompt.template_format = format_of(&messages);
    set_body(&mut prompt, messages);
    if prompt.template_format == TemplateFormat::Jinja && !cfg!(feature = "jinja") {
        let found = Found::new(body.clone(), "this build reads no Jinja templates");
        mistakes.push(found.help("use the feature `jinja`"));
    }
    finish(path, slug, source, &body, prompt, mistakes)
}

/// The texts of the body, each with the role of the line before it.
fn messages(source: &str, body: &Range<usize>) -> Vec<(Option<String>, String)> {
    let mut messages = vec![(None, String::new())];
    for line in source[body.clone()].split_inclusive('\n') {
        match role(line) {
            Some(role) => messages.push((Some(role), String::new())),
            None => {
                if let Some((_, text)) = messages.last_mut() {
                    text.push_str(line);
                }
            }
        }
    }
    messages
}

fn role(line: &str) -> Option<String> {
    let text = line.trim().trim_start_matches('#').trim_start();
    let name = text.strip_suffix(':')?.trim_end().to_ascii_lowercase();
    ROLES.contains(&name.as_str()).then_some(name)
}

/// A value without what a prompt must not carry about.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_kept = |(name, value): &(&String, &Value)| {
                let name = name.to_lowercase();
                let is_secret = SECRET.iter().any(|secret| name.contains(secret));
                let is_reference = value.as_str().is_some_and(|text| text.contains("${"));
                // How many tokens is no secret.
                !is_reference && (!is_secret || value.is_number())
            };
            let kept = fields.iter().filter(is_kept);
            let kept = kept.map(|(name, value)| (name.clone(), without_secrets(value)));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        other => other.clone(),
    }
}
