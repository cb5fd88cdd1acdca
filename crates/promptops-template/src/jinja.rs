//! The `jinja` format, rendered by minijinja under limits.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use minijinja::machinery::get_compiled_template;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::Map;

use crate::Placeholder;
use crate::error::{CONTENT, MAX_ISSUES, TemplateError};
use crate::jinja_rules;
use crate::jinja_scan::identifiers;
use crate::near_match::near_match;
use crate::placeholder::PositionCursor;

/// What one render may cost. The engine takes one unit for an instruction and one for each 64
/// bytes of text it makes (its `Environment::set_fuel`), so this is at most 200 000 instructions
/// or 12.2 MiB, and a few milliseconds. What it does not count is the length of two texts that are
/// compared: a loop that compares megabytes can take a second.
const FUEL: u64 = 200_000;

/// Deepest nesting of macros and loops.
const RECURSION: usize = 100;

/// Functions and filters that put a value into a new container; see [`jinja_rules`].
///
/// [`jinja_rules`]: crate::jinja_rules
const WRAPPING: [&str; 9] =
    ["batch", "chain", "debug", "dict", "groupby", "namespace", "pprint", "slice", "zip"];

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
    for name in WRAPPING {
        environment.remove_filter(name);
        environment.remove_global(name);
    }
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(()),
        ValueKind::String => Ok(out.write_str(value.as_str().unwrap_or_default())?),
        _ => write_json(out, state, value, 0),
    });
    environment
});

/// Deepest nesting of a value that is printed: more than JSON that was read can have (128).
const DEPTH: usize = 200;

