//! Reads over many prompts: lists, search, projects and modules.

use promptops_types::{SortBy, SortOrder};
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, named_params};

use super::read::json_list;
use super::rows::{head_and_version, within_budget};
use crate::store::columns::{Columns, signed};
use crate::store::rows;
use crate::{ListPage, ListQuery, Module, NamedPrompt, Place, Project, SortValue};

/// The scopes of a list: one project, which an index serves, or several, or all.
macro_rules! one_project {
    () => {
        "p.project = json_extract(:projects, '$[0]')"
    };
}
macro_rules! any_project {
    () => {
        "(:projects IS NULL OR p.project IN (SELECT value FROM json_each(:projects)))"
    };
}

/// The texts a list may be searched for. Of short ones there are no trigrams, so they are looked
/// for in every row.
macro_rules! long_text {
    () => {
        "p.pk IN (SELECT rowid FROM prompt_search WHERE prompt_search MATCH :text)"
    };
}
macro_rules! short_text {
    () => {
        "(:text IS NULL OR EXISTS (SELECT 1 FROM prompt_search s WHERE s.rowid = p.pk \
         AND (instr(fold(s.slug), :text) OR instr(fold(s.name), :text) \
              OR instr(fold(s.description), :text))))"
    };
}

macro_rules! filter {
    ($scope:expr, $text:expr) => {
        concat!(
            $scope,
            " AND ",
            $text,
            " AND (:module IS NULL OR p.module = :module) \
             AND (:tags IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(:tags) wanted \
                  WHERE wanted.value NOT IN (SELECT tag FROM prompt_tags WHERE prompt = p.pk)))"
        )
    };
}

/// The statements of one scope and kind of text: the count, then each order. Of equals, the order
/// goes on by key in the same direction, so that one index serves it.
macro_rules! statements {
    ($scope:expr, $text:expr) => {
        Statements {
            count: concat!("SELECT count(*) FROM prompts p WHERE ", filter!($scope, $text)),
            created_at: statements!($scope, $text, "p.created_at"),
            updated_at: statements!($scope, $text, "p.updated_at"),
            name: statements!($scope, $text, "p.name"),
        }
    };
    ($scope:expr, $text:expr, $by:literal) => {
        [
            statements!($scope, $text, $by, "", ">"),
            statements!($scope, $text, $by, " DESC", "<"),
        ]
    };
    ($scope:expr, $text:expr, $by:literal, $direction:literal, $beyond:literal) => {
        Pages {
            first: statements!(page $scope, $text, $by, $direction, ""),
            after: statements!(
                page $scope, $text, $by, $direction,
                concat!(" AND (", $by, ", p.pk) ", $beyond, " (:sorted_by, :key)")
            ),
        }
    };
    (page $scope:expr, $text:expr, $by:literal, $direction:literal, $place:expr) => {
        concat!(
            "SELECT ",
            head_and_version!(),
            ", p.pk FROM prompts p JOIN versions v ON v.pk = p.shown WHERE ",
            filter!($scope, $text),
            $place,
            " ORDER BY ",
            $by,
            $direction,
            ", p.pk",
            $direction,
            " LIMIT :limit OFFSET :offset"
        )
    };
}

/// The count of a list, and its pages in each order: ascending, descending.
struct Statements {
    count: &'static str,
    created_at: [Pages; 2],
    updated_at: [Pages; 2],
    name: [Pages; 2],
}

/// The first page of an order, and those after a place in it.
struct Pages {
    first: &'static str,
    after: &'static str,
}

static ONE_PROJECT: Statements = statements!(one_project!(), short_text!());
static ONE_PROJECT_LONG_TEXT: Statements = statements!(one_project!(), long_text!());
static ANY_PROJECT: Statements = statements!(any_project!(), short_text!());
static ANY_PROJECT_LONG_TEXT: Statements = statements!(any_project!(), long_text!());

impl Statements {
    fn pages(&self, sort_by: SortBy, sort_order: SortOrder) -> &Pages {
        let [ascending, descending] = match sort_by {
            SortBy::UpdatedAt => &self.updated_at,
            SortBy::Name => &self.name,
            _ => &self.created_at,
        };
        match sort_order {
            SortOrder::Asc => ascending,
            SortOrder::Desc => descending,
        }
    }
}

