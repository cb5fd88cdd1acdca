//! Loading what a decision wants to see, and making what it decided.

use deadpool_postgres::Transaction;
use promptops_types::{Label, LabelTarget, Version};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::connect::failed;
use super::rows::get;
use super::statement::{all, first, run};
use super::{keys, list, read, search};
use crate::store::columns::{Columns, signed, weight};
use crate::{
    Applied, AuditEntry, Change, Decision, Op, PromptState, RegistryError, StoreError,
    StoredVersion, Target, VersionContent,
};

/// Why a change was not made.
pub(super) enum Failure {
    /// Somebody else made one at the same time: it is to be decided again.
    Again,
    Final(RegistryError),
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::Final(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        const AGAIN: [&SqlState; 2] =
            [&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED];
        match error.code() {
            Some(code) if AGAIN.contains(&code) => Self::Again,
            _ => Self::Final(failed(&error).into()),
        }
    }
}

/// Loads the state, asks, and makes the change, inside the caller's transaction.
pub(super) async fn change(
    transaction: &Transaction<'_>,
    target: &Target,
    decide: &Decision,
) -> Result<Applied, Failure> {
    if let Some(receipt) = &target.receipt
        && keys::receipt(transaction, &receipt.id).await?.is_some()
    {
        return Err(RegistryError::AlreadyDone.into());
    }
    let (before, mut prompt) = load(transaction, target).await?;
    let change = decide(&before)?;
    if change.ops.is_empty() {
        let revision = before.head.as_ref().map_or(0, |head| head.revision);
        if let (Some(receipt), Some(head)) = (&target.receipt, &before.head) {
            // That nothing was to be done is what was done.
            keys::keep_receipt(transaction, receipt, &head.id, None).await.map_err(raced)?;
        }
        return Ok(Applied { before, change, revision });
    }
    for op in &change.ops {
        make(transaction, &mut prompt, op).await?;
    }
    let is_label = |op: &Op| matches!(op, Op::SetLabel(_) | Op::RemoveLabel(_));
    if let Some(prompt) = prompt.filter(|_| !change.ops.iter().all(is_label)) {
        derive(transaction, prompt).await?;
    }
    if let (Some(receipt), Some(entry)) = (&target.receipt, change.audit.last()) {
        let version = entry.version.as_ref().map(ToString::to_string);
        keys::keep_receipt(transaction, receipt, &entry.prompt_id, version.as_deref())
            .await
            .map_err(raced)?;
    }
    let revision = record_all(transaction, &change).await?;
    if let Some(prompt) = prompt {
        const REVISE: &str = "UPDATE promptops.prompts SET revision = $1 WHERE pk = $2";
        run(transaction, REVISE, &[&signed(revision), &prompt]).await?;
    }
    Ok(Applied { before, change, revision })
}

/// What is unique was made by somebody else in the meantime.
fn raced(error: Error) -> Failure {
    if error.code() == Some(&SqlState::UNIQUE_VIOLATION) { Failure::Again } else { error.into() }
}

async fn load(
    transaction: &Transaction<'_>,
    target: &Target,
) -> Result<(PromptState, Option<i64>), Failure> {
    let reference = &target.reference;
    let Some((head, prompt)) = read::head(transaction, reference, true).await? else {
        return Ok((PromptState::default(), None));
    };
    let mut state = PromptState {
        shown: read::shown(transaction, reference).await?,
        labels: read::labels(transaction, &head.id).await?,
        ..PromptState::default()
    };
    for version in &target.focus.versions {
        if let Some(stored) = read::exact(transaction, reference, version).await? {
            state.versions.insert(version.clone(), stored);
        }
    }
    if let Some(label) = &target.focus.label {
        state.last_move = read::last_move(transaction, &head.id, label.as_str()).await?;
    }
    if target.focus.all_numbers {
        state.numbers = read::numbers(transaction, &head.id, u64::MAX).await?;
    }
    state.head = Some(head);
    Ok((state, Some(prompt)))
}

async fn make(
    transaction: &Transaction<'_>,
    prompt: &mut Option<i64>,
    op: &Op,
) -> Result<(), Failure> {
    if let Op::CreatePrompt { id, project, slug, at } = op {
        let head = (id.as_str(), project.as_str(), slug.as_str(), at.unix_micros());
        *prompt = Some(create(transaction, head).await.map_err(|error| match prompt {
            // There was none when it was decided.
            None => raced(error),
            Some(_) => error.into(),
        })?);
        return Ok(());
    }
    let key = prompt.ok_or_else(|| StoreError::Other("the change names no prompt".to_owned()))?;
    match op {
        Op::AddVersion(version) => add_version(transaction, key, version).await,
        Op::EditVersion(version) => edit_version(transaction, key, version).await,
        Op::DeleteVersion(version) => delete_version(transaction, key, version).await,
        Op::SetLabel(label) => set_label(transaction, key, label).await.map_err(Failure::from),
        Op::RemoveLabel(label) => {
            remove_label(transaction, key, label.as_str()).await.map_err(Failure::from)
        }
        Op::DeletePrompt => {
            *prompt = None;
            delete_prompt(transaction, key).await.map_err(Failure::from)
        }
        Op::CreatePrompt { .. } => Ok(()),
    }
}

