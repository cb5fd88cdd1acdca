//! Langfuse: prompts as its public API gives them.

use std::collections::BTreeMap;

use promptops_types::{LabelName, LabelTarget, Message, NewPrompt, Version};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::parts::text;
use crate::file::{placeholders, template_issues};
use crate::mistake::{Found, Mistakes};
use crate::{Imported, ImportedVersion};

/// The label that is computed, there as here.
const LATEST: &str = "latest";

/// What a prompt begins with that stands for another prompt.
const REFERENCE: &str = "@@@langfusePrompt:";

/// One version of a prompt.
#[derive(Debug, Deserialize)]
struct Record {
    name: String,
    version: u64,
    prompt: Value,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default, rename = "commitMessage")]
    commit_message: Option<String>,
}

/// Reads prompts as the public API of Langfuse gives them: one, an array of them, `{"data": […]}`, or one a line.
///
/// Version 3 becomes 3.0.0; labels point where they did, `latest` aside, which is computed here too; `config` is
/// kept in the metadata. The slug is the prompt's name.
///
/// # Errors
/// Every mistake: what is no JSON, a prompt without name or version, and what there is nothing for here:
/// placeholders for messages and references to other prompts.
pub fn langfuse(path: &str, bytes: &[u8]) -> Result<Vec<Imported>, Mistakes> {
    let source = text(path, bytes)?;
    let mut mistakes = Vec::new();
    let values = values(source, &mut mistakes);
    let mut prompts: BTreeMap<String, BTreeMap<u64, Record>> = BTreeMap::new();
    for value in values {
        let name = value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let place = place(source, &name);
        match serde_json::from_value::<Record>(value) {
            Ok(record) => {
                let (name, version) = (record.name.clone(), record.version);
                let versions = prompts.entry(name.clone()).or_default();
                if let Some(other) = versions.get(&version)
                    && other.prompt != record.prompt
                {
                    let message =
                        format!("version {version} of `{name}` is here twice, with two contents");
                    mistakes.push(Found::new(place, message).help("remove one of them"));
                }
                versions.insert(version, record);
            }
            Err(error) => {
                let message = format!("this is no prompt of Langfuse: {error}");
                mistakes.push(Found::new(place, message).help(
                    "export prompts as the API gives them: with name, version, type and prompt",
                ));
            }
        }
    }
    let mut imported = Vec::new();
    for (name, versions) in prompts {
        let found_at = place(source, &name);
        let mut prompt = Imported::new(name.as_str());
        for record in versions.into_values() {
            let version = format!("{}.0.0", record.version);
            let mut wrong = |message: String, help: &str| {
                let message = format!("version {} of `{name}` {message}", record.version);
                mistakes.push(Found::new(found_at.clone(), message).help(help));
            };
            point_labels(&mut prompt, &record, &version, &mut wrong);
            if let Some(content) = content(&record, &mut wrong) {
                let mut version = ImportedVersion::new(version, content);
                version.message = record.commit_message.filter(|message| !message.is_empty());
                prompt.versions.push(version);
            }
        }
        imported.push(prompt);
    }
    if mistakes.is_empty() { Ok(imported) } else { Err(Mistakes::new(path, source, mistakes)) }
}

/// The objects that the file holds.
fn values(source: &str, mistakes: &mut Vec<Found>) -> Vec<Value> {
    let mut found = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(source).into_iter::<Value>();
    loop {
        let at = stream.byte_offset();
        match stream.next() {
            Some(Ok(Value::Array(items))) => found.extend(items),
            Some(Ok(Value::Object(mut object))) => match object.remove("data") {
                Some(Value::Array(items)) => found.extend(items),
                Some(data) => found.push(data),
                None => found.push(Value::Object(object)),
            },
            Some(Ok(_)) => {
                mistakes.push(Found::new(at..at + 1, "this is neither a prompt nor a list"));
            }
            Some(Err(error)) => {
                let at = offset(source, error.line(), error.column());
                mistakes.push(Found::new(at..at + 1, format!("this is no JSON: {error}")));
                return found;
            }
            None => return found,
        }
    }
}

fn offset(source: &str, line: usize, column: usize) -> usize {
    let before: usize =
        source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before + column.saturating_sub(1)
}

/// Where a prompt's name stands first.
fn place(source: &str, name: &str) -> std::ops::Range<usize> {
    let quoted = Value::from(name).to_string();
    match source.find(&quoted).filter(|_| !name.is_empty()) {
        Some(at) => at..at + quoted.len(),
        None => 0..1,
    }
}

fn point_labels(
    prompt: &mut Imported,
    record: &Record,
    version: &str,
    wrong: &mut impl FnMut(String, &str),
) {
    for label in record.labels.iter().filter(|label| *label != LATEST) {
        let Ok(name) = label.parse::<LabelName>() else {
            wrong(format!("has the label `{label}`, which cannot be one here"), "rename the label");
            continue;
        };
        let Ok(target) = version.parse::<Version>().map(LabelTarget::Version) else { continue };
        // A label has one place; the highest version is the last.
        prompt.labels.retain(|(other, _)| *other != name);
        prompt.labels.push((name, target));
    }
}

fn content(record: &Record, wrong: &mut impl FnMut(String, &str)) -> Option<NewPrompt> {
    let mut prompt = NewPrompt::default();
    prompt.name.clone_from(&record.name);
    prompt.tags = record
        .tags
        .iter()
        .flat_map(|tag| tag.split(','))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect();
    let is_empty = |config: &Map<String, Value>| config.is_empty();
    if !record.config.is_null() && !record.config.as_object().is_some_and(is_empty) {
        prompt.metadata.insert("config".to_owned(), record.config.clone());
    }
    match &record.prompt {
        Value::String(text) => prompt.content = Some(text.clone()),
        Value::Array(items) => prompt.messages = Some(messages(items, wrong)?),
        _ => {
            wrong(
                "has neither a text nor messages".to_owned(),
                "its `prompt` has to be one of them",
            );
            return None;
        }
    }
    let texts = prompt.messages.iter().flatten().map(|message| message.content.as_str());
    if texts.chain(prompt.content.as_deref()).any(|text| text.contains(REFERENCE)) {
        let help = "put the text of the other prompt in its place";
        wrong("has another prompt in it, which is not followed here".to_owned(), help);
        return None;
    }
    prompt.variables = placeholders(&prompt);
    for issue in template_issues(&prompt) {
        wrong(format!("cannot be read: {}", issue.message), "change the template");
    }
    Some(prompt)
}

fn messages(items: &[Value], wrong: &mut impl FnMut(String, &str)) -> Option<Vec<Message>> {
    let mut messages = Vec::new();
    for item in items {
        if item.get("type").and_then(Value::as_str) == Some("placeholder") {
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
            let message =
                format!("has a placeholder `{name}` for messages, which there is none of here");
            wrong(message, "put the messages in when the prompt is rendered, and take it out");
            return None;
        }
        let Ok(mut message) = serde_json::from_value::<Message>(item.clone()) else {
            wrong("has a message without role or content".to_owned(), "give it both");
            return None;
        };
        message.extra.shift_remove("type");
        messages.push(message);
    }
    Some(messages)
}
