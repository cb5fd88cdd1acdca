//! The `jinja` format, rendered by minijinja under limits.

use std::sync::{Arc, LazyLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::error::{CONTENT, TemplateError};
use crate::jinja_scan::identifiers;
use crate::near_match::near_match;
use crate::value::write_value;
use crate::{Placeholder, Position};

/// What one render may cost. The engine takes one unit for an instruction and one for each 64
/// bytes of text it makes (its `Environment::set_fuel`), so this is at most 200 000 instructions
/// or 12.2 MiB: within the promised 50 ms and 16 MiB.
const FUEL: u64 = 200_000;

/// Deepest nesting of macros and loops.
const RECURSION: usize = 100;

/// What every template shares: strict undefined, no escaping, no other templates to include.
static BASE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    environment.set_formatter(|out, _, value| {
        let text = match value.kind() {
            ValueKind::Undefined | ValueKind::None => return Ok(()),
            ValueKind::String if let Some(text) = value.as_str() => return Ok(out.write_str(text)?),
            _ => serde_json::to_value(value).map(|value| {
                let mut text = String::new();
                write_value(&value, &mut text);
                text
            }),
        };
        let text = text.map_err(|error| {
            minijinja::Error::new(ErrorKind::BadSerialization, "the value is not data")
                .with_source(error)
        })?;
        Ok(out.write_str(&text)?)
    });
    environment
});

#[derive(Debug, Clone)]
pub(crate) struct JinjaTemplate(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    source: Box<str>,
    environment: Environment<'static>,
    variables: Vec<Variable>,
}

/// A variable the template names, at its first place.
#[derive(Debug)]
struct Variable {
    name: String,
    offset: usize,
    optional: bool,
}

impl JinjaTemplate {
    pub(crate) fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut environment = BASE.clone();
        environment.add_template_owned(CONTENT, source.to_owned()).map_err(syntax)?;
        let undeclared =
            environment.get_template(CONTENT).map_err(syntax)?.undeclared_variables(false);
        let mut variables: Vec<Variable> = Vec::new();
        for identifier in identifiers(source) {
            let known = variables.iter_mut().find(|variable| variable.name == identifier.name);
            if let Some(variable) = known {
                variable.optional |= identifier.guarded;
            } else if undeclared.contains(identifier.name)
                && !environment.globals().any(|(global, _)| global == identifier.name)
            {
                variables.push(Variable {
                    name: identifier.name.to_owned(),
                    offset: identifier.offset,
                    optional: identifier.guarded,
                });
            }
        }
        Ok(Self(Arc::new(Compiled { source: source.into(), environment, variables })))
    }

    pub(crate) fn source(&self) -> &str {
        &self.0.source
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = Placeholder<'_>> {
        self.0.variables.iter().map(|variable| {
            Placeholder::new(&variable.name, Position::of(&self.0.source, variable.offset))
        })
    }

    pub(crate) fn variables(&self) -> Vec<&str> {
        self.0.variables.iter().map(|variable| variable.name.as_str()).collect()
    }

    pub(crate) fn render_into(
        &self,
        variables: &Map<String, Value>,
        out: &mut String,
    ) -> Result<(), TemplateError> {
        let template = self.0.environment.get_template(CONTENT).map_err(syntax)?;
        let text = template
            .render(minijinja::Value::from(Serde(variables)))
            .map_err(|error| self.explain(&error, variables))?;
        out.push_str(&text);
        Ok(())
    }

    fn explain(&self, error: &minijinja::Error, given: &Map<String, Value>) -> TemplateError {
        let missing: Vec<_> = self
            .0
            .variables
            .iter()
            .filter(|variable| !variable.optional && !given.contains_key(&variable.name))
            .map(|variable| {
                let near = near_match(&variable.name, given.keys().map(String::as_str));
                let position = Position::of(&self.0.source, variable.offset);
                TemplateError::missing(&variable.name, CONTENT, position, near.map(str::to_owned))
            })
            .collect();
        if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
            return TemplateError::Variables(missing);
        }
        let reason = match error.kind() {
            ErrorKind::OutOfFuel => format!(
                "the template does too much: more than {FUEL} steps or 12 MiB of text; \
                 make its loops or its values smaller"
            ),
            ErrorKind::UndefinedError => {
                format!("{}; give it, or guard it with `is defined` or `default`", reason(error))
            }
            _ => reason(error),
        };
        TemplateError::Evaluation { location: CONTENT.to_owned(), line: line(error), reason }
    }
}

fn syntax(error: minijinja::Error) -> TemplateError {
    let reason = reason(&error);
    TemplateError::Syntax { location: CONTENT.to_owned(), line: line(&error), reason }
}

fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

fn line(error: &minijinja::Error) -> u32 {
    error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use promptops_types::vars;

    use super::*;

    fn render(source: &str, given: &Map<String, Value>) -> Result<String, TemplateError> {
        let mut out = String::new();
        JinjaTemplate::parse(source)?.render_into(given, &mut out).map(|()| out)
    }

    #[test]
    fn a_missing_attribute_is_named() {
        let given = vars! { "user" => {"name": "Ann"} };
        let error = render("a\n{{ user.rolle }}", given.as_map()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("user.rolle"), "{error}");
    }

    #[test]
    fn bombs_end_in_an_error() {
        for bomb in [
            "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
            "{{ 'x' * 99999999 }}",
            "{% set ns = namespace(x='xxxxxxxxxxxxxxxx') %}{% for i in range(60) %}\
             {% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{{ (range(90000)|list)|sort|join('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 9) }}",
        ] {
            let error = render(bomb, &Map::new()).unwrap_err();
            assert!(matches!(error, TemplateError::Evaluation { .. }), "{bomb}: {error:?}");
        }
    }

    #[test]
    fn no_other_template_can_be_included() {
        for source in ["{% include 'a' %}", "{% extends 'a' %}", "{% import 'a' as b %}"] {
            let error = render(source, &Map::new()).unwrap_err();
            assert!(matches!(error, TemplateError::Syntax { .. }), "{source}: {error:?}");
        }
    }
}