/// Writes a value as compact JSON, item by item, so that the engine counts each and ends a value
/// that grows too large before it is whole.
fn write_json(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
    depth: usize,
) -> Result<(), minijinja::Error> {
    state.consume_fuel(1)?;
    if depth > DEPTH {
        return Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            "a value is nested too deep",
        ));
    }
    let scalar = |value: &Value| {
        serde_json::to_string(value).map_err(|error| {
            minijinja::Error::new(ErrorKind::BadSerialization, "a value is not data")
                .with_source(error)
        })
    };
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let mut separator = "[";
            for item in value.try_iter()? {
                out.write_str(separator)?;
                separator = ",";
                write_json(out, state, &item, depth + 1)?;
            }
            Ok(out.write_str(if separator == "[" { "[]" } else { "]" })?)
        }
        ValueKind::Map => {
            let mut separator = "{";
            for key in value.try_iter()? {
                out.write_str(separator)?;
                separator = ",";
                // A key is text in JSON, whatever it was in the template.
                out.write_str(&scalar(&Value::from(key.to_string()))?)?;
                out.write_str(":")?;
                write_json(out, state, &value.get_item(&key)?, depth + 1)?;
            }
            Ok(out.write_str(if separator == "{" { "{}" } else { "}" })?)
        }
        _ => Ok(out.write_str(&scalar(value)?)?),
    }
}

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
        let template = environment.get_template(CONTENT).map_err(syntax)?;
        jinja_rules::check(&get_compiled_template(&template).instructions)?;
        let undeclared = template.undeclared_variables(false);
        let globals: HashSet<&str> = environment.globals().map(|(name, _)| name).collect();
        let mut variables: Vec<Variable> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        for identifier in identifiers(source) {
            if let Some(known) = index.get(identifier.name) {
                variables[*known].optional |= identifier.guarded;
            } else if undeclared.contains(identifier.name) && !globals.contains(identifier.name) {
                index.insert(identifier.name, variables.len());
                variables.push(Variable {
                    name: identifier.name.to_owned(),
                    offset: identifier.offset,
                    optional: identifier.guarded,
                });
            }
        }
        drop(globals);
        Ok(Self(Arc::new(Compiled { source: source.into(), environment, variables })))
    }

    pub(crate) fn source(&self) -> &str {
        &self.0.source
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = Placeholder<'_>> {
        let mut cursor = PositionCursor::new(&self.0.source);
        self.0
            .variables
            .iter()
            .map(move |variable| Placeholder::new(&variable.name, cursor.advance(variable.offset)))
    }

    pub(crate) fn variables(&self) -> Vec<&str> {
        self.0.variables.iter().map(|variable| variable.name.as_str()).collect()
    }

    pub(crate) fn render_into(
        &self,
        variables: &Map<String, serde_json::Value>,
        out: &mut String,
    ) -> Result<(), TemplateError> {
        let template = self.0.environment.get_template(CONTENT).map_err(syntax)?;
        let text = template
            .render(Value::from(Serde(variables)))
            .map_err(|error| self.explain(&error, variables))?;
        out.push_str(&text);
        Ok(())
    }

    fn explain(
        &self,
        error: &minijinja::Error,
        given: &Map<String, serde_json::Value>,
    ) -> TemplateError {
        let mut cursor = PositionCursor::new(&self.0.source);
        let missing: Vec<_> = self
            .0
            .variables
            .iter()
            .filter(|variable| !variable.optional && !given.contains_key(&variable.name))
            .take(MAX_ISSUES)
            .map(|variable| {
                let near = near_match(&variable.name, given.keys().map(String::as_str));
                let position = cursor.advance(variable.offset);
                TemplateError::missing(&variable.name, CONTENT, position, near.map(str::to_owned))
            })
            .collect();
        if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
            return TemplateError::Variables(missing);
        }
        let reason = match error.kind() {
            ErrorKind::OutOfFuel | ErrorKind::WriteFailure => format!(
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

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
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

    fn render(
        source: &str,
        given: &Map<String, serde_json::Value>,
    ) -> Result<String, TemplateError> {
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
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{{ (range(90000)|list)|sort|join('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 9) }}",
            "{{ range(10000)|join('y' * 10000) }}",
            "{{ ('x' * 10000)|replace('x', 'y' * 10000) }}",
            "{{ ('x' * 10000)|replace('', 'y' * 10000) }}",
            "{{ 'a'|indent(999999999) }}{{ 'a\na'|indent(999999999) }}",
            "{{ '%0999999999d'|format(1) }}",
            "{{ [1] * 99999999 }}",
            "{{ 9 ** 999999999 }}",
            "{% set a = range(90000)|list %}{{ a + a + a + a }}",
            "{% set a = 'x' * 100000 %}{% for i in range(9999) %}{{ a|upper|length }}{% endfor %}",
        ] {
            let error = render(bomb, &Map::new()).unwrap_err();
            assert!(matches!(error, TemplateError::Evaluation { .. }), "{bomb}: {error:?}");
        }
    }

    #[test]
    fn values_cannot_be_nested_or_shared_without_end() {
        for bomb in [
            "{% set ns = namespace(x=[1]) %}{% for i in range(15000) %}{% set ns.x = [ns.x] %}{% endfor %}",
            "{% set x = [1] %}{% set x = [x, x] %}{{ x }}",
            "{% for y in [[x, x]] %}{{ y }}{% endfor %}",
            "{% set x = (x, x) %}",
            "{% set x = x, x %}",
            "{% set x = {'a': x} %}",
            "{% set x = dict(a=x, b=x) %}",
            "{{ x|batch(2) }}{{ x|zip(x) }}{{ x|slice(2) }}{{ x|groupby('a') }}{{ x|chain(x) }}",
            "{{ f(*x) }}",
        ] {
            let given = promptops_types::vars! { "x" => [1] };
            render(bomb, given.as_map()).unwrap_err();
        }
        let deep = format!("{{% set x = {}1{} %}}{{{{ x }}}}", "[".repeat(5000), "]".repeat(5000));
        render(&deep, &Map::new()).unwrap_err();
        let many = format!("{{{{ 'abc'|map({}'upper')|list }}}}", "'map', ".repeat(50_000));
        render(&many, &Map::new()).unwrap_err();
    }

    #[test]
    fn lists_to_loop_over_and_to_look_in_are_allowed() {
        let given = vars! { "a" => "x", "b" => "y", "d" => {"k": 1} };
        let source = "{% for i in [a, b] %}{{ i }}{% endfor %}{{ a in [a, b] }}{{ a not in (b, 'z') }}\
            {% set p, q = a, b %}{{ q }}{% for k, v in d|items %}{{ k }}={{ v }}{% endfor %}\
            {% set options = ['one', 2.5, none] %}{{ options }}";
        assert_eq!(render(source, given.as_map()).unwrap(), r#"xytruetrueyk=1["one",2.5,null]"#);
    }

    #[test]
    fn no_other_template_can_be_included() {
        for source in ["{% include 'a' %}", "{% extends 'a' %}", "{% import 'a' as b %}"] {
            let error = render(source, &Map::new()).unwrap_err();
            assert!(matches!(error, TemplateError::Syntax { .. }), "{source}: {error:?}");
        }
    }
}
