//! Loading what a decision wants to see, and making what it decided.

use promptops_types::{Label, LabelTarget, Timestamp, Version};
use rusqlite::{Connection, params};

use super::connection::failed;
use super::new_prompt::NewPrompt;
use super::{keys, read};
use crate::store::columns::{signed, weight};
use crate::{
    Applied, AuditEntry, Decision, Op, PromptState, RegistryError, StoreError, StoredVersion,
    Target,
};

/// Loads the state, asks, and makes the change, inside the caller's transaction.
pub(super) fn change(
    connection: &Connection,
    target: &Target,
    decide: &Decision,
) -> Result<Applied, RegistryError> {
    let store = |error: rusqlite::Error| RegistryError::Store(failed(&error));
    if let Some(receipt) = &target.receipt
        && keys::receipt(connection, &receipt.id).map_err(store)?.is_some()
    {
        return Err(RegistryError::AlreadyDone);
    }
    let (before, prompt) = load(connection, target).map_err(store)?;
    let change = decide(&before)?;
    if change.ops.is_empty() {
        let revision = before.head.as_ref().map_or(0, |head| head.revision);
        if let (Some(receipt), Some(head)) = (&target.receipt, &before.head) {
            // That nothing was to be done is what was done.
            keys::keep_receipt(connection, receipt, &head.id, None).map_err(store)?;
        }
        return Ok(Applied { before, change, revision });
    }
    let mut revision = 0;
    for entry in &change.audit {
        revision = record(connection, None, entry).map_err(store)?;
    }
    if let [Op::CreatePrompt { id, project, slug, at }, Op::AddVersion(version)] = &change.ops[..] {
        let new = NewPrompt { id, project, slug, at: *at, revision, version };
        new.insert(connection).map_err(store)?;
    } else {
        make_all(connection, prompt, &change.ops, revision)?;
    }
    if let (Some(receipt), Some(entry)) = (&target.receipt, change.audit.last()) {
        let version = entry.version.as_ref().map(ToString::to_string);
        let (id, version) = (&entry.prompt_id, version.as_deref());
        keys::keep_receipt(connection, receipt, id, version).map_err(store)?;
    }
    Ok(Applied { before, change, revision })
}

/// Makes the steps one by one, then brings up to date what follows from them.
pub(super) fn make_all(
    connection: &Connection,
    mut prompt: Option<i64>,
    ops: &[Op],
    revision: u64,
) -> Result<(), RegistryError> {
    let store = |error: rusqlite::Error| RegistryError::Store(failed(&error));
    for op in ops {
        make(connection, &mut prompt, op)?;
    }
    if let Some(prompt) = prompt {
        set_revision(connection, prompt, revision).map_err(store)?;
        let is_label = |op: &Op| matches!(op, Op::SetLabel(_) | Op::RemoveLabel(_));
        if !ops.iter().all(is_label) {
            derive(connection, prompt).map_err(store)?;
        }
    }
    Ok(())
}

fn load(connection: &Connection, target: &Target) -> rusqlite::Result<(PromptState, Option<i64>)> {
    let reference = &target.reference;
    let Some((head, prompt)) = read::head(connection, reference)? else {
        return Ok((PromptState::default(), None));
    };
    let mut state = PromptState {
        shown: read::shown(connection, reference)?,
        labels: read::labels(connection, &head.id)?,
        ..PromptState::default()
    };
    for version in &target.focus.versions {
        if let Some((_, stored)) = read::exact(connection, reference, version)? {
            state.versions.insert(version.clone(), stored);
        }
    }
    if let Some(label) = &target.focus.label {
        state.last_move = read::last_move(connection, &head.id, label.as_str())?;
    }
    if target.focus.all_numbers {
        state.numbers = read::numbers(connection, &head.id, u64::MAX)?;
    }
    state.head = Some(head);
    Ok((state, Some(prompt)))
}

fn make(connection: &Connection, prompt: &mut Option<i64>, op: &Op) -> Result<(), RegistryError> {
    let store = |error: rusqlite::Error| RegistryError::Store(failed(&error));
    if let Op::CreatePrompt { id, project, slug, at } = op {
        *prompt = Some(create(connection, id, project, slug, *at).map_err(store)?);
        return Ok(());
    }
    let key = prompt.ok_or_else(|| StoreError::Other("the change names no prompt".to_owned()))?;
    match op {
        Op::AddVersion(version) => add_version(connection, key, version),
        Op::EditVersion(version) => edit_version(connection, key, version),
        Op::DeleteVersion(version) => delete_version(connection, key, version),
        Op::SetLabel(label) => set_label(connection, key, label),
        Op::RemoveLabel(label) => remove_label(connection, key, label.as_str()),
        Op::DeletePrompt => {
            *prompt = None;
            delete_prompt(connection, key)
        }
        Op::CreatePrompt { .. } => Ok(()),
    }
    .map_err(store)
}

