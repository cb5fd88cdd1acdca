//! How records are read from rows.

use std::str::FromStr;

use promptops_types::{Label, LabelName, LabelTarget, Timestamp, Version};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::connect::failed;
use crate::{Action, AuditEntry, PromptHead, StoreError, StoredVersion};

/// The columns that [`head`] reads, from `promptops.prompts p`.
macro_rules! head_columns {
    () => {
        "p.id, p.project, p.slug, p.created_at, p.revision, p.last_release, p.version_count, p.pk"
    };
}
pub(super) use head_columns;

/// The columns that [`version`] reads, from `promptops.prompts p` and `promptops.versions v`.
macro_rules! version_columns {
    () => {
        "v.version, v.body, v.digest, v.updated_at, v.created_by, v.message, \
         ARRAY(SELECT l.label FROM promptops.label_targets l \
               WHERE l.prompt = v.prompt AND l.version = v.version ORDER BY l.label), v.pk"
    };
}
pub(super) use version_columns;

/// Where the columns of [`version`] begin after those of [`head`].
pub(super) const VERSION: usize = 8;

pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| failed(&error))
}

pub(super) fn unsigned(row: &Row, at: usize) -> Result<u64, StoreError> {
    let value: i64 = get(row, at)?;
    u64::try_from(value).map_err(|_| StoreError::Corrupt(format!("{value} is negative")))
}

/// An unsigned number for a statement. What does not fit is more than there can be.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(row: &Row, at: usize) -> Result<Timestamp, StoreError> {
    get(row, at).map(Timestamp::from_unix_micros)
}

pub(super) fn damaged(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

pub(super) fn text<T: FromStr<Err: std::fmt::Display>>(
    row: &Row,
    at: usize,
) -> Result<T, StoreError> {
    let text: &str = get(row, at)?;
    text.parse().map_err(|error| damaged(&error))
}

pub(super) fn optional_text<T: FromStr<Err: std::fmt::Display>>(
    row: &Row,
    at: usize,
) -> Result<Option<T>, StoreError> {
    let text: Option<&str> = get(row, at)?;
    text.map(|text| text.parse().map_err(|error| damaged(&error))).transpose()
}

pub(super) fn head(row: &Row) -> Result<PromptHead, StoreError> {
    Ok(PromptHead {
        id: get(row, 0)?,
        project: get(row, 1)?,
        slug: get(row, 2)?,
        created_at: timestamp(row, 3)?,
        revision: unsigned(row, 4)?,
        last_release: optional_text(row, 5)?,
        version_count: unsigned(row, 6)?,
    })
}

pub(super) fn version(row: &Row, at: usize) -> Result<StoredVersion, StoreError> {
    let body: &str = get(row, at + 1)?;
    Ok(StoredVersion {
        version: text(row, at)?,
        content: serde_json::from_str(body).map_err(|error| damaged(&error))?,
        digest: get(row, at + 2)?,
        updated_at: timestamp(row, at + 3)?,
        created_by: get(row, at + 4)?,
        message: get(row, at + 5)?,
        labels: get(row, at + 6)?,
    })
}

/// Label rows of `label, version, weight, updated_at, updated_by`, in order of label and version, put
/// together.
pub(super) fn labels(rows: &[Row]) -> Result<Vec<Label>, StoreError> {
    let mut labels: Vec<Label> = Vec::new();
    for row in rows {
        let (version, weight) = (text::<Version>(row, 1)?, weight(row, 2)?);
        let name: LabelName = text(row, 0)?;
        if let (Some(last), Some(weight)) = (labels.last_mut(), weight)
            && last.label == name
        {
            if let LabelTarget::Weights(weights) = &mut last.target {
                weights.insert(version, weight);
            }
            continue;
        }
        let target = match weight {
            None => LabelTarget::Version(version),
            Some(weight) => LabelTarget::Weights([(version, weight)].into()),
        };
        labels.push(Label::new(name, target, timestamp(row, 3)?, get(row, 4)?));
    }
    Ok(labels)
}

pub(super) fn weight(row: &Row, at: usize) -> Result<Option<u32>, StoreError> {
    let weight: Option<i64> = get(row, at)?;
    weight.map(|weight| u32::try_from(weight).map_err(|error| damaged(&error))).transpose()
}

/// The columns that [`audit`] reads.
macro_rules! audit_columns {
    () => {
        "seq, at, actor, action, project, prompt_id, slug, version, label, digest_before, \
         digest_after, target_before, target_after, message"
    };
}
pub(super) use audit_columns;

pub(super) fn audit(row: &Row) -> Result<AuditEntry, StoreError> {
    let action: &str = get(row, 3)?;
    let known = Action::ALL.into_iter().find(|known| known.as_str() == action);
    Ok(AuditEntry {
        seq: unsigned(row, 0)?,
        at: timestamp(row, 1)?,
        actor: get(row, 2)?,
        action: known.ok_or_else(|| damaged(&format!("unknown action `{action}`")))?,
        project: get(row, 4)?,
        prompt_id: get(row, 5)?,
        slug: get(row, 6)?,
        version: optional_text(row, 7)?,
        label: optional_text(row, 8)?,
        digest_before: get(row, 9)?,
        digest_after: get(row, 10)?,
        target_before: label_target(row, 11)?,
        target_after: label_target(row, 12)?,
        message: get(row, 13)?,
    })
}

pub(super) fn label_target(row: &Row, at: usize) -> Result<Option<LabelTarget>, StoreError> {
    let json: Option<&str> = get(row, at)?;
    json.map(|json| serde_json::from_str(json).map_err(|error| damaged(&error))).transpose()
}
