//! The suite that every [`CacheBackend`] has to pass. Call [`check`] from a test, with an empty
//! backend that holds at least 100 entries.
#![expect(clippy::unwrap_used, reason = "a contract fails by panicking, in a test")]

use std::time::Duration;

use promptops_types::Secret;

use crate::{
    Aged, CacheBackend, CacheKey, CacheScope, Entry, EntryKind, Invalidation, Names, Ticket,
};

/// Runs every case.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn check(backend: &impl CacheBackend) {
    let suite = Suite { backend };
    backend.ping().await.unwrap();
    suite.what_was_put_is_found_whole().await;
    suite.keys_that_differ_are_apart().await;
    suite.an_invalidation_covers_what_it_says_and_no_more().await;
    suite.both_names_of_a_prompt_are_covered().await;
    suite.what_was_fetched_before_an_invalidation_is_not_kept().await;
    suite.what_was_fetched_before_an_invalidation_by_another_name_is_not_kept().await;
    let stats = backend.stats();
    assert!((0.0..=1.0).contains(&stats.hit_rate), "{stats:?}");
}

struct Suite<'b, B> {
    backend: &'b B,
}

fn scope(credential: &str) -> CacheScope {
    CacheScope::new("https://contract.example/v1", Some(&Secret::new(credential)))
}

fn key(prompt: &str, selector: Option<&str>) -> CacheKey {
    let mut key = CacheKey::new(scope("a"), "get_prompt");
    key.prompt = Some(prompt.to_owned());
    key.selector = selector.map(str::to_owned);
    key
}

fn entry(body: &str) -> Aged {
    Entry::new(EntryKind::Moving, body.to_owned()).into()
}

