//! A prompt with its first version, written at once.

use promptops_types::Timestamp;
use rusqlite::{Connection, params};

use super::apply::{count_prompt, insert_version};
use crate::StoredVersion;
use crate::store::columns::signed;

/// A prompt with its first version: all that is derived from it is known before, so it is written once.
/// By steps it would be twice the statements, and most of the indexes' entries twice.
pub(super) struct NewPrompt<'c> {
    pub(super) id: &'c str,
    pub(super) project: &'c str,
    pub(super) slug: &'c str,
    pub(super) at: Timestamp,
    pub(super) revision: u64,
    pub(super) version: &'c StoredVersion,
}

impl NewPrompt<'_> {
    pub(super) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { id, project, slug, at, revision, version } = self;
        let content = &version.content;
        count_prompt(connection, project, *at)?;
        let is_release = !version.version.is_prerelease();
        let prompt = connection
            .prepare_cached(
                "INSERT INTO prompts (id, project, slug, created_at, revision, last_release, \
                     version_count, name, module, updated_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
            )?
            .insert(params![
                id,
                project,
                slug,
                at.unix_micros(),
                signed(*revision),
                is_release.then(|| version.version.to_string()),
                content.name,
                content.module_id,
                version.updated_at.unix_micros(),
            ])?;
        let key = insert_version(connection, prompt, version)?;
        connection
            .prepare_cached("UPDATE prompts SET latest = ?, shown = ? WHERE pk = ?")?
            .execute(params![is_release.then_some(key), key, prompt])?;
        let mut tag =
            connection.prepare_cached("INSERT INTO prompt_tags (prompt, tag) VALUES (?, ?)")?;
        for name in &content.tags {
            tag.execute(params![prompt, name])?;
        }
        if let Some(module) = &content.module_id {
            connection
                .prepare_cached(
                    "INSERT INTO modules (project, id, created_at) VALUES (?, ?, ?) \
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![project, module, version.updated_at.unix_micros()])?;
        }
        connection
            .prepare_cached(
                "INSERT INTO prompt_search (rowid, slug, name, description) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![prompt, slug, content.name, content.description])
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::apply::make_all;
    use crate::sqlite::connection::Place;
    use crate::{Op, VersionContent};

    fn rows(connection: &Connection) -> Vec<String> {
        let tables = ["projects", "modules", "prompts", "versions", "prompt_tags", "prompt_search"];
        let mut rows = Vec::new();
        for table in tables {
            let mut all = connection.prepare(&["SELECT * FROM ", table].concat()).unwrap();
            let width = all.column_count();
            let mut found = all.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                let values: Vec<rusqlite::types::Value> =
                    (0..width).map(|at| row.get(at).unwrap()).collect();
                rows.push(format!("{table}: {values:?}"));
            }
        }
        rows
    }

    #[test]
    fn a_new_prompt_is_what_its_steps_would_make_of_it() {
        for number in ["1.0.0", "2.0.0-rc.1"] {
            let at = Timestamp::from_unix_micros(17);
            let version = StoredVersion {
                version: number.parse().unwrap(),
                content: VersionContent {
                    name: "Refund".to_owned(),
                    description: "What we answer".to_owned(),
                    content: "Hello {{ name }}".to_owned(),
                    tags: vec!["b".to_owned(), "a".to_owned()],
                    module_id: Some("support".to_owned()),
                    ..VersionContent::default()
                },
                digest: "d".to_owned(),
                updated_at: Timestamp::from_unix_micros(18),
                created_by: "test".to_owned(),
                message: None,
                labels: Vec::new(),
            };
            let whole = Place::Memory.open().unwrap();
            let (id, project, slug) = ("id-1", "default", "refund");
            let new = NewPrompt { id, project, slug, at, revision: 3, version: &version };
            new.insert(&whole).unwrap();
            let by_steps = Place::Memory.open().unwrap();
            let ops = [
                Op::CreatePrompt {
                    id: id.to_owned(),
                    project: project.to_owned(),
                    slug: slug.to_owned(),
                    at,
                },
                Op::AddVersion(Box::new(version)),
            ];
            make_all(&by_steps, None, &ops, 3).unwrap();
            assert_eq!(rows(&whole), rows(&by_steps), "{number}");
        }
    }
}
