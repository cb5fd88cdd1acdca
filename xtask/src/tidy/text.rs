//! Text files end with a newline and hold no white space that nobody sees.

use super::{File, Finding};

/// Test vectors hold odd white space on purpose.
const VECTORS: &str = "tests/vectors/";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let lines = file.text.split_inclusive('\n').enumerate();
        for (number, line) in lines.map(|(index, line)| (index + 1, line)) {
            let Some(line) = line.strip_suffix('\n') else {
                findings.push(file.finding(number, "end the file with a newline"));
                continue;
            };
            findings.extend(message(file, line).map(|message| file.finding(number, message)));
        }
    }
    findings
}

fn message(file: &File, line: &str) -> Option<&'static str> {
    let is_vector = file.path.starts_with(VECTORS);
    if line.ends_with('\r') && !is_vector {
        return Some("end the line with LF, not CRLF");
    }
    let trailing = &line[line.trim_end().len()..];
    let is_markdown_break = file.has_extension("md") && trailing == "  ";
    if !trailing.is_empty() && !is_vector && !is_markdown_break {
        return Some("remove the white space at the end of the line");
    }
    (file.has_extension("rs") && line.contains('\t')).then_some("indent with spaces, not tabs")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::{file, places};

    #[test]
    fn each_kind_of_stray_white_space_is_found() {
        let found = check(&[
            file("a.rs", "fn a() {\n\tb();\n} \n"),
            file("b.toml", "x = 1\r\ny = 2"),
            file("c.md", "one space \ntwo spaces  \n"),
        ]);
        assert_eq!(places(&found), ["a.rs:2", "a.rs:3", "b.toml:1", "b.toml:2", "c.md:1"]);
    }

    #[test]
    fn vectors_keep_their_white_space_but_end_with_a_newline() {
        let found = check(&[
            file("tests/vectors/a.txt", "crlf\r\ntrailing \n"),
            file("tests/vectors/b.json", "{}"),
            file("empty.txt", ""),
        ]);
        assert_eq!(places(&found), ["tests/vectors/b.json:1"]);
    }
}
