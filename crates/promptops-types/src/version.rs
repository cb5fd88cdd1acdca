use std::fmt::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Bump;

/// A version of a prompt: semantic versioning 2.0.0, read with or without `v`, shown without.
///
/// Build metadata (`1.0.0+abc`) is refused: two versions that differ only there would have the
/// same precedence and could not both be selected.
///
/// ```
/// use promptops_types::Version;
///
/// let version: Version = "v1.2.0".parse()?;
/// assert_eq!(version.to_string(), "1.2.0");
/// # Ok::<(), promptops_types::VersionError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(semver::Version);

/// The text is not a complete version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version: {reason}; write major.minor.patch, such as 1.2.0")]
pub struct VersionError {
    text: String,
    reason: String,
}

/// Longest version text accepted, in bytes.
const MAX_LENGTH: usize = 64;

impl Version {
    /// The version that a prompt starts with unless another is given: 1.0.0.
    pub const FIRST: Self = Self(semver::Version::new(1, 0, 0));

    /// A release version.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self(semver::Version::new(major, minor, patch))
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.0.major
    }

    /// The second number.
    pub fn minor(&self) -> u64 {
        self.0.minor
    }

    /// The third number.
    pub fn patch(&self) -> u64 {
        self.0.patch
    }

    /// Whether this is a pre-release such as `1.0.0-beta.1`, which `latest` never selects.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }

    /// The release that follows this version by `bump`; `None` where the number is at its end.
    pub fn bumped(&self, bump: Bump) -> Option<Self> {
        let (major, minor, patch) = (self.0.major, self.0.minor, self.0.patch);
        Some(match bump {
            Bump::Major => Self::new(major.checked_add(1)?, 0, 0),
            Bump::Minor => Self::new(major, minor.checked_add(1)?, 0),
            Bump::Patch => Self::new(major, minor, patch.checked_add(1)?),
        })
    }

    /// A text whose byte order is the order of versions (semver 2.0.0, item 11), so that a
    /// database can sort and range over versions by an index.
    ///
    /// The three numbers are padded to 20 digits. A pre-release identifier is written with a
    /// leading `0` and padded when numeric, with a leading `1` otherwise, and ends with `!`, which
    /// sorts before every character an identifier may hold; a release ends with `~`, which sorts
    /// after them.
    pub fn sort_key(&self) -> String {
        let mut key = Self::sort_prefix(self.0.major, Some(self.0.minor));
        let _ = write!(key, "{:020}", self.0.patch);
        if !self.is_prerelease() {
            key.push('~');
            return key;
        }
        for identifier in self.0.pre.split('.') {
            if identifier.bytes().all(|byte| byte.is_ascii_digit()) {
                let _ = write!(key, "0{identifier:0>MAX_LENGTH$}!");
            } else {
                let _ = write!(key, "1{identifier}!");
            }
        }
        key
    }

    /// What every [`sort_key`](Self::sort_key) of `major` (and `minor`, if given) starts with.
    pub fn sort_prefix(major: u64, minor: Option<u64>) -> String {
        match minor {
            Some(minor) => format!("{major:020}{minor:020}"),
            None => format!("{major:020}"),
        }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let refuse = |reason: String| VersionError {
            text: text.chars().take(MAX_LENGTH).flat_map(char::escape_debug).collect(),
            reason: reason.chars().flat_map(char::escape_debug).collect(),
        };
        if text.len() > MAX_LENGTH {
            return Err(refuse(format!("it is longer than {MAX_LENGTH} bytes")));
        }
        let number = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let parsed = semver::Version::parse(number).map_err(|error| refuse(error.to_string()))?;
        if !parsed.build.is_empty() {
            return Err(refuse("build metadata after `+` is not supported".to_owned()));
        }
        Ok(Self(parsed))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_version_is_told_harmlessly() {
        let error = "1.0.0\u{1b}[2J".parse::<Version>().unwrap_err().to_string();
        assert!(error.contains("1.0.0\\u{1b}[2J") && !error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn reads_with_and_without_v() {
        assert_eq!(version("v1.2.3"), version("1.2.3"));
        assert_eq!(version("v1.2.3").to_string(), "1.2.3");
    }

    #[test]
    fn refuses_what_is_not_complete_and_says_how_to_write_it() {
        for text in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3+build", "one"] {
            let error = text.parse::<Version>().unwrap_err().to_string();
            assert!(error.contains("such as 1.2.0"), "{text}: {error}");
        }
    }

    #[test]
    fn bumps_to_the_next_release() {
        let bumped = |text: &str, bump| version(text).bumped(bump).map(|next| next.to_string());
        assert_eq!(bumped("1.2.3", Bump::Patch).as_deref(), Some("1.2.4"));
        assert_eq!(bumped("1.2.3", Bump::Minor).as_deref(), Some("1.3.0"));
        assert_eq!(bumped("1.2.3", Bump::Major).as_deref(), Some("2.0.0"));
        assert_eq!(bumped("2.0.0-rc.1", Bump::Minor).as_deref(), Some("2.1.0"));
        assert_eq!(bumped("1.18446744073709551615.0", Bump::Minor), None);
    }

    #[test]
    fn sort_key_follows_the_example_of_the_semver_specification() {
        let ordered = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2.0",
            "1.10.0",
            "10.0.0",
        ];
        assert!(ordered.map(|text| version(text).sort_key()).is_sorted());
    }

    proptest! {
        #[test]
        fn sort_key_orders_like_versions(
            a in "[0-9]{1,3}\\.[0-2]\\.[0-9](-[a-c0-9]{1,2}(\\.[a-c0-9-]{1,2}){0,2})?",
            b in "[0-9]{1,3}\\.[0-2]\\.[0-9](-[a-c0-9]{1,2}(\\.[a-c0-9-]{1,2}){0,2})?",
        ) {
            if let (Ok(a), Ok(b)) = (a.parse::<Version>(), b.parse::<Version>()) {
                prop_assert_eq!(a.cmp(&b), a.sort_key().cmp(&b.sort_key()));
            }
        }
    }
}
