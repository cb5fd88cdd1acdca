//! Statements: prepared once a connection.

use deadpool_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

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
