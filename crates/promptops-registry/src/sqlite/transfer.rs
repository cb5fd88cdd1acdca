//! Everything out of a file, and into an empty one.

use promptops_types::LabelTarget;
use rusqlite::{Connection, Row, params};

use super::connection::failed;
use super::rows::{VERSION, head_and_version, head_columns};
use super::{apply, keys, read};
use crate::store::columns::{Columns, signed};
use crate::store::record::{NO_PROMPT, NOT_EMPTY};
use crate::store::rows::{self, audit_columns};
use crate::{PromptHead, Record, Records, StoreError, StoredVersion};

/// What is exported beside the prompts.
const PROJECTS: &str = "SELECT id, created_at FROM projects ORDER BY id";
const MODULES: &str = "SELECT project, id, created_at FROM modules ORDER BY project, id";
const AUDIT: &str = concat!("SELECT ", audit_columns!(), " FROM audit ORDER BY seq");

/// Whether there is anything in a file.
const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM projects) \
     OR EXISTS (SELECT 1 FROM audit) OR EXISTS (SELECT 1 FROM api_keys)";

type Sink<'s> = &'s mut (dyn FnMut(Record) -> Result<(), StoreError> + Send);

pub(super) fn export(connection: &Connection, each: Sink<'_>) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| failed(&error);
    let _snapshot = connection.unchecked_transaction().map_err(told)?;
    records(connection, PROJECTS, each, |row| {
        Ok(Record::Project { id: row.string(0)?, created_at: row.timestamp(1)? })
    })?;
    records(connection, MODULES, each, |row| {
        Ok(Record::Module {
            project: row.string(0)?,
            id: row.string(1)?,
            created_at: row.timestamp(2)?,
        })
    })?;
    prompts(connection, each)?;
    records(connection, AUDIT, each, |row| {
        Ok(Record::Audit { entry: Box::new(rows::audit(row)?) })
    })?;
    records(connection, keys::ALL_WITH_HASH, each, |row| rows::key_record(row))
}

fn records(
    connection: &Connection,
    query: &str,
    each: Sink<'_>,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<Record>,
) -> Result<(), StoreError> {
    let told = |error: rusqlite::Error| failed(&error);
    let mut statement = connection.prepare(query).map_err(told)?;
    let mut found = statement.query([]).map_err(told)?;
    while let Some(row) = found.next().map_err(told)? {
        each(read(row).map_err(told)?)?;
    }
    Ok(())
}

/// Each prompt with its versions and labels.
fn prompts(connection: &Connection, each: Sink<'_>) -> Result<(), StoreError> {
    const HEADS: &str = concat!("SELECT ", head_columns!(), ", p.pk FROM prompts p ORDER BY p.id");
    const VERSIONS: &str = concat!(
        "SELECT ",
        head_and_version!(),
        " FROM prompts p JOIN versions v ON v.prompt = p.pk WHERE p.pk = ? ORDER BY v.pk"
    );
    let told = |error: rusqlite::Error| failed(&error);
    let mut heads = connection.prepare(HEADS).map_err(told)?;
    let mut found = heads.query([]).map_err(told)?;
    while let Some(row) = found.next().map_err(told)? {
        let (head, key): (PromptHead, i64) =
            rows::head(row).and_then(|head| Ok((head, row.get(7)?))).map_err(told)?;
        let labels = read::labels(connection, &head.id).map_err(told)?;
        each(Record::Prompt { head })?;
        let mut versions = connection.prepare_cached(VERSIONS).map_err(told)?;
        let mut versions = versions.query([key]).map_err(told)?;
        while let Some(row) = versions.next().map_err(told)? {
            let version = rows::version(row, VERSION).map_err(told)?;
            // They are records of their own.
            let version = StoredVersion { labels: Vec::new(), ..version };
            each(Record::Version { version: Box::new(version) })?;
        }
        for label in labels {
            each(Record::Label { label })?;
        }
    }
    Ok(())
}

/// Takes all records into an empty file.
pub(super) fn import(connection: &Connection, records: Records) -> Result<u64, StoreError> {
    let told = |error: rusqlite::Error| failed(&error);
    if connection.query_row(IS_USED, [], |row| row.get(0)).map_err(told)? {
        return Err(StoreError::Other(NOT_EMPTY.to_owned()));
    }
    let mut taken = 0;
    let mut prompt: Option<(i64, PromptHead)> = None;
    for record in records {
        let record = record.map_err(StoreError::Other)?;
        let result = match &record {
            Record::Prompt { head } => {
                finish(connection, prompt.take()).map_err(told)?;
                add_prompt(connection, head).map(|key| prompt = Some((key, head.clone())))
            }
            Record::Version { .. } | Record::Label { .. } => {
                let Some((key, _)) = &prompt else {
                    return Err(StoreError::Other(NO_PROMPT.to_owned()));
                };
                add_to_prompt(connection, *key, &record)
            }
            other => {
                finish(connection, prompt.take()).map_err(told)?;
                add(connection, other)
            }
        };
        taken += 1;
        result.map_err(|error| StoreError::Other(format!("record {taken}: {}", failed(&error))))?;
    }
    finish(connection, prompt.take()).map_err(told)?;
    Ok(taken)
}

fn add(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Project { id, created_at } => connection
            .prepare_cached("INSERT INTO projects (id, created_at) VALUES (?, ?)")?
            .execute(params![id, created_at.unix_micros()])
            .map(drop),
        Record::Module { project, id, created_at } => connection
            .prepare_cached("INSERT INTO modules (project, id, created_at) VALUES (?, ?, ?)")?
            .execute(params![project, id, created_at.unix_micros()])
            .map(drop),
        Record::Audit { entry } => apply::record(connection, Some(entry.seq), entry).map(drop),
        Record::Key { hash, key } => keys::add_with_hash(connection, hash, key),
        _ => Ok(()),
    }
}

fn add_prompt(connection: &Connection, head: &PromptHead) -> rusqlite::Result<i64> {
    apply::create(connection, &head.id, &head.project, &head.slug, head.created_at)
}

fn add_to_prompt(connection: &Connection, key: i64, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Version { version } => apply::add_version(connection, key, version),
        Record::Label { label } => {
            if matches!(&label.target, LabelTarget::Weights(weights) if weights.is_empty()) {
                return Ok(());
            }
            apply::set_label(connection, key, label)
        }
        _ => Ok(()),
    }
}

/// Brings what belongs to a prompt as a whole to what it was.
fn finish(connection: &Connection, prompt: Option<(i64, PromptHead)>) -> rusqlite::Result<()> {
    let Some((key, head)) = prompt else { return Ok(()) };
    apply::derive(connection, key)?;
    connection
        .prepare_cached("UPDATE prompts SET revision = ?, last_release = ? WHERE pk = ?")?
        .execute(params![
            signed(head.revision),
            head.last_release.as_ref().map(ToString::to_string),
            key
        ])
        .map(drop)
}
