//! Values between Python and JSON.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// Deepest nesting, as deep as `serde_json` reads.
const DEEPEST: usize = 127;

/// A Python value as JSON: None, booleans, numbers, texts, lists, tuples, mappings with texts as keys,
/// and members of an Enum by their values.
///
/// # Errors
/// `ValueError` that says where in the value, and why.
pub(crate) fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    read(value, &mut Vec::new(), 0)
}

/// The same for a mapping.
pub(crate) fn object(value: &Bound<'_, PyAny>) -> PyResult<Map<String, Value>> {
    match from_python(value)? {
        Value::Object(map) => Ok(map),
        _ => Err(PyValueError::new_err(format!(
            "a mapping is expected, not {}",
            value.get_type().name()?
        ))),
    }
}

fn read(value: &Bound<'_, PyAny>, path: &mut Vec<String>, depth: usize) -> PyResult<Value> {
    if depth > DEEPEST {
        return refuse(path, "is nested too deep");
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => refuse(path, "is no text in UTF-8: it has a lone surrogate"),
        };
    }
    if let Ok(yes) = value.cast::<PyBool>() {
        return Ok(Value::Bool(yes.is_true()));
    }
    if let Ok(number) = value.cast::<PyInt>() {
        let number = number
            .extract::<i64>()
            .map(Number::from)
            .or_else(|_| number.extract::<u64>().map(Number::from));
        return match number {
            Ok(number) => Ok(Value::Number(number)),
            Err(_) => refuse(path, "is an integer beyond 64 bits; give it as a text"),
        };
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return match Number::from_f64(number.value()) {
            Some(number) => Ok(Value::Number(number)),
            None => refuse(path, "is not a finite number"),
        };
    }
    if let Ok(list) = value.cast::<PyList>() {
        return items(list.iter(), path, depth);
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return items(tuple.iter(), path, depth);
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return fields(dict, path, depth);
    }
    other(value, path, depth)
}

fn fields(dict: &Bound<'_, PyDict>, path: &mut Vec<String>, depth: usize) -> PyResult<Value> {
    let mut map = Map::with_capacity(dict.len());
    for (name, value) in dict.iter() {
        entry(&mut map, &name, &value, path, depth)?;
    }
    Ok(Value::Object(map))
}

fn items<'py>(
    values: impl Iterator<Item = Bound<'py, PyAny>>,
    path: &mut Vec<String>,
    depth: usize,
) -> PyResult<Value> {
    let mut list = Vec::new();
    for (at, value) in values.enumerate() {
        path.push(at.to_string());
        list.push(read(&value, path, depth + 1)?);
        path.pop();
    }
    Ok(Value::Array(list))
}

fn entry(
    map: &mut Map<String, Value>,
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    path: &mut Vec<String>,
    depth: usize,
) -> PyResult<()> {
    let Ok(name) = name.extract::<String>() else {
        return refuse(path, "has a key that is no text");
    };
    path.push(name);
    let value = read(value, path, depth + 1)?;
    if let Some(name) = path.pop() {
        map.insert(name, value);
    }
    Ok(())
}

/// What says itself what it is: our own objects and pydantic's, other mappings, members of an Enum.
fn other(value: &Bound<'_, PyAny>, path: &mut Vec<String>, depth: usize) -> PyResult<Value> {
    let class = value.get_type();
    for method in ["to_dict", "model_dump"] {
        // Of the class: an object that has every attribute one asks it for is none of these.
        if class.hasattr(method)? {
            let given = value.call_method0(method)?;
            return match given.cast::<PyDict>() {
                Ok(dict) => fields(dict, path, depth),
                Err(_) => refuse(path, &format!("has a `{method}` that gives no dict")),
            };
        }
    }
    if let Ok(mapping) = value.cast::<pyo3::types::PyMapping>() {
        let mut map = Map::new();
        for pair in mapping.items()?.iter() {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            entry(&mut map, &name, &value, path, depth)?;
        }
        return Ok(Value::Object(map));
    }
    let is_member = class.hasattr("__members__")?;
    if is_member && let Ok(inner) = value.getattr("value") {
        return read(&inner, path, depth + 1);
    }
    let kind = class.name()?;
    refuse(path, &format!("is a {kind}, which JSON has not; give it as a text or a number"))
}

fn refuse<T>(path: &[String], reason: &str) -> PyResult<T> {
    let place =
        if path.is_empty() { "the value".to_owned() } else { format!("`{}`", path.join(".")) };
    Err(PyValueError::new_err(format!("{place} {reason}")))
}

/// JSON as Python has it.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(yes) => PyBool::new(py, *yes).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(values) => {
            let list = PyList::empty(py);
            for value in values {
                list.append(to_python(py, value)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => dict(py, map)?.into_any(),
    })
}

/// An object as a dict.
pub(crate) fn dict<'py>(py: Python<'py>, map: &Map<String, Value>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in map {
        dict.set_item(name, to_python(py, value)?)?;
    }
    Ok(dict)
}
