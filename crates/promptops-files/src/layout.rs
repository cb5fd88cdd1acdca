//! How a file is laid out: everything in it that is not a text of the prompt. A registry keeps it beside
//! a prompt whose file is not written as [`write`](crate::write()) would, so that comments, line ends and
//! the order of fields come back as they were.

use promptops_types::{Message, NewPrompt};
use serde_json::{Map, Value};

use crate::body::{Body, escaped};

/// The name in the metadata under which a layout is kept.
pub(crate) const LAYOUT: &str = "file_layout";

/// Most bytes of a layout, as JSON. With a larger one, the file is written anew.
const MAX_BYTES: usize = 16 * 1024;

/// Most bytes of metadata with a layout in them: a little less than a registry takes.
const MAX_METADATA_BYTES: usize = 63 * 1024;

/// What stands before each text, and after the last. `None` for a layout that is too large.
pub(crate) fn of(source: &str, body: &Body, metadata: &Map<String, Value>) -> Option<Value> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for part in &body.parts {
        pieces.push(Value::from(&source[at..part.text.start]));
        at = part.text.end;
    }
    pieces.push(Value::from(&source[at..]));
    let layout = Value::Array(pieces);
    let size = layout.to_string().len();
    let metadata = serde_json::to_string(metadata).map_or(0, |text| text.len());
    (size <= MAX_BYTES && size + metadata <= MAX_METADATA_BYTES).then_some(layout)
}

/// The file of a prompt, laid out as its metadata says. `None` where they say nothing that fits.
pub(crate) fn woven(prompt: &NewPrompt) -> Option<String> {
    let pieces = prompt.metadata.get(LAYOUT)?.as_array()?;
    let messages = prompt.messages.as_deref().unwrap_or_default();
    let texts: Vec<&str> = match messages {
        [] => vec![prompt.content.as_deref().unwrap_or_default()],
        messages => messages.iter().map(|Message { content, .. }| content.as_str()).collect(),
    };
    if pieces.len() != texts.len() + 1 {
        return None;
    }
    let mut file = String::new();
    let mut texts = texts.into_iter();
    for piece in pieces {
        file.push_str(piece.as_str()?);
        file.push_str(&texts.next().map(escaped).unwrap_or_default());
    }
    Some(file)
}
