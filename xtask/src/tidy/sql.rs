//! SQL is constant text with parameters: a statement put together by formatting is how an
//! injection starts.

use super::{File, Finding};

const BUILDERS: [&str; 5] = ["format!(", "format_args!(", "write!(", "writeln!(", "push_str("];
const KEYWORDS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "PRAGMA"];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        if !file.path.starts_with("crates/promptops-registry/src/") || !file.has_extension("rs") {
            continue;
        }
        for builder in BUILDERS {
            for (start, _) in file.text.match_indices(builder) {
                if is_longer_name_or_comment(&file.text[..start]) {
                    continue;
                }
                let call = arguments(&file.text[start + builder.len()..]);
                if let Some(keyword) = keyword(call) {
                    let line = file.text[..start].matches('\n').count() + 1;
                    findings.push(file.finding(
                        line,
                        format!(
                            "`{builder}` builds SQL ({keyword}): write the whole statement as a \
                             constant and bind the values as parameters; if it is a message and \
                             not SQL, write the word in small letters"
                        ),
                    ));
                }
            }
        }
    }
    findings.sort_by(|left, right| (&left.path, left.line).cmp(&(&right.path, right.line)));
    findings
}

/// `println!(` is no `ln!(`, and a comment builds nothing.
fn is_longer_name_or_comment(before: &str) -> bool {
    before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
        || before.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with("//"))
}

/// What stands between a call's parentheses; parentheses in string literals do not count, and a
/// quote as a character begins none.
fn arguments(text: &str) -> &str {
    let mut depth = 1;
    let mut in_string = false;
    let mut escaped = false;
    for (position, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if !in_string && text[..position].ends_with('\'') => {}
            '"' => in_string = !in_string,
            '(' if !in_string => depth += 1,
            ')' if !in_string => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..position];
        }
    }
    text
}

/// The first SQL keyword in capitals that is followed by white space.
fn keyword(text: &str) -> Option<&'static str> {
    KEYWORDS.into_iter().find(|keyword| {
        text.match_indices(keyword).any(|(start, _)| {
            let before = text[..start].chars().next_back();
            let after = text[start + keyword.len()..].chars().next();
            !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
                && after.is_some_and(char::is_whitespace)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::{file, places};

    fn lines(text: &str) -> Vec<String> {
        places(&check(&[file("crates/promptops-registry/src/store.rs", text)]))
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn a_quote_as_a_character_begins_no_string() {
        assert_eq!(lines("format!(\"{}\", a.replace('\"', b));\nlet sql = \"SELECT 1\";"), NONE);
    }

    #[test]
    fn formatted_sql_is_found_on_one_line_and_on_many() {
        let text = "let a = format!(\"SELECT * FROM {table}\");\n\
                    sql.push_str(\"DELETE FROM x\");\n\
                    write!(sql, \"PRAGMA {name}\")?;\n\
                    let b = format!(\n    \"(a) \\\"(\n     UPDATE x SET y = {y}\",\n);\n";
        let place = |line| format!("crates/promptops-registry/src/store.rs:{line}");
        assert_eq!(lines(text), [place(1), place(2), place(3), place(4)]);
    }

    #[test]
    fn constant_sql_after_a_formatted_message_passes() {
        let text = "let m = format!(\"({name}) selected\");\nconst S: &str = \"SELECT 1\";\n\
                    db.execute(\"INSERT INTO x VALUES (?1)\", [1])?;\n";
        assert_eq!(lines(text), NONE);
    }

    #[test]
    fn comments_longer_names_and_small_letters_pass() {
        let text = "// format!(\"SELECT {x}\")\nreformat!(\"SELECT {x}\");\n\
                    format!(\"cannot select {x}\");\nformat!(\"RESELECT it, UPDATED {x}\");\n";
        assert_eq!(lines(text), NONE);
    }

    #[test]
    fn other_crates_are_not_looked_at() {
        let other = file("crates/promptops-server/src/a.rs", "format!(\"SELECT {x}\")");
        assert_eq!(places(&check(&[other])), NONE);
    }
}
