//! Templates in the format `simple`: what is no placeholder comes out as it is, values come out as they
//! are, and the analysis says where each placeholder stands.
#![no_main]

use libfuzzer_sys::fuzz_target;
use promptops_template::{MAX_RENDERED_BYTES, PromptTemplate, Template, TemplateError};
use promptops_types::{PromptResponse, PromptVariables, TemplateFormat};
use serde_json::{Map, Value};

/// Values that would mean something, if anybody read them.
const VALUES: [&str; 4] = ["", "{{ a }}{{b}}\\{{ c }}", "\\", "{% raw %}\u{0}\r\n}}"];

/// Most variables that one error names.
const MOST_ISSUES: usize = 500;

fuzz_target!(|data: &[u8]| {
    let Ok(source) = str::from_utf8(data) else { return };
    let template = Template::parse(source, &TemplateFormat::Simple).expect("none is malformed");
    assert_eq!(template.source(), source);

    let places: Vec<(usize, &str)> = template
        .placeholders()
        .map(|found| (offset(source, found.position.line, found.position.column), found.name))
        .collect();
    assert!(places.is_sorted_by(|(one, _), (next, _)| one < next), "{places:?}");
    let roots = distinct(template.placeholders().map(|found| found.variable()));
    assert_eq!(template.variables(), roots);
    let literals = literals(source, &places);

    let names = distinct(places.iter().map(|(_, name)| *name));
    match template.render(&PromptVariables::default()) {
        Ok(text) => assert_eq!((text, names.len()), (literals.concat(), 0)),
        Err(TemplateError::Variables(issues)) => {
            let missing: Vec<&str> = issues.iter().map(|issue| issue.field.as_str()).collect();
            assert_eq!(missing, names[..names.len().min(MOST_ISSUES)]);
        }
        Err(error) => panic!("{error}"),
    }
    if let Some(given) = given(&names) {
        for value in VALUES {
            let rendered = template.render(&given(value)).expect("everything is given");
            assert_eq!(rendered, literals.join(value));
        }
        if source.len() == 16 && places.len() > 1 {
            let large = given(&"x".repeat(MAX_RENDERED_BYTES / 2 + 1));
            let mut out = "kept".to_owned();
            template.render_into(&large, &mut out).expect_err("larger than any render");
            assert_eq!(out, "kept");
        }
    }

    let mut prompt = PromptResponse::default();
    source.clone_into(&mut prompt.content);
    let prompt = PromptTemplate::parse(&prompt).expect("none is malformed");
    let undeclared = prompt.undeclared(&[]);
    let undeclared: Vec<&str> = undeclared.iter().map(|issue| issue.field.as_str()).collect();
    assert_eq!(undeclared, roots[..roots.len().min(MOST_ISSUES)]);
});

/// The byte at a line and a column, as an editor finds it.
fn offset(source: &str, line: u32, column: u32) -> usize {
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    let index = |number: u32| usize::try_from(number).expect("it fits") - 1;
    let before: usize = text.split_inclusive('\n').take(index(line)).map(str::len).sum();
    let (at, _) = text[before..].char_indices().nth(index(column)).expect("it is there");
    source.len() - text.len() + before + at
}

/// What stands before, between and after the placeholders, as it is to come out.
fn literals(source: &str, places: &[(usize, &str)]) -> Vec<String> {
    let mut literals = Vec::new();
    let mut from = 0;
    for (at, name) in places {
        let blanks = [' ', '\t'];
        let inside = source[*at..].strip_prefix("{{").expect("a placeholder begins there");
        let after = inside.trim_start_matches(blanks).strip_prefix(name).expect("its name");
        let after = after.trim_start_matches(blanks).strip_prefix("}}").expect("its end");
        literals.push(source[from..*at].replace("\\{{", "{{"));
        from = source.len() - after.len();
    }
    literals.push(source[from..].replace("\\{{", "{{"));
    literals
}

/// Gives every path the same value; `None` where one path leads through another.
fn given<'n>(paths: &'n [&'n str]) -> Option<impl Fn(&str) -> PromptVariables + 'n> {
    let is_through = |path: &str, other: &str| {
        other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    };
    if paths.len() > 100 || paths.iter().any(|a| paths.iter().any(|b| is_through(a, b))) {
        return None;
    }
    Some(move |value: &str| {
        let mut variables = Map::new();
        for path in paths {
            let (parents, last) = path.rsplit_once('.').map_or(("", *path), |parts| parts);
            let mut fields = &mut variables;
            for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
                let inner = fields.entry(parent).or_insert_with(|| Map::new().into());
                fields = inner.as_object_mut().expect("no path leads through another");
            }
            fields.insert(last.to_owned(), Value::from(value));
        }
        PromptVariables::from(variables)
    })
}

fn distinct<'n>(names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}