/// Adds a prompt of an id, project, slug and age; gives its key.
pub(super) async fn create(
    transaction: &Transaction<'_>,
    (id, project, slug, at): (&str, &str, &str, i64),
) -> Result<i64, Error> {
    const PROJECT: &str = "INSERT INTO promptops.projects AS p (id, created_at, prompts) \
         VALUES ($1, $2, 1) ON CONFLICT (id) DO UPDATE SET prompts = p.prompts + 1";
    const PROMPT: &str = "INSERT INTO promptops.prompts (id, project, slug, created_at) \
         VALUES ($1, $2, $3, $4) RETURNING pk";
    run(transaction, PROJECT, &[&project, &at]).await?;
    let statement = transaction.prepare_cached(PROMPT).await?;
    transaction.query_one(&statement, &[&id, &project, &slug, &at]).await?.try_get(0)
}

fn body(stored: &StoredVersion) -> Result<String, StoreError> {
    serde_json::to_string(&stored.content).map_err(|error| StoreError::Other(error.to_string()))
}

/// A statement that changes exactly one row.
fn one(changed: u64, what: &str) -> Result<(), Failure> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Other(format!("there is no {what}")).into()) }
}

async fn edit_version(
    transaction: &Transaction<'_>,
    prompt: i64,
    stored: &StoredVersion,
) -> Result<(), Failure> {
    const EDIT: &str = "UPDATE promptops.versions \
         SET body = $1, digest = $2, updated_at = $3, message = $4 \
         WHERE prompt = $5 AND version = $6";
    let (body, at) = (body(stored)?, stored.updated_at.unix_micros());
    let number = stored.version.to_string();
    let bound: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
        &[&body, &stored.digest, &at, &stored.message, &prompt, &number];
    one(run(transaction, EDIT, bound).await?, "such version")
}

pub(super) async fn add_version(
    transaction: &Transaction<'_>,
    prompt: i64,
    stored: &StoredVersion,
) -> Result<(), Failure> {
    const ADD: &str = "INSERT INTO promptops.versions (prompt, version, sort_key, is_release, \
             body, digest, updated_at, created_by, message) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    const RAISE: &str = "UPDATE promptops.prompts SET last_release = $1 WHERE pk = $2";
    const LAST: &str = "SELECT last_release FROM promptops.prompts WHERE pk = $1";
    let StoredVersion { version, digest, created_by, message, .. } = stored;
    let (number, sort_key) = (version.to_string(), version.sort_key());
    let (body, is_release) = (body(stored)?, !version.is_prerelease());
    let at = stored.updated_at.unix_micros();
    let bound: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
        &[&prompt, &number, &sort_key, &is_release, &body, digest, &at, created_by, message];
    run(transaction, ADD, bound).await?;
    count_versions(transaction, prompt, 1).await?;
    if is_release {
        let row = first(transaction, LAST, &[&prompt]).await?;
        let last: Option<Version> = match &row {
            Some(row) => row.optional_parsed(0)?,
            None => None,
        };
        if last.is_none_or(|last| last < *version) {
            run(transaction, RAISE, &[&number, &prompt]).await?;
        }
    }
    Ok(())
}

async fn delete_version(
    transaction: &Transaction<'_>,
    prompt: i64,
    version: &Version,
) -> Result<(), Failure> {
    const DELETE: &str = "DELETE FROM promptops.versions WHERE prompt = $1 AND version = $2";
    one(run(transaction, DELETE, &[&prompt, &version.to_string()]).await?, "such version")?;
    Ok(count_versions(transaction, prompt, -1).await?)
}

/// Counted as they come and go: counting them all would make a publish dearer with each.
async fn count_versions(transaction: &Transaction<'_>, prompt: i64, by: i64) -> Result<(), Error> {
    const COUNT: &str =
        "UPDATE promptops.prompts SET version_count = version_count + $1 WHERE pk = $2";
    run(transaction, COUNT, &[&by, &prompt]).await.map(drop)
}

pub(super) async fn set_label(
    transaction: &Transaction<'_>,
    prompt: i64,
    label: &Label,
) -> Result<(), Error> {
    const ADD: &str = "INSERT INTO promptops.label_targets \
             (prompt, label, version, weight, updated_at, updated_by) \
         VALUES ($1, $2, $3, $4, $5, $6)";
    let name = label.label.as_str();
    remove_label(transaction, prompt, name).await?;
    for version in label.target.versions() {
        let weight = weight(&label.target, version).map(i64::from);
        let (number, at) = (version.to_string(), label.updated_at.unix_micros());
        let bound: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&prompt, &name, &number, &weight, &at, &label.updated_by];
        run(transaction, ADD, bound).await?;
    }
    Ok(())
}