impl<B: CacheBackend> Suite<'_, B> {
    async fn ticket(&self, key: &CacheKey) -> Ticket {
        self.backend.get(key).await.unwrap().ticket
    }

    async fn put(&self, key: &CacheKey, entry: &Aged) {
        let ticket = self.ticket(key).await;
        self.backend.put(key, entry, ticket).await.unwrap();
        self.backend.flush().await.unwrap();
    }

    async fn body(&self, key: &CacheKey) -> Option<String> {
        let found = self.backend.get(key).await.unwrap().found?;
        Some(String::from_utf8(found.entry.body().to_vec()).unwrap())
    }

    async fn what_was_put_is_found_whole(&self) {
        let key = key("whole", Some("ä/b c"));
        assert_eq!(self.body(&key).await, None);
        let names = Names { id: "u-1".into(), slug: "whole".into(), version: "1.0.0".into() };
        let put = Entry::new(EntryKind::Frozen, "{\"a\": \"\u{0}ä\"}")
            .with_etag(Some("\"7\"".to_owned()))
            .with_names(Some(names.clone()));
        self.put(&key, &put.clone().into()).await;
        let found = self.backend.get(&key).await.unwrap().found.unwrap();
        assert_eq!(found.entry.body(), put.body());
        assert_eq!((found.entry.kind(), found.entry.etag()), (EntryKind::Frozen, Some("\"7\"")));
        assert_eq!(found.entry.names(), Some(&names));
        if let Some(found) = self.backend.look_up(&key) {
            assert_eq!(found.entry.body(), put.body(), "a look-up at once sees the same");
        }
        let older = Aged::new(put, Duration::from_secs(70));
        self.put(&key, &older).await;
        let found = self.backend.get(&key).await.unwrap().found.unwrap();
        assert!((70..80).contains(&found.age.as_secs()), "an age is kept: {:?}", found.age);
        self.put(&key, &entry("second")).await;
        assert_eq!(self.body(&key).await.as_deref(), Some("second"));
    }

    async fn keys_that_differ_are_apart(&self) {
        let mut keys = vec![key("apart", None), key("apart", Some("1")), key("apart", Some(""))];
        let mut other = key("apart", None);
        other.project = Some("p".to_owned());
        keys.push(other.clone());
        other.rest = Some(String::new());
        keys.push(other.clone());
        other.scope = scope("b");
        keys.push(other.clone());
        other.operation = "list_prompts";
        keys.push(other);
        for (number, key) in keys.iter().enumerate() {
            self.put(key, &entry(&number.to_string())).await;
        }
        for (number, key) in keys.iter().enumerate() {
            assert_eq!(self.body(key).await, Some(number.to_string()), "{key:?}");
        }
    }

    async fn an_invalidation_covers_what_it_says_and_no_more(&self) {
        let other_scope = CacheKey { scope: scope("b"), ..key("a", None) };
        let list = CacheKey::new(scope("a"), "list_prompts");
        let kept = [key("a-b", None), key("b", None), other_scope, list.clone()];
        let versions = [key("a", None), key("a", Some("v1")), key("a", Some("2.0.0"))];
        for key in kept.iter().chain(&versions) {
            self.put(key, &entry("x")).await;
        }
        let of = |version: Option<&str>| Invalidation::Prompt {
            scope: scope("a"),
            prompt: "a".to_owned(),
            version: version.map(str::to_owned),
        };
        self.backend.invalidate(&of(Some("v2.0.0"))).await.unwrap();
        assert_eq!(self.body(&versions[2]).await, None, "a version, with or without `v`");
        for key in &kept {
            assert!(self.body(key).await.is_some(), "{key:?}");
        }
        self.backend.invalidate(&of(None)).await.unwrap();
        for key in &versions {
            assert_eq!(self.body(key).await, None, "{key:?}");
        }
        for key in &kept {
            assert!(self.body(key).await.is_some(), "{key:?}");
        }
        self.backend.invalidate(&Invalidation::Lists(scope("a"))).await.unwrap();
        assert_eq!(self.body(&list).await, None);
        assert!(self.body(&kept[0]).await.is_some());
        self.backend.invalidate(&Invalidation::Everything(scope("a"))).await.unwrap();
        assert_eq!(self.body(&kept[0]).await, None);
        assert!(self.body(&kept[2]).await.is_some(), "another scope");
    }

    async fn both_names_of_a_prompt_are_covered(&self) {
        let names = Names { id: "u-2".into(), slug: "named".into(), version: "1.0.0".into() };
        let (by_slug, by_id) = (key("named", None), key("u-2", Some("prod")));
        for told in ["named", "u-2"] {
            for key in [&by_slug, &by_id] {
                let entry = Entry::new(EntryKind::Moving, "x").with_names(Some(names.clone()));
                self.put(key, &entry.into()).await;
            }
            let (scope, prompt) = (scope("a"), told.to_owned());
            let what = Invalidation::Prompt { scope, prompt, version: None };
            self.backend.invalidate(&what).await.unwrap();
            for key in [&by_slug, &by_id] {
                assert_eq!(self.body(key).await, None, "{key:?}, told {told}");
            }
        }
    }

    async fn what_was_fetched_before_an_invalidation_by_another_name_is_not_kept(&self) {
        let names = Names { id: "u-3".into(), slug: "first".into(), version: "1.0.0".into() };
        let by_slug = key("first", None);
        let put = async |body: &'static str, ticket| {
            let entry = Entry::new(EntryKind::Moving, body).with_names(Some(names.clone()));
            self.backend.put(&by_slug, &entry.into(), ticket).await.unwrap();
            self.backend.flush().await.unwrap();
        };
        let ticket = self.ticket(&by_slug).await;
        let (scope, prompt) = (scope("a"), "u-3".to_owned());
        let what = Invalidation::Prompt { scope, prompt, version: None };
        self.backend.invalidate(&what).await.unwrap();
        put("old", ticket).await;
        assert_eq!(self.body(&by_slug).await, None, "nobody knew its names before");
    }

    async fn what_was_fetched_before_an_invalidation_is_not_kept(&self) {
        let key = key("raced", None);
        let ticket = self.ticket(&key).await;
        let what =
            Invalidation::Prompt { scope: scope("a"), prompt: "raced".to_owned(), version: None };
        self.backend.invalidate(&what).await.unwrap();
        self.backend.put(&key, &entry("old"), ticket).await.unwrap();
        self.backend.flush().await.unwrap();
        assert_eq!(self.body(&key).await, None, "an answer from before a write outlives it");
        self.put(&key, &entry("new")).await;
        assert_eq!(self.body(&key).await.as_deref(), Some("new"));
    }
}
