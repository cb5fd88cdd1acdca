//! How a column of a database's row is read and what a statement is bound to, whichever database it is.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use promptops_types::{LabelTarget, Timestamp, Version};
use serde::de::DeserializeOwned;

use super::StoreError;

/// A row of an answer. A database says how it reads its four kinds of values; what they mean is said
/// here, once for all.
pub(crate) trait Columns {
    /// Why a column cannot be read.
    type Error;

    fn text(&self, at: usize) -> Result<Option<&str>, Self::Error>;

    fn integer(&self, at: usize) -> Result<Option<i64>, Self::Error>;

    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, Self::Error>;

    /// A list of texts, which may be empty.
    fn texts(&self, at: usize) -> Result<Vec<String>, Self::Error>;

    /// A column that does not hold what was written to it.
    fn damaged(at: usize, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self::Error;

    fn required<T>(at: usize, value: Option<T>) -> Result<T, Self::Error> {
        value.ok_or_else(|| Self::damaged(at, "there is no value"))
    }

    fn string(&self, at: usize) -> Result<String, Self::Error> {
        Self::required(at, self.optional_string(at)?)
    }

    fn optional_string(&self, at: usize) -> Result<Option<String>, Self::Error> {
        Ok(self.text(at)?.map(str::to_owned))
    }

    /// A value that is kept as its text.
    fn parsed<T>(&self, at: usize) -> Result<T, Self::Error>
    where
        T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
    {
        Self::required(at, self.optional_parsed(at)?)
    }

    fn optional_parsed<T>(&self, at: usize) -> Result<Option<T>, Self::Error>
    where
        T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
    {
        self.text(at)?.map(|text| text.parse().map_err(|e| Self::damaged(at, e))).transpose()
    }

    /// A value that is kept as JSON.
    fn json<T: DeserializeOwned>(&self, at: usize) -> Result<T, Self::Error> {
        Self::required(at, self.optional_json(at)?)
    }

    fn optional_json<T: DeserializeOwned>(&self, at: usize) -> Result<Option<T>, Self::Error> {
        self.text(at)?
            .map(|text| serde_json::from_str(text).map_err(|e| Self::damaged(at, e)))
            .transpose()
    }

    /// A number that is never negative.
    fn number<T>(&self, at: usize) -> Result<T, Self::Error>
    where
        T: TryFrom<i64, Error: Error + Send + Sync + 'static>,
    {
        Self::required(at, self.optional_number(at)?)
    }

    fn optional_number<T>(&self, at: usize) -> Result<Option<T>, Self::Error>
    where
        T: TryFrom<i64, Error: Error + Send + Sync + 'static>,
    {
        self.integer(at)?
            .map(|value| T::try_from(value).map_err(|error| Self::damaged(at, error)))
            .transpose()
    }

    fn timestamp(&self, at: usize) -> Result<Timestamp, Self::Error> {
        Self::required(at, self.optional_timestamp(at)?)
    }

    fn optional_timestamp(&self, at: usize) -> Result<Option<Timestamp>, Self::Error> {
        Ok(self.integer(at)?.map(Timestamp::from_unix_micros))
    }
}

/// A column that does not hold what was written to it.
pub(crate) fn unreadable(at: usize, error: impl Display) -> StoreError {
    StoreError::Corrupt(format!("column {at} of an answer: {error}"))
}

/// The sort keys of the versions with these first numbers: from one on, up to another.
pub(crate) fn sort_range(major: u64, minor: Option<u64>) -> (String, String) {
    let from = Version::sort_prefix(major, minor);
    // Sorts after every key that begins with the prefix.
    let to = format!("{from}\u{7f}");
    (from, to)
}

/// The share of a version in a label with weights.
pub(crate) fn weight(target: &LabelTarget, version: &Version) -> Option<u32> {
    match target {
        LabelTarget::Weights(weights) => weights.get(version).copied(),
        _ => None,
    }
}

/// An unsigned number for a statement. What does not fit is more than there can be.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
