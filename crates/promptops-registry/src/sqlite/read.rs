//! Point reads: one prompt, its versions, labels and audit trail.

use promptops_types::{Label, LabelTarget, Version};
use rusqlite::{Connection, OptionalExtension, Row, Rows, named_params, params};

use super::rows::{VERSION, head_and_version, head_columns, within_budget};
use crate::store::columns::{Columns, signed, sort_range};
use crate::store::rows::{self, audit_columns};
use crate::{AuditEntry, AuditQuery, Located, Pick, PromptHead, Reference, StoredVersion};

/// `prompts p` by reference: by id where `:id` is given, by project and slug otherwise. Two
/// statements would do the same with two query plans; SQLite takes the right index for each half.
macro_rules! by_reference {
    () => {
        "p.pk = coalesce((SELECT pk FROM prompts WHERE id = :id), \
         (SELECT pk FROM prompts WHERE project = :project AND slug = :slug))"
    };
}

/// A version of the prompt that `by_reference` finds.
macro_rules! select_version {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            head_and_version!(),
            " FROM prompts p JOIN versions v ON ",
            $condition,
            " WHERE ",
            by_reference!()
        )
    };
}

const LATEST: &str = select_version!("v.pk = p.latest");
const EXACT: &str = select_version!("v.prompt = p.pk AND v.version = :version");
const RANGE: &str = concat!(
    select_version!(
        "v.prompt = p.pk AND v.is_release = 1 AND v.sort_key >= :from AND v.sort_key < :to"
    ),
    " ORDER BY v.sort_key DESC LIMIT 1"
);
const SHOWN: &str = select_version!("v.pk = p.shown");
const HEAD: &str =
    concat!("SELECT ", head_columns!(), ", p.pk FROM prompts p WHERE ", by_reference!());
const LABELS: &str = "SELECT l.label, l.version, l.weight, l.updated_at, l.updated_by \
     FROM label_targets l JOIN prompts p ON p.pk = l.prompt \
     WHERE p.id = ? ORDER BY l.label, l.version";
const ONE_LABEL: &str = "SELECT l.label, l.version, l.weight, l.updated_at, l.updated_by \
     FROM label_targets l JOIN prompts p ON p.pk = l.prompt \
     WHERE p.id = ? AND l.label = ? ORDER BY l.version";

/// Lines of the audit trail after one, those of a condition.
macro_rules! audit_where {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit WHERE seq > :after AND ",
            $condition,
            " ORDER BY seq LIMIT :limit"
        )
    };
}

fn both(row: &Row<'_>) -> rusqlite::Result<(PromptHead, StoredVersion)> {
    Ok((rows::head(row)?, rows::version(row, VERSION)?))
}

pub(super) fn find(
    connection: &Connection,
    reference: &Reference,
    pick: &Pick,
) -> rusqlite::Result<Located> {
    let (id, project, slug) = reference.parts();
    let reference_params = named_params! { ":id": id, ":project": project, ":slug": slug };
    let found = match pick {
        Pick::Latest => {
            connection.prepare_cached(LATEST)?.query_row(reference_params, both).optional()?
        }
        Pick::Exact(version) => exact(connection, reference, version)?,
        Pick::Range { major, minor } => {
            let (from, to) = sort_range(*major, *minor);
            let range = named_params! {
                ":id": id, ":project": project, ":slug": slug, ":from": from, ":to": to
            };
            connection.prepare_cached(RANGE)?.query_row(range, both).optional()?
        }
        Pick::Label(name) => {
            // One snapshot for the label and for where it points.
            let _snapshot = connection.unchecked_transaction()?;
            let Some((head, _)) = head(connection, reference)? else {
                return Ok(Located::NoPrompt);
            };
            let mut statement = connection.prepare_cached(ONE_LABEL)?;
            let rows = statement.query(params![head.id, name.as_str()])?;
            match label_rows(rows)?.pop().map(|label| label.target) {
                Some(LabelTarget::Version(version)) => exact(connection, reference, &version)?,
                Some(LabelTarget::Weights(weights)) => return Ok(Located::Weights(head, weights)),
                _ => None,
            }
        }
    };
    Ok(match found {
        Some(found) => Located::Version(Box::new(found)),
        None => match head(connection, reference)? {
            Some((head, _)) => Located::NoVersion(head),
            None => Located::NoPrompt,
        },
    })
}

/// One version of a prompt.
pub(super) fn exact(
    connection: &Connection,
    reference: &Reference,
    version: &Version,
) -> rusqlite::Result<Option<(PromptHead, StoredVersion)>> {
    let (id, project, slug) = reference.parts();
    let params = named_params! {
        ":id": id, ":project": project, ":slug": slug, ":version": version.to_string()
    };
    connection.prepare_cached(EXACT)?.query_row(params, both).optional()
}

