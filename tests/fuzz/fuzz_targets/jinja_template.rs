//! Templates in the format `jinja`: a value is never read as a template, nothing but what a template
//! names comes out of it, the analysis names every variable, and a render has an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use promptops_template::{MAX_RENDERED_BYTES, Template, TemplateError};
use promptops_types::{PromptVariables, TemplateFormat};
use serde_json::{Map, Value};

/// A variable that no template names, and what is in it. Every value of the others asks for it.
const HIDDEN: &str = "hidden_from_templates";
const SECRET: &str = "\u{10fffd}secret\u{10fffd}";
const VALUE: &str = "{{ hidden_from_templates }}{% if hidden_from_templates %}x{% endif %}";

fuzz_target!(|data: &[u8]| {
    let Ok(source) = str::from_utf8(data) else { return };
    if source.contains(HIDDEN) || source.contains('\u{10fffd}') {
        return;
    }
    let template = match Template::parse(source, &TemplateFormat::Jinja) {
        Ok(template) => template,
        Err(error) => {
            assert!(matches!(error, TemplateError::Syntax { .. }), "{error:?}");
            return assert_eq!(error.issues().len(), 1);
        }
    };
    assert_eq!(template.source(), source);
    let names: Vec<String> = template.variables().into_iter().map(str::to_owned).collect();
    for (found, name) in template.placeholders().zip(&names) {
        assert_eq!(found.name, name);
        let rest = at(source, found.position.line, found.position.column);
        assert!(rest.starts_with(name.as_str()), "`{name}` is not at {:?}", found.position);
    }

    let values = [Value::from(VALUE), Value::from(3), serde_json::json!([{"a": VALUE}, VALUE])];
    for value in values {
        let mut given: Map<String, Value> =
            names.iter().map(|name| (name.clone(), value.clone())).collect();
        let rendered = render(&template, &given);
        if let Err(error) = &rendered {
            assert!(matches!(error, TemplateError::Evaluation { .. }), "all is given: {error:?}");
        }
        given.insert(HIDDEN.to_owned(), SECRET.into());
        let with_more = render(&template, &given);
        assert_eq!(with_more, rendered, "what a template does not name changes nothing");
        let told = with_more.unwrap_or_else(|error| format!("{error:?}"));
        assert!(!told.contains('\u{10fffd}'), "{told}");
    }

    if let Err(TemplateError::Variables(issues)) = render(&template, &Map::new()) {
        assert!(!issues.is_empty());
        for issue in issues {
            assert!(names.contains(&issue.field), "`{}` is not in {names:?}", issue.field);
        }
    }
});

fn render(template: &Template, given: &Map<String, Value>) -> Result<String, TemplateError> {
    let mut out = "kept".to_owned();
    let rendered = template.render_into(&PromptVariables::from(given.clone()), &mut out);
    assert!(out.len() <= MAX_RENDERED_BYTES, "{} bytes", out.len());
    let text = out.strip_prefix("kept").expect("it is appended to");
    assert!(rendered.is_ok() || text.is_empty(), "an error leaves the text as it was");
    rendered.map(|()| text.to_owned())
}

/// What stands at a line and a column, as an editor finds it.
fn at(source: &str, line: u32, column: u32) -> &str {
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    let index = |number: u32| usize::try_from(number).expect("it fits") - 1;
    let before: usize = text.split_inclusive('\n').take(index(line)).map(str::len).sum();
    let (at, _) = text[before..].char_indices().nth(index(column)).expect("it is there");
    &text[before + at..]
}
