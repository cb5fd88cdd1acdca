//! The suite that every [`Store`] has to pass. Call [`check`] from a test with a function that
//! opens an empty store.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a contract fails by panicking, in a test")]

use std::future::Future;
use std::sync::Arc;

use promptops_types::{
    Action, AuditEntry, Label, LabelName, LabelTarget, SortBy, SortOrder, Timestamp, Version,
};

use super::{
    Applied, AuditQuery, Change, Focus, ListPage, ListQuery, Located, Op, Pick, PromptHead,
    PromptState, Receipt, Record, Reference, SharedStore, Store, StoredVersion, Target,
};
use crate::{
    ApiKey, Histogram, RateLimits, RegistryError, Scope, Usage, UsageBatch, UsageQuery, UsageRow,
    VersionContent,
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
    finds_what_was_put(&open().await).await;
    a_refused_change_leaves_nothing(&open().await).await;
    a_change_that_fails_half_way_leaves_nothing(&open().await).await;
    labels_point_at_versions_that_there_are(&open().await).await;
    deleting_keeps_the_trail_and_the_last_release(&open().await).await;
    lists_filter_sort_and_page(&open().await).await;
    the_audit_trail_is_in_order(&open().await).await;
    decisions_never_see_the_same_state_twice(&open().await).await;
    one_of_many_creates_wins(&open().await).await;
    keeps_keys_until_they_are_revoked(&open().await).await;
    sees_a_token_once(&open().await).await;
    keeps_a_receipt_with_the_change(&open().await).await;
    pages_go_on_from_a_place(&open().await).await;
    the_trail_of_some_projects_is_in_order(&open().await).await;
    counts_what_was_used_once(&open().await).await;
    moves_whole_to_another_store(&open().await, &open().await).await;
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

async fn find(store: &SharedStore, slug: &str, pick: Pick) -> Option<StoredVersion> {
    match store.find(&by_slug(slug), &pick).await.unwrap() {
        Located::Version(found) => Some(found.1),
        _ => None,
    }
}

async fn found_number(store: &SharedStore, slug: &str, pick: Pick) -> Option<String> {
    find(store, slug, pick).await.map(|found| found.version.to_string())
}

async fn keeps_keys_until_they_are_revoked(store: &SharedStore) {
    let key = |id: &str, micros: i64| ApiKey {
        id: id.to_owned(),
        prefix: "po_abcde".to_owned(),
        name: "o'name 🎉".to_owned(),
        description: None,
        scopes: [Scope::Read, Scope::Admin].into(),
        projects: Some(["a,b".to_owned(), "c\"d".to_owned()].into()),
        limits: RateLimits { per_minute: Some(5), per_hour: None, per_day: Some(u32::MAX) },
        created_at: at(micros),
        created_by: "contract".to_owned(),
        expires_at: Some(at(9)),
        revoked_at: None,
    };
    let (older, newer) = (key("k-1", 1), key("k-2", 2));
    store.add_key(&[1; 32], &older).await.unwrap();
    store.add_key(&[2; 32], &newer).await.unwrap();
    store.add_key(&[2; 32], &key("k-3", 3)).await.unwrap_err();
    assert_eq!(store.key(&[1; 32]).await.unwrap().as_ref(), Some(&older));
    assert_eq!(store.key(&[3; 32]).await.unwrap(), None);
    assert_eq!(store.keys(None, 9).await.unwrap(), [newer.clone(), older.clone()]);
    assert_eq!(store.keys(None, 1).await.unwrap(), std::slice::from_ref(&newer));
    assert_eq!(store.keys(Some((at(2), "k-2")), 9).await.unwrap(), [older]);
    assert_eq!(store.key_by_id("k-2").await.unwrap(), Some(newer));
    assert_eq!(store.key_by_id("k-9").await.unwrap(), None);
    for micros in [7, 8] {
        store.revoke_key("k-1", at(micros)).await.unwrap();
    }
    let revoked = store.key(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(at(7)), "the first time counts");
}

async fn sees_a_token_once(store: &SharedStore) {
    assert!(store.use_once(&[1; 32], at(10), at(5)).await.unwrap());
    assert!(store.use_once(&[2; 32], at(30), at(5)).await.unwrap());
    assert!(!store.use_once(&[1; 32], at(10), at(5)).await.unwrap());
    let racing = (0..20).map(|_| {
        let store = store.clone();
        async move { store.use_once(&[3; 32], at(30), at(6)).await.unwrap() }
    });
    let mut first = 0;
    for one in racing {
        first += usize::from(one.await);
    }
    assert_eq!(first, 1);
    store.use_once(&[4; 32], at(40), at(20)).await.unwrap();
    assert!(!store.use_once(&[2; 32], at(30), at(20)).await.unwrap(), "not over yet");
}

async fn keeps_a_receipt_with_the_change(store: &SharedStore) {
    let receipt = Receipt { id: [7; 32], fingerprint: [8; 32], at: at(5) };
    let change =
        |slug: &'static str, refused: bool| {
            let target = Target {
                reference: by_slug(slug),
                focus: Focus::default(),
                receipt: Some(receipt.clone()),
            };
            let ops = vec![create(slug, 1), put("1.0.0", named("a"))];
            let change = Change { ops, audit: vec![entry(slug)] };
            store.change(
                target,
                Arc::new(move |_: &PromptState| {
                    if refused { Err(RegistryError::AlreadyDone) } else { Ok(change.clone()) }
                }),
            )
        };
    change("refused", true).await.unwrap_err();
    assert_eq!(store.receipt(&[7; 32]).await.unwrap(), None, "nothing was done");
    change("receipted", false).await.unwrap();
    let kept = store.receipt(&[7; 32]).await.unwrap().unwrap();
    assert_eq!((kept.fingerprint, kept.at, &kept.answer), ([8; 32], at(5), &None));
    assert_eq!(kept.prompt_id, "id of receipted");
    let again = change("another", false).await.unwrap_err();
    assert_eq!(again, RegistryError::AlreadyDone);
    assert_eq!(find(store, "another", Pick::Latest).await, None);
    store.answered(&[7; 32], 201, Some("\"1\""), b"{}").await.unwrap();
    let answer = store.receipt(&[7; 32]).await.unwrap().unwrap().answer;
    assert_eq!(answer, Some((201, Some("\"1\"".to_owned()), b"{}".to_vec())));
}

