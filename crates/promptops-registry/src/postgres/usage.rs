//! What was used.

use deadpool_postgres::{GenericClient, Transaction};
use promptops_types::Timestamp;

use super::apply::Failure;
use super::connect::failed;
use super::statement::{Bound, all, first, run};
use crate::store::columns::{Columns, signed};
use crate::store::rows::{self, usage_columns};
use crate::store::{BATCH_KEPT, CLEARED};
use crate::{Each, StoreError, TopPrompt, Usage, UsageBatch, UsageQuery, UsageRow};

pub(super) async fn log(
    transaction: &Transaction<'_>,
    batch: &UsageBatch,
) -> Result<bool, Failure> {
    const CLEAR: &str = "DELETE FROM promptops.usage_batches WHERE id IN \
         (SELECT id FROM promptops.usage_batches WHERE at < $1 ORDER BY at LIMIT $2 \
          FOR UPDATE SKIP LOCKED)";
    const BATCH: &str = "INSERT INTO promptops.usage_batches (id, at) VALUES ($1, $2) \
         ON CONFLICT DO NOTHING";
    if let Some(id) = &batch.id {
        let at = batch.at.unix_micros();
        run(transaction, CLEAR, &[&at.saturating_sub(BATCH_KEPT), &CLEARED]).await?;
        if run(transaction, BATCH, &[&id.as_slice(), &at]).await? == 0 {
            return Ok(false);
        }
    }
    for row in &batch.rows {
        add(transaction, row).await?;
    }
    Ok(true)
}

/// Adds to a row, which is locked first: two batches that add to the same one do so in turn.
async fn add(transaction: &Transaction<'_>, row: &UsageRow) -> Result<(), Failure> {
    const FIRST: &str = concat!(
        "INSERT INTO promptops.usage_hours (prompt, project, hour, operation, ",
        usage_columns!(),
        ") VALUES ($1, $2, $3, $4, 0, 0, 0, 0, 0, 0, '{}') ON CONFLICT DO NOTHING"
    );
    const LOCK: &str = concat!(
        "SELECT ",
        usage_columns!(),
        " FROM promptops.usage_hours WHERE prompt = $1 AND project = $2 AND hour = $3 \
         AND operation = $4 FOR UPDATE"
    );
    const SET: &str = "UPDATE promptops.usage_hours SET requests = $5, errors = $6, \
             cache_hits = $7, input_tokens = $8, output_tokens = $9, micros = $10, durations = $11 \
         WHERE prompt = $1 AND project = $2 AND hour = $3 AND operation = $4";
    let hour = row.hour.unix_micros();
    let key: Bound<'_> = &[&row.prompt, &row.project, &hour, &row.operation];
    run(transaction, FIRST, key).await?;
    let found = first(transaction, LOCK, key).await?;
    let mut usage = found.map_or(Ok(Usage::default()), |row| rows::usage(&row, 0))?;
    usage.add(&row.usage);
    let durations = serde_json::to_string(&usage.durations)
        .map_err(|error| StoreError::Other(error.to_string()))?;
    let sums = [usage.requests, usage.errors, usage.cache_hits].map(signed);
    let more = [usage.input_tokens, usage.output_tokens, usage.micros].map(signed);
    let mut bound = key.to_vec();
    for sum in sums.iter().chain(&more) {
        bound.push(sum);
    }
    bound.push(&durations);
    run(transaction, SET, &bound).await?;
    Ok(())
}

pub(super) async fn read(
    client: &impl GenericClient,
    query: &UsageQuery,
    each: Each<'_, UsageRow>,
) -> Result<(), StoreError> {
    const READ: &str = concat!(
        "SELECT hour, project, prompt, operation, ",
        usage_columns!(),
        " FROM promptops.usage_hours WHERE prompt = $1 AND hour >= $2 AND hour < $3 \
         AND ($4::text[] IS NULL OR project = ANY($4))"
    );
    let (from, to) = (query.from.unix_micros(), query.to.unix_micros());
    let found = all(client, READ, &[&query.prompt, &from, &to, &query.projects]).await;
    for row in &found.map_err(|error| failed(&error))? {
        each(UsageRow {
            hour: row.timestamp(0)?,
            project: row.string(1)?,
            prompt: row.string(2)?,
            operation: row.string(3)?,
            usage: rows::usage(row, 4)?,
        })?;
    }
    Ok(())
}

pub(super) async fn top(
    client: &impl GenericClient,
    query: &UsageQuery,
    limit: u64,
) -> Result<Vec<TopPrompt>, StoreError> {
    const TOP: &str = "SELECT project, prompt, sum(requests)::bigint, sum(errors)::bigint \
         FROM promptops.usage_hours \
         WHERE prompt <> '' AND hour >= $1 AND hour < $2 \
           AND ($3::text[] IS NULL OR project = ANY($3)) \
         GROUP BY project, prompt ORDER BY 3 DESC, project, prompt LIMIT $4";
    let (from, to) = (query.from.unix_micros(), query.to.unix_micros());
    let found = all(client, TOP, &[&from, &to, &query.projects, &signed(limit)]).await;
    found.map_err(|error| failed(&error))?.iter().map(rows::top_prompt).collect()
}

pub(super) async fn forget(
    client: &impl GenericClient,
    before: Timestamp,
) -> Result<u64, StoreError> {
    const FORGET: &str = "DELETE FROM promptops.usage_hours WHERE hour < $1";
    run(client, FORGET, &[&before.unix_micros()]).await.map_err(|error| failed(&error))
}
