//! Everything out of a database, and into an empty one.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use super::apply::Failure;
use super::connect::failed;
use super::rows::{get, head_columns, version_columns};
use super::statement::{all, first, run};
use super::{apply, keys, read};
use crate::store::columns::{Columns, signed};
use crate::store::record::{NO_PROMPT, NOT_EMPTY};
use crate::store::rows::{self, audit_columns};
use crate::{Each, PromptHead, Record, Records, RegistryError, StoreError, StoredVersion};

/// Prompts, or lines of the trail, that are read at once.
const PAGE: i64 = 500;

const PROJECTS: &str = "SELECT id, created_at FROM promptops.projects ORDER BY id";
const MODULES: &str = "SELECT project, id, created_at FROM promptops.modules ORDER BY project, id";
const HEADS: &str = concat!(
    "SELECT ",
    head_columns!(),
    " FROM promptops.prompts p WHERE p.id > $1 ORDER BY p.id LIMIT $2"
);
const VERSIONS: &str = concat!(
    "SELECT ",
    version_columns!(),
    " FROM promptops.versions v WHERE v.prompt = $1 AND v.pk > $2 ORDER BY v.pk LIMIT 20"
);
const AUDIT: &str = concat!(
    "SELECT ",
    audit_columns!(),
    " FROM promptops.audit WHERE seq > $1 ORDER BY seq LIMIT $2"
);

/// Reads everything, in a transaction that sees one moment.
pub(super) async fn export(
    transaction: &Transaction<'_>,
    each: Each<'_, Record>,
) -> Result<(), StoreError> {
    for row in many(transaction, PROJECTS).await? {
        each(Record::Project { id: row.string(0)?, created_at: row.timestamp(1)? })?;
    }
    for row in many(transaction, MODULES).await? {
        let (project, id, created_at) = (row.string(0)?, row.string(1)?, row.timestamp(2)?);
        each(Record::Module { project, id, created_at })?;
    }
    let mut last = String::new();
    loop {
        let page = all(transaction, HEADS, &[&last, &PAGE]).await.map_err(|e| failed(&e))?;
        let Some(end) = page.last() else { break };
        last = get(end, 0)?;
        for row in &page {
            prompt(transaction, rows::head(row)?, get(row, 7)?, each).await?;
        }
    }
    let mut last = 0_i64;
    loop {
        let page = all(transaction, AUDIT, &[&last, &PAGE]).await.map_err(|e| failed(&e))?;
        let Some(end) = page.last() else { break };
        last = get(end, 0)?;
        for row in &page {
            each(Record::Audit { entry: Box::new(rows::audit(row)?) })?;
        }
    }
    for row in many(transaction, keys::ALL_WITH_HASH).await? {
        each(rows::key_record(&row)?)?;
    }
    Ok(())
}

async fn many(transaction: &Transaction<'_>, statement: &str) -> Result<Vec<Row>, StoreError> {
    all(transaction, statement, &[]).await.map_err(|error| failed(&error))
}

/// A prompt with its versions and labels.
async fn prompt(
    transaction: &Transaction<'_>,
    head: PromptHead,
    key: i64,
    each: Each<'_, Record>,
) -> Result<(), StoreError> {
    let labels = read::labels(transaction, &head.id).await?;
    each(Record::Prompt { head })?;
    let mut last = 0_i64;
    loop {
        let page = all(transaction, VERSIONS, &[&key, &last]).await.map_err(|e| failed(&e))?;
        let Some(end) = page.last() else { break };
        last = get(end, 7)?;
        for row in &page {
            // They are records of their own.
            let version = StoredVersion { labels: Vec::new(), ..rows::version(row, 0)? };
            each(Record::Version { version: Box::new(version) })?;
        }
    }
    for label in labels {
        each(Record::Label { label })?;
    }
    Ok(())
}

/// Takes all records into an empty database.
pub(super) async fn import(
    transaction: &Transaction<'_>,
    records: Records,
) -> Result<u64, StoreError> {
    const COUNTER: &str = "UPDATE promptops.counters SET value = $1 WHERE name = 'audit'";
    const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM promptops.projects) \
         OR EXISTS (SELECT 1 FROM promptops.audit) OR EXISTS (SELECT 1 FROM promptops.api_keys)";
    let row = first(transaction, IS_USED, &[]).await.map_err(|error| failed(&error))?;
    let is_used = row.as_ref().map_or(Ok(true), |row| get(row, 0))?;
    if is_used {
        return Err(StoreError::Other(NOT_EMPTY.to_owned()));
    }
    let mut taken = 0;
    let mut prompt: Option<(i64, PromptHead)> = None;
    let mut last = 0_u64;
    for record in records {
        let record = record.map_err(StoreError::Other)?;
        taken += 1;
        if let Record::Audit { entry } = &record {
            last = last.max(entry.seq);
        }
        let added = add(transaction, &mut prompt, &record).await;
        added.map_err(|failure| match failure {
            Failure::Final(RegistryError::Store(error)) => {
                StoreError::Other(format!("record {taken}: {error}"))
            }
            _ => StoreError::Busy,
        })?;
    }
    let finished = finish(transaction, prompt.take()).await;
    finished.map_err(|_| StoreError::Other("the last prompt cannot be finished".to_owned()))?;
    run(transaction, COUNTER, &[&signed(last)]).await.map_err(|error| failed(&error))?;
    Ok(taken)
}

async fn add(
    transaction: &Transaction<'_>,
    prompt: &mut Option<(i64, PromptHead)>,
    record: &Record,
) -> Result<(), Failure> {
    const PROJECT: &str = "INSERT INTO promptops.projects (id, created_at) VALUES ($1, $2)";
    const MODULE: &str =
        "INSERT INTO promptops.modules (project, id, created_at) VALUES ($1, $2, $3)";
    if let Record::Version { .. } | Record::Label { .. } = record {
        let Some((key, _)) = prompt else {
            return Err(StoreError::Other(NO_PROMPT.to_owned()).into());
        };
        return match record {
            Record::Version { version } => apply::add_version(transaction, *key, version).await,
            Record::Label { label } => Ok(apply::set_label(transaction, *key, label).await?),
            _ => Ok(()),
        };
    }
    finish(transaction, prompt.take()).await?;
    match record {
        Record::Project { id, created_at } => {
            run(transaction, PROJECT, &[id, &created_at.unix_micros()]).await?;
        }
        Record::Module { project, id, created_at } => {
            run(transaction, MODULE, &[project, id, &created_at.unix_micros()]).await?;
        }
        Record::Prompt { head } => {
            let at = head.created_at.unix_micros();
            let key = apply::create(transaction, (&head.id, &head.project, &head.slug, at)).await?;
            *prompt = Some((key, head.clone()));
        }
        Record::Audit { entry } => apply::record(transaction, signed(entry.seq), entry).await?,
        Record::Key { hash, key } => keys::add_with_hash(transaction, hash, key).await?,
        Record::Version { .. } | Record::Label { .. } => {}
    }
    Ok(())
}

/// Brings what belongs to a prompt as a whole to what it was.
async fn finish(
    transaction: &Transaction<'_>,
    prompt: Option<(i64, PromptHead)>,
) -> Result<(), Failure> {
    const FINISH: &str =
        "UPDATE promptops.prompts SET revision = $1, last_release = $2 WHERE pk = $3";
    let Some((key, head)) = prompt else { return Ok(()) };
    apply::derive(transaction, key).await?;
    let last = head.last_release.as_ref().map(ToString::to_string);
    run(transaction, FINISH, &[&signed(head.revision), &last, &key]).await?;
    Ok(())
}