async fn finds_what_was_put(store: &SharedStore) {
    let odd = VersionContent {
        name: "o'dd \"name\" 🎉".to_owned(),
        content: "line\r\n{\"a\": {{ x }}}\0".to_owned(),
        ..Default::default()
    };
    let mut ops = vec![create("a/b c", 1), put("1.0.0", odd.clone())];
    for number in ["1.2.0", "1.10.0", "2.0.0-beta.2", "2.0.0-beta.11"] {
        ops.push(put(number, named(number)));
    }
    let applied = apply(store, "a/b c", ops).await.unwrap();
    assert!(applied.revision > 0);

    assert_eq!(find(store, "a/b c", Pick::Exact(version("1.0.0"))).await.unwrap().content, odd);
    let number = |pick| found_number(store, "a/b c", pick);
    assert_eq!(number(Pick::Latest).await.as_deref(), Some("1.10.0"));
    let range = |major, minor| Pick::Range { major, minor };
    assert_eq!(number(range(1, None)).await.as_deref(), Some("1.10.0"));
    assert_eq!(number(range(1, Some(2))).await.as_deref(), Some("1.2.0"));
    assert_eq!(number(range(1, Some(1))).await, None);
    assert_eq!(number(range(2, None)).await, None, "a range selects no pre-release");
    assert_eq!(number(Pick::Exact(version("2.0.0-beta.2"))).await.as_deref(), Some("2.0.0-beta.2"));

    let by_id = Reference::Id("id of a/b c".to_owned());
    let Located::Version(found) = store.find(&by_id, &Pick::Latest).await.unwrap() else {
        panic!("not found by id");
    };
    assert_eq!((found.0.version_count, found.0.revision), (5, applied.revision));
    assert_eq!(found.0.last_release, Some(version("1.10.0")));

    let none = store.find(&by_slug("A/B C"), &Pick::Latest).await.unwrap();
    assert_eq!(none, Located::NoPrompt, "slugs differ by case");
    let elsewhere = Reference::Slug { project: "other".to_owned(), slug: "a/b c".to_owned() };
    assert_eq!(store.find(&elsewhere, &Pick::Latest).await.unwrap(), Located::NoPrompt);
    let absent = store.find(&by_slug("a/b c"), &Pick::Label(label("gone"))).await.unwrap();
    assert!(matches!(absent, Located::NoVersion(_)));

    let numbers: Vec<_> = store.numbers("id of a/b c", 3).await.unwrap();
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    assert_eq!(numbers, ["2.0.0-beta.11", "2.0.0-beta.2", "1.10.0"]);
    apply(store, "a/b c", vec![put("1.2.1", named("late"))]).await.unwrap();
    let newest = store.versions("id of a/b c", None, 2).await.unwrap();
    let numbers = |found: &[(u64, StoredVersion)]| {
        found.iter().map(|(_, found)| found.version.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&newest), ["1.2.1", "2.0.0-beta.11"]);
    let older = store.versions("id of a/b c", Some(newest[1].0), 9).await.unwrap();
    assert_eq!(numbers(&older), ["2.0.0-beta.2", "1.10.0", "1.2.0", "1.0.0"]);
}