pub(super) fn create(
    connection: &Connection,
    id: &str,
    project: &str,
    slug: &str,
    at: Timestamp,
) -> rusqlite::Result<i64> {
    count_prompt(connection, project, at)?;
    connection
        .prepare_cached("INSERT INTO prompts (id, project, slug, created_at) VALUES (?, ?, ?, ?)")?
        .insert(params![id, project, slug, at.unix_micros()])
}

/// One more prompt in its project, which may be new.
pub(super) fn count_prompt(
    connection: &Connection,
    project: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO projects (id, created_at, prompts) VALUES (?, ?, 1) \
             ON CONFLICT (id) DO UPDATE SET prompts = prompts + 1",
        )?
        .execute(params![project, at.unix_micros()])
        .map(drop)
}

fn body(stored: &StoredVersion) -> rusqlite::Result<String> {
    serde_json::to_string(&stored.content)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn edit_version(
    connection: &Connection,
    prompt: i64,
    stored: &StoredVersion,
) -> rusqlite::Result<()> {
    let edited = connection
        .prepare_cached(
            "UPDATE versions SET body = ?, digest = ?, updated_at = ?, message = ? \
             WHERE prompt = ? AND version = ?",
        )?
        .execute(params![
            body(stored)?,
            stored.digest,
            stored.updated_at.unix_micros(),
            stored.message,
            prompt,
            stored.version.to_string(),
        ])?;
    if edited == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(edited)) }
}

pub(super) fn add_version(
    connection: &Connection,
    prompt: i64,
    stored: &StoredVersion,
) -> rusqlite::Result<()> {
    insert_version(connection, prompt, stored)?;
    count_versions(connection, prompt, 1)?;
    raise_last_release(connection, prompt, &stored.version)
}

pub(super) fn insert_version(
    connection: &Connection,
    prompt: i64,
    stored: &StoredVersion,
) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO versions (prompt, version, sort_key, is_release, body, digest, \
                 updated_at, created_by, message) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .insert(params![
            prompt,
            stored.version.to_string(),
            stored.version.sort_key(),
            !stored.version.is_prerelease(),
            body(stored)?,
            stored.digest,
            stored.updated_at.unix_micros(),
            stored.created_by,
            stored.message,
        ])
}

fn delete_version(connection: &Connection, prompt: i64, version: &Version) -> rusqlite::Result<()> {
    let deleted = connection
        .prepare_cached("DELETE FROM versions WHERE prompt = ? AND version = ?")?
        .execute(params![prompt, version.to_string()])?;
    if deleted == 1 {
        count_versions(connection, prompt, -1)
    } else {
        Err(rusqlite::Error::StatementChangedRows(deleted))
    }
}

/// Counted as they come and go: counting them all would make a publish dearer with each.
fn count_versions(connection: &Connection, prompt: i64, by: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE prompts SET version_count = version_count + ? WHERE pk = ?")?
        .execute([by, prompt])
        .map(drop)
}

fn raise_last_release(
    connection: &Connection,
    prompt: i64,
    version: &Version,
) -> rusqlite::Result<()> {
    if version.is_prerelease() {
        return Ok(());
    }
    let last: Option<String> = connection
        .prepare_cached("SELECT last_release FROM prompts WHERE pk = ?")?
        .query_row([prompt], |row| row.get(0))?;
    let is_higher =
        last.and_then(|last| last.parse().ok()).is_none_or(|last: Version| last < *version);
    if is_higher {
        connection
            .prepare_cached("UPDATE prompts SET last_release = ? WHERE pk = ?")?
            .execute(params![version.to_string(), prompt])?;
    }
    Ok(())
}

pub(super) fn set_label(
    connection: &Connection,
    prompt: i64,
    label: &Label,
) -> rusqlite::Result<()> {
    remove_label(connection, prompt, label.label.as_str())?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO label_targets (prompt, label, version, weight, updated_at, updated_by) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for version in label.target.versions() {
        let weight = weight(&label.target, version);
        insert.execute(params![
            prompt,
            label.label.as_str(),
            version.to_string(),
            weight,
            label.updated_at.unix_micros(),
            label.updated_by,
        ])?;
    }
    Ok(())
}

fn remove_label(connection: &Connection, prompt: i64, label: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM label_targets WHERE prompt = ? AND label = ?")?
        .execute(params![prompt, label])
        .map(drop)
}

