//! What was used.

use promptops_types::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::read::json_list;
use super::rows::{damaged, signed, timestamp, unsigned};
use crate::store::{BATCH_KEPT, CLEARED};
use crate::{StoreError, TopPrompt, Usage, UsageBatch, UsageQuery, UsageRow};

/// The columns that [`usage_at`] reads.
macro_rules! sums {
    () => {
        "requests, errors, cache_hits, input_tokens, output_tokens, micros, durations"
    };
}

fn usage_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Usage> {
    let durations = row.get_ref(at + 6)?.as_str()?;
    Ok(Usage {
        requests: unsigned(row, at)?,
        errors: unsigned(row, at + 1)?,
        cache_hits: unsigned(row, at + 2)?,
        input_tokens: unsigned(row, at + 3)?,
        output_tokens: unsigned(row, at + 4)?,
        micros: unsigned(row, at + 5)?,
        durations: serde_json::from_str(durations).map_err(|error| damaged(at + 6, error))?,
    })
}

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
            sums!(),
            " FROM usage_hours WHERE prompt = ? AND project = ? AND hour = ? AND operation = ?"
        ))?
        .query_row(key, |row| usage_at(row, 0))
        .optional()?
        .unwrap_or_default();
    usage.add(&row.usage);
    let durations = serde_json::to_string(&usage.durations)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached(concat!(
            "INSERT OR REPLACE INTO usage_hours (prompt, project, hour, operation, ",
            sums!(),
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
        sums!(),
        " FROM usage_hours WHERE prompt = :prompt AND hour >= :from AND hour < :to \
         AND (:projects IS NULL OR project IN (SELECT value FROM json_each(:projects)))"
    ))?;
    let mut rows = statement.query(named_params! {
        ":prompt": query.prompt,
        ":from": query.from.unix_micros(),
        ":to": query.to.unix_micros(),
        ":projects": query.projects.as_deref().map(json_list),
    })?;
    while let Some(row) = rows.next()? {
        let told = each(UsageRow {
            hour: timestamp(row, 0)?,
            project: row.get(1)?,
            prompt: row.get(2)?,
            operation: row.get(3)?,
            usage: usage_at(row, 4)?,
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
            |row| {
                Ok(TopPrompt {
                    project: row.get(0)?,
                    prompt: row.get(1)?,
                    requests: unsigned(row, 2)?,
                    errors: unsigned(row, 3)?,
                })
            },
        )?
        .collect()
}

pub(super) fn forget(connection: &Connection, before: Timestamp) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("DELETE FROM usage_hours WHERE hour < ?")?
        .execute([before.unix_micros()])
        .map(|forgotten| forgotten as u64)
}
