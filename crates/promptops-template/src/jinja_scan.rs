//! Where a jinja template names its variables. The engine tells which names are variables, but
//! not where they are; this finds the identifiers outside strings, comments and raw blocks.

use memchr::memmem;

/// An identifier inside `{{ }}` or `{% %}` that is no attribute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identifier<'s> {
    pub(crate) name: &'s str,
    pub(crate) offset: usize,
    /// Whether the template asks if it is defined, or gives a default: then it may be left out.
    pub(crate) guarded: bool,
}

/// Every such identifier, in order.
pub(crate) fn identifiers(source: &str) -> Vec<Identifier<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = memchr::memchr(b'{', &source.as_bytes()[at..]).map(|found| at + found) {
        match source.as_bytes().get(open + 1) {
            Some(b'#') => at = after(source, open + 2, "#}"),
            Some(b'{') => at = scan_tag(source, open + 2, "}}", &mut found),
            Some(b'%') => {
                let tag = source[open + 2..].trim_start_matches(['-', '+']).trim_start();
                if tag.split(|c: char| !c.is_alphanumeric()).next() == Some("raw") {
                    at = after(source, open + 2, "endraw");
                } else {
                    at = scan_tag(source, open + 2, "%}", &mut found);
                }
            }
            _ => at = open + 1,
        }
    }
    found
}

fn after(source: &str, from: usize, end: &str) -> usize {
    memmem::find(&source.as_bytes()[from..], end.as_bytes())
        .map_or(source.len(), |found| from + found + end.len())
}

/// Collects the identifiers up to `close`; gives where the tag ends.
fn scan_tag<'s>(
    source: &'s str,
    from: usize,
    close: &str,
    found: &mut Vec<Identifier<'s>>,
) -> usize {
    let mut tokens = Tokens { source, at: from };
    let mut previous = "";
    loop {
        if source[tokens.at..].trim_start().starts_with(close) {
            return after(source, tokens.at, close);
        }
        let Some((offset, token)) = tokens.next() else { return source.len() };
        if begins_name(token) && previous != "." {
            let guarded = is_guard(Tokens { source, at: tokens.at });
            found.push(Identifier { name: token, offset, guarded });
        }
        previous = token;
    }
}

/// Whether what follows an identifier is `is [not] defined`, `is undefined` or `| default`.
fn is_guard(mut following: Tokens<'_>) -> bool {
    let mut next = || following.next().map(|(_, token)| token);
    match next() {
        Some("|") => matches!(next(), Some("default" | "d")),
        Some("is") => match next() {
            Some("not") => next() == Some("defined"),
            test => matches!(test, Some("defined" | "undefined")),
        },
        _ => false,
    }
}

fn begins_name(token: &str) -> bool {
    token.starts_with(|c: char| c == '_' || c.is_alphabetic())
}

/// Names, string literals and single characters, blanks skipped.
struct Tokens<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Iterator for Tokens<'s> {
    type Item = (usize, &'s str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.source[self.at..];
        let text = rest.trim_start();
        let offset = self.at + rest.len() - text.len();
        let first = text.chars().next()?;
        let length = match first {
            '"' | '\'' => string_length(text, first),
            _ if begins_name(text) => {
                text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len())
            }
            _ => first.len_utf8(),
        };
        self.at = offset + length;
        Some((offset, &text[..length]))
    }
}

fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(source: &str) -> Vec<&str> {
        identifiers(source).iter().map(|identifier| identifier.name).collect()
    }

    #[test]
    fn finds_names_outside_strings_comments_raw_blocks_and_attributes() {
        assert_eq!(names("a {{ b.c }} {# d #} {{ 'e %}' ~ f['g'] }}"), ["b", "f"]);
        assert_eq!(names("{% raw %}{{ a }}{% endraw %}{{ b }}"), ["b"]);
        assert_eq!(names("{%- for x in xs -%}{{ x }}{% endfor %}").first(), Some(&"for"));
        assert_eq!(names("{{ a"), ["a"]);
    }

    #[test]
    fn tells_which_names_are_guarded() {
        let guarded = |source| identifiers(source).iter().any(|i| i.name == "a" && i.guarded);
        for source in [
            "{% if a is defined %}",
            "{{ a|default('x') }}",
            "{{ a | d }}",
            "{{ a is not defined }}",
        ] {
            assert!(guarded(source), "{source}");
        }
        for source in ["{{ a }}", "{{ a is string }}", "{{ a.b is defined }}", "{{ b|default(a) }}"]
        {
            assert!(!guarded(source), "{source}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_scanned(source in "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#|['\"\\\\a.| -]|ß){0,40}") {
            for identifier in identifiers(&source) {
                prop_assert!(source[identifier.offset..].starts_with(identifier.name));
            }
        }
    }
}
