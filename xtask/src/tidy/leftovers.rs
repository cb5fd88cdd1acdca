//! Nothing is left for later: no placeholder, no debug print, no ignored test.

use super::{File, Finding};

/// What must not be in the code, and what to do instead.
const LEFTOVERS: [(&str, &str); 6] = [
    ("todo!(", "write it, or return an error that says what is missing"),
    ("unimplemented!(", "write it, or return an error that says what is missing"),
    ("dbg!(", "remove it"),
    ("#[ignore", "make the test pass everywhere, or delete it"),
    ("FIXME", "fix it, or open an issue and remove the mark"),
    ("TODO", "do it, or open an issue and remove the mark"),
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| is_code(file)) {
        for (number, line) in file.lines() {
            for (leftover, advice) in LEFTOVERS {
                if holds_word(line, leftover) {
                    findings.push(file.finding(number, format!("`{leftover}`: {advice}")));
                }
            }
        }
    }
    findings
}

/// This file is the one that has to name what it looks for.
fn is_code(file: &File) -> bool {
    (file.has_extension("rs") || file.has_extension("py"))
        && file.path != "xtask/src/tidy/leftovers.rs"
}

/// Whether `line` holds `word` and neither is part of a longer word (`TODOS`, `my_dbg!(`).
fn holds_word(line: &str, word: &str) -> bool {
    let joins = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !(before.is_some_and(joins) || word.ends_with(joins) && after.is_some_and(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::{file, places};

    #[test]
    fn leftovers_in_rust_and_python_are_found() {
        let rust = "todo!()\nunimplemented!(\"x\")\nlet x = dbg!(y);\n#[ignore = \"slow\"]\n";
        let found = check(&[file("src/a.rs", rust), file("a.py", "pass  # FIXME\n# TODO: x\n")]);
        assert_eq!(
            places(&found),
            ["src/a.rs:1", "src/a.rs:2", "src/a.rs:3", "src/a.rs:4", "a.py:1", "a.py:2"]
        );
    }

    #[test]
    fn longer_words_and_other_files_pass() {
        let found = check(&[
            file("src/a.rs", "my_dbg!(x); let TODOS = 1; // not todo, todos\n"),
            file("README.md", "TODO\n"),
        ]);
        assert_eq!(places(&found), Vec::<String>::new());
    }
}
