//! The `simple` format: `{{ name }}` and `{{ user.role }}`; anything else is literal text.
//!
//! Grammar, after an opening `{{`:
//!
//! ```text
//! placeholder = blank* path blank* "}}"        blank = space | tab
//! path        = name ("." segment)*
//! name        = (letter | "_") word*           letter = any Unicode alphabetic character
//! segment     = word+                          word = letter | ASCII digit | "_"
//! ```
//!
//! `\{{` is a literal `{{`. Text is scanned once, from left to right, and a value is appended as
//! it is: nothing that a value holds is ever scanned.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;
use promptops_types::ValidationIssue;
use serde_json::{Map, Value};

use crate::Placeholder;
use crate::error::{CONTENT, MAX_ISSUES, TemplateError};
use crate::near_match::near_match;
use crate::placeholder::{PositionCursor, root};
use crate::value::{look_up, write_value};

/// A parsed template: the source, and where its literal text and placeholders are.
#[derive(Debug, Clone)]
pub(crate) struct SimpleTemplate {
    source: Arc<str>,
    segments: Vec<Segment>,
    /// The paths of the placeholders, each once, in order of first use.
    paths: Vec<Range<usize>>,
    /// Those of their roots that differ: the names of the variables.
    roots: Vec<Range<usize>>,
    /// Bytes of literal text: the least a render takes.
    literal_bytes: usize,
}

/// Longest path, in bytes, for which a near match is looked for.
const MAX_PATH: usize = 400;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Range<usize>),
    Placeholder {
        /// Where the opening braces are.
        at: usize,
        /// Which of the paths.
        path: usize,
    },
}

/// So many values are looked up before any memory is asked for.
const IN_PLACE: usize = 16;

impl SimpleTemplate {
    pub(crate) fn parse(source: Arc<str>) -> Self {
        let mut segments = Vec::new();
        let mut paths: Vec<Range<usize>> = Vec::new();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut literal_bytes = 0;
        let mut literal = |segments: &mut Vec<Segment>, range: Range<usize>| {
            if !range.is_empty() {
                literal_bytes += range.len();
                segments.push(Segment::Literal(range));
            }
        };
        let braces = memmem::Finder::new("{{");
        let bytes = source.as_bytes();
        let mut literal_start = 0;
        let mut from = 0;
        while let Some(found) = braces.find(&bytes[from..]) {
            let at = from + found;
            if at > literal_start && bytes[at - 1] == b'\\' {
                // `\{{`: the backslash goes, the braces stay as the start of the next literal.
                literal(&mut segments, literal_start..at - 1);
                literal_start = at;
                from = at + 2;
            } else if let Some((path, end)) = placeholder(&source, at + 2) {
                literal(&mut segments, literal_start..at);
                let number = *numbers.entry(&source[path.clone()]).or_insert_with(|| {
                    paths.push(path);
                    paths.len() - 1
                });
                segments.push(Segment::Placeholder { at, path: number });
                literal_start = end;
                from = end;
            } else {
                from = at + 1;
            }
        }
        literal(&mut segments, literal_start..source.len());
        let mut seen = HashSet::new();
        let roots = paths.iter().map(|path| {
            let root = root(&source[path.clone()]);
            path.start..path.start + root.len()
        });
        let roots = roots.filter(|range| seen.insert(&source[range.clone()])).collect();
        drop((numbers, seen));
        Self { source, segments, paths, roots, literal_bytes }
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = Placeholder<'_>> {
        let mut cursor = PositionCursor::new(&self.source);
        self.places().map(move |(at, path)| Placeholder::new(path, cursor.advance(at)))
    }

    /// Root names in order of first use.
    pub(crate) fn variables(&self) -> Vec<&str> {
        self.roots.iter().map(|root| &self.source[root.clone()]).collect()
    }

    /// Where each placeholder is, and its path.
    fn places(&self) -> impl Iterator<Item = (usize, &str)> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Placeholder { at, path } => Some((*at, self.path(*path))),
        })
    }

    fn path(&self, number: usize) -> &str {
        &self.source[self.paths[number].clone()]
    }

    pub(crate) fn render_into(
        &self,
        variables: &Map<String, Value>,
        out: &mut String,
        max_bytes: usize,
    ) -> Result<(), TemplateError> {
        let mut in_place = [None; IN_PLACE];
        let mut elsewhere = Vec::new();
        let values: &mut [Option<&Value>] = if self.paths.len() <= IN_PLACE {
            &mut in_place[..self.paths.len()]
        } else {
            elsewhere.resize(self.paths.len(), None);
            &mut elsewhere
        };
        for (number, value) in values.iter_mut().enumerate() {
            *value = look_up(variables, self.path(number));
            if value.is_none() {
                return Err(TemplateError::Variables(self.missing(variables)));
            }
        }
        let start = out.len();
        // Values are mostly short: an eighth more than the text seldom has to grow.
        out.reserve(self.literal_bytes + self.literal_bytes / 8 + 64);
        for segment in &self.segments {
            match segment {
                Segment::Literal(range) => out.push_str(&self.source[range.clone()]),
                Segment::Placeholder { path, .. } => {
                    if let Some(value) = values[*path] {
                        write_value(value, out);
                    }
                    if out.len() - start > max_bytes {
                        out.truncate(start);
                        return Err(TemplateError::too_large());
                    }
                }
            }
        }
        Ok(())
    }

    /// Every path that the variables do not lead to, once, at its first position.
    fn missing(&self, variables: &Map<String, Value>) -> Vec<ValidationIssue> {
        let mut seen = HashSet::new();
        self.placeholders()
            .filter(|placeholder| look_up(variables, placeholder.name).is_none())
            .filter(|placeholder| seen.insert(placeholder.name))
            .take(MAX_ISSUES)
            .map(|Placeholder { name, position }| {
                let suggestion = near_path(variables, name);
                TemplateError::missing(name, CONTENT, position, suggestion)
            })
            .collect()
    }
}

