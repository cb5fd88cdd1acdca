//! What stands between the two lines of dashes.

use std::collections::BTreeMap;
use std::ops::Range;

use promptops_template::near_match;
use promptops_types::{ModelProvider, ModelSpecificPrompt, NewPrompt, TemplateFormat};
use serde_json::Value;

use crate::layout::LAYOUT;
use crate::mistake::Found;
use crate::yaml::{self, Entry, Kind, Node};

const FIELDS: [&str; 9] = [
    "name",
    "description",
    "module_id",
    "tags",
    "target_models",
    "template_format",
    "variables",
    "metadata",
    "model_specific_prompts",
];

const BODY_FIELDS: [&str; 5] =
    ["model_provider", "model_name", "expected_output_format", "instructions", "content"];

/// Where the front matter is and where the body begins.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) yaml: Range<usize>,
    pub(crate) body: usize,
}

/// Finds the lines of dashes. A file without front matter is its content alone.
pub(crate) fn split(source: &str, mistakes: &mut Vec<Found>) -> Split {
    let from = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lines = source[from..].split_inclusive('\n');
    let is_dashes = |line: &str| line.trim_end() == "---";
    let Some(first) = lines.next().filter(|line| is_dashes(line)) else {
        return Split { yaml: from..from, body: from };
    };
    let begin = from + first.len();
    let mut at = begin;
    for line in lines {
        let end = at + line.len();
        if is_dashes(line) {
            return Split { yaml: begin..at, body: end };
        }
        at = end;
    }
    mistakes.push(
        Found::new(from..begin, "the front matter that begins here does not end").help(
            "end it with a line `---`; a content that begins so needs front matter before it",
        ),
    );
    Split { yaml: begin..begin, body: source.len() }
}

/// Where each field is, by its name as a registry tells it.
pub(crate) type Places = BTreeMap<String, Range<usize>>;

/// Reads what the front matter says into a prompt.
pub(crate) fn read(
    source: &str,
    yaml: Range<usize>,
    prompt: &mut NewPrompt,
    places: &mut Places,
    mistakes: &mut Vec<Found>,
) {
    let Some(root) = yaml::read(&source[yaml.clone()], yaml.start, mistakes) else { return };
    let mut reader = Reader { places, mistakes };
    let root_name = root.name();
    let Kind::Mapping(entries) = root.kind else {
        let message = format!("the front matter is {root_name}, and has to be a mapping");
        return reader.wrong(&root.range, message, "write `name: …`");
    };
    for entry in reader.known(entries, "", &FIELDS) {
        let Entry { key, value, .. } = entry;
        match key.as_str() {
            "name" => prompt.name = reader.text(value).unwrap_or_default(),
            "description" => prompt.description = reader.text(value),
            "module_id" => prompt.module_id = reader.text(value),
            "tags" => prompt.tags = reader.texts(value),
            "target_models" => prompt.target_models = reader.texts(value),
            "template_format" => reader.format(value, &mut prompt.template_format),
            "variables" => prompt.variables = Some(reader.texts(value)),
            "metadata" => reader.metadata(value, prompt),
            _ => prompt.model_specific_prompts = reader.bodies(value),
        }
    }
}

struct Reader<'r> {
    places: &'r mut Places,
    mistakes: &'r mut Vec<Found>,
}

impl Reader<'_> {
    fn wrong(&mut self, range: &Range<usize>, message: impl Into<String>, help: &str) {
        self.mistakes.push(Found::new(range.clone(), message).help(help));
    }

    /// The entries that there may be and that say something; where they are is noted.
    fn known(&mut self, entries: Vec<Entry>, within: &str, names: &[&str]) -> Vec<Entry> {
        let mut known = Vec::new();
        for entry in entries {
            if !names.contains(&entry.key.as_str()) {
                let help = match near_match(&entry.key, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "there are {}; what is your own goes into `metadata`",
                        names.join(", ")
                    ),
                };
                self.wrong(&entry.key_range, format!("there is no field `{}`", entry.key), &help);
                continue;
            }
            let place =
                if entry.value.range.is_empty() { &entry.key_range } else { &entry.value.range };
            self.places.insert(format!("{within}{}", entry.key), place.clone());
            if !entry.value.is_null() {
                known.push(entry);
            }
        }
        known
    }

    fn text(&mut self, node: Node) -> Option<String> {
        let name = node.name();
        if let Kind::Scalar(text, _) = node.kind {
            return Some(text);
        }
        self.wrong(&node.range, format!("this is {name}, and has to be a text"), "quote it");
        None
    }

    fn texts(&mut self, node: Node) -> Vec<String> {
        let name = node.name();
        let Kind::Sequence(items) = node.kind else {
            let message = format!("this is {name}, and has to be a list");
            self.wrong(&node.range, message, "write `[one, two]`");
            return Vec::new();
        };
        items.into_iter().filter_map(|item| self.text(item)).collect()
    }

    fn format(&mut self, node: Node, format: &mut TemplateFormat) {
        let range = node.range.clone();
        let Some(text) = self.text(node) else { return };
        let known = [TemplateFormat::Simple, TemplateFormat::Jinja, TemplateFormat::None];
        if let Some(known) = known.into_iter().find(|known| known.as_str() == text) {
            *format = known;
        } else {
            let message = format!("there is no template format `{text}`");
            self.wrong(&range, message, "write simple, jinja or none");
        }
    }

    fn metadata(&mut self, node: Node, prompt: &mut NewPrompt) {
        let (range, name) = (node.range.clone(), node.name());
        match node.into_json() {
            Value::Object(metadata) if metadata.contains_key(LAYOUT) => {
                let message = format!("`{LAYOUT}` is kept for how the file is laid out");
                self.wrong(&range, message, "choose another name");
            }
            Value::Object(metadata) => prompt.metadata = metadata,
            _ => {
                let message = format!("this is {name}, and has to be a mapping");
                self.wrong(&range, message, "write `name: value` below it");
            }
        }
    }

    fn bodies(&mut self, node: Node) -> Vec<ModelSpecificPrompt> {
        let name = node.name();
        let Kind::Sequence(items) = node.kind else {
            let message = format!("this is {name}, and has to be a list");
            self.wrong(&node.range, message, "write `- model_provider: …` below it");
            return Vec::new();
        };
        let bodies = items.into_iter().enumerate();
        bodies.filter_map(|(index, item)| self.body(index, item)).collect()
    }

    fn body(&mut self, index: usize, node: Node) -> Option<ModelSpecificPrompt> {
        let (range, name) = (node.range.clone(), node.name());
        let Kind::Mapping(entries) = node.kind else {
            let message = format!("this is {name}, and has to be a mapping");
            self.wrong(&range, message, "write `model_provider: …` and `content: …`");
            return None;
        };
        let within = format!("model_specific_prompts[{index}].");
        let mut provider = None;
        let mut content = None;
        let mut body = ModelSpecificPrompt::new(ModelProvider::OpenAi, "");
        for Entry { key, value, .. } in self.known(entries, &within, &BODY_FIELDS) {
            let text = self.text(value);
            match key.as_str() {
                "model_provider" => provider = text,
                "model_name" => body.model_name = text,
                "expected_output_format" => body.expected_output_format = text,
                "instructions" => body.instructions = text,
                _ => content = text,
            }
        }
        if provider.is_none() || content.is_none() {
            let missing = if provider.is_none() { "model_provider" } else { "content" };
            let message = format!("this body has no `{missing}`");
            self.wrong(&range, message, "add it");
        }
        body.model_provider = ModelProvider::from(provider?.as_str());
        body.content = content?;
        Some(body)
    }
}
