//! Versions are found as they were put, until they are deleted.

use super::{apply, by_slug, create, find, found_number, label, named, put, version};
use crate::{
    AuditQuery, Located, Op, Pick, Reference, SharedStore, Store, StoredVersion, VersionContent,
};

pub(super) async fn finds_what_was_put(store: &SharedStore) {
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

pub(super) async fn deleting_keeps_the_trail_and_the_last_release(store: &SharedStore) {
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
