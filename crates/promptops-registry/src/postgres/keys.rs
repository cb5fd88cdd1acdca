//! Keys, what is seen once, and receipts.

use std::collections::BTreeSet;

use deadpool_postgres::GenericClient;
use promptops_types::Timestamp;
use tokio_postgres::{Error, Row};

use super::connect::failed;
use super::rows::{damaged, get, optional_text, signed, timestamp};
use super::statement::{Bound, all, first, run};
use crate::store::{CLEARED, RECEIPT_KEPT};
use crate::{ApiKey, KeyHash, RateLimits, Receipt, Receipted, Scope, StoreError};

/// The columns that [`read`] reads.
macro_rules! columns {
    () => {
        "id, prefix, name, description, scopes, projects, per_minute, per_hour, per_day, \
         created_at, created_by, expires_at, revoked_at"
    };
}

pub(super) fn read(row: &Row) -> Result<ApiKey, StoreError> {
    let scopes: &str = get(row, 4)?;
    let scopes = scopes.split(',').map(str::parse).collect::<Result<BTreeSet<Scope>, String>>();
    let projects: Option<&str> = get(row, 5)?;
    let projects = projects.map(serde_json::from_str).transpose();
    let limit = |at: usize| {
        let limit: Option<i64> = get(row, at)?;
        limit.map(|limit| u32::try_from(limit).map_err(|error| damaged(&error))).transpose()
    };
    let time = |at: usize| {
        let micros: Option<i64> = get(row, at)?;
        Ok::<_, StoreError>(micros.map(Timestamp::from_unix_micros))
    };
    Ok(ApiKey {
        id: get(row, 0)?,
        prefix: get(row, 1)?,
        name: get(row, 2)?,
        description: get(row, 3)?,
        scopes: scopes.map_err(|error| damaged(&error))?,
        projects: projects.map_err(|error| damaged(&error))?,
        limits: RateLimits { per_minute: limit(6)?, per_hour: limit(7)?, per_day: limit(8)? },
        created_at: timestamp(row, 9)?,
        created_by: get(row, 10)?,
        expires_at: time(11)?,
        revoked_at: time(12)?,
    })
}

pub(super) async fn key(
    client: &impl GenericClient,
    hash: &KeyHash,
) -> Result<Option<ApiKey>, StoreError> {
    const KEY: &str = concat!("SELECT ", columns!(), " FROM promptops.api_keys WHERE hash = $1");
    let row = first(client, KEY, &[&hash.as_slice()]).await.map_err(|error| failed(&error))?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn key_by_id(
    client: &impl GenericClient,
    id: &str,
) -> Result<Option<ApiKey>, StoreError> {
    const KEY: &str = concat!("SELECT ", columns!(), " FROM promptops.api_keys WHERE id = $1");
    let row = first(client, KEY, &[&id]).await.map_err(|error| failed(&error))?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn keys(
    client: &impl GenericClient,
    after: Option<(Timestamp, &str)>,
    limit: u64,
) -> Result<Vec<ApiKey>, StoreError> {
    const KEYS: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM promptops.api_keys WHERE created_at <= $1 AND (created_at < $1 OR id > $2) \
         ORDER BY created_at DESC, id LIMIT $3"
    );
    let (at, id) = after.map_or((i64::MAX, ""), |(at, id)| (at.unix_micros(), id));
    let found = all(client, KEYS, &[&at, &id, &signed(limit)]).await;
    found.map_err(|error| failed(&error))?.iter().map(read).collect()
}

/// All keys, each followed by its hash.
pub(super) const ALL_WITH_HASH: &str =
    concat!("SELECT ", columns!(), ", encode(hash, 'hex') FROM promptops.api_keys ORDER BY id");

/// Adds a key whose hash is in hex.
pub(super) async fn add_with_hash(
    client: &impl GenericClient,
    hash: &str,
    key: &ApiKey,
) -> Result<(), StoreError> {
    const UNHEX: &str = "SELECT decode($1, 'hex')";
    let row = first(client, UNHEX, &[&hash]).await.map_err(|error| failed(&error))?;
    let bytes: Option<Vec<u8>> = row.as_ref().map(|row| get(row, 0)).transpose()?;
    match bytes.as_deref().map(KeyHash::try_from) {
        Some(Ok(hash)) => add(client, &hash, key).await,
        _ => Err(StoreError::Other("a hash is not 64 hex digits".to_owned())),
    }
}

pub(super) async fn add(
    client: &impl GenericClient,
    hash: &KeyHash,
    key: &ApiKey,
) -> Result<(), StoreError> {
    const ADD: &str = "INSERT INTO promptops.api_keys (hash, id, prefix, name, description, \
             scopes, projects, per_minute, per_hour, per_day, created_at, created_by, expires_at, \
             revoked_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let (hash, scopes) = (hash.as_slice(), scopes.join(","));
    let projects = key.projects.as_ref().map(serde_json::to_string).transpose();
    let projects = projects.map_err(|error| StoreError::Other(error.to_string()))?;
    let [minute, hour, day] = key.limits.windows().map(|limit| limit.map(i64::from));
    let micros = |time: Option<Timestamp>| time.map(Timestamp::unix_micros);
    let (created, expires) = (key.created_at.unix_micros(), micros(key.expires_at));
    let revoked = micros(key.revoked_at);
    let bound: Bound<'_> = &[
        &hash,
        &key.id,
        &key.prefix,
        &key.name,
        &key.description,
        &scopes,
        &projects,
        &minute,
        &hour,
        &day,
        &created,
        &key.created_by,
        &expires,
        &revoked,
    ];
    run(client, ADD, bound).await.map(drop).map_err(|error| failed(&error))
}

