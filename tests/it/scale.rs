//! A generated registry is one that could have been published, version by version; that of a million
//! is measured by `cargo xtask bench scale`.

use promptops_client::PromptUpdate;
use promptops_registry::{Access, ListQuery, PromptRef, Registry, UpdateOptions};
use promptops_types::Selector;
use tempfile::TempDir;

use crate::generator::{VERSIONS, generate, project, slug};

const PROMPTS: u64 = 240;

#[tokio::test]
async fn what_is_generated_is_found_listed_searched_and_published_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("prompts.db");
    generate(&path, PROMPTS).await;
    let (registry, access) = (Registry::open(&path).unwrap(), Access::full("test"));

    let all = registry.list(&access, ListQuery { limit: 50, ..ListQuery::default() }, None).await;
    assert_eq!(all.unwrap().total, PROMPTS);
    let prompt = PromptRef::new(slug(17)).in_project(Some(project(17)));
    let found = registry.get(&access, &prompt, &Selector::Latest, None).await.unwrap();
    assert_eq!(found.prompt.version, format!("1.{}.0", VERSIONS - 1));
    let label = Selector::Label("production".parse().unwrap());
    let labelled = registry.get(&access, &prompt, &label, None).await.unwrap();
    assert_eq!(labelled.prompt.version, format!("1.{}.0", VERSIONS - 2));
    assert_eq!(registry.version_numbers(&access, &prompt).await.unwrap().len(), 5);

    let of_text =
        |text: &str| ListQuery { limit: 50, text: Some(text.to_owned()), ..ListQuery::default() };
    let refunds = registry.list(&access, of_text("refund"), None).await.unwrap();
    assert_eq!(refunds.total, PROMPTS / 12);
    let one = registry.list(&access, of_text(&slug(201)), None).await.unwrap();
    assert_eq!(one.total, 1);

    let update = PromptUpdate::new().content("Hello {{ name }}");
    let options = UpdateOptions::default();
    let published = registry.update(&access, &prompt, update, options).await.unwrap();
    assert_eq!(published.prompt.version, format!("1.{VERSIONS}.0"));
    let feed = registry.changes(&access, None, PROMPTS * (VERSIONS + 1), 10).await.unwrap();
    assert_eq!(feed.len(), 1, "the audit trail goes on where the generated one ends");
}
