//! Keys, what is seen once, and receipts.

use deadpool_postgres::GenericClient;
use promptops_types::Timestamp;
use tokio_postgres::Error;

use super::connect::failed;
use super::statement::{Bound, all, first, run};
use crate::keys::hash_from_hex;
use crate::store::columns::signed;
use crate::store::rows::{self, key_columns, receipt_columns};
use crate::store::{CLEARED, RECEIPT_KEPT};
use crate::{ApiKey, KeyHash, Receipt, Receipted, StoreError};

pub(super) async fn key(
    client: &impl GenericClient,
    hash: &KeyHash,
) -> Result<Option<ApiKey>, StoreError> {
    const KEY: &str =
        concat!("SELECT ", key_columns!(), " FROM promptops.api_keys WHERE hash = $1");
    let row = first(client, KEY, &[&hash.as_slice()]).await.map_err(|error| failed(&error))?;
    row.as_ref().map(rows::key).transpose()
}

pub(super) async fn key_by_id(
    client: &impl GenericClient,
    id: &str,
) -> Result<Option<ApiKey>, StoreError> {
    const KEY: &str = concat!("SELECT ", key_columns!(), " FROM promptops.api_keys WHERE id = $1");
    let row = first(client, KEY, &[&id]).await.map_err(|error| failed(&error))?;
    row.as_ref().map(rows::key).transpose()
}

pub(super) async fn keys(
    client: &impl GenericClient,
    after: Option<(Timestamp, &str)>,
    limit: u64,
) -> Result<Vec<ApiKey>, StoreError> {
    const KEYS: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM promptops.api_keys WHERE created_at <= $1 AND (created_at < $1 OR id > $2) \
         ORDER BY created_at DESC, id LIMIT $3"
    );
    let (at, id) = after.map_or((i64::MAX, ""), |(at, id)| (at.unix_micros(), id));
    let found = all(client, KEYS, &[&at, &id, &signed(limit)]).await;
    found.map_err(|error| failed(&error))?.iter().map(rows::key).collect()
}

/// All keys, each followed by its hash.
pub(super) const ALL_WITH_HASH: &str =
    concat!("SELECT ", key_columns!(), ", hash FROM promptops.api_keys ORDER BY id");

/// Adds a key whose hash is in hex.
pub(super) async fn add_with_hash(
    client: &impl GenericClient,
    hash: &str,
    key: &ApiKey,
) -> Result<(), StoreError> {
    let hash = hash_from_hex(hash).map_err(|error| StoreError::Other(error.to_owned()))?;
    add(client, &hash, key).await
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
    const RECEIPT: &str =
        concat!("SELECT ", receipt_columns!(), " FROM promptops.receipts WHERE id = $1");
    let row = first(client, RECEIPT, &[&id.as_slice()]).await.map_err(|error| failed(&error))?;
    row.as_ref().map(rows::receipted).transpose()
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
