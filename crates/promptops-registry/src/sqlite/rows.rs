//! How a row is read, and how many of them make a page.

use std::error::Error;

use rusqlite::types::Type;
use rusqlite::{Row, Rows};

use crate::limits::MAX_PAGE_BYTES;
use crate::store::columns::Columns;
use crate::store::rows;
use crate::{PromptHead, StoredVersion};

/// The columns of a [`head`](rows::head), from `prompts p`.
macro_rules! head_columns {
    () => {
        "p.id, p.project, p.slug, p.created_at, p.revision, p.last_release, p.version_count"
    };
}
pub(super) use head_columns;

/// The columns of a [`head`](rows::head), then those of a [`version`](rows::version), from `prompts p`
/// and `versions v`.
macro_rules! head_and_version {
    () => {
        concat!(
            $crate::sqlite::rows::head_columns!(),
            ", v.version, v.body, v.digest, v.updated_at, v.created_by, v.message, \
             (SELECT group_concat(label, char(0)) FROM label_targets l \
              WHERE l.prompt = p.pk AND l.version = v.version)"
        )
    };
}
pub(super) use head_and_version;

/// Where the columns of the version begin in [`head_and_version`].
pub(super) const VERSION: usize = 7;

impl Columns for Row<'_> {
    type Error = rusqlite::Error;

    fn text(&self, at: usize) -> Result<Option<&str>, Self::Error> {
        self.get_ref(at)?.as_str_or_null().map_err(|error| Self::damaged(at, error))
    }

    fn integer(&self, at: usize) -> Result<Option<i64>, Self::Error> {
        self.get_ref(at)?.as_i64_or_null().map_err(|error| Self::damaged(at, error))
    }

    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, Self::Error> {
        self.get_ref(at)?.as_blob_or_null().map_err(|error| Self::damaged(at, error))
    }

    fn texts(&self, at: usize) -> Result<Vec<String>, Self::Error> {
        let joined = self.text(at)?;
        Ok(joined.into_iter().flat_map(|joined| joined.split('\0')).map(str::to_owned).collect())
    }

    fn damaged(at: usize, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self::Error {
        rusqlite::Error::FromSqlConversionFailure(at, Type::Null, error.into())
    }
}

/// A version of a prompt, and a key of the store.
pub(super) type Keyed = (PromptHead, StoredVersion, u64);

/// Rows of [`head_and_version`] and a key, so many and up to the budget of a page: at least one, if there
/// is one; and whether there are more.
pub(super) fn within_budget(
    mut found: Rows<'_>,
    limit: u64,
) -> rusqlite::Result<(Vec<Keyed>, bool)> {
    let mut taken = Vec::new();
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        bytes += row.text(VERSION + 1)?.map_or(0, str::len);
        if taken.len() as u64 == limit || (bytes > MAX_PAGE_BYTES && !taken.is_empty()) {
            return Ok((taken, true));
        }
        taken.push((rows::head(row)?, rows::version(row, VERSION)?, row.number(VERSION + 7)?));
    }
    Ok((taken, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreError;
    use crate::sqlite::connection::{Place, failed};

    /// What is told of a column that holds this.
    fn told<T>(value: &str, read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> String {
        let connection = Place::Memory.open().unwrap();
        let error = connection.query_row(&["SELECT ", value].concat(), [], read).err().unwrap();
        let StoreError::Corrupt(told) = failed(&error) else { panic!("{error:?}") };
        told
    }

    #[test]
    fn a_column_that_holds_something_else_is_told_as_damage() {
        let number = |row: &Row<'_>| row.number::<u64>(0);
        for (value, expected) in [
            ("-1", "out of range integral type conversion attempted"),
            ("'x'", "Invalid type"),
            ("NULL", "there is no value"),
        ] {
            assert_eq!(told(value, number), format!("column 0 of an answer: {expected}"));
        }
        let json = |row: &Row<'_>| row.json::<Vec<String>>(0);
        assert!(told("'{'", json).contains("invalid type: map"), "{}", told("'{'", json));
        assert_eq!(told("7", |row| row.string(0)), "column 0 of an answer: Invalid type");
    }
}
