//! What the formats with front matter share.

use std::ops::Range;

use promptops_types::{Message, NewPrompt, TemplateFormat, ValidationIssue};
use serde_json::{Map, Value};

use crate::file::{placeholders, template_issues};
use crate::front_matter::split;
use crate::mistake::{Found, Mistakes};
use crate::yaml::{self, Entry, Kind};
use crate::{Imported, ImportedVersion};

/// The version of a prompt from a file that has one.
pub(super) const FIRST: &str = "1.0.0";

/// A file of another tool: what its front matter says, and where its body is.
pub(super) struct Parts<'s> {
    pub(super) source: &'s str,
    pub(super) fields: Vec<(String, Range<usize>, Value)>,
    pub(super) body: Range<usize>,
}

/// The text of a file.
pub(super) fn text<'b>(path: &str, bytes: &'b [u8]) -> Result<&'b str, Mistakes> {
    str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let found = Found::new(at..at + 1, "the file is not UTF-8 from here on");
        Mistakes::new(path, &String::from_utf8_lossy(bytes), vec![found.help("save it as UTF-8")])
    })
}

/// Reads the front matter; its mistakes are added.
pub(super) fn parts<'s>(source: &'s str, mistakes: &mut Vec<Found>) -> Parts<'s> {
    let split = split(source, mistakes);
    let mut fields = Vec::new();
    if let Some(root) = yaml::read(&source[split.yaml.clone()], split.yaml.start, mistakes) {
        let (range, name) = (root.range.clone(), root.name());
        if let Kind::Mapping(entries) = root.kind {
            for Entry { key, key_range, value } in entries {
                fields.push((key, key_range, value.into_json()));
            }
        } else {
            let message = format!("the front matter is {name}, and has to be a mapping");
            mistakes.push(Found::new(range, message));
        }
    }
    Parts { source, fields, body: split.body..source.len() }
}

/// A field that has to be a text.
pub(super) fn as_text(
    (name, range, value): &(String, Range<usize>, Value),
    mistakes: &mut Vec<Found>,
) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => None,
        _ => {
            mistakes.push(Found::new(range.clone(), format!("`{name}` has to be a text")));
            None
        }
    }
}

/// A field that has to be a list of texts.
pub(super) fn as_texts(
    (name, range, value): &(String, Range<usize>, Value),
    mistakes: &mut Vec<Found>,
) -> Vec<String> {
    let texts = match value {
        Value::Null => return Vec::new(),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        }
        _ => None,
    };
    texts.unwrap_or_else(|| {
        mistakes.push(Found::new(range.clone(), format!("`{name}` has to be a list of texts")));
        Vec::new()
    })
}

/// The provider that a name of another tool means.
pub(super) fn provider(name: &str) -> String {
    match name {
        "googleai" | "vertexai" | "google" => "google",
        "azure_openai" | "azure" | "openai" => "openai",
        other => other,
    }
    .to_owned()
}

/// A prompt of one version, if its templates are sound.
pub(super) fn finish(
    path: &str,
    slug: &str,
    source: &str,
    body: &Range<usize>,
    mut prompt: NewPrompt,
    mut mistakes: Vec<Found>,
) -> Result<Imported, Mistakes> {
    if prompt.name.is_empty() {
        slug.clone_into(&mut prompt.name);
    }
    prompt.variables = placeholders(&prompt);
    if mistakes.is_empty() {
        // Where in the translation is nowhere in the file.
        let issues = template_issues(&prompt);
        mistakes.extend(issues.iter().map(|issue: &ValidationIssue| {
            Found::new(body.clone(), format!("the template cannot be read: {}", issue.message))
        }));
    }
    if !mistakes.is_empty() {
        return Err(Mistakes::new(path, source, mistakes));
    }
    let mut imported = Imported::new(slug);
    imported.versions.push(ImportedVersion::new(FIRST, prompt));
    Ok(imported)
}

/// Sets the body: a chat where any message says its role, else the content.
pub(super) fn set_body(prompt: &mut NewPrompt, messages: Vec<(Option<String>, String)>) {
    if messages.iter().all(|(role, _)| role.is_none()) {
        prompt.content = Some(messages.into_iter().map(|(_, text)| text).collect());
        return;
    }
    let messages = messages.into_iter().filter_map(|(role, text)| {
        let is_empty = role.is_none() && text.trim().is_empty();
        (!is_empty).then(|| Message::new(role.unwrap_or_else(|| "user".to_owned()), text.trim()))
    });
    prompt.messages = Some(messages.collect());
}

/// Keeps a field that there is none for here.
pub(super) fn keep(metadata: &mut Map<String, Value>, name: &str, value: &Value) {
    if !value.is_null() {
        metadata.insert(name.to_owned(), value.clone());
    }
}

/// Whether a template in `{{ }}` is no more than placeholders: then it needs no jinja.
pub(super) fn is_simple(text: &str) -> bool {
    if text.contains("{%") || text.contains("{#") {
        return false;
    }
    let mut rest = text;
    while let Some(begin) = rest.find("{{") {
        let Some(end) = rest[begin..].find("}}") else { return true };
        let name = rest[begin + 2..begin + end].trim();
        if !is_path(name) {
            return false;
        }
        rest = &rest[begin + end + 2..];
    }
    true
}

/// A name, or names with dots between them.
pub(super) fn is_path(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    text.split('.').enumerate().all(|(index, part)| {
        is_name(part) || (index > 0 && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// The format of the prompt, simple unless a text needs more.
pub(super) fn format_of(texts: &[(Option<String>, String)]) -> TemplateFormat {
    if texts.iter().all(|(_, text)| is_simple(text)) {
        TemplateFormat::Simple
    } else {
        TemplateFormat::Jinja
    }
}