async fn a_refused_change_leaves_nothing(store: &SharedStore) {
    let target = Target { reference: by_slug("a"), focus: Focus::default(), receipt: None };
    let refuse = |state: &PromptState| {
        assert_eq!(*state, PromptState::default());
        Err(RegistryError::SlugTaken { slug: "a".to_owned(), project: "p".to_owned() })
    };
    let error = store.change(target, Arc::new(refuse)).await.unwrap_err();
    assert!(matches!(error, RegistryError::SlugTaken { .. }), "{error:?}");
    assert_eq!(store.find(&by_slug("a"), &Pick::Latest).await.unwrap(), Located::NoPrompt);
    assert!(store.audit(&AuditQuery { limit: 9, ..Default::default() }).await.unwrap().is_empty());
}

async fn a_change_that_fails_half_way_leaves_nothing(store: &SharedStore) {
    apply(store, "a", vec![create("a", 1), put("1.0.0", named("a"))]).await.unwrap();
    let to_nowhere = point("production", LabelTarget::Version(version("9.9.9")));
    let error = apply(store, "a", vec![put("1.1.0", named("b")), to_nowhere]).await.unwrap_err();
    assert!(matches!(error, RegistryError::Store(_)), "{error:?}");
    assert_eq!(found_number(store, "a", Pick::Latest).await.as_deref(), Some("1.0.0"));
    let taken = apply(store, "a", vec![put("1.0.0", named("other"))]).await;
    assert!(taken.is_err(), "adding a version never overwrites one");
    let absent = Op::EditVersion(Box::new(stored("7.0.0", named("other"))));
    assert!(apply(store, "a", vec![absent]).await.is_err(), "editing never adds one");
    let same_slug = apply(store, "a", vec![create("a", 2), put("1.0.0", named("c"))]).await;
    assert!(same_slug.is_err(), "a slug is taken once");
    assert_eq!(find(store, "a", Pick::Latest).await.unwrap().content.name, "a");
    assert_eq!(store.audit(&AuditQuery { limit: 9, ..Default::default() }).await.unwrap().len(), 1);
}

async fn labels_point_at_versions_that_there_are(store: &SharedStore) {
    let versions = vec![create("a", 1), put("1.0.0", named("a")), put("1.1.0", named("a"))];
    apply(store, "a", versions).await.unwrap();
    let weights = LabelTarget::Weights([(version("1.0.0"), 90), (version("1.1.0"), 10)].into());
    let one = LabelTarget::Version(version("1.0.0"));
    let ops = vec![point("production", one.clone()), point("canary", weights.clone())];
    apply(store, "a", ops).await.unwrap();

    let labels = store.labels("id of a").await.unwrap();
    let told: Vec<_> = labels.iter().map(|l| (l.label.as_str(), &l.target)).collect();
    assert_eq!(told, [("canary", &weights), ("production", &one)]);
    let production = Pick::Label(label("production"));
    assert_eq!(found_number(store, "a", production.clone()).await.as_deref(), Some("1.0.0"));
    let found = store.find(&by_slug("a"), &Pick::Label(label("canary"))).await.unwrap();
    assert!(matches!(found, Located::Weights(_, ref got) if got.len() == 2), "{found:?}");
    let first = find(store, "a", Pick::Exact(version("1.0.0"))).await.unwrap();
    assert_eq!(first.labels, ["canary", "production"]);

    let frozen = apply(store, "a", vec![Op::DeleteVersion(version("1.0.0"))]).await;
    assert!(frozen.is_err(), "a version goes only after its labels");

    let moved = point("production", LabelTarget::Version(version("1.1.0")));
    apply(store, "a", vec![moved, Op::RemoveLabel(label("canary"))]).await.unwrap();
    assert_eq!(found_number(store, "a", production).await.as_deref(), Some("1.1.0"));
    assert_eq!(store.labels("id of a").await.unwrap().len(), 1);
}

