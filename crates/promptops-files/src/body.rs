//! The part of a file after its front matter: the content of a plain prompt as it is, or the messages
//! of a chat, each below its heading.

use std::borrow::Cow;
use std::ops::Range;

use promptops_types::Message;
use serde_json::{Map, Value};

use crate::mistake::Found;

/// What a line begins with that heads a message. A line of a text that begins so has a backslash before
/// it, and one that begins with backslashes and this has one more.
const HEADING: &str = "## message:";

/// A body, its texts still as they stand in the file.
#[derive(Debug)]
pub(crate) struct Body {
    /// What stands before each text, and after the last: headings and the empty lines around texts. Each
    /// begins where the text before ends.
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug)]
pub(crate) struct Part {
    /// Of a message; the content of a plain prompt has none.
    pub(crate) heading: Option<Heading>,
    /// Where its text is.
    pub(crate) text: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Heading {
    pub(crate) range: Range<usize>,
    pub(crate) role: String,
    pub(crate) extra: Map<String, Value>,
}

/// Reads the body that begins at `from`.
pub(crate) fn read(source: &str, from: usize, mistakes: &mut Vec<Found>) -> Body {
    let headings = headings(source, from);
    let is_chat = headings.first().is_some_and(|line| source[from..line.start].trim().is_empty());
    if !is_chat {
        mistakes.extend(headings.into_iter().map(|line| {
            Found::new(line, "this heads a message, but the prompt does not begin with one")
                .help("begin with a heading to make a chat; write `\\` before it if it is text")
        }));
        return Body { parts: vec![Part { heading: None, text: from..source.len() }] };
    }
    let ends =
        headings.iter().skip(1).map(|line| (line.start, true)).chain([(source.len(), false)]);
    let mut parts = Vec::new();
    for (line, (end, is_followed)) in headings.iter().zip(ends) {
        let text = text_below(source, line.end, end, is_followed);
        match heading(source, line) {
            Ok(heading) => parts.push(Part { heading: Some(heading), text }),
            Err(found) => mistakes.push(found),
        }
    }
    Body { parts }
}

/// The lines that head messages, without their ends.
fn headings(source: &str, from: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = from;
    for line in source[from..].split_inclusive('\n') {
        if line.starts_with(HEADING) {
            found.push(at..at + line.trim_end_matches(['\r', '\n']).len());
        }
        at += line.len();
    }
    found
}

/// The text between a heading's line and the next one's, without the end of the heading's line, an empty
/// line after it and one before the next heading; the last text without the end of its last line. Lines
/// end as the heading's does: another end is text.
fn text_below(source: &str, from: usize, to: usize, is_followed: bool) -> Range<usize> {
    let (mut from, mut to) = (from, to);
    let end = if source[from..to].starts_with("\r\n") { "\r\n" } else { "\n" };
    for _ in 0..2 {
        if source[from..to].starts_with(end) {
            from += end.len();
        }
    }
    for _ in 0..=usize::from(is_followed) {
        if source[from..to].ends_with(end) {
            to -= end.len();
        }
    }
    from..to
}

/// The role and the other fields that a heading names.
fn heading(source: &str, line: &Range<usize>) -> Result<Heading, Found> {
    let text = source[line.clone()][HEADING.len()..].trim();
    let wrong = |message: &str| {
        Found::new(line.clone(), message)
            .help("write `## message: ROLE`, and other fields of the message after it as JSON")
    };
    let (role, rest) = if text.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let role = values.next().and_then(Result::ok);
        (role.ok_or_else(|| wrong("the role is no JSON text"))?, &text[values.byte_offset()..])
    } else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        (text[..end].to_owned(), &text[end..])
    };
    if role.is_empty() {
        return Err(wrong("a message has no role"));
    }
    let extra: Map<String, Value> = match rest.trim() {
        "" => Map::new(),
        rest => serde_json::from_str(rest)
            .map_err(|_| wrong("what follows the role is no JSON object"))?,
    };
    if extra.contains_key("role") || extra.contains_key("content") {
        return Err(wrong("`role` and `content` are not other fields"));
    }
    Ok(Heading { range: line.clone(), role, extra })
}

