use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Variables of a render, by name. Values keep the order in which their keys were given.
///
/// `Debug` shows the names alone: values are the caller's data and stay out of logs.
///
/// ```
/// use promptops_types::{PromptVariables, vars};
///
/// let mut variables = vars! { "name" => "Ann", "items" => [1, 2] };
/// variables.add("priority", "high");
/// assert!(variables.contains("priority"));
///
/// #[derive(serde::Serialize)]
/// struct Ticket { name: String }
/// let same = PromptVariables::from_serialize(&Ticket { name: "Ann".into() })?;
/// assert_eq!(same.get("name"), variables.get("name"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptVariables(Map<String, Value>);

impl PromptVariables {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// The fields of anything that serialises as an object.
    ///
    /// # Errors
    /// When it does not serialise, or not as an object.
    pub fn from_serialize(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        match serde_json::to_value(value)? {
            Value::Object(fields) => Ok(Self(fields)),
            Value::Null => Ok(Self::default()),
            _ => Err(serde::ser::Error::custom("variables are an object: names with values")),
        }
    }

    /// Adds a variable, or replaces its value.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether a variable is given; one that is `null` is.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All variables.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl std::fmt::Debug for PromptVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl From<Map<String, Value>> for PromptVariables {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

impl From<PromptVariables> for Map<String, Value> {
    fn from(variables: PromptVariables) -> Self {
        variables.0
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for PromptVariables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Variables of a render: `vars! { "name" => "Ann", "items" => [1, 2], "user" => {"role": "admin"} }`.
///
/// A value is anything that `serde_json::json!` takes.
#[macro_export]
macro_rules! vars {
    ( $( $pairs:tt )* ) => {{
        #[allow(unused_mut, reason = "there may be no pair")]
        let mut variables = $crate::PromptVariables::new();
        $crate::__vars!(variables, $( $pairs )*);
        variables
    }};
}

/// Pair by pair, so that each value is a token of JSON or an expression by itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __vars {
    ($variables:ident, ) => {};
    ($variables:ident, $name:expr => $value:tt $( , $( $rest:tt )* )? ) => {
        $variables.add($name, $crate::__serde_json::json!($value));
        $( $crate::__vars!($variables, $( $rest )*); )?
    };
    ($variables:ident, $name:expr => $value:expr $( , $( $rest:tt )* )? ) => {
        $variables.add($name, $crate::__serde_json::json!($value));
        $( $crate::__vars!($variables, $( $rest )*); )?
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_macro_takes_literals_expressions_and_objects() {
        let name = String::from("Ann");
        let variables = vars! { "name" => name, "n" => 1 + 1, "none" => (Value::Null) };
        assert_eq!(variables.get("n"), Some(&Value::from(2)));
        assert!(variables.contains("none"));
        let nested = vars! { "user" => {"role": "admin"}, "list" => [1, "a", null] };
        assert_eq!(nested.get("user").unwrap()["role"], "admin");
        assert_eq!(vars! {}, PromptVariables::new());
        let pair = (String::from("x"), 1);
        let mixed = vars! { "n" => -1, "user" => {"role": "x"}, "s" => pair.0, "z" => null, };
        assert_eq!(mixed.get("n"), Some(&Value::from(-1)));
        assert_eq!(mixed.get("s"), Some(&Value::from("x")));
        assert_eq!(mixed.get("z"), Some(&Value::Null));
    }

    #[test]
    fn debug_shows_no_values() {
        let variables = vars! { "card" => "4111" };
        assert_eq!(format!("{variables:?}"), r#"{"card"}"#);
    }

    #[test]
    fn only_objects_are_variables() {
        PromptVariables::from_serialize(&[1, 2]).unwrap_err();
        assert_eq!(PromptVariables::from_serialize(&()).unwrap(), PromptVariables::new());
    }
}
