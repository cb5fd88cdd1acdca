//! How records are read from rows.

use std::str::FromStr;

use promptops_types::{Label, LabelName, LabelTarget, Timestamp, Version};
use rusqlite::types::Type;
use rusqlite::{Row, Rows};

use crate::limits::MAX_PAGE_BYTES;
use crate::{Action, AuditEntry, PromptHead, StoredVersion};

/// The columns that [`head`] reads, then those that [`version`] reads, from `prompts p` and
/// `versions v`.
macro_rules! head_and_version {
    () => {
        "p.id, p.project, p.slug, p.created_at, p.revision, p.last_release, p.version_count, \
         v.version, v.body, v.digest, v.updated_at, v.created_by, v.message, \
         (SELECT group_concat(label, char(0)) FROM label_targets l \
          WHERE l.prompt = p.pk AND l.version = v.version)"
    };
}
pub(super) use head_and_version;

/// The columns that [`audit`] reads.
macro_rules! audit_columns {
    () => {
        "seq, at, actor, action, project, prompt_id, slug, version, label, digest_before, \
         digest_after, target_before, target_after, message"
    };
}
pub(super) use audit_columns;

/// Where the columns of [`version`] begin in [`head_and_version`].
pub(super) const VERSION_COLUMNS: usize = 7;

pub(super) fn head(row: &Row<'_>) -> rusqlite::Result<PromptHead> {
    Ok(PromptHead {
        id: row.get(0)?,
        project: row.get(1)?,
        slug: row.get(2)?,
        created_at: timestamp(row, 3)?,
        revision: unsigned(row, 4)?,
        last_release: optional_text(row, 5)?,
        version_count: unsigned(row, 6)?,
    })
}

pub(super) fn version(row: &Row<'_>, at: usize) -> rusqlite::Result<StoredVersion> {
    let body = row.get_ref(at + 1)?.as_str()?;
    let labels: Option<String> = row.get(at + 6)?;
    Ok(StoredVersion {
        version: text(row, at)?,
        content: serde_json::from_str(body).map_err(|error| damaged(at + 1, error))?,
        digest: row.get(at + 2)?,
        updated_at: timestamp(row, at + 3)?,
        created_by: row.get(at + 4)?,
        message: row.get(at + 5)?,
        labels: labels
            .map(|joined| joined.split('\0').map(str::to_owned).collect())
            .unwrap_or_default(),
    })
}

/// A version of a prompt, and a key of the store.
pub(super) type Keyed = (PromptHead, StoredVersion, u64);

/// Rows of [`head_and_version`] and a key, so many and up to the budget of a page: at least one, if there
/// is one; and whether there are more.
pub(super) fn within_budget(
    mut rows: Rows<'_>,
    limit: u64,
) -> rusqlite::Result<(Vec<Keyed>, bool)> {
    let mut found = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        bytes += row.get_ref(VERSION_COLUMNS + 1)?.as_str()?.len();
        if found.len() as u64 == limit || (bytes > MAX_PAGE_BYTES && !found.is_empty()) {
            return Ok((found, true));
        }
        let key = unsigned(row, VERSION_COLUMNS + 7)?;
        found.push((head(row)?, version(row, VERSION_COLUMNS)?, key));
    }
    Ok((found, false))
}

/// Label rows, in order of label and version, put together.
pub(super) fn labels(
    rows: impl Iterator<Item = rusqlite::Result<(Version, Option<u32>, Label)>>,
) -> rusqlite::Result<Vec<Label>> {
    let mut labels: Vec<Label> = Vec::new();
    for row in rows {
        let (version, weight, label) = row?;
        match (labels.last_mut(), weight) {
            (Some(last), Some(weight)) if last.label == label.label => {
                if let LabelTarget::Weights(weights) = &mut last.target {
                    weights.insert(version, weight);
                }
            }
            _ => labels.push(label),
        }
    }
    Ok(labels)
}

/// One row of `label, version, weight, updated_at, updated_by`.
pub(super) fn label_row(row: &Row<'_>) -> rusqlite::Result<(Version, Option<u32>, Label)> {
    let version: Version = text(row, 1)?;
    let weight: Option<u32> = row.get(2)?;
    let target = match weight {
        None => LabelTarget::Version(version.clone()),
        Some(weight) => LabelTarget::Weights([(version.clone(), weight)].into()),
    };
    let name: LabelName = text(row, 0)?;
    let label = Label::new(name, target, timestamp(row, 3)?, row.get(4)?);
    Ok((version, weight, label))
}

/// All columns of `audit`.
pub(super) fn audit(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let action: String = row.get(3)?;
    let known = Action::ALL.into_iter().find(|known| known.as_str() == action);
    Ok(AuditEntry {
        seq: unsigned(row, 0)?,
        at: timestamp(row, 1)?,
        actor: row.get(2)?,
        action: known.ok_or_else(|| damaged(3, UnknownAction(action)))?,
        project: row.get(4)?,
        prompt_id: row.get(5)?,
        slug: row.get(6)?,
        version: optional_text(row, 7)?,
        label: optional_text(row, 8)?,
        digest_before: row.get(9)?,
        digest_after: row.get(10)?,
        target_before: label_target(row, 11)?,
        target_after: label_target(row, 12)?,
        message: row.get(13)?,
    })
}

#[derive(Debug, thiserror::Error)]
#[error("unknown action `{0}`")]
struct UnknownAction(String);

pub(super) fn label_target(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<LabelTarget>> {
    let json: Option<String> = row.get(at)?;
    json.map(|json| serde_json::from_str(&json).map_err(|error| damaged(at, error))).transpose()
}

pub(super) fn text<T>(row: &Row<'_>, at: usize) -> rusqlite::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.get_ref(at)?.as_str()?.parse().map_err(|error| damaged(at, error))
}

pub(super) fn optional_text<T>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    if row.get_ref(at)? == rusqlite::types::ValueRef::Null {
        return Ok(None);
    }
    text(row, at).map(Some)
}

pub(super) fn timestamp(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    row.get(at).map(Timestamp::from_unix_micros)
}

pub(super) fn unsigned(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(at)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, value))
}

/// An unsigned number for a statement. What does not fit is more than there can be.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn damaged(
    at: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}