/// The line that heads a message.
pub(crate) fn written_heading(message: &Message) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let role = if !message.role.is_empty() && message.role.chars().all(plain) {
        message.role.clone()
    } else {
        Value::from(message.role.as_str()).to_string()
    };
    if message.extra.is_empty() {
        return format!("{HEADING} {role}");
    }
    format!("{HEADING} {role} {}", Value::Object(message.extra.clone()))
}

/// A text as it stands in a file.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    each_line(
        text,
        |line| line.trim_start_matches('\\').starts_with(HEADING),
        |line, out| {
            out.push('\\');
            out.push_str(line);
        },
    )
}

/// A text as it was before it was escaped.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    let is_escaped =
        |line: &str| line.starts_with('\\') && line.trim_start_matches('\\').starts_with(HEADING);
    each_line(text, is_escaped, |line, out| out.push_str(&line[1..]))
}

fn each_line(
    text: &str,
    is_special: impl Fn(&str) -> bool,
    write: impl Fn(&str, &mut String),
) -> Cow<'_, str> {
    if !text.contains(HEADING) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        if is_special(line) { write(line, &mut out) } else { out.push_str(line) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<(String, String)> {
        let mut mistakes = Vec::new();
        let body = read(source, 0, &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let part = |part: &Part| {
            let role = part.heading.as_ref().map_or("", |heading| &heading.role);
            (role.to_owned(), unescaped(&source[part.text.clone()]).into_owned())
        };
        body.parts.iter().map(part).collect()
    }

    fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn empty_lines_around_a_text_are_not_in_it() {
        let source = "## message: system\n\nBe kind.\n\n## message: user\n\n{{ q }}\n";
        assert_eq!(texts(source), of(&[("system", "Be kind."), ("user", "{{ q }}")]));
        let close = "\n## message: system\nBe\n\nkind.\n## message: user\n{{ q }}";
        assert_eq!(texts(close), of(&[("system", "Be\n\nkind."), ("user", "{{ q }}")]));
        let windows = "## message: a\r\n\r\nx\r\n\r\n## message: b\r\n\r\ny\r\n";
        assert_eq!(texts(windows), of(&[("a", "x"), ("b", "y")]));
        let empty = "## message: a\n\n\n\n## message: b\n\n\n";
        assert_eq!(texts(empty), of(&[("a", ""), ("b", "")]));
        let ends = "## message: a\n\nx\n\n\n## message: b\n\n\r\n\n";
        assert_eq!(texts(ends), of(&[("a", "x\n"), ("b", "\r\n")]));
        assert_eq!(texts("## message: a\n\nx\r\n"), of(&[("a", "x\r")]));
    }

    #[test]
    fn a_text_may_hold_what_looks_like_a_heading() {
        let text = "## message: user\n\\## message: x\n \\## message: y\n\\other";
        let file = escaped(text);
        assert_eq!(file, "\\## message: user\n\\\\## message: x\n \\## message: y\n\\other");
        assert_eq!(unescaped(&file), text);
        assert_eq!(texts(&file), of(&[("", text)]));
    }

    #[test]
    fn a_role_may_be_anything_and_a_message_may_have_more_fields() {
        let source = "## message: \"a \\\"b\\\"\" {\"name\": \"n\"}\nx";
        let body = read(source, 0, &mut Vec::new());
        let heading = body.parts[0].heading.as_ref().unwrap();
        assert_eq!((heading.role.as_str(), heading.extra["name"].as_str()), ("a \"b\"", Some("n")));
        let mut message = Message::new(heading.role.clone(), "x");
        message.extra = heading.extra.clone();
        assert_eq!(written_heading(&message), "## message: \"a \\\"b\\\"\" {\"name\":\"n\"}");
    }

    #[test]
    fn every_wrong_heading_is_told() {
        let source =
            "## message:\n\n## message: a {\n\n## message: \"\n\n## message: a {\"role\":1}\n";
        let mut mistakes = Vec::new();
        read(source, 0, &mut mistakes);
        assert_eq!(mistakes.len(), 4);
        let mut mistakes = Vec::new();
        read("text\n## message: user\n", 0, &mut mistakes);
        assert!(mistakes[0].message.contains("does not begin with one"), "{mistakes:?}");
    }
}
