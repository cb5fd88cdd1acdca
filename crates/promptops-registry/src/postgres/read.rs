//! Point reads: one prompt, its versions, labels and audit trail.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use promptops_types::{Label, LabelTarget, Version};
use tokio_postgres::Row;

use super::connect::failed;
use super::rows::{VERSION, get, head_columns, version_columns};
use super::statement::{Bound, all, first, page};
use crate::store::columns::{Columns, signed, sort_range};
use crate::store::rows::{self, audit_columns};
use crate::{
    AuditEntry, AuditQuery, Located, Pick, PromptHead, Reference, StoreError, StoredVersion,
};

/// `promptops.prompts p` by reference: by id where `$1` is given, by project and slug otherwise.
macro_rules! by_reference {
    () => {
        "p.pk = coalesce((SELECT pk FROM promptops.prompts WHERE id = $1), \
         (SELECT pk FROM promptops.prompts WHERE project = $2 AND slug = $3))"
    };
}

/// A prompt, and one of its versions if there is such a one: one statement, so one moment.
macro_rules! select_version {
    ($versions:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", ",
            version_columns!(),
            " FROM promptops.prompts p LEFT JOIN ",
            $versions,
            " WHERE ",
            by_reference!()
        )
    };
}

const LATEST: &str = select_version!("promptops.versions v ON v.pk = p.latest");
const SHOWN: &str = select_version!("promptops.versions v ON v.pk = p.shown");
const EXACT: &str = select_version!("promptops.versions v ON v.prompt = p.pk AND v.version = $4");
const RANGE: &str = select_version!(
    "LATERAL (SELECT * FROM promptops.versions r WHERE r.prompt = p.pk AND r.is_release \
     AND r.sort_key >= $4 AND r.sort_key < $5 ORDER BY r.sort_key DESC LIMIT 1) v ON true"
);
/// The prompt, where its label points, and the version if that is one.
const LABEL: &str = concat!(
    "SELECT ",
    head_columns!(),
    ", ",
    version_columns!(),
    ", t.version, t.weight FROM promptops.prompts p \
     LEFT JOIN promptops.label_targets t ON t.prompt = p.pk AND t.label = $4 \
     LEFT JOIN promptops.versions v \
     ON v.prompt = p.pk AND v.version = t.version AND t.weight IS NULL WHERE ",
    by_reference!()
);
const HEAD: &str =
    concat!("SELECT ", head_columns!(), " FROM promptops.prompts p WHERE ", by_reference!());
const LOCK: &str = concat!(
    "SELECT ",
    head_columns!(),
    " FROM promptops.prompts p WHERE ",
    by_reference!(),
    " FOR UPDATE"
);
const LABELS: &str = "SELECT l.label, l.version, l.weight, l.updated_at, l.updated_by \
     FROM promptops.label_targets l JOIN promptops.prompts p ON p.pk = l.prompt \
     WHERE p.id = $1 ORDER BY l.label, l.version";

/// What a row of [`select_version`] found.
fn located(row: Option<&Row>) -> Result<Located, StoreError> {
    let Some(row) = row else { return Ok(Located::NoPrompt) };
    let head = rows::head(row)?;
    Ok(match row.text(VERSION)? {
        Some(_) => Located::Version(Box::new((head, rows::version(row, VERSION)?))),
        None => Located::NoVersion(head),
    })
}

pub(super) async fn find(
    client: &impl GenericClient,
    reference: &Reference,
    pick: &Pick,
) -> Result<Located, StoreError> {
    let (id, project, slug) = reference.parts();
    let row = match pick {
        Pick::Latest => first(client, LATEST, &[&id, &project, &slug]).await,
        Pick::Exact(version) => {
            first(client, EXACT, &[&id, &project, &slug, &version.to_string()]).await
        }
        Pick::Range { major, minor } => {
            let (from, to) = sort_range(*major, *minor);
            first(client, RANGE, &[&id, &project, &slug, &from, &to]).await
        }
        Pick::Label(name) => {
            let name = name.as_str();
            let found = all(client, LABEL, &[&id, &project, &slug, &name]).await;
            return label(&found.map_err(|error| failed(&error))?);
        }
    };
    located(row.map_err(|error| failed(&error))?.as_ref())
}

/// What rows of [`LABEL`] found.
fn label(found: &[Row]) -> Result<Located, StoreError> {
    const TARGET: usize = VERSION + 8;
    let Some(row) = found.first() else { return Ok(Located::NoPrompt) };
    if row.integer(TARGET + 1)?.is_none() {
        return located(Some(row));
    }
    let mut weights: BTreeMap<Version, u32> = BTreeMap::new();
    for row in found {
        if let Some(weight) = row.optional_number(TARGET + 1)? {
            weights.insert(row.parsed(TARGET)?, weight);
        }
    }
    Ok(Located::Weights(rows::head(row)?, weights))
}

/// One version of a prompt.
pub(super) async fn exact(
    client: &impl GenericClient,
    reference: &Reference,
    version: &Version,
) -> Result<Option<StoredVersion>, StoreError> {
    match find(client, reference, &Pick::Exact(version.clone())).await? {
        Located::Version(found) => Ok(Some(found.1)),
        _ => Ok(None),
    }
}

