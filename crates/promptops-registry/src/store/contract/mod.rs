//! The suite that every [`Store`] has to pass. Call [`check`] from a test with a function that
//! opens an empty store.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a contract fails by panicking, in a test")]

mod audit;
mod changes;
mod keys;
mod labels;
mod lists;
mod races;
mod transfer;
mod usage;
mod versions;

use std::future::Future;
use std::sync::Arc;

use promptops_types::{Action, AuditEntry, Label, LabelName, LabelTarget, Timestamp, Version};

use crate::{
    Applied, Change, Focus, Located, Op, Pick, PromptHead, PromptState, Reference, RegistryError,
    SharedStore, Store, StoredVersion, Target, VersionContent,
};

/// Runs every case, each on a store of its own.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn check<F, O>(open: F)
where
    F: Fn() -> O,
    O: Future<Output = SharedStore>,
{
    versions::finds_what_was_put(&open().await).await;
    changes::a_refused_change_leaves_nothing(&open().await).await;
    changes::a_change_that_fails_half_way_leaves_nothing(&open().await).await;
    labels::labels_point_at_versions_that_there_are(&open().await).await;
    versions::deleting_keeps_the_trail_and_the_last_release(&open().await).await;
    lists::lists_filter_sort_and_page(&open().await).await;
    audit::the_audit_trail_is_in_order(&open().await).await;
    races::decisions_never_see_the_same_state_twice(&open().await).await;
    races::one_of_many_creates_wins(&open().await).await;
    keys::keeps_keys_until_they_are_revoked(&open().await).await;
    keys::sees_a_token_once(&open().await).await;
    changes::keeps_a_receipt_with_the_change(&open().await).await;
    lists::pages_go_on_from_a_place(&open().await).await;
    lists::a_page_holds_what_it_may(&open().await).await;
    audit::the_trail_of_some_projects_is_in_order(&open().await).await;
    usage::counts_what_was_used_once(&open().await).await;
    transfer::moves_whole_to_another_store(&open().await, &open().await).await;
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn label(text: &str) -> LabelName {
    text.parse().unwrap()
}

fn by_slug(slug: &str) -> Reference {
    Reference::Slug { project: "default".to_owned(), slug: slug.to_owned() }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros)
}

fn stored(number: &str, content: VersionContent) -> StoredVersion {
    StoredVersion {
        version: version(number),
        content,
        digest: format!("digest of {number}"),
        updated_at: at(1),
        created_by: "contract".to_owned(),
        message: None,
        labels: Vec::new(),
    }
}

fn named(name: &str) -> VersionContent {
    VersionContent { name: name.to_owned(), content: "{{ x }}".to_owned(), ..Default::default() }
}

fn entry(slug: &str) -> AuditEntry {
    let head = PromptHead {
        id: format!("id of {slug}"),
        project: "default".to_owned(),
        slug: slug.to_owned(),
        created_at: at(1),
        revision: 0,
        last_release: None,
        version_count: 0,
    };
    head.audit("contract", Action::Publish, at(1))
}

async fn apply(store: &SharedStore, slug: &str, ops: Vec<Op>) -> Result<Applied, RegistryError> {
    let target = Target { reference: by_slug(slug), focus: Focus::default(), receipt: None };
    let change = Change { ops, audit: vec![entry(slug)] };
    store.change(target, Arc::new(move |_: &PromptState| Ok(change.clone()))).await
}

fn put(number: &str, content: VersionContent) -> Op {
    Op::AddVersion(Box::new(stored(number, content)))
}

fn create(slug: &str, micros: i64) -> Op {
    Op::CreatePrompt {
        id: format!("id of {slug}"),
        project: "default".to_owned(),
        slug: slug.to_owned(),
        at: at(micros),
    }
}

fn point(name: &str, target: LabelTarget) -> Op {
    Op::SetLabel(Label::new(label(name), target, at(2), "contract".to_owned()))
}

/// A prompt with one version in a project.
async fn add_to(store: &SharedStore, project: &str, slug: &str, micros: i64) {
    let reference = Reference::Slug { project: project.to_owned(), slug: slug.to_owned() };
    let target = Target { reference, focus: Focus::default(), receipt: None };
    let create = Op::CreatePrompt {
        id: format!("id of {project} {slug}"),
        project: project.to_owned(),
        slug: slug.to_owned(),
        at: at(micros),
    };
    let name = ["b", "A", "c", "B"][usize::try_from(micros % 4).unwrap()];
    let audit = vec![AuditEntry { project: project.to_owned(), ..entry(slug) }];
    let change = Change { ops: vec![create, put("1.0.0", named(name))], audit };
    store.change(target, Arc::new(move |_: &PromptState| Ok(change.clone()))).await.unwrap();
}

async fn find(store: &SharedStore, slug: &str, pick: Pick) -> Option<StoredVersion> {
    match store.find(&by_slug(slug), &pick).await.unwrap() {
        Located::Version(found) => Some(found.1),
        _ => None,
    }
}

async fn found_number(store: &SharedStore, slug: &str, pick: Pick) -> Option<String> {
    find(store, slug, pick).await.map(|found| found.version.to_string())
}