async fn deleting_keeps_the_trail_and_the_last_release(store: &SharedStore) {
    let versions = vec![create("a", 1), put("1.0.0", named("a")), put("3.0.0", named("a"))];
    let first = apply(store, "a", versions).await.unwrap();
    apply(store, "a", vec![Op::DeleteVersion(version("3.0.0"))]).await.unwrap();
    let Located::Version(found) = store.find(&by_slug("a"), &Pick::Latest).await.unwrap() else {
        panic!("the other version is gone");
    };
    assert_eq!((&found.1.version, found.0.version_count), (&version("1.0.0"), 1));
    assert_eq!(found.0.last_release, Some(version("3.0.0")));

    apply(store, "a", vec![Op::DeletePrompt]).await.unwrap();
    assert_eq!(store.find(&by_slug("a"), &Pick::Latest).await.unwrap(), Located::NoPrompt);
    assert!(store.versions("id of a", None, 9).await.unwrap().is_empty());
    let again = apply(store, "a", vec![create("a", 2), put("1.0.0", named("a"))]).await.unwrap();
    assert!(again.revision > first.revision, "a revision is never used again");
    let trail =
        AuditQuery { prompt_id: Some("id of a".to_owned()), limit: 9, ..Default::default() };
    assert_eq!(store.audit(&trail).await.unwrap().len(), 4);
}

