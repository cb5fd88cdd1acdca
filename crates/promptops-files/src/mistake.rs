use std::error::Error;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

/// Columns of a rendered mistake where nobody says how wide the terminal is.
const WIDTH: usize = 100;

/// One mistake in a file: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column in that line, from 1, in Unicode scalar values.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What the caret is under, in bytes.
    #[serde(skip)]
    range: Range<usize>,
}

/// All mistakes of a file, in its order. `Display` shows each with its line and a caret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistakes {
    path: String,
    #[serde(rename = "mistakes")]
    all: Vec<Mistake>,
    #[serde(skip)]
    source: String,
}

/// A mistake that has no line yet.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Found {
    pub(crate) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { range, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Mistakes {
    pub(crate) fn new(path: &str, source: &str, mut found: Vec<Found>) -> Self {
        found.sort_by_key(|mistake| mistake.range.start);
        let mistakes = found.into_iter().map(|found| {
            let range = on_one_line(source, found.range);
            let (line, column) = line_and_column(source, range.start);
            Mistake { line, column, message: found.message, help: found.help, range }
        });
        Self { path: path.to_owned(), all: mistakes.collect(), source: source.to_owned() }
    }

    /// Where the file is, as it was told.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The mistakes, at least one.
    pub fn all(&self) -> &[Mistake] {
        &self.all
    }

    /// The mistakes as people read them, with colours for a terminal or without.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.term_width(WIDTH);
        let shown = self.all.iter().map(|mistake| {
            let place = AnnotationKind::Primary.span(mistake.range.clone());
            let snippet = Snippet::source(&self.source).path(&self.path).annotation(place);
            let mut group: Group<'_> =
                Level::ERROR.primary_title(mistake.message.as_str()).element(snippet);
            if let Some(help) = &mistake.help {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            renderer.render(&[group])
        });
        shown.collect::<Vec<_>>().join("\n\n")
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl Error for Mistakes {}

/// The part of a range that is on its first line, and at least one character where there is one.
fn on_one_line(source: &str, range: Range<usize>) -> Range<usize> {
    let start = source.floor_char_boundary(range.start.min(source.len()));
    let rest = &source[start..];
    let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let wanted = range.end.saturating_sub(start).min(line);
    let first = rest[..line].chars().next().map_or(0, char::len_utf8);
    start..source.floor_char_boundary(start + wanted.max(first))
}

fn line_and_column(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_shown_with_its_line_and_a_caret() {
        let source = "---\nname: 'Größe' x\n---\n";
        let found = vec![
            Found::new(19..20, "second").help("do that"),
            Found::new(4..8, "first"),
            Found::new(999..1000, "at the end"),
        ];
        let mistakes = Mistakes::new("a.prompt.md", source, found);
        let places: Vec<_> = mistakes.all().iter().map(|one| (one.line, one.column)).collect();
        assert_eq!(places, [(2, 1), (2, 14), (4, 1)]);
        let shown = mistakes.to_string();
        assert!(shown.contains("a.prompt.md:2:14") && shown.contains("help: do that"), "{shown}");
        assert!(shown.contains("^^^^") && !shown.contains('\u{1b}'), "{shown}");
        assert!(mistakes.render(true).contains('\u{1b}'));
    }
}
