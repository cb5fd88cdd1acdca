//! Reads over many prompts: lists, search, projects and modules.

use deadpool_postgres::Transaction;
use promptops_types::{SortBy, SortOrder};
use tokio_postgres::types::ToSql;

use super::connect::failed;
use super::rows::{VERSION, head_columns, version_columns};
use super::search;
use super::statement::{Bound, all, first, page};
use crate::store::columns::{Columns, signed};
use crate::store::rows;
use crate::{ListPage, ListQuery, Module, NamedPrompt, Place, Project, SortValue, StoreError};
use deadpool_postgres::GenericClient;

/// What is bound to every list: `$1` projects, `$2` module, `$3` tags, `$4` trigrams, `$5` text.
macro_rules! filter {
    ($scope:literal) => {
        concat!(
            $scope,
            " AND ($2::text IS NULL OR p.module = $2) \
             AND ($3::text[] IS NULL OR p.tags @> $3) \
             AND ($4::text IS NULL OR p.trigrams @@ $4::tsquery) \
             AND ($5::text IS NULL OR position($5 IN p.folded) > 0)"
        )
    };
}

/// Each order of a list: ascending and descending, the first page and those after a place.
macro_rules! orders {
    ($scope:literal, $by:literal, $type:literal) => {
        [
            orders!($scope, $by, $type, "", ">"),
            orders!($scope, $by, $type, " DESC", "<"),
        ]
    };
    ($scope:literal, $by:literal, $type:literal, $direction:literal, $beyond:literal) => {
        [
            orders!(page $scope, $by, $direction, ""),
            orders!(
                page $scope, $by, $direction,
                concat!(" AND (", $by, ", p.pk) ", $beyond, " ($8::", $type, ", $9::bigint)")
            ),
        ]
    };
    (page $scope:literal, $by:literal, $direction:literal, $place:expr) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", ",
            version_columns!(),
            " FROM promptops.prompts p JOIN promptops.versions v ON v.pk = p.shown WHERE ",
            filter!($scope),
            $place,
            " ORDER BY ",
            $by,
            $direction,
            ", p.pk",
            $direction,
            " LIMIT $6 OFFSET $7"
        )
    };
}

macro_rules! statements {
    ($scope:literal) => {
        Statements {
            count: concat!("SELECT count(*) FROM promptops.prompts p WHERE ", filter!($scope)),
            created_at: orders!($scope, "p.created_at", "bigint"),
            updated_at: orders!($scope, "p.updated_at", "bigint"),
            name: orders!($scope, "p.name", "text"),
        }
    };
}

