//! Text search by trigrams: three letters are a word of a `tsvector`. So a part of a word is found by an
//! index, in any script, with no extension; what is found is then looked at itself.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Between the texts that are searched, so that nothing is found across two of them.
const SEPARATOR: char = '\u{1}';

/// Trigrams that are asked of the index: the rest of a long text is compared.
const MOST_ASKED: usize = 40;

/// Trigrams that a similar text is looked up by, spread over it.
const MOST_SIMILAR: usize = 10;

/// Texts as they are searched: without regard to case.
pub(super) fn folded(texts: [&str; 3]) -> String {
    texts.map(wanted).join("\u{1}")
}

/// A text that is searched for. A NUL, which the database does not take, is in no name.
pub(super) fn wanted(text: &str) -> String {
    text.to_lowercase().replace([SEPARATOR, '\0'], " ")
}

/// The trigrams of texts, as a `tsvector` is written.
pub(super) fn vector(folded: &str) -> String {
    let trigrams: BTreeSet<String> = folded.split(SEPARATOR).flat_map(trigrams).collect();
    joined(trigrams, " ")
}

/// A query for all trigrams of a text, where it has any.
pub(super) fn all_of(wanted: &str) -> Option<String> {
    let trigrams: BTreeSet<String> = trigrams(wanted).take(MOST_ASKED).collect();
    (!trigrams.is_empty()).then(|| joined(trigrams, " & "))
}

/// A query for any of some trigrams of a text.
pub(super) fn any_of(wanted: &str) -> Option<String> {
    let letters = wanted.chars().count();
    let step = letters.div_ceil(MOST_SIMILAR).max(1);
    let trigrams: BTreeSet<String> = trigrams(wanted).step_by(step).collect();
    (!trigrams.is_empty()).then(|| joined(trigrams, " | "))
}

fn trigrams(text: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = text.chars().collect();
    let count = letters.len().saturating_sub(2);
    (0..count).map(move |at| letters[at..at + 3].iter().collect())
}

/// Words in quotes, in which a quote and a backslash are doubled.
fn joined(words: BTreeSet<String>, by: &str) -> String {
    words.into_iter().fold(String::new(), |mut text, word| {
        if !text.is_empty() {
            text.push_str(by);
        }
        // Writing to a string never fails.
        let _ = write!(text, "'{}'", word.replace('\\', "\\\\").replace('\'', "''"));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_words() {
        assert_eq!(vector(&folded(["A'b\\", "", "x"])), "'''b\\\\' 'a''b'");
        assert_eq!(all_of("ab"), None);
        assert_eq!(all_of("abcd").as_deref(), Some("'abc' & 'bcd'"));
        assert_eq!(any_of("abcd").as_deref(), Some("'abc' | 'bcd'"));
        assert_eq!(folded(["a\0", "B", "c"]), "a \u{1}b\u{1}c");
    }
}
