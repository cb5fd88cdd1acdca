use std::fmt;
use std::str::FromStr;

use crate::label::begins_like_version;
use crate::{LabelName, Version};

/// Which version of a prompt a caller wants.
///
/// | text | selects |
/// |---|---|
/// | `latest`, or nothing | the highest version that is not a pre-release |
/// | `1.2.0`, `v1.2.0`, `2.0.0-beta.1` | exactly that version |
/// | `1.2`, `v1` | the highest release 1.2.x, 1.x.x |
/// | `production` | what the label points at |
/// | `staging,production` | the first of the chain that there is |
///
/// ```
/// use promptops_types::{Selector, Version};
///
/// assert_eq!("v1.2.0".parse::<Selector>()?, Selector::Exact(Version::new(1, 2, 0)));
/// assert_eq!("1.2".parse::<Selector>()?, Selector::Range { major: 1, minor: Some(2) });
/// # Ok::<(), promptops_types::SelectorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Selector {
    /// The highest release.
    #[default]
    Latest,
    /// One version.
    Exact(Version),
    /// The highest release with these first numbers.
    Range {
        /// The first number.
        major: u64,
        /// The second number, if it was given.
        minor: Option<u64>,
    },
    /// What a label points at.
    Label(LabelName),
    /// The first of these that there is. Never empty, never nested.
    Chain(Vec<Selector>),
}

/// The text selects nothing: what is wrong, and how to write it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version, a label or a chain of them: {reason}")]
pub struct SelectorError {
    text: String,
    reason: String,
}

impl SelectorError {
    pub(crate) fn new(text: &str, reason: impl Into<String>) -> Self {
        let shown: String = text.chars().take(LabelName::MAX_CHARS).collect();
        Self { text: shown.escape_debug().to_string(), reason: reason.into() }
    }
}

impl Selector {
    /// Most links a chain may have.
    pub const MAX_CHAIN: usize = 8;

    /// The selectors to try, in order: the links of a chain, or this one alone.
    pub fn links(&self) -> &[Selector] {
        match self {
            Self::Chain(links) => links,
            single => std::slice::from_ref(single),
        }
    }

    fn parse_link(text: &str) -> Result<Self, SelectorError> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if !begins_like_version(text) {
            return text.parse().map(Self::Label);
        }
        let numbers = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let partial: Option<Vec<u64>> = numbers.split('.').map(canonical_number).collect();
        match partial.as_deref() {
            Some([major]) => Ok(Self::Range { major: *major, minor: None }),
            Some([major, minor]) => Ok(Self::Range { major: *major, minor: Some(*minor) }),
            _ => text
                .parse()
                .map(Self::Exact)
                .map_err(|error: crate::VersionError| SelectorError::new(text, error.to_string())),
        }
    }
}

/// A number as semver writes it: digits alone, no leading zero.
fn canonical_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        if !text.contains(',') {
            return Self::parse_link(text.trim());
        }
        let links: Vec<_> =
            text.split(',').map(|link| Self::parse_link(link.trim())).collect::<Result<_, _>>()?;
        if links.len() > Self::MAX_CHAIN {
            return Err(SelectorError::new(text, "a chain has at most 8 links"));
        }
        Ok(Self::Chain(links))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Exact(version) => version.fmt(f),
            Self::Range { major, minor: None } => write!(f, "v{major}"),
            Self::Range { major, minor: Some(minor) } => write!(f, "{major}.{minor}"),
            Self::Label(label) => label.fmt(f),
            Self::Chain(links) => {
                for (index, link) in links.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    link.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chain_keeps_its_order_and_forgives_spaces() {
        let chain: Selector = "staging, production ,v1".parse().unwrap();
        assert_eq!(chain.to_string(), "staging,production,v1");
        assert_eq!(chain.links().len(), 3);
    }

    #[test]
    fn bad_selectors_say_what_is_wrong() {
        for (text, part) in [
            ("", "empty"),
            (",", "empty"),
            ("a,", "empty"),
            ("1.2.3.4", "such as 1.2.0"),
            ("v1.x", "such as 1.2.0"),
            ("01", "such as 1.2.0"),
            ("2-test", "such as 1.2.0"),
            ("a\0b", "control"),
            ("a,b,c,d,e,f,g,h,i", "at most 8"),
        ] {
            let error = text.parse::<Selector>().unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
            assert!(!error.contains('\0'), "{text:?}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_round_trips(text in "\\PC{0,20}|[v0-9.,a-c-]{0,12}") {
            if let Ok(selector) = text.parse::<Selector>() {
                prop_assert_eq!(selector.to_string().parse::<Selector>(), Ok(selector));
            }
        }
    }
}