struct Statements {
    count: &'static str,
    created_at: [[&'static str; 2]; 2],
    updated_at: [[&'static str; 2]; 2],
    name: [[&'static str; 2]; 2],
}

/// One project, which an index serves, or several, or all.
static ONE_PROJECT: Statements = statements!("p.project = ($1::text[])[1]");
static ANY_PROJECT: Statements = statements!("($1::text[] IS NULL OR p.project = ANY($1))");

impl Statements {
    fn page(&self, query: &ListQuery) -> &'static str {
        let directions = match query.sort_by {
            SortBy::UpdatedAt => &self.updated_at,
            SortBy::Name => &self.name,
            _ => &self.created_at,
        };
        directions[usize::from(query.sort_order == SortOrder::Desc)]
            [usize::from(query.after.is_some())]
    }
}

/// A name as the store sorts it: without regard to the case of A to Z.
pub(super) fn sorted_name(name: &str) -> String {
    // A name has no NUL; what a cursor says may have.
    name.to_ascii_lowercase().replace('\0', " ")
}

pub(super) async fn list(
    transaction: &Transaction<'_>,
    query: &ListQuery,
) -> Result<ListPage, StoreError> {
    let asked = query.projects.iter().flatten().chain(&query.module).chain(&query.tags);
    if asked.into_iter().any(|text| text.contains('\0')) {
        // The database takes no such text, and so has none.
        return Ok(ListPage::default());
    }
    let tags = (!query.tags.is_empty()).then_some(&query.tags);
    let text = query.text.as_deref().filter(|text| !text.is_empty()).map(search::wanted);
    let trigrams = text.as_deref().and_then(search::all_of);
    let is_one = query.projects.as_ref().is_some_and(|projects| projects.len() == 1);
    let statements = if is_one { &ONE_PROJECT } else { &ANY_PROJECT };
    let filter: [&(dyn ToSql + Sync); 5] =
        [&query.projects, &query.module, &tags, &trigrams, &text];
    let is_filtered = query.module.is_some() || tags.is_some() || text.is_some();
    let total = if is_filtered {
        first(transaction, statements.count, &filter).await
    } else {
        first(transaction, COUNT_ALL, &[&query.projects]).await
    };
    let total = total.map_err(|error| failed(&error))?;
    let total = total.map_or(Ok(0), |row| row.number(0))?;
    // One more than wanted tells whether there are more.
    let (limit, offset) = (signed(query.limit.saturating_add(1)), signed(query.offset));
    let mut bound = filter.to_vec();
    bound.push(&limit);
    bound.push(&offset);
    let place = query.after.as_ref().map(bound_place);
    if let Some((sorted_by, key)) = &place {
        bound.push(&**sorted_by);
        bound.push(key);
    }
    let bound: Bound<'_> = &bound;
    let statement = statements.page(query);
    let (found, has_more) = page(transaction, statement, bound, VERSION + 1, query.limit).await?;
    let mut prompts = Vec::with_capacity(found.len());
    for row in &found {
        prompts.push((rows::head(row)?, rows::version(row, VERSION)?));
    }
    let next = match (found.last(), prompts.last()) {
        (Some(row), Some((head, shown))) if has_more => Some(Place {
            sorted_by: SortValue::of(query.sort_by, head, shown),
            key: row.number(7)?,
        }),
        _ => None,
    };
    Ok(ListPage { prompts, total, next })
}

/// What is bound for a place in a list.
fn bound_place(place: &Place) -> (Box<dyn ToSql + Sync + Send>, i64) {
    let sorted_by: Box<dyn ToSql + Sync + Send> = match &place.sorted_by {
        SortValue::Time(time) => Box::new(time.unix_micros()),
        SortValue::Name(name) => Box::new(sorted_name(name)),
    };
    (sorted_by, signed(place.key))
}

const COUNT_ALL: &str = "SELECT coalesce(sum(prompts), 0)::bigint FROM promptops.projects \
     WHERE $1::text[] IS NULL OR id = ANY($1)";

pub(super) async fn similar(
    client: &impl GenericClient,
    projects: Option<&[String]>,
    text: &str,
    limit: u64,
) -> Result<Vec<NamedPrompt>, StoreError> {
    // Ranking looks at every row: not at more than there is time for.
    const SIMILAR: &str = "SELECT slug, shown_name FROM \
             (SELECT p.slug, v.body::json ->> 'name' AS shown_name, p.trigrams \
              FROM promptops.prompts p JOIN promptops.versions v ON v.pk = p.shown \
              WHERE p.trigrams @@ $1::text::tsquery \
                AND ($2::text[] IS NULL OR p.project = ANY($2)) LIMIT 2000) found \
         ORDER BY ts_rank(trigrams, $1::text::tsquery) DESC, slug LIMIT $3";
    let Some(trigrams) = search::any_of(&search::wanted(text)) else { return Ok(Vec::new()) };
    let found = all(client, SIMILAR, &[&trigrams, &projects, &signed(limit)]).await;
    found
        .map_err(|error| failed(&error))?
        .iter()
        .map(|row| Ok(NamedPrompt { slug: row.string(0)?, name: row.string(1)? }))
        .collect()
}

pub(super) async fn projects(client: &impl GenericClient) -> Result<Vec<Project>, StoreError> {
    const PROJECTS: &str = "SELECT id, created_at, prompts FROM promptops.projects ORDER BY id";
    let found = all(client, PROJECTS, &[]).await.map_err(|error| failed(&error))?;
    found.iter().map(rows::project).collect()
}

pub(super) async fn modules(
    client: &impl GenericClient,
    project: &str,
) -> Result<Vec<Module>, StoreError> {
    const MODULES: &str = "SELECT m.id, m.project, m.created_at, \
             (SELECT count(*) FROM promptops.prompts p \
              WHERE p.project = m.project AND p.module = m.id) \
         FROM promptops.modules m WHERE m.project = $1 ORDER BY m.id";
    let found = all(client, MODULES, &[&project]).await.map_err(|error| failed(&error))?;
    found.iter().map(rows::module).collect()
}