pub(super) fn list(connection: &Connection, query: &ListQuery) -> rusqlite::Result<ListPage> {
    let projects = query.projects.as_deref().map(json_list);
    let tags = (!query.tags.is_empty()).then(|| json_list(&query.tags));
    let text = query.text.as_deref().filter(|text| !text.is_empty());
    let is_long = text.is_some_and(|text| text.chars().count() >= 3);
    let text = text.map(|text| if is_long { quoted(text) } else { text.to_lowercase() });
    let is_one = query.projects.as_ref().is_some_and(|projects| projects.len() == 1);
    let statements = match (is_one, is_long) {
        (true, false) => &ONE_PROJECT,
        (true, true) => &ONE_PROJECT_LONG_TEXT,
        (false, false) => &ANY_PROJECT,
        (false, true) => &ANY_PROJECT_LONG_TEXT,
    };
    // One snapshot for the count and the page.
    let _snapshot = connection.unchecked_transaction()?;
    let is_filtered = query.module.is_some() || tags.is_some() || text.is_some();
    let total = if is_filtered {
        let filter = named_params! {
            ":projects": projects, ":module": query.module, ":tags": tags, ":text": text,
        };
        let mut count = connection.prepare_cached(statements.count)?;
        count.query_row(filter, |row| row.number(0))?
    } else {
        // Counted as they come and go: counting a million takes longer than a page of them.
        connection.prepare_cached(COUNT_ALL)?.query_row([&projects], |row| row.number(0))?
    };
    let pages = statements.pages(query.sort_by, query.sort_order);
    // One more than wanted tells whether there are more.
    let (limit, offset) = (signed(query.limit.saturating_add(1)), signed(query.offset));
    let mut statement;
    let page = match &query.after {
        None => {
            statement = connection.prepare_cached(pages.first)?;
            statement.query(named_params! {
                ":projects": projects, ":module": query.module, ":tags": tags, ":text": text,
                ":limit": limit, ":offset": offset,
            })?
        }
        Some(Place { sorted_by, key }) => {
            statement = connection.prepare_cached(pages.after)?;
            statement.query(named_params! {
                ":projects": projects, ":module": query.module, ":tags": tags, ":text": text,
                ":limit": limit, ":offset": offset,
                ":sorted_by": sorted_by, ":key": signed(*key),
            })?
        }
    };
    let (found, has_more) = within_budget(page, query.limit)?;
    let last = found.last().filter(|_| has_more);
    let next = last.map(|(head, shown, key)| Place {
        sorted_by: SortValue::of(query.sort_by, head, shown),
        key: *key,
    });
    let prompts = found.into_iter().map(|(head, shown, _)| (head, shown)).collect();
    Ok(ListPage { prompts, total, next })
}

const COUNT_ALL: &str = "SELECT coalesce(sum(prompts), 0) FROM projects \
     WHERE ?1 IS NULL OR id IN (SELECT value FROM json_each(?1))";

impl ToSql for SortValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Time(time) => Ok(time.unix_micros().into()),
            Self::Name(name) => name.to_sql(),
        }
    }
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
        // Ranking reads every row that has a trigram: not more are read than there is time for, and
        // the caller ranks.
        "SELECT p.slug, p.name FROM \
             (SELECT rowid FROM prompt_search WHERE prompt_search MATCH :trigrams LIMIT 10000) s \
             JOIN prompts p ON p.pk = s.rowid \
         WHERE :projects IS NULL OR p.project IN (SELECT value FROM json_each(:projects)) \
         LIMIT :limit",
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

/// Trigrams that a text is looked up by.
const TRIGRAMS: usize = 10;

/// A full-text query for slugs and names with any of some trigrams, spread over the text.
fn any_trigram(text: &str) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    let step = letters.len().div_ceil(TRIGRAMS).max(1);
    let trigrams: Vec<_> = letters
        .windows(3)
        .step_by(step)
        .map(|trigram| quoted(&trigram.iter().collect::<String>()))
        .collect();
    (!trigrams.is_empty()).then(|| format!("{{slug name}} : ({})", trigrams.join(" OR ")))
}

pub(super) fn projects(connection: &Connection) -> rusqlite::Result<Vec<Project>> {
    connection
        .prepare_cached("SELECT id, created_at, prompts FROM projects ORDER BY id")?
        .query_map([], |row| rows::project(row))?
        .collect()
}

pub(super) fn modules(connection: &Connection, project: &str) -> rusqlite::Result<Vec<Module>> {
    connection
        .prepare_cached(
            "SELECT id, project, created_at, (SELECT count(*) FROM prompts p \
                 WHERE p.project = modules.project AND p.module = modules.id) \
             FROM modules WHERE project = ? ORDER BY id",
        )?
        .query_map([project], |row| rows::module(row))?
        .collect()
}
