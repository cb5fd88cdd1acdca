//! How a row is read.

use std::error::Error;

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::connect::failed;
use crate::StoreError;
use crate::store::columns::{Columns, unreadable};

/// The columns of a [`head`](crate::store::rows::head), from `promptops.prompts p`, and its key.
macro_rules! head_columns {
    () => {
        "p.id, p.project, p.slug, p.created_at, p.revision, p.last_release, p.version_count, p.pk"
    };
}
pub(super) use head_columns;

/// The columns of a [`version`](crate::store::rows::version), from `promptops.versions v`, and its key.
macro_rules! version_columns {
    () => {
        "v.version, v.body, v.digest, v.updated_at, v.created_by, v.message, \
         ARRAY(SELECT l.label FROM promptops.label_targets l \
               WHERE l.prompt = v.prompt AND l.version = v.version ORDER BY l.label), v.pk"
    };
}
pub(super) use version_columns;

/// Where the columns of the version begin after those of the head.
pub(super) const VERSION: usize = 8;

pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| failed(&error))
}

impl Columns for Row {
    type Error = StoreError;

    fn text(&self, at: usize) -> Result<Option<&str>, StoreError> {
        get(self, at)
    }

    fn integer(&self, at: usize) -> Result<Option<i64>, StoreError> {
        get(self, at)
    }

    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, StoreError> {
        get(self, at)
    }

    fn texts(&self, at: usize) -> Result<Vec<String>, StoreError> {
        get(self, at)
    }

    fn damaged(at: usize, error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        unreadable(at, error.into())
    }
}