async fn remove_label(
    transaction: &Transaction<'_>,
    prompt: i64,
    label: &str,
) -> Result<(), Error> {
    const REMOVE: &str = "DELETE FROM promptops.label_targets WHERE prompt = $1 AND label = $2";
    run(transaction, REMOVE, &[&prompt, &label]).await.map(drop)
}

async fn delete_prompt(transaction: &Transaction<'_>, prompt: i64) -> Result<(), Error> {
    for statement in [
        "DELETE FROM promptops.label_targets WHERE prompt = $1",
        "DELETE FROM promptops.versions WHERE prompt = $1",
        "UPDATE promptops.projects SET prompts = prompts - 1 \
             WHERE id = (SELECT project FROM promptops.prompts WHERE pk = $1)",
        "DELETE FROM promptops.prompts WHERE pk = $1",
    ] {
        run(transaction, statement, &[&prompt]).await?;
    }
    Ok(())
}

/// Writes lines of the audit trail, and gives the number of the last. From here to the end of the
/// transaction nobody else does: so a line is never seen before one with a lower number.
async fn record_all(transaction: &Transaction<'_>, change: &Change) -> Result<u64, Failure> {
    const NUMBERS: &str = "UPDATE promptops.counters SET value = value + $1 \
         WHERE name = 'audit' RETURNING value";
    let count = i64::try_from(change.audit.len()).unwrap_or(i64::MAX);
    let row = first(transaction, NUMBERS, &[&count]).await?;
    let last: i64 = match &row {
        Some(row) => get(row, 0)?,
        None => return Err(StoreError::Corrupt("there is no counter".to_owned()).into()),
    };
    for (entry, seq) in change.audit.iter().zip(last - count + 1..) {
        record(transaction, seq, entry).await?;
    }
    Ok(last.unsigned_abs())
}

/// Writes one line of the audit trail.
pub(super) async fn record(
    transaction: &Transaction<'_>,
    seq: i64,
    entry: &AuditEntry,
) -> Result<(), Error> {
    const RECORD: &str = "INSERT INTO promptops.audit (seq, at, actor, action, project, \
             prompt_id, slug, version, label, digest_before, digest_after, target_before, \
             target_after, message) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let json = |target: &Option<LabelTarget>| {
        target.as_ref().and_then(|target| serde_json::to_string(target).ok())
    };
    let (before, after) = (json(&entry.target_before), json(&entry.target_after));
    let version = entry.version.as_ref().map(ToString::to_string);
    let label = entry.label.as_ref().map(ToString::to_string);
    let (at, action) = (entry.at.unix_micros(), entry.action.as_str());
    let bound: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[
        &seq,
        &at,
        &entry.actor,
        &action,
        &entry.project,
        &entry.prompt_id,
        &entry.slug,
        &version,
        &label,
        &entry.digest_before,
        &entry.digest_after,
        &before,
        &after,
        &entry.message,
    ];
    run(transaction, RECORD, bound).await.map(drop)
}

/// Brings what is derived from the versions up to date: what is latest, what a list shows, filters
/// and searches by.
pub(super) async fn derive(transaction: &Transaction<'_>, prompt: i64) -> Result<(), Failure> {
    const HIGHEST: &str = "SELECT v.pk, v.is_release, v.body, v.updated_at, p.slug, p.project \
         FROM promptops.versions v JOIN promptops.prompts p ON p.pk = v.prompt \
         WHERE v.prompt = $1 ORDER BY v.is_release DESC, v.sort_key DESC LIMIT 1";
    const DERIVE: &str = "UPDATE promptops.prompts SET latest = $1, shown = $2, name = $3, \
             module = $4, tags = $5, updated_at = $6, folded = $7, trigrams = $8::text::tsvector \
         WHERE pk = $9";
    const MODULE: &str = "INSERT INTO promptops.modules (project, id, created_at) \
         VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let found = all(transaction, HIGHEST, &[&prompt]).await?;
    let Some(row) = found.first() else { return Ok(()) };
    let (shown, is_release): (i64, bool) = (get(row, 0)?, get(row, 1)?);
    let content: VersionContent = row.json(2)?;
    let (at, slug, project): (i64, &str, &str) = (get(row, 3)?, get(row, 4)?, get(row, 5)?);
    let folded = search::folded([slug, &content.name, &content.description]);
    let trigrams = search::vector(&folded);
    let (latest, name) = (is_release.then_some(shown), list::sorted_name(&content.name));
    let bound: &[&(dyn tokio_postgres::types::ToSql + Sync)] = &[
        &latest,
        &shown,
        &name,
        &content.module_id,
        &content.tags,
        &at,
        &folded,
        &trigrams,
        &prompt,
    ];
    run(transaction, DERIVE, bound).await?;
    if let Some(module) = &content.module_id {
        run(transaction, MODULE, &[&project, module, &at]).await?;
    }
    Ok(())
}
