//! Statements: prepared once a connection.

use std::pin::pin;

use deadpool_postgres::GenericClient;
use futures_util::TryStreamExt;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::connect::failed;
use crate::StoreError;
use crate::limits::MAX_PAGE_BYTES;
use crate::store::columns::Columns;

/// What is bound to a statement.
pub(super) type Bound<'b> = &'b [&'b (dyn ToSql + Sync)];

pub(super) async fn all(
    client: &impl GenericClient,
    statement: &str,
    bound: Bound<'_>,
) -> Result<Vec<Row>, Error> {
    let statement = client.prepare_cached(statement).await?;
    client.query(&statement, bound).await.or_else(|error| nowhere(error, Vec::new()))
}

pub(super) async fn first(
    client: &impl GenericClient,
    statement: &str,
    bound: Bound<'_>,
) -> Result<Option<Row>, Error> {
    let statement = client.prepare_cached(statement).await?;
    client.query_opt(&statement, bound).await.or_else(|error| nowhere(error, None))
}

/// Rows up to so many and to the budget of a page, by the size of the text at a column: at least one, if
/// there is one; and whether there are more. What is not taken is not held: the connection reads on only
/// as rows are taken, and throws away what nobody waits for.
pub(super) async fn page(
    client: &impl GenericClient,
    statement: &str,
    bound: Bound<'_>,
    column: usize,
    limit: u64,
) -> Result<(Vec<Row>, bool), StoreError> {
    let told = |error: Error| failed(&error);
    let statement = client.prepare_cached(statement).await.map_err(told)?;
    let found = client.query_raw(&statement, bound.iter().copied()).await;
    let mut found = match found {
        Ok(found) => pin!(found),
        Err(error) => return nowhere(error, (Vec::new(), false)).map_err(told),
    };
    let (mut taken, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.as_mut().try_next().await.map_err(told)? {
        bytes += row.text(column)?.map_or(0, str::len);
        if taken.len() as u64 == limit || (bytes > MAX_PAGE_BYTES && !taken.is_empty()) {
            return Ok((taken, true));
        }
        taken.push(row);
    }
    Ok((taken, false))
}

/// A text with a NUL in it, which the database takes nowhere, is found nowhere.
fn nowhere<T>(error: Error, nothing: T) -> Result<T, Error> {
    if error.code() == Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE) {
        Ok(nothing)
    } else {
        Err(error)
    }
}

/// How many rows a statement changed.
pub(super) async fn run(
    client: &impl GenericClient,
    statement: &str,
    bound: Bound<'_>,
) -> Result<u64, Error> {
    let statement = client.prepare_cached(statement).await?;
    client.execute(&statement, bound).await
}
