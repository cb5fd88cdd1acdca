//! The chapter "Parity": it names all of the API's reference, and what it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A row of the tables.
#[derive(Debug)]
struct Row {
    reference: String,
    rust: String,
    python: String,
    test: String,
}

fn rows() -> Vec<Row> {
    let chapter = fs::read_to_string(root().join("docs/src/parity.md")).unwrap();
    let rows = chapter.lines().filter(|line| line.starts_with("| `"));
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let rows = rows.map(|line| match <[String; 4]>::try_from(cells(line)) {
        Ok([reference, rust, python, test]) => Row { reference, rust, python, test },
        Err(cells) => panic!("a row has four cells: {cells:?}"),
    });
    rows.collect()
}

/// All of the sources of our crates that a user can name.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether the sources define what a path such as `GetPrompt::version` ends in.
fn is_defined(sources: &str, path: &str) -> bool {
    let name = path.rsplit("::").next().unwrap();
    let forms = [
        format!("fn {name}("),
        format!("fn {name}<"),
        format!("pub struct {name} "),
        format!("pub enum {name} "),
        format!("pub {name}: "),
        format!(" {name} = \""),
        format!(" {name} {{"),
        format!(" {name},"),
        format!(" {name}: "),
    ];
    forms.iter().any(|form| sources.contains(form.as_str()))
}

#[test]
fn every_row_names_what_there_is() {
    let rows = rows();
    assert!(rows.len() > 150, "{} rows", rows.len());
    let mut code = String::new();
    for name in ["promptops-types", "promptops-client", "promptops-cache"] {
        sources(&root().join("crates").join(name).join("src"), &mut code);
    }
    let mut seen = BTreeSet::new();
    for row in &rows {
        let Row { reference, rust, python, test } = row;
        assert!(![reference, rust, python, test].iter().any(|cell| cell.is_empty()), "{row:?}");
        assert!(seen.insert(reference), "`{reference}` has two rows");
        for path in rust.split(", ") {
            assert!(is_defined(&code, path), "`{reference}`: there is no `{path}`");
        }
        let (module, name) = test.split_once("::").unwrap();
        let file = root().join("tests/it").join(module).with_extension("rs");
        let tests = fs::read_to_string(&file).unwrap_or_default();
        let is_there = [format!("\nasync fn {name}()"), format!("\nfn {name}()")];
        let is_there = is_there.iter().any(|form| tests.contains(form.as_str()));
        assert!(is_there, "`{reference}`: there is no test `{test}`");
    }
}

/// What the reference itself names, where it is at hand.
fn named(reference: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let (mut in_code, mut class, mut listed) = (false, None::<String>, None::<String>);
    let mut signature = None::<String>;
    for line in reference.lines() {
        if line.starts_with("```") {
            (in_code, class, signature) = (!in_code, None, None);
            continue;
        }
        if !in_code {
            names.extend(
                line.strip_prefix("### ").filter(|title| is_name(title)).map(str::to_owned),
            );
            if let Some(of) =
                line.strip_prefix("**Returns:** `").filter(|_| line.ends_with("with:"))
            {
                listed = of.split('`').next().map(str::to_owned);
            } else if let (Some(of), Some(field)) = (&listed, line.strip_prefix("- `")) {
                let field = field.split('`').next().unwrap();
                names.extend([of.clone(), format!("{of}.{field}")]);
            } else if !line.is_empty() {
                listed = None;
            }
            continue;
        }
        let code = line.split('#').next().unwrap().trim_end();
        if let Some(open) = &mut signature {
            open.push_str(code);
        } else if let Some(declared) = code.strip_prefix("class ") {
            let name: String = declared.chars().take_while(|c| c.is_alphanumeric()).collect();
            names.insert(name.clone());
            class = Some(name);
        } else if code.trim_start().trim_start_matches("async ").starts_with("def ") {
            signature = Some(code.to_owned());
        } else if let (Some(class), Some(member)) = (&class, code.strip_prefix("    ")) {
            let field = member.split([':', ' ', '=']).next().unwrap();
            if is_name(field) && member.contains([':', '=']) {
                names.insert(format!("{class}.{field}"));
            }
        } else if code.starts_with("async with ") {
            names.insert("async with".to_owned());
        }
        if signature.as_ref().is_some_and(|open| open.contains(')')) {
            names.extend(parameters(&signature.take().unwrap(), class.as_deref()));
        }
    }
    // What the examples call beside what has a heading.
    for called in ["initialize", "shutdown"] {
        assert!(reference.contains(&format!("client.{called}()")), "{called}");
        names.insert(called.to_owned());
    }
    for made in ["ClientConfig", "CacheConfig", "TelemetryConfig"] {
        assert!(reference.contains(made), "{made}");
        names.insert(made.to_owned());
        for call in reference.split(&format!("{made}(")).skip(1) {
            let arguments = call.split(')').next().unwrap().split(['\n', ',']);
            let keywords = arguments.filter_map(|argument| argument.split_once('='));
            let keywords = keywords.map(|(keyword, _)| keyword.trim());
            names.extend(
                keywords.filter(|k| is_name(k)).map(|keyword| format!("{made}({keyword})")),
            );
        }
    }
    names
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `f` and each `f(x)` of a signature; a constructor is its class.
fn parameters(signature: &str, class: Option<&str>) -> Vec<String> {
    let (head, rest) = signature.split_once('(').unwrap();
    let name = head.rsplit(' ').next().unwrap();
    let name = if name == "__init__" { class.unwrap() } else { name };
    let mut depth = 0;
    let until = rest.find(|c| {
        depth += i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'));
        depth < 0
    });
    let mut names = vec![name.to_owned()];
    let mut depth = 0;
    let split = |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    };
    for parameter in rest[..until.unwrap()].split(split) {
        let parameter = parameter.split([':', '=']).next().unwrap().trim();
        if is_name(parameter) && parameter != "self" {
            names.push(format!("{name}({parameter})"));
        }
    }
    names
}

#[test]
fn all_of_the_reference_has_a_row() {
    let Ok(reference) = fs::read_to_string(root().join("../shared/spec/python-client-api.md"))
    else {
        // Who has only the project has the table, which the other test reads.
        return;
    };
    let rows: BTreeSet<String> = rows().into_iter().map(|row| row.reference).collect();
    let named = named(&reference);
    assert!(named.len() > 150, "only {} names were read", named.len());
    let missing: Vec<_> = named.difference(&rows).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}

#[test]
fn a_reference_is_read_whole() {
    let reference = "### get_it\n```python\nasync def get_it(\n    self,\n    a: Dict[str, int],\n    \
                     b: str = \"x\"  # (why)\n) -> X\n```\n**Returns:** `X` object with:\n- `c`: d\n\
                     ```python\nclass E(Enum):\n    ONE = \"1\"\n\nclass D:\n    \"\"\"Text: it\"\"\"\n    \
                     f: int\n    def __init__(self, g: int)\nasync with C() as c:\n```\n\
                     client.initialize() client.shutdown() ClientConfig TelemetryConfig(x=1) CacheConfig";
    let names: Vec<String> = named(reference).into_iter().collect();
    let expected = [
        "CacheConfig",
        "ClientConfig",
        "D",
        "D(g)",
        "D.f",
        "E",
        "E.ONE",
        "TelemetryConfig",
        "TelemetryConfig(x)",
        "X",
        "X.c",
        "async with",
        "get_it",
        "get_it(a)",
        "get_it(b)",
        "initialize",
        "shutdown",
    ];
    assert_eq!(names, expected);
}
