//! How records are read from the rows of a database, whichever it is: the columns of each, in order.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use promptops_types::{Label, LabelName, LabelTarget, Version};

use super::columns::Columns;
use super::{Module, Project, PromptHead, Receipted, Record, StoredVersion};
use crate::{Action, ApiKey, AuditEntry, RateLimits, Scope, TopPrompt, Usage};

/// The columns that [`audit`] reads.
macro_rules! audit_columns {
    () => {
        "seq, at, actor, action, project, prompt_id, slug, version, label, digest_before, \
         digest_after, target_before, target_after, message"
    };
}

/// The columns that [`key`] reads.
macro_rules! key_columns {
    () => {
        "id, prefix, name, description, scopes, projects, per_minute, per_hour, per_day, \
         created_at, created_by, expires_at, revoked_at"
    };
}

/// The columns that [`receipted`] reads.
macro_rules! receipt_columns {
    () => {
        "fingerprint, at, prompt_id, version, status, etag, answer"
    };
}

/// The columns that [`usage`] reads.
macro_rules! usage_columns {
    () => {
        "requests, errors, cache_hits, input_tokens, output_tokens, micros, durations"
    };
}

pub(crate) use {audit_columns, key_columns, receipt_columns, usage_columns};

/// A row of `id, project, slug, created_at, revision, last_release, version_count`.
pub(crate) fn head<R: Columns>(row: &R) -> Result<PromptHead, R::Error> {
    Ok(PromptHead {
        id: row.string(0)?,
        project: row.string(1)?,
        slug: row.string(2)?,
        created_at: row.timestamp(3)?,
        revision: row.number(4)?,
        last_release: row.optional_parsed(5)?,
        version_count: row.number(6)?,
    })
}

/// From a column on: `version, body, digest, updated_at, created_by, message` and the names of the
/// labels that point at it.
pub(crate) fn version<R: Columns>(row: &R, at: usize) -> Result<StoredVersion, R::Error> {
    Ok(StoredVersion {
        version: row.parsed(at)?,
        content: row.json(at + 1)?,
        digest: row.string(at + 2)?,
        updated_at: row.timestamp(at + 3)?,
        created_by: row.string(at + 4)?,
        message: row.optional_string(at + 5)?,
        labels: row.texts(at + 6)?,
    })
}

/// Adds a row of `label, version, weight, updated_at, updated_by` to the labels before it. A label with
/// weights is a row for each of its versions.
pub(crate) fn push_label<R: Columns>(labels: &mut Vec<Label>, row: &R) -> Result<(), R::Error> {
    let (name, version): (LabelName, Version) = (row.parsed(0)?, row.parsed(1)?);
    let Some(weight) = row.optional_number(2)? else {
        let target = LabelTarget::Version(version);
        labels.push(Label::new(name, target, row.timestamp(3)?, row.string(4)?));
        return Ok(());
    };
    match labels.last_mut() {
        Some(Label { label, target: LabelTarget::Weights(weights), .. }) if *label == name => {
            weights.insert(version, weight);
        }
        _ => {
            let target = LabelTarget::Weights([(version, weight)].into());
            labels.push(Label::new(name, target, row.timestamp(3)?, row.string(4)?));
        }
    }
    Ok(())
}

pub(crate) fn audit<R: Columns>(row: &R) -> Result<AuditEntry, R::Error> {
    let action = row.string(3)?;
    let known = Action::ALL.into_iter().find(|known| known.as_str() == action);
    Ok(AuditEntry {
        seq: row.number(0)?,
        at: row.timestamp(1)?,
        actor: row.string(2)?,
        action: known.ok_or_else(|| R::damaged(3, format!("unknown action `{action}`")))?,
        project: row.string(4)?,
        prompt_id: row.string(5)?,
        slug: row.string(6)?,
        version: row.optional_parsed(7)?,
        label: row.optional_parsed(8)?,
        digest_before: row.optional_string(9)?,
        digest_after: row.optional_string(10)?,
        target_before: row.optional_json(11)?,
        target_after: row.optional_json(12)?,
        message: row.optional_string(13)?,
    })
}

pub(crate) fn key<R: Columns>(row: &R) -> Result<ApiKey, R::Error> {
    let scopes = row.string(4)?;
    let scopes = scopes.split(',').map(str::parse).collect::<Result<BTreeSet<Scope>, _>>();
    Ok(ApiKey {
        id: row.string(0)?,
        prefix: row.string(1)?,
        name: row.string(2)?,
        description: row.optional_string(3)?,
        scopes: scopes.map_err(|error| R::damaged(4, error))?,
        projects: row.optional_json(5)?,
        limits: RateLimits {
            per_minute: row.optional_number(6)?,
            per_hour: row.optional_number(7)?,
            per_day: row.optional_number(8)?,
        },
        created_at: row.timestamp(9)?,
        created_by: row.string(10)?,
        expires_at: row.optional_timestamp(11)?,
        revoked_at: row.optional_timestamp(12)?,
    })
}

/// The columns of [`key`], and its hash.
pub(crate) fn key_record<R: Columns>(row: &R) -> Result<Record, R::Error> {
    let hash = R::required(13, row.bytes(13)?)?;
    Ok(Record::Key { hash: HEXLOWER.encode(hash), key: Box::new(key(row)?) })
}

pub(crate) fn receipted<R: Columns>(row: &R) -> Result<Receipted, R::Error> {
    let fingerprint = R::required(0, row.bytes(0)?)?;
    let answer = match row.optional_number(4)? {
        Some(status) => {
            let answer = R::required(6, row.bytes(6)?)?;
            Some((status, row.optional_string(5)?, answer.to_vec()))
        }
        None => None,
    };
    Ok(Receipted {
        fingerprint: fingerprint.try_into().map_err(|error| R::damaged(0, error))?,
        at: row.timestamp(1)?,
        prompt_id: row.string(2)?,
        version: row.optional_parsed(3)?,
        answer,
    })
}

/// From a column on.
pub(crate) fn usage<R: Columns>(row: &R, at: usize) -> Result<Usage, R::Error> {
    Ok(Usage {
        requests: row.number(at)?,
        errors: row.number(at + 1)?,
        cache_hits: row.number(at + 2)?,
        input_tokens: row.number(at + 3)?,
        output_tokens: row.number(at + 4)?,
        micros: row.number(at + 5)?,
        durations: row.json(at + 6)?,
    })
}

/// A row of `project, prompt, requests, errors`.
pub(crate) fn top_prompt<R: Columns>(row: &R) -> Result<TopPrompt, R::Error> {
    Ok(TopPrompt {
        project: row.string(0)?,
        prompt: row.string(1)?,
        requests: row.number(2)?,
        errors: row.number(3)?,
    })
}

/// A row of `id, created_at, prompts`.
pub(crate) fn project<R: Columns>(row: &R) -> Result<Project, R::Error> {
    Ok(Project { id: row.string(0)?, created_at: row.timestamp(1)?, prompts: row.number(2)? })
}

/// A row of `id, project, created_at, prompts`.
pub(crate) fn module<R: Columns>(row: &R) -> Result<Module, R::Error> {
    Ok(Module {
        id: row.string(0)?,
        project: row.string(1)?,
        created_at: row.timestamp(2)?,
        prompts: row.number(3)?,
    })
}
