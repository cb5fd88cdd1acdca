use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{SelectorError, Timestamp, Version};

/// The name of a label: a word that points at a version, such as `production`.
///
/// One to 100 characters, any letter, `/` and spaces included. Not `latest`, which is reserved; no
/// comma, which separates a chain; no control character, no space at either end; and not beginning
/// like a version (a digit, or `v` and a digit), so that a selector is never ambiguous.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LabelName(String);

impl LabelName {
    /// Longest label, in characters.
    pub const MAX_CHARS: usize = 100;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` begins as a version does: a digit, or `v` and a digit.
pub(crate) fn begins_like_version(text: &str) -> bool {
    text.strip_prefix(['v', 'V']).unwrap_or(text).starts_with(|c: char| c.is_ascii_digit())
}

impl FromStr for LabelName {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let reason = if text.is_empty() {
            "a label is empty"
        } else if text.chars().count() > Self::MAX_CHARS {
            "a label has at most 100 characters"
        } else if text == "latest" {
            "`latest` is reserved for the highest release; choose another label"
        } else if text.trim() != text {
            "a label has no space at either end"
        } else if text.contains(',') {
            "a label has no comma, which separates a chain"
        } else if text.chars().any(char::is_control) {
            "a label has no control characters"
        } else if begins_like_version(text) {
            "a label does not begin like a version (a digit, or `v` and a digit)"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(SelectorError::new(text, reason))
    }
}

impl fmt::Display for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LabelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a label points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum LabelTarget {
    /// One version.
    Version(Version),
    /// Several versions with weights, which add up to any positive number: `1.2.0` in 90 of 100
    /// cases, `1.3.0` in 10. Which one a caller gets depends on the caller's key alone.
    Weights(BTreeMap<Version, u32>),
}

impl LabelTarget {
    /// Every version that the label may resolve to, in ascending order.
    pub fn versions(&self) -> Vec<&Version> {
        match self {
            Self::Version(version) => vec![version],
            Self::Weights(weights) => weights.keys().collect(),
        }
    }
}

impl fmt::Display for LabelTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::Weights(weights) => {
                for (index, (version, weight)) in weights.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{version}: {weight}")?;
                }
                Ok(())
            }
        }
    }
}

/// A label of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Label {
    /// The label's name.
    pub label: LabelName,
    /// What it points at: on the wire `version`, or `weights`.
    #[serde(flatten)]
    pub target: LabelTarget,
    /// When it was last moved.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// Who moved it.
    #[serde(default)]
    pub updated_by: String,
}

impl Label {
    /// A label as a registry tells it.
    pub fn new(label: LabelName, target: LabelTarget, updated_at: Timestamp, by: String) -> Self {
        Self { label, target, updated_at, updated_by: by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_could_not_be_selected() {
        for text in ["", "latest", "v1", "2024", "a,b", " a", "a\0", &"x".repeat(101)] {
            text.parse::<LabelName>().unwrap_err();
        }
        for text in ["production", "team/eu west", "größe", "versioned", "🎉"] {
            assert_eq!(text.parse::<LabelName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn reads_and_writes_both_kinds_of_target() {
        for json in [
            r#"{"label":"a","version":"1.2.0","updated_at":"1970-01-01T00:00:00Z","updated_by":"x"}"#,
            r#"{"label":"a","weights":{"1.2.0":90,"1.3.0":10},"updated_at":"1970-01-01T00:00:00Z","updated_by":"x"}"#,
        ] {
            let label: Label = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&label).unwrap(), json);
        }
    }
}
