//! Reads over many prompts: lists, search, projects and modules.

use promptops_types::{SortBy, SortOrder};
use rusqlite::{Connection, named_params};

use super::read::json_list;
use super::rows::{self, VERSION_COLUMNS, head_and_version, signed};
use crate::{ListQuery, Module, NamedPrompt, Project, PromptHead, StoredVersion};

/// What a list leaves out. Short texts, of which there are no trigrams, are looked for in every
/// row.
macro_rules! filter {
    () => {
        "(:projects IS NULL OR p.project IN (SELECT value FROM json_each(:projects))) \
         AND (:module IS NULL OR p.module = :module) \
         AND (:tags IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(:tags) wanted \
              WHERE wanted.value NOT IN (SELECT tag FROM prompt_tags WHERE prompt = p.pk))) \
         AND (:phrase IS NULL OR p.pk IN \
              (SELECT rowid FROM prompt_search WHERE prompt_search MATCH :phrase)) \
         AND (:part IS NULL OR EXISTS (SELECT 1 FROM prompt_search s WHERE s.rowid = p.pk \
              AND (instr(lower(s.slug), :part) OR instr(lower(s.name), :part) \
                   OR instr(lower(s.description), :part))))"
    };
}

macro_rules! page {
    ($order:literal) => {
        concat!(
            "SELECT ",
            head_and_version!(),
            " FROM prompts p JOIN versions v ON v.pk = p.shown WHERE ",
            filter!(),
            " ORDER BY ",
            $order,
            " LIMIT :limit OFFSET :offset"
        )
    };
}

const COUNT: &str = concat!("SELECT count(*) FROM prompts p WHERE ", filter!());

fn page(sort_by: SortBy, sort_order: SortOrder) -> &'static str {
    match (sort_by, sort_order) {
        (SortBy::UpdatedAt, SortOrder::Asc) => page!("p.updated_at, p.pk"),
        (SortBy::UpdatedAt, SortOrder::Desc) => page!("p.updated_at DESC, p.pk"),
        (SortBy::Name, SortOrder::Asc) => page!("p.name, p.pk"),
        (SortBy::Name, SortOrder::Desc) => page!("p.name DESC, p.pk"),
        (_, SortOrder::Asc) => page!("p.created_at, p.pk"),
        (_, SortOrder::Desc) => page!("p.created_at DESC, p.pk"),
    }
}

pub(super) fn list(
    connection: &Connection,
    query: &ListQuery,
) -> rusqlite::Result<(Vec<(PromptHead, StoredVersion)>, u64)> {
    let projects = query.projects.as_deref().map(json_list);
    let tags = (!query.tags.is_empty()).then(|| json_list(&query.tags));
    let text = query.text.as_deref().filter(|text| !text.is_empty());
    let (phrase, part) = match text {
        Some(text) if text.chars().count() >= 3 => (Some(quoted(text)), None),
        short => (None, short.map(str::to_lowercase)),
    };
    let filters = named_params! {
        ":projects": projects, ":module": query.module, ":tags": tags,
        ":phrase": phrase, ":part": part,
    };
    let total =
        connection.prepare_cached(COUNT)?.query_row(filters, |row| rows::unsigned(row, 0))?;
    let mut statement = connection.prepare_cached(page(query.sort_by, query.sort_order))?;
    let page = statement.query_map(
        named_params! {
            ":projects": projects, ":module": query.module, ":tags": tags,
            ":phrase": phrase, ":part": part,
            ":limit": signed(query.limit), ":offset": signed(query.offset),
        },
        |row| Ok((rows::head(row)?, rows::version(row, VERSION_COLUMNS)?)),
    )?;
    Ok((page.collect::<Result<_, _>>()?, total))
}

/// A text as one phrase of the full-text query language: a quote is doubled, and a NUL, which
/// would end the query and is in no name, becomes a character that is in none either.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\"").replace('\0', "\u{1}"))
}

pub(super) fn similar(
    connection: &Connection,
    projects: Option<&[String]>,
    text: &str,
    limit: u64,
) -> rusqlite::Result<Vec<NamedPrompt>> {
    let mut statement = connection.prepare_cached(
        "SELECT p.slug, p.name FROM prompt_search s JOIN prompts p ON p.pk = s.rowid \
         WHERE prompt_search MATCH :trigrams \
           AND (:projects IS NULL OR p.project IN (SELECT value FROM json_each(:projects))) \
         ORDER BY s.rank LIMIT :limit",
    )?;
    let Some(trigrams) = any_trigram(text) else { return Ok(Vec::new()) };
    let found = statement.query_map(
        named_params! {
            ":trigrams": trigrams, ":projects": projects.map(json_list), ":limit": signed(limit)
        },
        |row| Ok(NamedPrompt { slug: row.get(0)?, name: row.get(1)? }),
    )?;
    found.collect()
}

/// A full-text query for slugs and names with any of the text's first 30 trigrams.
fn any_trigram(text: &str) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    let trigrams: Vec<_> = letters
        .windows(3)
        .take(30)
        .map(|trigram| quoted(&trigram.iter().collect::<String>()))
        .collect();
    (!trigrams.is_empty()).then(|| format!("{{slug name}} : ({})", trigrams.join(" OR ")))
}

pub(super) fn projects(connection: &Connection) -> rusqlite::Result<Vec<Project>> {
    connection
        .prepare_cached(
            "SELECT id, created_at, (SELECT count(*) FROM prompts WHERE project = projects.id) \
             FROM projects ORDER BY id",
        )?
        .query_map([], |row| {
            Ok(Project {
                id: row.get(0)?,
                created_at: rows::timestamp(row, 1)?,
                prompts: rows::unsigned(row, 2)?,
            })
        })?
        .collect()
}

pub(super) fn modules(connection: &Connection, project: &str) -> rusqlite::Result<Vec<Module>> {
    connection
        .prepare_cached(
            "SELECT id, project, created_at, (SELECT count(*) FROM prompts p \
                 WHERE p.project = modules.project AND p.module = modules.id) \
             FROM modules WHERE project = ? ORDER BY id",
        )?
        .query_map([project], |row| {
            Ok(Module {
                id: row.get(0)?,
                project: row.get(1)?,
                created_at: rows::timestamp(row, 2)?,
                prompts: rows::unsigned(row, 3)?,
            })
        })?
        .collect()
}
