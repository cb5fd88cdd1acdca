//! YAML as a tree that knows where each part is: every mistake is found, not the first alone.

use std::ops::Range;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Number, Value};

use crate::mistake::Found;

/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// A part of a document.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it is, in bytes of the file.
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// A text, and whether it was written without quotes, so that it may be a number.
    Scalar(String, bool),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_range: Range<usize>,
    pub(crate) value: Node,
}

impl Node {
    /// What it is, for a message.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Scalar(..) if self.is_null() => "nothing",
            Kind::Scalar(..) => "a text",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// As JSON. What is not quoted and reads as JSON is that; everything else is a text: there are no
    /// dates, and `yes` is a word.
    pub(crate) fn into_json(self) -> Value {
        match self.kind {
            Kind::Scalar(_, true) if self.is_null() => Value::Null,
            Kind::Scalar(text, true) => match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                number => match serde_json::from_str::<Number>(number) {
                    Ok(number) => Value::Number(number),
                    Err(_) => Value::String(text),
                },
            },
            Kind::Scalar(text, false) => Value::String(text),
            Kind::Sequence(items) => items.into_iter().map(Self::into_json).collect(),
            Kind::Mapping(entries) => {
                let entries = entries.into_iter().map(|entry| (entry.key, entry.value.into_json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

/// Reads the one document of `text`, which is at `offset` of its file. `None` where there is none, or
/// where a mistake keeps it from being read.
pub(crate) fn read(text: &str, offset: usize, mistakes: &mut Vec<Found>) -> Option<Node> {
    let mut reader =
        Reader { events: Parser::new_from_str(text), offset, end: text.len(), mistakes };
    match reader.document() {
        Ok(node) => node,
        Err(found) => {
            reader.mistakes.push(found);
            None
        }
    }
}

/// The events of a document, read into a tree.
struct Reader<'m, P> {
    events: P,
    /// Where the document begins in its file.
    offset: usize,
    end: usize,
    mistakes: &'m mut Vec<Found>,
}

impl<'a, P> Reader<'_, P>
where
    P: Iterator<Item = Result<(Event<'a>, Span), ScanError>>,
{
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Found> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                let at = |marker: Marker| self.offset + marker.byte_offset().unwrap_or(self.end);
                Ok((event, at(span.start)..at(span.end)))
            }
            Some(Err(error)) => {
                let at = self.offset + error.marker().byte_offset().unwrap_or(self.end);
                Err(Found::new(at..at + 1, format!("this is no YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, self.offset + self.end..self.offset + self.end)),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Found> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                (_, range) if root.is_some() => {
                    let message = "a second document; there is one";
                    return Err(Found::new(range, message));
                }
                (event, range) => root = Some(self.node(event, range, 0)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, range: Range<usize>, depth: usize) -> Result<Node, Found> {
        if depth > MAX_DEPTH {
            return Err(Found::new(range, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let kind = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_property(&range, anchor, tag.is_some());
                Kind::Scalar(text.into_owned(), style == ScalarStyle::Plain)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_property(&range, anchor, tag.is_some());
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, range) => items.push(self.node(event, range, depth + 1)?),
                    }
                }
                Kind::Sequence(items)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_property(&range, anchor, tag.is_some());
                Kind::Mapping(self.entries(depth)?)
            }
            Event::Alias(_) => {
                let message = "aliases are not read";
                self.mistakes.push(Found::new(range.clone(), message).help("write it out"));
                Kind::Scalar(String::new(), true)
            }
            _ => return Err(Found::new(range, "this is no YAML")),
        };
        Ok(Node { range, kind })
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Found> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, key_range) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(entries),
                (event, range) => (event, range),
            };
            let key = self.node(event, key_range.clone(), depth + 1)?;
            let (event, range) = self.next()?;
            let value = self.node(event, range, depth + 1)?;
            let Kind::Scalar(key, _) = key.kind else {
                self.mistakes.push(Found::new(key_range, "a name has to be a text"));
                continue;
            };
            if entries.iter().any(|entry| entry.key == key) {
                let message = format!("`{key}` is here twice");
                self.mistakes.push(Found::new(key_range, message).help("remove one of them"));
                continue;
            }
            entries.push(Entry { key, key_range, value });
        }
    }

    /// What would need a second reading of the document, or types of its own.
    fn refuse_property(&mut self, range: &Range<usize>, anchor: usize, is_tagged: bool) {
        if anchor != 0 || is_tagged {
            let message = "anchors and tags are not read";
            self.mistakes.push(Found::new(range.clone(), message).help("write the value alone"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json(text: &str) -> (Option<Value>, Vec<String>) {
        let mut mistakes = Vec::new();
        let value = read(text, 0, &mut mistakes).map(Node::into_json);
        (value, mistakes.into_iter().map(|found| found.message).collect())
    }

    #[test]
    fn what_is_not_quoted_is_json_or_a_text() {
        let text =
            "a: [1, -2.50, 1e3, '1', yes, 2024-01-01, 0x10, ~, true]\nb:\n- x: |\n    y\n\n- {}\n";
        let wanted = json!({
            "a": [1, -2.50, 1e3, "1", "yes", "2024-01-01", "0x10", null, true],
            "b": [{"x": "y\n"}, {}],
        });
        assert_eq!(json(text), (Some(wanted), vec![]));
        assert_eq!(json("# nothing\n"), (None, vec![]));
    }

    #[test]
    fn what_could_surprise_is_refused() {
        let (value, mistakes) = json("a: 1\na: 2\nb: &x 1\nc: *x\nd: !!int '3'\n[e]: 1\n");
        assert_eq!(value, Some(json!({"a": 1, "b": 1, "c": null, "d": "3"})));
        assert_eq!(mistakes.len(), 5, "{mistakes:?}");
        assert!(json("a: [1").1[0].starts_with("this is no YAML: "));
        assert!(json("a\n---\nb").1[0].contains("second document"));
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(json(&deep).1[0].contains("deeper than 64"));
    }
}
