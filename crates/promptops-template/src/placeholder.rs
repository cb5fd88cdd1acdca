use std::collections::HashSet;

/// A place in a template where a variable's value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placeholder<'t> {
    /// The path as written, without spaces: `user.role`. In a jinja template the variable's name.
    pub name: &'t str,
    /// Where it begins.
    pub position: Position,
}

impl<'t> Placeholder<'t> {
    pub(crate) fn new(name: &'t str, position: Position) -> Self {
        Self { name, position }
    }

    /// The variable that has to be given: `user` for `user.role`.
    pub fn variable(&self) -> &'t str {
        root(self.name)
    }
}

/// The first segment of a path.
pub(crate) fn root(path: &str) -> &str {
    path.split_once('.').map_or(path, |(root, _)| root)
}

/// Names in order of first use, each once.
pub(crate) fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}

/// A place in a template, as an editor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Position {
    /// From 1, counted by line feeds.
    pub line: u32,
    /// From 1, in Unicode scalar values; a byte order mark at the start of the template has none.
    pub column: u32,
}

/// Finds positions from the front to the back, reading the source once in all. Positions are
/// computed when they are asked for: a render that succeeds needs none.
#[derive(Debug)]
pub(crate) struct PositionCursor<'s> {
    source: &'s str,
    offset: usize,
    position: Position,
}

impl<'s> PositionCursor<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        let offset = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { source, offset, position: Position { line: 1, column: 1 } }
    }

    /// The position of the byte at `offset`, which is not before the last one asked for.
    pub(crate) fn advance(&mut self, offset: usize) -> Position {
        let passed = self.source.get(self.offset..offset).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', passed.as_bytes()).count();
        let last = passed.rsplit('\n').next().unwrap_or_default();
        let columns = count(last.chars().count());
        if lines == 0 {
            self.position.column = self.position.column.saturating_add(columns);
        } else {
            self.position.line = self.position.line.saturating_add(count(lines));
            self.position.column = columns.saturating_add(1);
        }
        self.offset = self.offset.max(offset);
        self.position
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters() {
        let at = |source: &str, needle: &str| {
            let position = PositionCursor::new(source).advance(source.find(needle).unwrap());
            (position.line, position.column)
        };
        assert_eq!(at("x", "x"), (1, 1));
        assert_eq!(at("\u{feff}x", "x"), (1, 1));
        assert_eq!(at("ä\r\néx", "x"), (2, 2));
        assert_eq!(at("a\rx", "x"), (1, 3));
        let mut cursor = PositionCursor::new("\u{feff}a\nß\n\nc");
        let at = [3, 4, 5, 9].map(|offset| cursor.advance(offset)).map(|p| (p.line, p.column));
        assert_eq!(at, [(1, 1), (1, 2), (2, 1), (4, 1)]);
    }
}