/// A prompt and its key in the store.
pub(super) fn head(
    connection: &Connection,
    reference: &Reference,
) -> rusqlite::Result<Option<(PromptHead, i64)>> {
    let (id, project, slug) = reference.parts();
    connection
        .prepare_cached(HEAD)?
        .query_row(named_params! { ":id": id, ":project": project, ":slug": slug }, |row| {
            Ok((rows::head(row)?, row.get(7)?))
        })
        .optional()
}

/// The version that a list shows.
pub(super) fn shown(
    connection: &Connection,
    reference: &Reference,
) -> rusqlite::Result<Option<StoredVersion>> {
    let (id, project, slug) = reference.parts();
    connection
        .prepare_cached(SHOWN)?
        .query_row(named_params! { ":id": id, ":project": project, ":slug": slug }, both)
        .optional()
        .map(|found| found.map(|(_, version)| version))
}

pub(super) fn versions(
    connection: &Connection,
    prompt_id: &str,
    before: Option<u64>,
    limit: u64,
) -> rusqlite::Result<Vec<(u64, StoredVersion)>> {
    const VERSIONS: &str = concat!(
        "SELECT ",
        head_and_version!(),
        ", v.pk FROM prompts p JOIN versions v ON v.prompt = p.pk WHERE p.id = ? AND v.pk < ? \
         ORDER BY v.pk DESC LIMIT ?"
    );
    let mut statement = connection.prepare_cached(VERSIONS)?;
    let before = before.map_or(i64::MAX, signed);
    let found = statement.query(params![prompt_id, before, signed(limit)])?;
    let (found, _) = within_budget(found, limit)?;
    Ok(found.into_iter().map(|(_, version, key)| (key, version)).collect())
}

/// The numbers of versions, highest first.
pub(super) fn numbers(
    connection: &Connection,
    prompt_id: &str,
    limit: u64,
) -> rusqlite::Result<Vec<Version>> {
    connection
        .prepare_cached(
            "SELECT v.version FROM prompts p JOIN versions v ON v.prompt = p.pk \
             WHERE p.id = ? ORDER BY v.sort_key DESC LIMIT ?",
        )?
        .query_map(params![prompt_id, signed(limit)], |row| row.parsed(0))?
        .collect()
}

pub(super) fn labels(connection: &Connection, prompt_id: &str) -> rusqlite::Result<Vec<Label>> {
    let mut statement = connection.prepare_cached(LABELS)?;
    label_rows(statement.query([prompt_id])?)
}

fn label_rows(mut found: Rows<'_>) -> rusqlite::Result<Vec<Label>> {
    let mut labels = Vec::new();
    while let Some(row) = found.next()? {
        rows::push_label(&mut labels, row)?;
    }
    Ok(labels)
}

/// Before and after of the last move of a label.
pub(super) fn last_move(
    connection: &Connection,
    prompt_id: &str,
    label: &str,
) -> rusqlite::Result<Option<(Option<LabelTarget>, Option<LabelTarget>)>> {
    connection
        .prepare_cached(
            "SELECT target_before, target_after FROM audit \
             WHERE prompt_id = ? AND label = ? ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([prompt_id, label], |row| Ok((row.optional_json(0)?, row.optional_json(1)?)))
        .optional()
}

pub(super) fn audit(
    connection: &Connection,
    query: &AuditQuery,
) -> rusqlite::Result<Vec<AuditEntry>> {
    let (after, limit) = (signed(query.after), signed(query.limit));
    if let Some(id) = &query.prompt_id {
        let mut statement = connection.prepare_cached(audit_where!(
            "prompt_id = :id AND (:projects IS NULL \
             OR project IN (SELECT value FROM json_each(:projects)))"
        ))?;
        let projects = query.projects.as_deref().map(json_list);
        let params = named_params! {
            ":after": after, ":limit": limit, ":id": id, ":projects": projects
        };
        return statement.query_map(params, |row| rows::audit(row))?.collect();
    }
    let Some(projects) = &query.projects else {
        let mut statement = connection.prepare_cached(audit_where!("TRUE"))?;
        let params = named_params! { ":after": after, ":limit": limit };
        return statement.query_map(params, |row| rows::audit(row))?.collect();
    };
    // Each by its own index: a project in which nothing happens would otherwise be looked for among
    // everything that happens elsewhere.
    let mut statement = connection.prepare_cached(audit_where!("project = :project"))?;
    let mut found: Vec<AuditEntry> = Vec::new();
    for project in projects {
        let params = named_params! { ":after": after, ":limit": limit, ":project": project };
        for entry in statement.query_map(params, |row| rows::audit(row))? {
            found.push(entry?);
        }
    }
    found.sort_by_key(|entry| entry.seq);
    found.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// The highest number of the audit trail.
pub(super) fn last_change(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM audit")?
        .query_row([], |row| row.number(0))
}

/// A list as one statement parameter, for `json_each`.
pub(super) fn json_list(items: &[String]) -> String {
    serde_json::Value::from(items.to_vec()).to_string()
}
