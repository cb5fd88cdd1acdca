//! Keys, what is seen once, and receipts.

use promptops_types::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::keys::hash_from_hex;
use crate::store::columns::signed;
use crate::store::rows::{self, key_columns, receipt_columns};
use crate::store::{CLEARED, RECEIPT_KEPT};
use crate::{ApiKey, KeyHash, Receipt, Receipted};

pub(super) fn key(connection: &Connection, hash: &KeyHash) -> rusqlite::Result<Option<ApiKey>> {
    connection
        .prepare_cached(concat!("SELECT ", key_columns!(), " FROM api_keys WHERE hash = ?"))?
        .query_row([hash.as_slice()], |row| rows::key(row))
        .optional()
}

pub(super) fn key_by_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<ApiKey>> {
    connection
        .prepare_cached(concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = ?"))?
        .query_row([id], |row| rows::key(row))
        .optional()
}

pub(super) fn keys(
    connection: &Connection,
    after: Option<(Timestamp, &str)>,
    limit: u64,
) -> rusqlite::Result<Vec<ApiKey>> {
    const QUERY: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM api_keys WHERE created_at <= ?1 AND (created_at < ?1 OR id > ?2) \
         ORDER BY created_at DESC, id LIMIT ?3"
    );
    let (at, id) = after.map_or((i64::MAX, ""), |(at, id)| (at.unix_micros(), id));
    connection
        .prepare_cached(QUERY)?
        .query_map(params![at, id, signed(limit)], |row| rows::key(row))?
        .collect()
}

/// All keys with their hashes.
pub(super) const ALL_WITH_HASH: &str =
    concat!("SELECT ", key_columns!(), ", hash FROM api_keys ORDER BY id");

/// Adds a key whose hash is in hex.
pub(super) fn add_with_hash(
    connection: &Connection,
    hash: &str,
    key: &ApiKey,
) -> rusqlite::Result<()> {
    let hash = hash_from_hex(hash)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    add(connection, &hash, key)
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
        .prepare_cached(concat!("SELECT ", receipt_columns!(), " FROM receipts WHERE id = ?"))?
        .query_row([id.as_slice()], |row| rows::receipted(row))
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
