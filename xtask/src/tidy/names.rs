//! Files and modules are named for their subject.

use super::{File, Finding};

const VAGUE: [&str; 7] = ["utils", "util", "common", "helper", "helpers", "manager", "misc"];

const ADVICE: &str = "says nothing about what is inside; name it for its subject";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let vague_part = file.path.split('/').find(|part| {
            let stem = part.split('.').next().unwrap_or(part);
            VAGUE.contains(&stem.to_ascii_lowercase().as_str())
        });
        if let Some(part) = vague_part {
            findings.push(file.finding(1, format!("the name `{part}` {ADVICE}")));
        }
        if !file.has_extension("rs") {
            continue;
        }
        for (number, line) in file.lines() {
            if let Some(name) = module(line).filter(|name| VAGUE.contains(name)) {
                findings.push(file.finding(number, format!("the module name `{name}` {ADVICE}")));
            }
        }
    }
    findings
}

/// The name in `mod name;`, `pub(crate) mod name {` and their like.
fn module(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    };
    let rest = line.trim_start().strip_prefix("mod ")?;
    rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::{file, places};

    #[test]
    fn vague_files_folders_and_modules_are_found() {
        let found = check(&[
            file("crates/a/src/utils.rs", ""),
            file("tests/common/mod.rs", ""),
            file("docs/src/Misc.md", ""),
            file("src/lib.rs", "mod helper;\npub mod manager {\n}\n  pub(crate) mod common;\n"),
        ]);
        assert_eq!(
            places(&found),
            [
                "crates/a/src/utils.rs:1",
                "tests/common/mod.rs:1",
                "docs/src/Misc.md:1",
                "src/lib.rs:1",
                "src/lib.rs:2",
                "src/lib.rs:4"
            ]
        );
    }

    #[test]
    fn names_that_only_contain_a_vague_word_pass() {
        let found = check(&[
            file("src/common_table_expression.rs", "mod utilisation;\n// mod utils;\n"),
            file("src/public.rs", "let model = \"mod util;\";\n"),
        ]);
        assert_eq!(places(&found), Vec::<String>::new());
    }
}
