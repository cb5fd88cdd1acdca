//! How a value is written into a prompt: the same bytes wherever a prompt is rendered.

use serde_json::{Map, Value};

/// Appends a value: strings as they are, `null` as nothing, everything else as compact JSON with
/// keys in the order given.
pub(crate) fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::String(text) => out.push_str(text),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => out.push_str(&value.to_string()),
    }
}

/// Steps along `path` into the variables. Dots step into objects by key and into arrays by index.
pub(crate) fn look_up<'v>(variables: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    let Some((first, rest)) = path.split_once('.') else { return variables.get(path) };
    rest.split('.').try_fold(variables.get(first)?, |value, segment| match value {
        Value::Object(fields) => fields.get(segment),
        Value::Array(items) => items.get(index(segment)?),
        _ => None,
    })
}

/// A decimal index; no sign, which `parse` would take.
fn index(segment: &str) -> Option<usize> {
    segment.bytes().all(|byte| byte.is_ascii_digit()).then(|| segment.parse().ok())?
}