/// The version that a list shows.
pub(super) async fn shown(
    client: &impl GenericClient,
    reference: &Reference,
) -> Result<Option<StoredVersion>, StoreError> {
    let (id, project, slug) = reference.parts();
    let row = first(client, SHOWN, &[&id, &project, &slug]).await.map_err(|e| failed(&e))?;
    match located(row.as_ref())? {
        Located::Version(found) => Ok(Some(found.1)),
        _ => Ok(None),
    }
}

/// A prompt and its key in the store; locked for the transaction, if it is to be changed.
pub(super) async fn head(
    client: &impl GenericClient,
    reference: &Reference,
    is_locked: bool,
) -> Result<Option<(PromptHead, i64)>, StoreError> {
    let (id, project, slug) = reference.parts();
    let statement = if is_locked { LOCK } else { HEAD };
    let row = first(client, statement, &[&id, &project, &slug]).await.map_err(|e| failed(&e))?;
    row.map(|row| Ok((rows::head(&row)?, get(&row, 7)?))).transpose()
}

pub(super) async fn versions(
    client: &impl GenericClient,
    prompt_id: &str,
    before: Option<u64>,
    limit: u64,
) -> Result<Vec<(u64, StoredVersion)>, StoreError> {
    const VERSIONS: &str = concat!(
        "SELECT ",
        version_columns!(),
        " FROM promptops.prompts p JOIN promptops.versions v ON v.prompt = p.pk \
         WHERE p.id = $1 AND v.pk < $2 ORDER BY v.pk DESC LIMIT $3"
    );
    let before = before.map_or(i64::MAX, signed);
    let bound: Bound<'_> = &[&prompt_id, &before, &signed(limit)];
    let (found, _) = page(client, VERSIONS, bound, 1, limit).await?;
    found.iter().map(|row| Ok((row.number(7)?, rows::version(row, 0)?))).collect()
}

pub(super) async fn numbers(
    client: &impl GenericClient,
    prompt_id: &str,
    limit: u64,
) -> Result<Vec<Version>, StoreError> {
    const NUMBERS: &str = "SELECT v.version FROM promptops.prompts p \
         JOIN promptops.versions v ON v.prompt = p.pk \
         WHERE p.id = $1 ORDER BY v.sort_key DESC LIMIT $2";
    let found = all(client, NUMBERS, &[&prompt_id, &signed(limit)]).await;
    found.map_err(|error| failed(&error))?.iter().map(|row| row.parsed(0)).collect()
}

pub(super) async fn labels(
    client: &impl GenericClient,
    prompt_id: &str,
) -> Result<Vec<Label>, StoreError> {
    let found = all(client, LABELS, &[&prompt_id]).await.map_err(|error| failed(&error))?;
    let mut labels = Vec::new();
    for row in &found {
        rows::push_label(&mut labels, row)?;
    }
    Ok(labels)
}

/// Before and after of the last move of a label.
pub(super) async fn last_move(
    client: &impl GenericClient,
    prompt_id: &str,
    label: &str,
) -> Result<Option<(Option<LabelTarget>, Option<LabelTarget>)>, StoreError> {
    const LAST: &str = "SELECT target_before, target_after FROM promptops.audit \
         WHERE prompt_id = $1 AND label = $2 ORDER BY seq DESC LIMIT 1";
    let row = first(client, LAST, &[&prompt_id, &label]).await.map_err(|error| failed(&error))?;
    row.map(|row| Ok((row.optional_json(0)?, row.optional_json(1)?))).transpose()
}

/// Lines of the audit trail after one, those of a condition.
macro_rules! audit_where {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM promptops.audit WHERE seq > $1 AND ",
            $condition,
            " ORDER BY seq LIMIT $2"
        )
    };
}

pub(super) async fn audit(
    client: &impl GenericClient,
    query: &AuditQuery,
) -> Result<Vec<AuditEntry>, StoreError> {
    const ALL: &str = audit_where!("true");
    const OF_PROMPT: &str =
        audit_where!("prompt_id = $3 AND ($4::text[] IS NULL OR project = ANY($4))");
    const OF_PROJECT: &str = audit_where!("project = $3");
    let (after, limit) = (signed(query.after), signed(query.limit));
    let found = match (&query.prompt_id, &query.projects) {
        (Some(id), projects) => all(client, OF_PROMPT, &[&after, &limit, id, projects]).await,
        (None, None) => all(client, ALL, &[&after, &limit]).await,
        // Each by its own index.
        (None, Some(projects)) => {
            let mut found = Vec::new();
            for project in projects {
                let more = all(client, OF_PROJECT, &[&after, &limit, project]).await;
                found.extend(more.map_err(|error| failed(&error))?);
            }
            Ok(found)
        }
    };
    let found = found.map_err(|error| failed(&error))?;
    let mut entries: Vec<AuditEntry> = found.iter().map(rows::audit).collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.seq);
    entries.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
    Ok(entries)
}

/// The highest number of the audit trail.
pub(super) async fn last_change(client: &impl GenericClient) -> Result<u64, StoreError> {
    const LAST: &str = "SELECT value FROM promptops.counters WHERE name = 'audit'";
    let row = first(client, LAST, &[]).await.map_err(|error| failed(&error))?;
    row.map_or(Ok(0), |row| row.number(0))
}
