//! What was used.

use promptops_types::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::read::json_list;
use crate::store::columns::{Columns, signed};
use crate::store::rows::{self, usage_columns};
use crate::store::{BATCH_KEPT, CLEARED};
use crate::{StoreError, TopPrompt, UsageBatch, UsageQuery, UsageRow};

pub(super) fn log(connection: &Connection, batch: &UsageBatch) -> rusqlite::Result<bool> {
    if let Some(id) = &batch.id {
        let at = batch.at.unix_micros();
        connection
            .prepare_cached(
                "DELETE FROM usage_batches WHERE id IN \
                 (SELECT id FROM usage_batches WHERE at < ? ORDER BY at LIMIT ?)",
            )?
            .execute(params![at.saturating_sub(BATCH_KEPT), CLEARED])?;
        let added = connection
            .prepare_cached(
                "INSERT INTO usage_batches (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING",
            )?
            .execute(params![id.as_slice(), at])?;
        if added == 0 {
            return Ok(false);
        }
    }
    for row in &batch.rows {
        add(connection, row)?;
    }
    Ok(true)
}

fn add(connection: &Connection, row: &UsageRow) -> rusqlite::Result<()> {
    let key = params![row.prompt, row.project, row.hour.unix_micros(), row.operation];
    let mut usage = connection
        .prepare_cached(concat!(
            "SELECT ",
            usage_columns!(),
            " FROM usage_hours WHERE prompt = ? AND project = ? AND hour = ? AND operation = ?"
        ))?
        .query_row(key, |row| rows::usage(row, 0))
        .optional()?
        .unwrap_or_default();
    usage.add(&row.usage);
    let durations = serde_json::to_string(&usage.durations)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached(concat!(
            "INSERT OR REPLACE INTO usage_hours (prompt, project, hour, operation, ",
            usage_columns!(),
            ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ))?
        .execute(params![
            row.prompt,
            row.project,
            row.hour.unix_micros(),
            row.operation,
            signed(usage.requests),
            signed(usage.errors),
            signed(usage.cache_hits),
            signed(usage.input_tokens),
            signed(usage.output_tokens),
            signed(usage.micros),
            durations,
        ])
        .map(drop)
}

pub(super) fn read(
    connection: &Connection,
    query: &UsageQuery,
    each: &mut (dyn FnMut(UsageRow) -> Result<(), StoreError> + Send),
) -> rusqlite::Result<Result<(), StoreError>> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT hour, project, prompt, operation, ",
        usage_columns!(),
        " FROM usage_hours WHERE prompt = :prompt AND hour >= :from AND hour < :to \
         AND (:projects IS NULL OR project IN (SELECT value FROM json_each(:projects)))"
    ))?;
    let mut found = statement.query(named_params! {
        ":prompt": query.prompt,
        ":from": query.from.unix_micros(),
        ":to": query.to.unix_micros(),
        ":projects": query.projects.as_deref().map(json_list),
    })?;
    while let Some(row) = found.next()? {
        let told = each(UsageRow {
            hour: row.timestamp(0)?,
            project: row.string(1)?,
            prompt: row.string(2)?,
            operation: row.string(3)?,
            usage: rows::usage(row, 4)?,
        });
        if told.is_err() {
            return Ok(told);
        }
    }
    Ok(Ok(()))
}

pub(super) fn top(
    connection: &Connection,
    query: &UsageQuery,
    limit: u64,
) -> rusqlite::Result<Vec<TopPrompt>> {
    connection
        .prepare_cached(
            "SELECT project, prompt, sum(requests), sum(errors) FROM usage_hours \
             WHERE prompt <> '' AND hour >= :from AND hour < :to \
               AND (:projects IS NULL OR project IN (SELECT value FROM json_each(:projects))) \
             GROUP BY project, prompt ORDER BY 3 DESC, project, prompt LIMIT :limit",
        )?
        .query_map(
            named_params! {
                ":from": query.from.unix_micros(),
                ":to": query.to.unix_micros(),
                ":projects": query.projects.as_deref().map(json_list),
                ":limit": signed(limit),
            },
            |row| rows::top_prompt(row),
        )?
        .collect()
}

pub(super) fn forget(connection: &Connection, before: Timestamp) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("DELETE FROM usage_hours WHERE hour < ?")?
        .execute([before.unix_micros()])
        .map(|forgotten| forgotten as u64)
}