/// Reads a placeholder after its opening braces: its path, and where it ends.
fn placeholder(source: &str, start: usize) -> Option<(Range<usize>, usize)> {
    let blank = |at: usize| {
        let rest = &source.as_bytes()[at..];
        at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    };
    let begin = blank(start);
    let mut end = begin;
    let mut segment_is_empty = true;
    for c in source[begin..].chars() {
        if c == '.' && !segment_is_empty {
            segment_is_empty = true;
        } else if c == '_' || c.is_alphabetic() || (c.is_ascii_digit() && end > begin) {
            segment_is_empty = false;
        } else {
            break;
        }
        end += c.len_utf8();
    }
    let close = blank(end);
    let closed = !segment_is_empty && source.as_bytes()[close..].starts_with(b"}}");
    closed.then_some((begin..end, close + 2))
}

/// What a path may have been meant to be: another variable, or another field of the same object.
/// A path of very many segments is not looked at: nobody typed it.
fn near_path(variables: &Map<String, Value>, path: &str) -> Option<String> {
    if path.len() > MAX_PATH {
        return None;
    }
    let Some((parent, last)) = path.rsplit_once('.') else {
        return near_match(path, variables.keys().map(String::as_str)).map(str::to_owned);
    };
    match look_up(variables, parent) {
        Some(Value::Object(fields)) => near_match(last, fields.keys().map(String::as_str))
            .map(|field| format!("{parent}.{field}")),
        Some(_) => None,
        None => near_path(variables, parent).map(|near| format!("{near}.{last}")),
    }
}

#[cfg(test)]
mod tests {
    use promptops_types::vars;
    use proptest::prelude::*;

    use super::*;

    fn render(source: &str, variables: &Map<String, Value>) -> Result<String, TemplateError> {
        let mut out = String::new();
        let template = SimpleTemplate::parse(source.into());
        template.render_into(variables, &mut out, 1024).map(|()| out)
    }

    #[test]
    fn a_failed_render_leaves_the_output_as_it_was() {
        let mut out = String::from("kept");
        let template = SimpleTemplate::parse("a {{ b }}".into());
        template.render_into(&Map::new(), &mut out, 1024).unwrap_err();
        assert_eq!(out, "kept");
    }

    #[test]
    fn a_render_ends_where_it_grows_too_large() {
        let variables = vars! { "a" => ("x".repeat(600)) };
        assert_eq!(render("{{a}}", variables.as_map()).unwrap().len(), 600);
        let error = render("{{a}}{{a}}", variables.as_map()).unwrap_err();
        assert!(matches!(error, TemplateError::Evaluation { .. }), "{error:?}");
    }

    #[test]
    fn suggestions_reach_into_objects() {
        let variables = vars! { "user" => {"role": "admin"} };
        let near = |path| near_path(variables.as_map(), path);
        assert_eq!(near("user.rolle").as_deref(), Some("user.role"));
        assert_eq!(near("usr.role").as_deref(), Some("user.role"));
        assert_eq!(near("user.role.deep"), None);
    }

    proptest! {
        #[test]
        fn any_text_parses_and_renders_without_panic(
            source in "(\\{\\{|\\}\\}|\\\\|[a-c._ ]|\\PC|\\r?\\n){0,40}",
        ) {
            let variables = vars! { "a" => "1", "b" => {"c": [1]} };
            let _ = render(&source, variables.as_map());
        }

        #[test]
        fn text_without_placeholders_comes_out_byte_for_byte(
            source in "([^{\\\\]|\\{[^{]|\\\\[^{]|\\{\\{ ?[0-9\"}!:#/>&-]){0,60}",
        ) {
            prop_assume!(!source.contains("\\{{"));
            prop_assert_eq!(render(&source, &Map::new()).unwrap(), source);
        }

        #[test]
        fn a_value_is_never_read(value in "(\\{\\{ ?[ab] ?\\}\\}|\\\\|\\PC){0,20}") {
            let variables = vars! { "a" => (value.clone()), "b" => "secret" };
            prop_assert_eq!(
                render("<{{a}}|{{ a }}>", variables.as_map()).unwrap(),
                format!("<{value}|{value}>")
            );
        }

        #[test]
        fn literals_and_placeholders_cover_the_source(
            source in "(\\{\\{|\\}\\}|[a-c._ ]|ß|\\n){0,40}",
        ) {
            let template = SimpleTemplate::parse(source.as_str().into());
            let mut rebuilt = String::new();
            for segment in &template.segments {
                match segment {
                    Segment::Literal(range) => rebuilt.push_str(&source[range.clone()]),
                    Segment::Placeholder { at, path } => {
                        let (_, end) = placeholder(&source, at + 2).unwrap();
                        prop_assert!(source[*at..end].contains(template.path(*path)));
                        rebuilt.push_str(&source[*at..end]);
                    }
                }
            }
            prop_assert_eq!(rebuilt, source);
        }
    }
}
