//! Handlebars templates, in the dialect of Dotprompt, as `simple` or `jinja` ones.

use std::ops::Range;

use promptops_types::TemplateFormat;

use super::parts::is_path;
use crate::mistake::Found;

/// A translated template: its texts, each with the role that it said, and the format of all.
pub(super) struct Translated {
    pub(super) messages: Vec<(Option<String>, String)>,
    pub(super) format: TemplateFormat,
}

/// A piece of a template.
enum Piece<'s> {
    Text(String),
    Tag(Tag<'s>),
}

struct Tag<'s> {
    range: Range<usize>,
    inner: &'s str,
}

/// An open block.
struct Block {
    name: &'static str,
    range: Range<usize>,
}

struct Translator<'m> {
    messages: Vec<(Option<String>, String)>,
    blocks: Vec<Block>,
    /// What an item is called in each open loop, the outermost first.
    items: Vec<String>,
    loops: usize,
    is_jinja: bool,
    mistakes: &'m mut Vec<Found>,
}

/// Translates the template in this part of a file; its mistakes are added.
pub(super) fn translate(source: &str, body: Range<usize>, mistakes: &mut Vec<Found>) -> Translated {
    let pieces = pieces(source, body, mistakes);
    let is_jinja = pieces.iter().any(|piece| match piece {
        // What a simple template would take for an escape.
        Piece::Text(text) => text.ends_with('\\'),
        Piece::Tag(tag) => tag.inner.starts_with(['#', '/']) || tag.inner.starts_with("json "),
    });
    let mut translator = Translator {
        messages: vec![(None, String::new())],
        blocks: Vec::new(),
        items: Vec::new(),
        loops: 0,
        is_jinja,
        mistakes,
    };
    for piece in pieces {
        match piece {
            Piece::Text(text) => translator.text(&text),
            Piece::Tag(tag) => translator.tag(&tag),
        }
    }
    for Block { name, range } in std::mem::take(&mut translator.blocks) {
        let message = format!("this `{name}` does not end");
        translator.mistakes.push(Found::new(range, message).help(format!("write {{{{/{name}}}}}")));
    }
    let format = if is_jinja { TemplateFormat::Jinja } else { TemplateFormat::Simple };
    Translated { messages: translator.messages, format }
}

/// Cuts a template into texts and tags; white space that its tags take away is gone, and comments are too.
fn pieces<'s>(source: &'s str, body: Range<usize>, mistakes: &mut Vec<Found>) -> Vec<Piece<'s>> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut at = body.start;
    while let Some(found) = source[at..body.end].find("{{") {
        let begin = at + found;
        text.push_str(&source[at..begin]);
        if text.ends_with('\\') && !text.ends_with("\\\\") {
            text.pop();
            text.push_str("{{");
            at = begin + 2;
            continue;
        }
        if text.ends_with("\\\\") {
            text.pop();
        }
        let (open, close) = match &source[begin..body.end] {
            rest if rest.starts_with("{{!--") => ("{{!--", "--}}"),
            rest if rest.starts_with("{{~!--") => ("{{~!--", "--}}"),
            rest if rest.starts_with("{{{") => ("{{{", "}}}"),
            _ => ("{{", "}}"),
        };
        let Some(length) = source[begin + open.len()..body.end].find(close) else {
            let found = Found::new(begin..begin + open.len(), "this does not end");
            mistakes.push(found.help(format!("write `{close}`, or `\\{{{{` if it is text")));
            at = body.end;
            break;
        };
        let end = begin + open.len() + length + close.len();
        let whole = &source[begin..end];
        let inner = source[begin + open.len()..end - close.len()].trim();
        let (trims_before, trims_after) = (whole.starts_with("{{~"), whole.ends_with("~}}"));
        let inner = inner.trim_start_matches('~').trim_end_matches('~').trim();
        let is_comment = open.contains('!') || inner.starts_with('!');
        let is_block = is_comment
            || inner.starts_with(['#', '/'])
            || inner == "else"
            || inner.starts_with("else ");
        at = end;
        if is_block && stands_alone(source, &body, begin, end) {
            // Its line goes with it.
            text.truncate(text.trim_end_matches([' ', '\t']).len());
            let rest = source[end..body.end].trim_start_matches([' ', '\t', '\r']);
            at = body.end - rest.strip_prefix('\n').unwrap_or(rest).len();
        }
        if trims_before {
            text.truncate(text.trim_end().len());
        }
        if trims_after {
            at = body.end - source[at..body.end].trim_start().len();
        }
        if is_comment {
            continue;
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Tag(Tag { range: begin..end, inner }));
    }
    text.push_str(&source[at..body.end]);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

/// Whether there is nothing else on a tag's line.
fn stands_alone(source: &str, body: &Range<usize>, begin: usize, end: usize) -> bool {
    let before = source[body.start..begin].rsplit('\n').next().unwrap_or_default();
    let after = source[end..body.end].split('\n').next().unwrap_or_default();
    before.trim().is_empty() && after.trim().is_empty()
}