pub(super) async fn revoke(
    client: &impl GenericClient,
    id: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    const REVOKE: &str =
        "UPDATE promptops.api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL";
    run(client, REVOKE, &[&at.unix_micros(), &id]).await.map(drop).map_err(|error| failed(&error))
}

pub(super) async fn use_once(
    client: &impl GenericClient,
    token: &[u8; 32],
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const CLEAR: &str = "DELETE FROM promptops.seen_once WHERE token IN \
         (SELECT token FROM promptops.seen_once WHERE until < $1 ORDER BY until LIMIT $2 \
          FOR UPDATE SKIP LOCKED)";
    const ADD: &str = "INSERT INTO promptops.seen_once (token, until) VALUES ($1, $2) \
         ON CONFLICT DO NOTHING";
    let told = |error: Error| failed(&error);
    run(client, CLEAR, &[&now.unix_micros(), &CLEARED]).await.map_err(told)?;
    let (token, until) = (token.as_slice(), until.unix_micros());
    Ok(run(client, ADD, &[&token, &until]).await.map_err(told)? == 1)
}

pub(super) async fn receipt(
    client: &impl GenericClient,
    id: &[u8; 32],
) -> Result<Option<Receipted>, StoreError> {
    const RECEIPT: &str = "SELECT fingerprint, at, prompt_id, version, status, etag, answer \
         FROM promptops.receipts WHERE id = $1";
    let row = first(client, RECEIPT, &[&id.as_slice()]).await.map_err(|error| failed(&error))?;
    let Some(row) = row else { return Ok(None) };
    let status: Option<i64> = get(&row, 4)?;
    let answer = match status {
        Some(status) => {
            let status = u16::try_from(status).map_err(|error| damaged(&error))?;
            Some((status, get(&row, 5)?, get(&row, 6)?))
        }
        None => None,
    };
    let fingerprint: &[u8] = get(&row, 0)?;
    Ok(Some(Receipted {
        fingerprint: fingerprint.try_into().map_err(|error| damaged(&error))?,
        at: timestamp(&row, 1)?,
        prompt_id: get(&row, 2)?,
        version: optional_text(&row, 3)?,
        answer,
    }))
}

/// Keeps a receipt; fails where there is one of its id.
pub(super) async fn keep_receipt(
    client: &impl GenericClient,
    receipt: &Receipt,
    prompt_id: &str,
    version: Option<&str>,
) -> Result<(), Error> {
    const CLEAR: &str = "DELETE FROM promptops.receipts WHERE id IN \
         (SELECT id FROM promptops.receipts WHERE at < $1 ORDER BY at LIMIT $2 \
          FOR UPDATE SKIP LOCKED)";
    const KEEP: &str = "INSERT INTO promptops.receipts (id, fingerprint, at, prompt_id, version) \
         VALUES ($1, $2, $3, $4, $5)";
    let at = receipt.at.unix_micros();
    run(client, CLEAR, &[&at.saturating_sub(RECEIPT_KEPT), &CLEARED]).await?;
    let (id, fingerprint) = (receipt.id.as_slice(), receipt.fingerprint.as_slice());
    run(client, KEEP, &[&id, &fingerprint, &at, &prompt_id, &version]).await.map(drop)
}

pub(super) async fn answered(
    client: &impl GenericClient,
    id: &[u8; 32],
    status: u16,
    etag: Option<&str>,
    answer: &[u8],
) -> Result<(), StoreError> {
    const ANSWERED: &str =
        "UPDATE promptops.receipts SET status = $1, etag = $2, answer = $3 WHERE id = $4";
    let bound: Bound<'_> = &[&i64::from(status), &etag, &answer, &id.as_slice()];
    run(client, ANSWERED, bound).await.map(drop).map_err(|error| failed(&error))
}
