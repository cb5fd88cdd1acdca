//! `cargo xtask tidy`: what neither rustfmt nor clippy looks at.
//!
//! Each check is a function from files to findings; what a finding says is what to do.

mod book;
mod leftovers;
mod manifests;
mod names;
mod size;
mod sql;
mod text;
mod vectors;

use crate::Outcome;
use crate::command::program;
use std::fmt;
use std::path::Path;

/// A text file of the project, with its path from the root.
struct File {
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// The lines, numbered from one.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }
}

/// Something to put right, and where.
#[derive(Debug)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

type Check = fn(&[File]) -> Vec<Finding>;

const CHECKS: [Check; 7] = [
    names::check,
    leftovers::check,
    sql::check,
    manifests::check,
    text::check,
    vectors::check,
    book::check,
];

pub(crate) fn run() -> Outcome {
    let files = files()?;
    for note in size::notes(&files) {
        println!("note: {note}");
    }
    let findings: Vec<String> =
        CHECKS.iter().flat_map(|check| check(&files)).map(|finding| finding.to_string()).collect();
    if findings.is_empty() {
        println!("tidy: {} files in order", files.len());
        Ok(())
    } else {
        Err(format!("tidy:\n  {}", findings.join("\n  ")))
    }
}

/// Every text file that is in git or could be added to it. Files that are not UTF-8 are not text.
fn files() -> Result<Vec<File>, String> {
    let listed = program("git", ["ls-files", "-z", "-co", "--exclude-standard"]).output()?;
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| Path::new(path).is_file()) {
        let bytes = std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        if let Ok(text) = String::from_utf8(bytes)
            && !text.contains('\0')
        {
            files.push(File { path: path.to_owned(), text });
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{File, Finding};

    /// A file for the tests of the checks.
    pub(super) fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    /// Where the findings are, as `path:line`.
    pub(super) fn places(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
    }

    #[test]
    fn a_finding_is_printed_where_editors_look_for_it() {
        let finding = file("src/lib.rs", "").finding(3, "shorten it");
        assert_eq!(finding.to_string(), "src/lib.rs:3: shorten it");
    }
}