impl Translator<'_> {
    fn push(&mut self, text: &str) {
        if let Some((_, message)) = self.messages.last_mut() {
            message.push_str(text);
        }
    }

    /// A text, so that the other format takes it for one.
    fn text(&mut self, text: &str) {
        if !self.is_jinja {
            return self.push(&text.replace("{{", "\\{{"));
        }
        let mut rest = text;
        while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min() {
            self.push(&rest[..at]);
            self.push(&format!("{{{{ '{}' }}}}", &rest[at..at + 2]));
            rest = &rest[at + 2..];
        }
        self.push(rest);
    }

    fn wrong(&mut self, tag: &Tag<'_>, message: String, help: &str) {
        self.mistakes.push(Found::new(tag.range.clone(), message).help(help));
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        let (word, rest) = tag.inner.split_once(char::is_whitespace).unwrap_or((tag.inner, ""));
        let rest = rest.trim();
        match word {
            "role" => {
                let role = rest.trim_matches(['"', '\'']);
                if role.is_empty() || self.blocks.last().is_some() {
                    let help = "write {{role \"user\"}}, outside of conditions and loops";
                    return self.wrong(tag, "this role cannot be translated".to_owned(), help);
                }
                self.messages.push((Some(role.to_owned()), String::new()));
            }
            "#if" => self.open(tag, "if", rest, false),
            "#unless" => self.open(tag, "unless", rest, true),
            "#each" => {
                let Some(list) = self.path(tag, rest) else { return };
                self.loops += 1;
                let item = format!("item_{}", self.loops);
                self.push(&format!("{{% for {item} in {list} %}}"));
                self.items.push(item);
                self.blocks.push(Block { name: "each", range: tag.range.clone() });
            }
            "else" if rest.is_empty() && !self.blocks.is_empty() => self.push("{% else %}"),
            "else"
                if rest.starts_with("if ")
                    && self.blocks.last().is_some_and(|b| b.name == "if") =>
            {
                let Some(path) = self.path(tag, rest[2..].trim()) else { return };
                self.push(&format!("{{% elif {path} is defined and {path} %}}"));
            }
            "/if" | "/unless" | "/each" => self.close(tag, &word[1..]),
            "json" => {
                let Some(path) = self.path(tag, rest) else { return };
                self.push(&format!("{{{{ {path} | tojson }}}}"));
            }
            _ if rest.is_empty() && !word.starts_with(['>', '#', '/', '&']) => {
                if ["history", "media", "section"].contains(&word) {
                    return self.unknown(tag, word);
                }
                let Some(path) = self.path(tag, word) else { return };
                self.push(&format!("{{{{ {path} }}}}"));
            }
            _ => self.unknown(tag, word),
        }
    }

    fn unknown(&mut self, tag: &Tag<'_>, word: &str) {
        let help = match word {
            "history" => "put earlier messages in when the prompt is rendered, and take it out",
            _ if word.starts_with('>') => "put the text of the partial in its place",
            _ => "write it without this helper",
        };
        self.wrong(tag, format!("there is nothing like `{word}` here"), help);
    }

    fn open(&mut self, tag: &Tag<'_>, name: &'static str, condition: &str, is_not: bool) {
        let Some(path) = self.path(tag, condition) else { return };
        let test = if path.starts_with("loop.") {
            path
        } else {
            // What is not given is false there, and an error here.
            format!("{path} is defined and {path}")
        };
        let test = if is_not { format!("not ({test})") } else { test };
        self.push(&format!("{{% if {test} %}}"));
        self.blocks.push(Block { name, range: tag.range.clone() });
    }

    fn close(&mut self, tag: &Tag<'_>, name: &str) {
        match self.blocks.pop() {
            Some(block) if block.name == name => {
                if name == "each" {
                    self.items.pop();
                    self.push("{% endfor %}");
                } else {
                    self.push("{% endif %}");
                }
            }
            other => {
                self.blocks.extend(other);
                self.wrong(tag, format!("no `{name}` is open here"), "remove it, or begin one");
            }
        }
    }

    /// What a path names where it stands.
    fn path(&mut self, tag: &Tag<'_>, text: &str) -> Option<String> {
        let mut name = text;
        let mut depth = self.items.len();
        let mut is_relative = false;
        while let Some(outer) = name.strip_prefix("../") {
            name = outer;
            depth = depth.saturating_sub(1);
            is_relative = true;
        }
        let item = depth.checked_sub(1).and_then(|index| self.items.get(index)).cloned();
        let of_loop = match name {
            "@index" => Some("loop.index0"),
            "@first" => Some("loop.first"),
            "@last" => Some("loop.last"),
            _ => None,
        };
        if let Some(of_loop) = of_loop.filter(|_| item.is_some() && !is_relative) {
            return Some(of_loop.to_owned());
        }
        let (base, field) = match name.strip_prefix("@root.") {
            Some(field) => (None, field),
            None => match name.strip_prefix("this").or_else(|| name.strip_prefix('.')) {
                Some("") if item.is_some() => return item,
                Some(field) if field.starts_with(['.', '/']) => (item, &field[1..]),
                _ => (item, name),
            },
        };
        if is_path(field) {
            return Some(base.map_or_else(|| field.to_owned(), |base| format!("{base}.{field}")));
        }
        let help = "write a name, or names with dots between them";
        self.wrong(tag, format!("`{text}` cannot be translated"), help);
        None
    }
}
