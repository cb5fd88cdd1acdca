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

/// A place in a template, as an editor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Position {
    /// From 1, counted by line feeds.
    pub line: u32,
    /// From 1, in Unicode scalar values; a byte order mark at the start of the template has none.
    pub column: u32,
}

impl Position {
    /// The position of the byte at `offset`. Computed when asked for: a render that succeeds never
    /// needs it.
    pub(crate) fn of(source: &str, offset: usize) -> Self {
        let before = &source[..offset];
        let line_start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |at| at + 1);
        let lines = memchr::memchr_iter(b'\n', before.as_bytes()).count();
        let mut columns = before[line_start..].chars().count();
        if line_start == 0 && before.starts_with('\u{feff}') {
            columns -= 1;
        }
        Self { line: count(lines + 1), column: count(columns + 1) }
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
            let position = Position::of(source, source.find(needle).unwrap());
            (position.line, position.column)
        };
        assert_eq!(at("x", "x"), (1, 1));
        assert_eq!(at("\u{feff}x", "x"), (1, 1));
        assert_eq!(at("ä\r\néx", "x"), (2, 2));
        assert_eq!(at("a\rx", "x"), (1, 3));
    }
}
