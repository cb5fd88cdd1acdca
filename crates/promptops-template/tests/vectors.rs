//! The conformance vectors: what every renderer of PromptOps prompts gives, byte for byte.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use promptops_template::{PromptTemplate, RenderOptions, Template, TemplateError};
use promptops_types::{
    BodyChoice, Message, ModelProvider, PromptResponse, PromptVariables, TemplateFormat,
    ValidationIssue,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors<T> {
    cases: Vec<T>,
}

#[derive(Deserialize)]
struct TemplateCase {
    name: String,
    template: String,
    #[serde(default)]
    variables: PromptVariables,
    expect: Expect,
    placeholders: Option<Vec<Place>>,
    used: Option<Vec<String>>,
    unused: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct PromptCase {
    name: String,
    prompt: PromptResponse,
    model: Option<Model>,
    #[serde(default)]
    variables: PromptVariables,
    expect: Expect,
}

#[derive(Deserialize)]
struct Model {
    provider: ModelProvider,
    name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Expect {
    output: Option<String>,
    error: Option<String>,
    line: Option<u32>,
    missing: Vec<Place>,
    rendered_content: String,
    messages: Vec<Message>,
    variables_used: Vec<String>,
    body: BodyChoice,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Place {
    name: String,
    line: u32,
    column: u32,
    location: Option<String>,
}

fn places(issues: &[ValidationIssue], with_location: bool) -> Vec<Place> {
    let place = |issue: &ValidationIssue| Place {
        name: issue.field.clone(),
        line: issue.line.unwrap(),
        column: issue.column.unwrap(),
        location: issue.location.clone().filter(|_| with_location),
    };
    issues.iter().map(place).collect()
}

fn check_error(name: &str, expect: &Expect, error: &TemplateError, with_location: bool) {
    match (expect.error.as_deref(), error) {
        (Some("missing_variable"), TemplateError::Variables(issues)) => {
            assert_eq!(places(issues, with_location), expect.missing, "{name}");
        }
        (Some("syntax"), TemplateError::Syntax { line, .. }) => {
            assert_eq!(Some(*line), expect.line, "{name}");
        }
        (expected, error) => panic!("{name}: expected {expected:?}, got {error:?}"),
    }
}

fn check_templates(json: &str, format: &TemplateFormat) -> usize {
    let vectors: Vectors<TemplateCase> = serde_json::from_str(json).unwrap();
    for case in &vectors.cases {
        let name = &case.name;
        let template = match Template::parse(case.template.as_str(), format) {
            Ok(template) => template,
            Err(error) => {
                check_error(name, &case.expect, &error, false);
                continue;
            }
        };
        if let Some(expected) = &case.placeholders {
            let found: Vec<Place> = template
                .placeholders()
                .map(|p| Place {
                    name: p.name.to_owned(),
                    line: p.position.line,
                    column: p.position.column,
                    location: None,
                })
                .collect();
            assert_eq!(found, *expected, "{name}");
        }
        match template.render(&case.variables) {
            Ok(text) => assert_eq!(Some(text), case.expect.output, "{name}"),
            Err(error) => check_error(name, &case.expect, &error, false),
        }

        let mut prompt = PromptResponse::default();
        prompt.content.clone_from(&case.template);
        prompt.template_format = format.clone();
        let whole = PromptTemplate::parse(&prompt).unwrap();
        if let Ok(rendered) = whole.render(&case.variables, &RenderOptions::default()) {
            assert_eq!(Some(&rendered.content), case.expect.output.as_ref(), "{name}");
            if let Some(used) = &case.used {
                assert_eq!(rendered.variables_used, *used, "{name}");
            }
            if let Some(unused) = &case.unused {
                assert_eq!(rendered.unused_variables, *unused, "{name}");
            }
        }
    }
    vectors.cases.len()
}

#[test]
fn simple_and_none() {
    let simple = check_templates(
        include_str!("../../../tests/vectors/simple.json"),
        &TemplateFormat::Simple,
    );
    let none =
        check_templates(include_str!("../../../tests/vectors/none.json"), &TemplateFormat::None);
    assert!(simple + none >= 80, "{simple} + {none} cases");
}

#[cfg(feature = "jinja")]
#[test]
fn jinja() {
    check_templates(include_str!("../../../tests/vectors/jinja.json"), &TemplateFormat::Jinja);
}

#[test]
fn prompts() {
    let json = include_str!("../../../tests/vectors/prompts.json");
    let vectors: Vectors<PromptCase> = serde_json::from_str(json).unwrap();
    for case in vectors.cases {
        let name = &case.name;
        let template = PromptTemplate::parse(&case.prompt).unwrap();
        let options = RenderOptions {
            provider: case.model.as_ref().map(|model| &model.provider),
            model: case.model.as_ref().and_then(|model| model.name.as_deref()),
            strict: false,
        };
        match template.render(&case.variables, &options) {
            Ok(rendered) => {
                assert_eq!(case.expect.error, None, "{name}");
                assert_eq!(rendered.content, case.expect.rendered_content, "{name}");
                assert_eq!(rendered.messages, case.expect.messages, "{name}");
                assert_eq!(rendered.variables_used, case.expect.variables_used, "{name}");
                assert_eq!(rendered.body, case.expect.body, "{name}");
            }
            Err(error) => check_error(name, &case.expect, &error, true),
        }
    }
}

#[test]
fn strict_names_missing_and_unused_variables_in_one_error() {
    let mut prompt = PromptResponse::default();
    prompt.content = "{{ customer_name }} {{ tone }}".to_owned();
    let variables = promptops_types::vars! { "custmer_name" => "Ann", "tone" => "kind" };
    let options = RenderOptions { strict: true, ..RenderOptions::default() };
    let error = PromptTemplate::parse(&prompt).unwrap().render(&variables, &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 variable is missing, and 1 variable is not used by the prompt"
    );
    assert_eq!(
        promptops_types::Error::from(error).to_string(),
        "1 variable is missing, and 1 variable is not used by the prompt [VALIDATION_ERROR]\n  \
         - `customer_name` (content, line 1, column 1): is not given; did you mean `custmer_name`?\n  \
         - `custmer_name`: is not used by the prompt; did you mean `customer_name`?"
    );
}
