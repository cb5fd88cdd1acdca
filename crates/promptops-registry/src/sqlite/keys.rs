//! Keys, what is seen once, and receipts.

use std::collections::BTreeSet;

use promptops_types::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{damaged, optional_text, signed, timestamp};
use crate::store::{CLEARED, RECEIPT_KEPT};
use crate::{ApiKey, KeyHash, RateLimits, Receipt, Receipted, Scope};

/// The columns that [`read`] reads.
macro_rules! columns {
    () => {
        "id, prefix, name, description, scopes, projects, per_minute, per_hour, per_day, \
         created_at, created_by, expires_at, revoked_at"
    };
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let scopes: String = row.get(4)?;
    let scopes = scopes.split(',').map(str::parse).collect::<Result<BTreeSet<Scope>, String>>();
    let projects: Option<String> = row.get(5)?;
    let projects = projects.map(|text| serde_json::from_str(&text)).transpose();
    let time = |at: usize| {
        let micros: Option<i64> = row.get(at)?;
        Ok::<_, rusqlite::Error>(micros.map(Timestamp::from_unix_micros))
    };
    Ok(ApiKey {
        id: row.get(0)?,
        prefix: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        scopes: scopes.map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(4, Type::Text, error.into())
        })?,
        projects: projects.map_err(|error| damaged(5, error))?,
        limits: RateLimits { per_minute: row.get(6)?, per_hour: row.get(7)?, per_day: row.get(8)? },
        created_at: timestamp(row, 9)?,
        created_by: row.get(10)?,
        expires_at: time(11)?,
        revoked_at: time(12)?,
    })
}

pub(super) fn key(connection: &Connection, hash: &KeyHash) -> rusqlite::Result<Option<ApiKey>> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM api_keys WHERE hash = ?"))?
        .query_row([hash.as_slice()], read)
        .optional()
}

pub(super) fn key_by_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<ApiKey>> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM api_keys WHERE id = ?"))?
        .query_row([id], read)
        .optional()
}

pub(super) fn keys(
    connection: &Connection,
    after: Option<(Timestamp, &str)>,
    limit: u64,
) -> rusqlite::Result<Vec<ApiKey>> {
    const QUERY: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM api_keys WHERE created_at <= ?1 AND (created_at < ?1 OR id > ?2) \
         ORDER BY created_at DESC, id LIMIT ?3"
    );
    let (at, id) = after.map_or((i64::MAX, ""), |(at, id)| (at.unix_micros(), id));
    connection.prepare_cached(QUERY)?.query_map(params![at, id, signed(limit)], read)?.collect()
}

/// All keys with their hashes.
pub(super) const ALL_WITH_HASH: &str =
    concat!("SELECT ", columns!(), ", lower(hex(hash)) FROM api_keys ORDER BY id");

/// A row of [`ALL_WITH_HASH`].
pub(super) fn read_with_hash(row: &Row<'_>) -> rusqlite::Result<(String, ApiKey)> {
    Ok((row.get(13)?, read(row)?))
}

/// Adds a key whose hash is in hex.
pub(super) fn add_with_hash(
    connection: &Connection,
    hash: &str,
    key: &ApiKey,
) -> rusqlite::Result<()> {
    let hash: Option<Vec<u8>> =
        connection.query_row("SELECT unhex(?)", [hash], |row| row.get(0))?;
    match hash.as_deref().map(KeyHash::try_from) {
        Some(Ok(hash)) => add(connection, &hash, key),
        _ => Err(rusqlite::Error::ToSqlConversionFailure("a hash is not 64 hex digits".into())),
    }
}

pub(super) fn add(connection: &Connection, hash: &KeyHash, key: &ApiKey) -> rusqlite::Result<()> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let projects = key.projects.as_ref().map(serde_json::to_string).transpose();
    let projects =
        projects.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached(
            "INSERT INTO api_keys (hash, id, prefix, name, description, scopes, projects, \
             per_minute, per_hour, per_day, created_at, created_by, expires_at, revoked_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            hash.as_slice(),
            key.id,
            key.prefix,
            key.name,
            key.description,
            scopes.join(","),
            projects,
            key.limits.per_minute,
            key.limits.per_hour,
            key.limits.per_day,
            key.created_at.unix_micros(),
            key.created_by,
            key.expires_at.map(Timestamp::unix_micros),
            key.revoked_at.map(Timestamp::unix_micros),
        ])
        .map(drop)
}

pub(super) fn revoke(connection: &Connection, id: &str, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")?
        .execute(params![at.unix_micros(), id])
        .map(drop)
}

pub(super) fn use_once(
    connection: &Connection,
    token: &[u8; 32],
    until: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "DELETE FROM seen_once WHERE token IN \
             (SELECT token FROM seen_once WHERE until < ? ORDER BY until LIMIT ?)",
        )?
        .execute(params![now.unix_micros(), CLEARED])?;
    let added = connection
        .prepare_cached(
            "INSERT INTO seen_once (token, until) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )?
        .execute(params![token.as_slice(), until.unix_micros()])?;
    Ok(added == 1)
}

pub(super) fn receipt(
    connection: &Connection,
    id: &[u8; 32],
) -> rusqlite::Result<Option<Receipted>> {
    connection
        .prepare_cached(
            "SELECT fingerprint, at, prompt_id, version, status, etag, answer FROM receipts \
             WHERE id = ?",
        )?
        .query_row([id.as_slice()], |row| {
            let status: Option<u16> = row.get(4)?;
            let answer = match status {
                Some(status) => Some((status, row.get(5)?, row.get(6)?)),
                None => None,
            };
            Ok(Receipted {
                fingerprint: row.get(0)?,
                at: timestamp(row, 1)?,
                prompt_id: row.get(2)?,
                version: optional_text(row, 3)?,
                answer,
            })
        })
        .optional()
}

/// Keeps a receipt; gives whether it is new.
pub(super) fn keep_receipt(
    connection: &Connection,
    receipt: &Receipt,
    prompt_id: &str,
    version: Option<&str>,
) -> rusqlite::Result<bool> {
    let over = receipt.at.unix_micros().saturating_sub(RECEIPT_KEPT);
    connection
        .prepare_cached(
            "DELETE FROM receipts WHERE id IN \
             (SELECT id FROM receipts WHERE at < ? ORDER BY at LIMIT ?)",
        )?
        .execute(params![over, CLEARED])?;
    let added = connection
        .prepare_cached(
            "INSERT INTO receipts (id, fingerprint, at, prompt_id, version) \
             VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            receipt.id.as_slice(),
            receipt.fingerprint.as_slice(),
            receipt.at.unix_micros(),
            prompt_id,
            version,
        ])?;
    Ok(added == 1)
}

pub(super) fn answered(
    connection: &Connection,
    id: &[u8; 32],
    status: u16,
    etag: Option<&str>,
    answer: &[u8],
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE receipts SET status = ?, etag = ?, answer = ? WHERE id = ?")?
        .execute(params![status, etag, answer, id.as_slice()])
        .map(drop)
}
