//! The `jinja` format, rendered by minijinja under limits.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use minijinja::machinery::get_compiled_template;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior};
use promptops_types::ValidationIssue;
use serde_json::Map;

use crate::Placeholder;
use crate::error::{CONTENT, MAX_ISSUES, TemplateError};
use crate::jinja_rules;
use crate::jinja_scan::identifiers;
use crate::near_match::near_match;
use crate::placeholder::PositionCursor;

/// What one render may cost. The engine takes one unit for an instruction and one for each 64
/// bytes of text it makes (its `Environment::set_fuel`), so this is at most 100 000 instructions
/// or 6.1 MiB, and a few milliseconds. What it does not count is the size of what is compared
/// or looped over. A loop that does nothing else took 0.8 s with a text of 1 MiB, 8 s with 7 MiB,
/// and 54 s with two nested lists of 100 000 numbers: the caller's variables bound it, not this.
pub(crate) const FUEL: u64 = 100_000;

/// Deepest nesting of macros and loops.
const RECURSION: usize = 30;

/// Largest template, in bytes. Its constants are what a loop can look at again and again.
const MAX_SOURCE: usize = 128 * 1024;

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
    // They read a whole text, and tests are not paid for by length.
    environment.remove_test("lower");
    environment.remove_test("upper");
    environment.add_filter("truncate", |text: &str, length: usize| -> String {
        text.chars().take(length).collect()
    });
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
        if source.len() > MAX_SOURCE {
            return Err(TemplateError::Syntax {
                location: CONTENT.to_owned(),
                line: 1,
                reason: format!(
                    "a jinja template has at most {MAX_SOURCE} bytes; this one has {}",
                    source.len()
                ),
            });
        }
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

    /// Appends the render and gives the fuel it took.
    pub(crate) fn render_into(
        &self,
        variables: &Map<String, serde_json::Value>,
        out: &mut String,
    ) -> Result<u64, TemplateError> {
        let template = self.0.environment.get_template(CONTENT).map_err(syntax)?;
        let rendered = template
            .render_captured(Value::from(Serde(variables)))
            .map_err(|error| self.explain(&error, variables))?;
        out.push_str(rendered.output());
        Ok(rendered.state().fuel_levels().map_or(0, |(consumed, _)| consumed))
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
        if error.kind() == ErrorKind::UndefinedError && blames(error, &missing) {
            return TemplateError::Variables(missing);
        }
        let reason = match error.kind() {
            ErrorKind::OutOfFuel | ErrorKind::WriteFailure => format!(
                "the template does too much: more than {FUEL} steps or 6 MiB of text; \
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

/// Whether an undefined value is one of the variables that are missing, and not an attribute of one
/// that is given. The engine begins its detail with the expression, where it knows it.
fn blames(error: &minijinja::Error, missing: &[ValidationIssue]) -> bool {
    let detail = error.detail().unwrap_or_default();
    let expression = detail.split([' ', '`']).find(|word| !word.is_empty()).unwrap_or_default();
    let root = expression.split(['.', '[']).next().unwrap_or_default();
    let is_named = missing.iter().any(|issue| issue.field == root);
    is_named || (!missing.is_empty() && expression == root)
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
        JinjaTemplate::parse(source)?.render_into(given, &mut out).map(|_| out)
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
        let repeated = |step: &str| step.repeat(65);
        for (bomb, reason) in [
            ("{% set x = [x, x] %}".to_owned(), "holds constants"),
            ("{% for y in [[x, x]] %}{{ y }}{% endfor %}".to_owned(), "holds constants"),
            ("{% set x = (x, x) %}".to_owned(), "holds constants"),
            ("{% set x = x, x %}".to_owned(), "holds constants"),
            ("{% set x = {'a': x} %}".to_owned(), "holds constants"),
            ("{% set x = ['', '']|map('default', x, true)|list %}".to_owned(), "`map` takes"),
            (
                "{% set x = 'ab'|list|map(attribute='z', default=x)|list %}".to_owned(),
                "`map` takes",
            ),
            ("{% set x = ['']|map(*x) %}".to_owned(), "holds constants"),
            (repeated("{% set x = x[0:] %}"), "at most 64"),
            (repeated("{% set x = x * 1 %}"), "at most 64"),
            (repeated("{% set x = x|reverse %}"), "at most 64"),
            ("{% for i in x %}{{ i[1:2] }}{% endfor %}".to_owned(), "outside of loops"),
            (
                "{% macro m(i) %}{{ i[1:2] }}{% endmacro %}{{ m('a') }}".to_owned(),
                "outside of loops",
            ),
            (format!("{{{{ [{}1{}] }}}}", "[".repeat(5000), "]".repeat(5000)), "recursion"),
            (format!("{{{{ 'abc'|map({}'upper') }}}}", "'map', ".repeat(40)), "32 arguments"),
            ("x".repeat(MAX_SOURCE + 1), "at most 131072 bytes"),
        ] {
            let error = render(&bomb, vars! { "x" => [1] }.as_map()).unwrap_err();
            let TemplateError::Syntax { reason: told, .. } = &error else {
                panic!("{}: {error:?}", &bomb[..bomb.len().min(80)])
            };
            assert!(told.contains(reason), "{}: {told}", &bomb[..bomb.len().min(80)]);
        }
        for name in WRAPPING {
            let as_filter = format!("{{{{ x|{name} }}}}");
            let as_function = format!("{{{{ {name}(x) }}}}");
            for source in [as_filter, as_function] {
                let error = render(&source, vars! { "x" => [1] }.as_map()).unwrap_err().to_string();
                assert!(error.contains("unknown"), "{source}: {error}");
            }
        }
        let lower = "{% set v = 'x' * 100000 %}{{ v is lower }}";
        assert!(render(lower, &Map::new()).unwrap_err().to_string().contains("unknown test"));
    }

    #[test]
    fn a_missing_attribute_is_not_blamed_on_another_variable() {
        let given = vars! { "user" => {"name": "Ann"} };
        let source = "{{ user.rolle }}{% if false %}{{ other }}{% endif %}";
        let error = render(source, given.as_map()).unwrap_err();
        assert!(error.to_string().contains("user.rolle"), "{error}");
        let error = render("{{ usr.name }}", given.as_map()).unwrap_err();
        assert!(matches!(error, TemplateError::Variables(_)), "{error}");
    }

    #[test]
    fn lists_to_loop_over_and_to_look_in_are_allowed() {
        let given = vars! {
            "a" => "x", "b" => "y", "d" => {"k": 1}, "l" => ["p", "qq", "r"], "o" => [{"n": 7}]
        };
        let source = "{% for i in [a, b] %}{{ i }}{% endfor %}{{ a in [a, b] }}{{ a not in (b, 'z') }}\
            {% set p, q = a, b %}{{ q }}{% for k, v in d|items %}{{ k }}={{ v }}{% endfor %}\
            {% for m in l[-2:] %}{{ m|truncate(1) }}{% endfor %}{{ l|map('upper')|join(',') }}\
            {{ o|map(attribute='n')|join }}\
            {% set options = ['one', 2.5, none] %}{{ options }}";
        assert_eq!(
            render(source, given.as_map()).unwrap(),
            r#"xytruetrueyk=1qrP,QQ,R7["one",2.5,null]"#
        );
    }

    #[test]
    fn no_other_template_can_be_included() {
        for source in ["{% include 'a' %}", "{% extends 'a' %}", "{% import 'a' as b %}"] {
            let error = render(source, &Map::new()).unwrap_err();
            assert!(matches!(error, TemplateError::Syntax { .. }), "{source}: {error:?}");
        }
    }
}