async fn lists_filter_sort_and_page(store: &SharedStore) {
    for (index, (slug, name, tags)) in [
        ("one", "Beta", vec!["x", "y"]),
        ("two", "alpha 100% \"sure\"", vec!["x"]),
        ("three", "Gamma ÄRGER", vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        let content = VersionContent {
            tags: tags.into_iter().map(str::to_owned).collect(),
            module_id: (slug != "three").then(|| "m".to_owned()),
            description: format!("the {slug} text"),
            ..named(name)
        };
        let micros = i64::try_from(index).unwrap();
        apply(store, slug, vec![create(slug, micros), put("1.0.0", content)]).await.unwrap();
    }
    let slugs = async |query: ListQuery| {
        let ListPage { prompts, total, .. } = store.list(&query).await.unwrap();
        (prompts.into_iter().map(|(head, _)| head.slug).collect::<Vec<_>>().join(" "), total)
    };
    let all = ListQuery { limit: 10, ..ListQuery::default() };
    assert_eq!(slugs(all.clone()).await, ("three two one".to_owned(), 3));
    let by_name = ListQuery { sort_by: SortBy::Name, sort_order: SortOrder::Asc, ..all.clone() };
    assert_eq!(slugs(by_name.clone()).await, ("two one three".to_owned(), 3));
    let page = ListQuery { offset: 1, limit: 1, ..by_name };
    assert_eq!(slugs(page).await, ("one".to_owned(), 3));
    let tags = ListQuery { tags: vec!["x".to_owned(), "y".to_owned()], ..all.clone() };
    assert_eq!(slugs(tags).await, ("one".to_owned(), 1));
    let module = ListQuery { module: Some("m".to_owned()), ..all.clone() };
    assert_eq!(slugs(module).await, ("two one".to_owned(), 2));
    let nowhere = ListQuery { projects: Some(Vec::new()), ..all.clone() };
    assert_eq!(slugs(nowhere).await, (String::new(), 0));
    for (text, expected) in [
        ("ALPHA", "two"),
        ("0% \"sure", "two"),
        ("wo tex", "two"),
        ("bE", "one"),
        ("ä", "three"),
        ("Är", "three"),
        ("ärg", "three"),
        ("%", "two"),
        ("OR NOT", ""),
        ("\0\0\0", ""),
        ("' --", ""),
    ] {
        let query = ListQuery { text: Some(text.to_owned()), ..all.clone() };
        assert_eq!(slugs(query).await.0, expected, "{text:?}");
    }

    let renamed = VersionContent { description: "renamed".to_owned(), ..named("Gamma ÄRGER") };
    apply(store, "three", vec![put("1.1.0", renamed)]).await.unwrap();
    for (text, expected) in [("renamed", "three"), ("three text", "")] {
        let query = ListQuery { text: Some(text.to_owned()), ..all.clone() };
        assert_eq!(slugs(query).await.0, expected, "what is searched follows the version shown");
    }

    let similar = store.similar(None, "thre", 5).await.unwrap();
    assert_eq!(similar.first().map(|named| &*named.slug), Some("three"));
    assert!(store.similar(Some(&[]), "thre", 5).await.unwrap().is_empty());
    for text in ["", "a", "\"", "a\"b OR", "\0\0\0\0", "😀😀😀"] {
        store.similar(None, text, 5).await.unwrap();
    }
    let projects = store.projects().await.unwrap();
    assert_eq!(projects.iter().map(|p| (&*p.id, p.prompts)).collect::<Vec<_>>(), [("default", 3)]);
    let modules = store.modules("default").await.unwrap();
    assert_eq!(modules.iter().map(|m| (&*m.id, m.prompts)).collect::<Vec<_>>(), [("m", 2)]);
}

async fn the_audit_trail_is_in_order(store: &SharedStore) {
    for slug in ["a", "b", "c"] {
        apply(store, slug, vec![create(slug, 1), put("1.0.0", named(slug))]).await.unwrap();
    }
    let all = AuditQuery { limit: 10, ..AuditQuery::default() };
    let entries = store.audit(&all).await.unwrap();
    assert!(entries.is_sorted_by(|a, b| a.seq < b.seq));
    assert_eq!(entries.len(), 3);
    let rest = AuditQuery { after: entries[0].seq, limit: 1, ..all.clone() };
    assert_eq!(store.audit(&rest).await.unwrap(), entries[1..2]);
    let nobody = AuditQuery { projects: Some(Vec::new()), ..all };
    assert!(store.audit(&nobody).await.unwrap().is_empty());
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

async fn pages_go_on_from_a_place(store: &SharedStore) {
    for number in 0..9 {
        let project = if number % 3 == 0 { "other" } else { "default" };
        // Several of the same age and name.
        add_to(store, project, &format!("p{number}"), number / 2).await;
    }
    let slugs = |page: &ListPage| {
        page.prompts.iter().map(|(head, _)| head.slug.clone()).collect::<Vec<_>>()
    };
    for sort_by in [SortBy::CreatedAt, SortBy::UpdatedAt, SortBy::Name] {
        for sort_order in [SortOrder::Asc, SortOrder::Desc] {
            for (projects, text) in [
                (None, None),
                (Some(vec!["default".to_owned()]), None),
                (Some(vec!["default".to_owned(), "other".to_owned()]), Some("p")),
            ] {
                let text = text.map(str::to_owned);
                let query = ListQuery { projects, text, sort_by, sort_order, ..Default::default() };
                let whole = ListQuery { limit: 99, ..query.clone() };
                let whole = store.list(&whole).await.unwrap();
                assert_eq!((whole.total, &whole.next), (whole.prompts.len() as u64, &None));
                let mut found = Vec::new();
                let mut after = None;
                loop {
                    let page = ListQuery { limit: 2, after, ..query.clone() };
                    let page = store.list(&page).await.unwrap();
                    assert_eq!(page.total, whole.total, "of all pages");
                    found.extend(slugs(&page));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!(found, slugs(&whole), "{query:?}");
            }
        }
    }
    let query = ListQuery { limit: 2, ..Default::default() };
    let first = store.list(&query).await.unwrap();
    add_to(store, "default", "newest", 99).await;
    let second = ListQuery { after: first.next.clone(), ..query };
    let second = slugs(&store.list(&second).await.unwrap());
    assert!(!second.iter().any(|slug| slugs(&first).contains(slug)), "a place stays where it is");
}

async fn the_trail_of_some_projects_is_in_order(store: &SharedStore) {
    let mut told = store.watch();
    let before = *told.borrow_and_update();
    for (number, project) in ["a", "b", "c", "a", "b", "c"].into_iter().enumerate() {
        add_to(store, project, &format!("p{number}"), 1).await;
    }
    let seen = async |projects: &[&str], after: u64, limit: u64| {
        let projects = Some(projects.iter().map(|project| (*project).to_owned()).collect());
        let query = AuditQuery { projects, after, limit, ..Default::default() };
        let found = store.audit(&query).await.unwrap();
        assert!(found.is_sorted_by(|one, next| one.seq < next.seq));
        found
    };
    let all = seen(&["c", "a", "b"], 0, 99).await;
    assert_eq!(all.len(), 6);
    let slugs: Vec<_> = seen(&["c", "a"], 0, 3).await.into_iter().map(|entry| entry.slug).collect();
    assert_eq!(slugs, ["p0", "p2", "p3"]);
    assert_eq!(seen(&["a", "c"], all[3].seq, 9).await, all[5..]);
    assert!(seen(&[], 0, 9).await.is_empty());
    // It may be told a moment later.
    let last = told.wait_for(|last| *last >= all[5].seq).await.map(|last| *last).unwrap();
    assert!(last > before);
}

fn row(project: &str, prompt: &str, hour: i64, milliseconds: f64) -> UsageRow {
    let mut durations = Histogram::default();
    durations.count(milliseconds);
    UsageRow {
        hour: at(hour * 3_600_000_000),
        project: project.to_owned(),
        prompt: prompt.to_owned(),
        operation: "get_prompt".to_owned(),
        usage: Usage { requests: 1, micros: 2, durations, ..Usage::default() },
    }
}

async fn counts_what_was_used_once(store: &SharedStore) {
    let batch = |id: Option<u8>, rows: Vec<UsageRow>| UsageBatch {
        id: id.map(|id| [id; 32]),
        at: at(5),
        rows,
    };
    let one = batch(Some(1), vec![row("p", "", 1, 1.0), row("p", "a", 1, 1.0)]);
    assert!(store.log_usage(&one).await.unwrap());
    assert!(!store.log_usage(&one).await.unwrap(), "sent again");
    let more = vec![row("p", "", 1, 9.0), row("p", "", 2, 1.0), row("q", "", 1, 1.0)];
    assert!(store.log_usage(&batch(Some(2), more)).await.unwrap());
    for _ in 0..2 {
        let rows = vec![row("p", "b", 2, 1.0)];
        assert!(store.log_usage(&batch(None, rows)).await.unwrap(), "without an id each counts");
    }
    let query = |prompt: &str, from: i64, to: i64| UsageQuery {
        projects: Some(vec!["p".to_owned()]),
        prompt: prompt.to_owned(),
        from: at(from * 3_600_000_000),
        to: at(to * 3_600_000_000),
    };
    let sums = async |query: &UsageQuery| {
        let mut found = Vec::new();
        let mut each = |row: UsageRow| {
            found.push((row.hour.unix_micros() / 3_600_000_000, row.usage));
            Ok(())
        };
        store.usage(query, &mut each).await.unwrap();
        found.sort_by_key(|(hour, _)| *hour);
        found
    };
    let found = sums(&query("", 0, 9)).await;
    let told: Vec<_> = found.iter().map(|(hour, u)| (*hour, u.requests, u.micros)).collect();
    assert_eq!(told, [(1, 2, 4), (2, 1, 2)]);
    assert!(found[0].1.durations.quantile(1.0) > 8.0, "classes are added up");
    assert_eq!(sums(&query("", 2, 3)).await.len(), 1);
    assert_eq!(sums(&query("a", 0, 9)).await.len(), 1);
    let everywhere = UsageQuery { projects: None, ..query("", 0, 9) };
    assert_eq!(sums(&everywhere).await.len(), 3);
    let top = store.top_prompts(&query("", 0, 9), 9).await.unwrap();
    let top: Vec<_> = top.iter().map(|top| (top.prompt.as_str(), top.requests)).collect();
    assert_eq!(top, [("b", 2), ("a", 1)]);
    assert_eq!(store.forget_usage(at(2 * 3_600_000_000)).await.unwrap(), 3);
    assert!(sums(&query("a", 0, 9)).await.is_empty());
}

async fn exported(store: &SharedStore) -> Vec<Record> {
    let mut records = Vec::new();
    let mut each = |record| {
        records.push(record);
        Ok(())
    };
    store.export(&mut each).await.unwrap();
    records
}

async fn moves_whole_to_another_store(store: &SharedStore, other: &SharedStore) {
    let full = VersionContent {
        module_id: Some("m".to_owned()),
        tags: vec!["x".to_owned()],
        ..named("Ärger\0\r\n")
    };
    let ops = vec![create("a", 1), put("1.0.0", full), put("2.0.0-rc.1", named("n"))];
    apply(store, "a", ops).await.unwrap();
    let weights = LabelTarget::Weights([(version("1.0.0"), 9), (version("2.0.0-rc.1"), 1)].into());
    let to_one = point("production", LabelTarget::Version(version("1.0.0")));
    apply(store, "a", vec![to_one, point("canary", weights)]).await.unwrap();
    apply(store, "a", vec![put("3.0.0", named("n"))]).await.unwrap();
    apply(store, "a", vec![Op::DeleteVersion(version("3.0.0"))]).await.unwrap();
    add_to(store, "other", "b", 2).await;
    apply(store, "gone", vec![create("gone", 1), put("1.0.0", named("g"))]).await.unwrap();
    apply(store, "gone", vec![Op::DeletePrompt]).await.unwrap();
    keeps_keys_until_they_are_revoked(store).await;
    let records = exported(store).await;
    assert_eq!(records.len(), 19, "{records:?}");

    let broken = records.iter().take(9).cloned().map(Ok);
    let broken = broken.chain([Err("cut".to_owned())]).collect::<Vec<_>>();
    other.import(Box::new(broken.into_iter())).await.unwrap_err();
    assert!(exported(other).await.is_empty(), "whole, or not at all");
    let taken = records.clone().into_iter().map(Ok);
    assert_eq!(other.import(Box::new(taken.clone())).await.unwrap(), 19);
    assert_eq!(exported(other).await, records);
    other.import(Box::new(taken)).await.unwrap_err();

    let list = ListQuery { limit: 9, text: Some("ärg".to_owned()), ..Default::default() };
    assert_eq!(other.list(&list).await.unwrap().total, 1, "it is searched too");
    let newest = match records.iter().rev().find(|record| matches!(record, Record::Audit { .. })) {
        Some(Record::Audit { entry }) => entry.seq,
        _ => panic!("no trail"),
    };
    let next = apply(other, "a", vec![put("4.0.0", named("n"))]).await.unwrap();
    assert!(next.revision > newest, "the trail goes on");
    assert_eq!(next.before.head.unwrap().last_release, Some(version("3.0.0")));
}

/// Many writers that each take the next number: no number is taken twice and none is skipped.
async fn decisions_never_see_the_same_state_twice(store: &SharedStore) {
    const WRITERS: u64 = 64;
    apply(store, "a", vec![create("a", 1), put("1.0.0", named("a"))]).await.unwrap();
    let next = |state: &PromptState| {
        let minor = state.head.as_ref().unwrap().version_count;
        let number = Version::new(1, minor, 0).to_string();
        let audit = vec![entry("a")];
        Ok(Change { ops: vec![put(&number, named("a"))], audit })
    };
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let store = store.clone();
        let target = Target { reference: by_slug("a"), focus: Focus::default(), receipt: None };
        writers.push(Box::pin(async move { store.change(target, Arc::new(next)).await }));
    }
    for outcome in join(writers).await {
        outcome.unwrap();
    }
    let versions = store.versions("id of a", None, 1000).await.unwrap();
    let minors: Vec<_> = versions.iter().map(|(_, found)| found.version.minor()).collect();
    assert_eq!(minors, (0..=WRITERS).rev().collect::<Vec<_>>());
}

/// Many writers that create the same slug: one does, and the others see that it did.
async fn one_of_many_creates_wins(store: &SharedStore) {
    let decide = |state: &PromptState| match &state.head {
        Some(head) => {
            Err(RegistryError::SlugTaken { slug: head.slug.clone(), project: head.project.clone() })
        }
        None => Ok(Change {
            ops: vec![create("a", 1), put("1.0.0", named("a"))],
            audit: vec![entry("a")],
        }),
    };
    let writers = (0..16).map(|_| {
        let store = store.clone();
        let target = Target { reference: by_slug("a"), focus: Focus::default(), receipt: None };
        Box::pin(async move { store.change(target, Arc::new(decide)).await })
    });
    let (mut won, mut lost) = (0, 0);
    for outcome in join(writers.collect()).await {
        match outcome {
            Ok(_) => won += 1,
            Err(RegistryError::SlugTaken { .. }) => lost += 1,
            Err(other) => panic!("neither created nor taken: {other}"),
        }
    }
    assert_eq!((won, lost), (1, 15));
}

/// Polls all futures at once: enough for a suite that brings no runtime of its own.
async fn join<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut outputs = Vec::new();
    std::future::poll_fn(move |context| {
        futures.retain_mut(|future| match std::pin::Pin::new(future).poll(context) {
            std::task::Poll::Ready(output) => {
                outputs.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if futures.is_empty() {
            std::task::Poll::Ready(std::mem::take(&mut outputs))
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}
