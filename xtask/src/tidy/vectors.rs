//! The rendering vectors, which every language's client must agree on, stay many and distinct.

use super::{File, Finding};
use serde_json::Value;
use std::collections::HashSet;

const FILES: [&str; 2] = ["tests/vectors/simple.json", "tests/vectors/none.json"];
const AT_LEAST: usize = 80;

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names = HashSet::new();
    let mut cases = 0;
    for path in FILES {
        let Some(file) = files.iter().find(|file| file.path == path) else {
            let message = "add it: an array of rendering cases, each with a `name`".to_owned();
            findings.push(Finding { path: path.to_owned(), line: 1, message });
            continue;
        };
        let found = match case_names(&file.text) {
            Ok(found) => found,
            Err(message) => {
                findings.push(file.finding(1, message));
                continue;
            }
        };
        cases += found.len();
        for name in found {
            if !names.insert(name.clone()) {
                let quoted = Value::from(name.as_str()).to_string();
                let line = file
                    .lines()
                    .filter(|(_, line)| line.contains(&quoted))
                    .last()
                    .map_or(1, |l| l.0);
                findings
                    .push(file.finding(line, format!("rename one of two cases named {quoted}")));
            }
        }
    }
    if findings.is_empty() && cases < AT_LEAST {
        findings.push(Finding {
            path: FILES[0].to_owned(),
            line: 1,
            message: format!(
                "add cases: {} hold {cases} together, and {AT_LEAST} is the least",
                FILES.join(" and ")
            ),
        });
    }
    findings
}

/// The names of the cases in an array, or in the array `cases` of an object.
fn case_names(text: &str) -> Result<Vec<String>, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("make it valid JSON: {error}"))?;
    let cases = value
        .as_array()
        .or_else(|| value["cases"].as_array())
        .ok_or("make it an array of cases, or an object with an array `cases`")?;
    cases
        .iter()
        .map(|case| case["name"].as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| "give every case a `name`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{AT_LEAST, check};
    use crate::tidy::File;
    use crate::tidy::tests::{file, places};
    use serde_json::{Value, json};

    fn cases(names: impl IntoIterator<Item = String>) -> Value {
        names.into_iter().map(|name| json!({ "name": name })).collect()
    }

    fn files(simple: &Value, none: &Value) -> [File; 2] {
        [
            file("tests/vectors/simple.json", &format!("{simple:#}\n")),
            file("tests/vectors/none.json", &format!("{none:#}\n")),
        ]
    }

    #[test]
    fn enough_cases_with_names_of_their_own_pass() {
        let simple = cases((1..AT_LEAST).map(|number| format!("simple {number}")));
        let none = json!({ "cases": cases(["none".to_owned()]) });
        assert_eq!(check(&files(&simple, &none)).len(), 0);
        let found = check(&files(&simple, &json!([])));
        assert!(found[0].message.contains("79 together"), "{}", found[0]);
    }

    #[test]
    fn two_cases_of_one_name_are_found_across_files() {
        let found = check(&files(&cases(["a".to_owned()]), &cases(["a".to_owned()])));
        assert_eq!(places(&found), ["tests/vectors/none.json:3"]);
    }

    #[test]
    fn missing_broken_and_nameless_files_are_found() {
        let found = check(&[file("tests/vectors/none.json", "[")]);
        assert_eq!(places(&found), ["tests/vectors/simple.json:1", "tests/vectors/none.json:1"]);
        let found = check(&files(&json!([{}]), &json!({})));
        assert_eq!(places(&found), ["tests/vectors/simple.json:1", "tests/vectors/none.json:1"]);
    }
}