fn delete_prompt(connection: &Connection, prompt: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM label_targets WHERE prompt = ?",
        "DELETE FROM versions WHERE prompt = ?",
        "DELETE FROM prompt_tags WHERE prompt = ?",
        "DELETE FROM prompt_search WHERE rowid = ?",
        "UPDATE projects SET prompts = prompts - 1 \
             WHERE id = (SELECT project FROM prompts WHERE pk = ?)",
        "DELETE FROM prompts WHERE pk = ?",
    ] {
        connection.prepare_cached(statement)?.execute([prompt])?;
    }
    Ok(())
}

/// Writes one line of the audit trail, with the next number unless it has one, and gives the number.
pub(super) fn record(
    connection: &Connection,
    seq: Option<u64>,
    entry: &AuditEntry,
) -> rusqlite::Result<u64> {
    let json = |target: &Option<LabelTarget>| {
        target.as_ref().and_then(|target| serde_json::to_string(target).ok())
    };
    let seq = connection
        .prepare_cached(
            "INSERT INTO audit (seq, at, actor, action, project, prompt_id, slug, version, label, \
                 digest_before, digest_after, target_before, target_after, message) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .insert(params![
            seq.map(signed),
            entry.at.unix_micros(),
            entry.actor,
            entry.action.as_str(),
            entry.project,
            entry.prompt_id,
            entry.slug,
            entry.version.as_ref().map(ToString::to_string),
            entry.label.as_ref().map(ToString::to_string),
            entry.digest_before,
            entry.digest_after,
            json(&entry.target_before),
            json(&entry.target_after),
            entry.message,
        ])?;
    Ok(seq.unsigned_abs())
}

pub(super) fn set_revision(
    connection: &Connection,
    prompt: i64,
    revision: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE prompts SET revision = ? WHERE pk = ?")?
        .execute(params![signed(revision), prompt])
        .map(drop)
}

/// Brings what is derived from the versions up to date: what is latest, what a list shows, filters
/// and searches by.
pub(super) fn derive(connection: &Connection, prompt: i64) -> rusqlite::Result<()> {
    const UPDATE_HEAD: &str = "UPDATE prompts SET \
             latest = (SELECT pk FROM versions WHERE prompt = :prompt AND is_release = 1 \
                       ORDER BY sort_key DESC LIMIT 1), \
             shown = (SELECT pk FROM versions WHERE prompt = :prompt \
                      ORDER BY is_release DESC, sort_key DESC LIMIT 1) \
         WHERE pk = :prompt";
    const UPDATE_SHOWN: &str = "UPDATE prompts SET name = v.body ->> 'name', \
             module = v.body ->> 'module_id', updated_at = v.updated_at \
         FROM versions v WHERE prompts.pk = ? AND v.pk = prompts.shown";
    // The trigrams of a text are the dearest part of a write, and most versions change none of
    // what is searched.
    const IS_SEARCHABLE: &str = "SELECT EXISTS (SELECT 1 FROM prompt_search s \
             JOIN prompts p ON p.pk = s.rowid JOIN versions v ON v.pk = p.shown \
             WHERE s.rowid = ? AND s.name = p.name COLLATE BINARY \
               AND s.description = v.body ->> 'description')";
    const SEARCH: [&str; 2] = [
        "DELETE FROM prompt_search WHERE rowid = ?",
        "INSERT INTO prompt_search (rowid, slug, name, description) \
             SELECT p.pk, p.slug, p.name, v.body ->> 'description' FROM prompts p \
             JOIN versions v ON v.pk = p.shown WHERE p.pk = ?",
    ];
    const FILTERS: [&str; 3] = [
        "DELETE FROM prompt_tags WHERE prompt = ?",
        "INSERT INTO prompt_tags (prompt, tag) SELECT p.pk, tag.value FROM prompts p \
             JOIN versions v ON v.pk = p.shown, json_each(v.body, '$.tags') tag WHERE p.pk = ?",
        "INSERT INTO modules (project, id, created_at) SELECT project, module, updated_at \
             FROM prompts WHERE pk = ? AND module IS NOT NULL ON CONFLICT DO NOTHING",
    ];
    connection
        .prepare_cached(UPDATE_HEAD)?
        .execute(rusqlite::named_params! { ":prompt": prompt })?;
    connection.prepare_cached(UPDATE_SHOWN)?.execute([prompt])?;
    let is_searchable: bool =
        connection.prepare_cached(IS_SEARCHABLE)?.query_row([prompt], |row| row.get(0))?;
    let search: &[&str] = if is_searchable { &[] } else { &SEARCH };
    for step in FILTERS.iter().chain(search) {
        connection.prepare_cached(step)?.execute([prompt])?;
    }
    Ok(())
}
