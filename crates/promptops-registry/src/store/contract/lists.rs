//! Lists are filtered, sorted and paged.

use promptops_types::{SortBy, SortOrder};

use super::{add_to, apply, create, named, put};
use crate::{ListPage, ListQuery, SharedStore, Store, VersionContent};

pub(super) async fn lists_filter_sort_and_page(store: &SharedStore) {
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

pub(super) async fn pages_go_on_from_a_place(store: &SharedStore) {
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

/// Whatever is left out, the store answers what is asked next.
pub(super) async fn a_page_holds_what_it_may(store: &SharedStore) {
    let third = VersionContent { content: "x".repeat(3 << 20), ..named("third") };
    let whole = VersionContent { content: "x".repeat(9 << 20), ..named("whole") };
    for (micros, slug) in (1..).zip(["a", "b", "c"]) {
        apply(store, slug, vec![create(slug, micros), put("1.0.0", third.clone())]).await.unwrap();
    }
    let all = ListQuery { limit: 3, ..ListQuery::default() };
    let page = store.list(&all).await.unwrap();
    assert_eq!((page.prompts.len(), page.total, page.next.is_some()), (2, 3, true));
    let rest = ListQuery { after: page.next, ..all };
    let rest = store.list(&rest).await.unwrap();
    assert_eq!((rest.prompts.len(), rest.next), (1, None));

    let more = vec![put("1.1.0", third.clone()), put("1.2.0", third), put("1.3.0", whole)];
    apply(store, "a", more).await.unwrap();
    let newest = store.versions("id of a", None, 9).await.unwrap();
    assert_eq!(newest.len(), 1, "one is given, however large");
    let older = store.versions("id of a", Some(newest[0].0), 9).await.unwrap();
    assert_eq!(older.len(), 2);
}
