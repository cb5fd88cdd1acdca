//! What the registry promises about versions, labels, projects and errors.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use promptops_registry::{
    Access, DeleteOptions, Found, ListQuery, PromptRef, Registry, RegistryError, UpdateOptions,
};
use promptops_types::{
    Bump, LabelName, LabelTarget, ManualTime, NewPrompt, PromptUpdate, Selector, Timestamp, Version,
};

struct Fixture {
    registry: Registry,
    access: Access,
}

fn fixture() -> Fixture {
    let time = ManualTime::new(Timestamp::from_unix_micros(1_700_000_000_000_000));
    let registry = Registry::in_memory().unwrap().time_source(time);
    Fixture { registry, access: Access::full("ann") }
}

fn prompt(id: &str) -> PromptRef {
    PromptRef::new(id)
}

fn label(name: &str) -> LabelName {
    name.parse().unwrap()
}

fn to(version: &str) -> LabelTarget {
    LabelTarget::Version(version.parse().unwrap())
}

impl Fixture {
    async fn create(&self, name: &str) -> Found {
        let new = NewPrompt::new(name, "one {{ a }}");
        self.registry.create(&self.access, None, new).await.unwrap()
    }

    async fn publish(&self, id: &str, content: &str) -> Result<Found, RegistryError> {
        self.update(id, content, UpdateOptions::default()).await
    }

    async fn update(
        &self,
        id: &str,
        content: &str,
        options: UpdateOptions,
    ) -> Result<Found, RegistryError> {
        let update = PromptUpdate::new().content(content);
        self.registry.update(&self.access, &prompt(id), update, options).await
    }

    async fn get(&self, id: &str, selector: &str) -> Result<Found, RegistryError> {
        let selector: Selector = selector.parse().unwrap();
        self.registry.get(&self.access, &prompt(id), &selector, None).await
    }

    async fn point(&self, id: &str, name: &str, target: LabelTarget) {
        let (access, id) = (&self.access, prompt(id));
        self.registry.set_label(access, &id, &label(name), target, None).await.unwrap();
    }

    async fn delete(
        &self,
        id: &str,
        version: Option<&str>,
        force: bool,
    ) -> Result<bool, RegistryError> {
        let options =
            DeleteOptions { version: version.map(str::to_owned), force, ..Default::default() };
        let deleted = self.registry.delete(&self.access, &prompt(id), options).await?;
        Ok(deleted.prompt_deleted)
    }
}

fn edit(version: &str) -> UpdateOptions {
    UpdateOptions { version: Some(version.to_owned()), ..UpdateOptions::default() }
}

#[tokio::test]
async fn versions_are_numbered_by_bump_and_selected_by_every_form() {
    let f = fixture();
    assert_eq!(f.create("Greeting").await.prompt.version, "1.0.0");
    assert_eq!(f.publish("greeting", "two").await.unwrap().prompt.version, "1.1.0");
    let bump = |bump| UpdateOptions { bump, ..UpdateOptions::default() };
    let patch = f.update("greeting", "three", bump(Bump::Patch)).await.unwrap();
    assert_eq!(patch.prompt.version, "1.1.1");
    let major = f.update("greeting", "four", bump(Bump::Major)).await.unwrap();
    assert_eq!(major.prompt.version, "2.0.0");
    let beta = UpdateOptions { create_new_version: Some(true), ..edit("v3.0.0-beta.1") };
    f.update("greeting", "five", beta).await.unwrap();
    f.point("greeting", "production", to("1.1.0")).await;

    for (selector, version) in [
        ("latest", "2.0.0"),
        ("v1", "1.1.1"),
        ("1.1", "1.1.1"),
        ("1.1.0", "1.1.0"),
        ("v3.0.0-beta.1", "3.0.0-beta.1"),
        ("production", "1.1.0"),
        ("staging,production", "1.1.0"),
        ("staging,latest", "2.0.0"),
    ] {
        assert_eq!(
            f.get("greeting", selector).await.unwrap().prompt.version,
            version,
            "{selector}"
        );
    }
    let labels = f.get("greeting", "1.1.0").await.unwrap().prompt.labels;
    assert_eq!(labels, ["production"]);
}

#[tokio::test]
async fn a_version_that_is_not_there_names_those_that_are() {
    let f = fixture();
    f.create("Greeting").await;
    for selector in ["9.9.9", "v3", "staging", "staging,canary"] {
        let error = f.get("greeting", selector).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("prompt `greeting` has no version for `{selector}`; it has 1.0.0")
        );
    }
    let error = f.update("greeting", "x", edit("9.9.9")).await.unwrap_err();
    assert!(error.to_string().ends_with("no version for `9.9.9`; it has 1.0.0"), "{error}");
    let error = f.delete("greeting", Some("9.9.9"), true).await.unwrap_err();
    assert!(matches!(error, RegistryError::VersionNotFound { .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_prompt_suggests_similar_ones() {
    let f = fixture();
    for name in ["Greeting", "Greeting formal", "Farewell"] {
        f.create(name).await;
    }
    let error = f.get("greetng", "latest").await.unwrap_err();
    let RegistryError::PromptNotFound { suggestions, .. } = &error else { panic!("{error:?}") };
    assert_eq!(suggestions, &["greeting", "greeting-formal"]);
    assert_eq!(error.to_string(), "no prompt `greetng` in project `default`");
    let elsewhere = prompt("greeting").in_project(Some("elsewhere"));
    let error = f.registry.get(&f.access, &elsewhere, &Selector::Latest, None).await.unwrap_err();
    let RegistryError::PromptNotFound { suggestions: elsewhere, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(elsewhere.is_empty(), "what is suggested is found where it was asked for");
    for id in ["018f4e6a-7c1d-7000-8000-000000000000", "", "\0", "🎉", "' OR 1=1 --"] {
        let error = f.get(id, "latest").await.unwrap_err();
        assert!(matches!(error, RegistryError::PromptNotFound { .. }), "{id:?}: {error:?}");
    }
    let error = f.delete("greetng", None, false).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::PromptNotFound { ref suggestions, .. } if !suggestions.is_empty())
    );
}

#[tokio::test]
async fn publishing_what_is_there_already_is_refused_unless_forced() {
    let f = fixture();
    f.create("Greeting").await;
    let error = f.publish("greeting", "one {{ a }}").await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Unchanged { .. }) && error.to_string().contains("force")
    );
    let force = UpdateOptions { force: true, ..UpdateOptions::default() };
    let forced = f.update("greeting", "one {{ a }}", force).await.unwrap();
    assert_eq!(forced.prompt.version, "1.1.0");
    let taken = UpdateOptions { create_new_version: Some(true), ..edit("1.0.0") };
    let error = f.update("greeting", "x", taken).await.unwrap_err();
    assert!(matches!(error, RegistryError::VersionExists { .. }), "{error:?}");
}

#[tokio::test]
async fn a_labelled_version_is_frozen_until_the_label_moves() {
    let f = fixture();
    f.create("Greeting").await;
    f.publish("greeting", "two").await.unwrap();
    let edited = f.update("greeting", "edited", edit("1.0.0")).await.unwrap();
    assert_eq!(
        (edited.prompt.version.as_str(), edited.prompt.content.as_str()),
        ("1.0.0", "edited")
    );
    f.point("greeting", "production", to("1.0.0")).await;

    let error = f.update("greeting", "again", edit("1.0.0")).await.unwrap_err();
    assert!(matches!(error, RegistryError::VersionFrozen { .. }), "{error:?}");
    assert!(error.to_string().contains("label `production` points at it"), "{error}");
    let error = f.delete("greeting", Some("1.0.0"), false).await.unwrap_err();
    assert!(matches!(error, RegistryError::VersionFrozen { .. }), "{error:?}");
    assert_eq!(f.get("greeting", "1.0.0").await.unwrap().prompt.content, "edited");

    f.point("greeting", "production", to("1.1.0")).await;
    f.update("greeting", "again", edit("1.0.0")).await.unwrap();
}

#[tokio::test]
async fn deleting_goes_version_by_version_and_numbers_do_not_come_back() {
    let f = fixture();
    f.create("Greeting").await;
    f.publish("greeting", "two").await.unwrap();
    let weights =
        LabelTarget::Weights([(Version::new(1, 0, 0), 9), (Version::new(1, 1, 0), 1)].into());
    f.point("greeting", "canary", weights).await;
    f.point("greeting", "production", to("1.1.0")).await;
    assert!(!f.delete("greeting", Some("1.1.0"), true).await.unwrap());
    let (labels, _) = f.registry.labels(&f.access, &prompt("greeting")).await.unwrap();
    assert_eq!(labels.len(), 1, "production went with its version");
    assert_eq!(labels[0].target.versions(), [&Version::new(1, 0, 0)]);

    assert_eq!(f.publish("greeting", "three").await.unwrap().prompt.version, "1.2.0");
    assert!(f.delete("greeting", None, false).await.is_err(), "canary points at it");
    assert!(f.delete("greeting", None, true).await.unwrap());
    let error = f.delete("greeting", None, false).await.unwrap_err();
    assert!(matches!(error, RegistryError::PromptNotFound { .. }), "{error:?}");

    f.create("Greeting").await;
    assert!(f.delete("greeting", Some("v1.0.0"), false).await.unwrap(), "the last version");
    f.get("greeting", "latest").await.unwrap_err();
}

#[tokio::test]
async fn a_label_moves_back_by_undo_removal_included() {
    let f = fixture();
    f.create("Greeting").await;
    f.publish("greeting", "two").await.unwrap();
    let (id, name) = (prompt("greeting"), label("production"));
    let error = f.registry.undo_label(&f.access, &id, &name, None).await.unwrap_err();
    assert!(matches!(error, RegistryError::NothingToUndo { .. }), "{error:?}");
    f.point("greeting", "production", to("1.0.0")).await;
    f.point("greeting", "production", to("1.1.0")).await;
    let undo = async || f.registry.undo_label(&f.access, &id, &name, None).await.unwrap().label;
    assert_eq!(undo().await.unwrap().target, to("1.0.0"));
    assert_eq!(undo().await.unwrap().target, to("1.1.0"), "an undo can be undone");
    f.registry.remove_label(&f.access, &id, &name, None).await.unwrap();
    assert_eq!(undo().await.unwrap().target, to("1.1.0"));
    let error = f.registry.remove_label(&f.access, &id, &label("gone"), None).await.unwrap_err();
    assert_eq!(error.to_string(), "prompt `greeting` has no label `gone`");
    let nowhere = f.registry.set_label(&f.access, &id, &name, to("9.0.0"), None).await;
    assert!(matches!(nowhere, Err(RegistryError::VersionNotFound { .. })));
    let zero = LabelTarget::Weights([(Version::new(1, 0, 0), 0)].into());
    let refused = f.registry.set_label(&f.access, &id, &name, zero, None).await;
    assert!(matches!(refused, Err(RegistryError::Invalid(_))));
}

#[tokio::test]
async fn weights_give_one_caller_one_version() {
    let f = fixture();
    f.create("Greeting").await;
    f.publish("greeting", "two").await.unwrap();
    let weights =
        LabelTarget::Weights([(Version::new(1, 0, 0), 1), (Version::new(1, 1, 0), 1)].into());
    f.point("greeting", "split", weights).await;
    let selector: Selector = "split".parse().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..20 {
        let key = format!("user-{user}");
        let get = async || {
            f.registry.get(&f.access, &prompt("greeting"), &selector, Some(&key)).await.unwrap()
        };
        let first = get().await.prompt.version;
        assert_eq!(get().await.prompt.version, first);
        seen.insert(first);
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn a_stale_revision_is_refused() {
    let f = fixture();
    let created = f.create("Greeting").await;
    let changed = f.publish("greeting", "two").await.unwrap();
    let stale =
        UpdateOptions { if_revision: Some(vec![created.revision]), ..UpdateOptions::default() };
    let error = f.update("greeting", "three", stale).await.unwrap_err();
    assert!(matches!(error, RegistryError::RevisionMismatch { .. }), "{error:?}");
    let fresh =
        UpdateOptions { if_revision: Some(vec![0, changed.revision]), ..UpdateOptions::default() };
    f.update("greeting", "three", fresh).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_publishes_get_numbers_of_their_own_and_none_is_lost() {
    let f = Arc::new(fixture());
    f.create("Greeting").await;
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let f = f.clone();
            tokio::spawn(async move { f.publish("greeting", &format!("text {writer}")).await })
        })
        .collect();
    let mut texts = std::collections::BTreeMap::new();
    for writer in writers {
        let prompt = writer.await.unwrap().unwrap().prompt;
        assert_eq!(texts.insert(prompt.version, prompt.content), None);
    }
    assert_eq!(texts.len(), 32);
    for (version, text) in texts {
        assert_eq!(f.get("greeting", &version).await.unwrap().prompt.content, text);
    }
}

#[tokio::test]
async fn slugs_are_unique_in_their_project_only() {
    let f = fixture();
    let first = f.create("Greeting").await;
    let again = NewPrompt::new("Greeting", "other");
    let error = f.registry.create(&f.access, None, again.clone()).await.unwrap_err();
    assert!(matches!(error, RegistryError::SlugTaken { .. }), "{error:?}");
    assert_eq!(f.get("greeting", "latest").await.unwrap(), first);
    f.registry.create(&f.access, Some("support"), again).await.unwrap();
    let in_support = prompt("greeting").in_project(Some("support"));
    let found = f.registry.get(&f.access, &in_support, &Selector::Latest, None).await.unwrap();
    assert_eq!(found.prompt.content, "other");

    let projects = f.registry.projects(&f.access).await.unwrap();
    assert_eq!(projects.iter().map(|p| &*p.id).collect::<Vec<_>>(), ["default", "support"]);
}

#[tokio::test]
async fn another_project_answers_as_if_it_were_not_there() {
    let f = fixture();
    let secret = NewPrompt::new("Secret plan", "x").module("m");
    let secret = f.registry.create(&f.access, Some("theirs"), secret).await.unwrap();
    let mine = Access::projects("bob", ["mine"]);
    let refs = [
        prompt("secret-plan").in_project(Some("theirs")),
        prompt(&secret.prompt.id),
        prompt(&secret.prompt.id).in_project(Some("mine")),
        prompt("secret-plan"),
    ];
    for reference in refs {
        let get = f.registry.get(&mine, &reference, &Selector::Latest, None).await;
        let error = get.unwrap_err();
        let RegistryError::PromptNotFound { suggestions, .. } = &error else { panic!("{error:?}") };
        assert!(suggestions.is_empty(), "{suggestions:?}");
        f.registry.versions(&mine, &reference, None, 9).await.unwrap_err();
        f.registry.labels(&mine, &reference).await.unwrap_err();
        f.registry.delete(&mine, &reference, DeleteOptions::default()).await.unwrap_err();
        let update = PromptUpdate::new().content("mine now");
        let options = UpdateOptions::default();
        f.registry.update(&mine, &reference, update, options).await.unwrap_err();
        let aim = to("1.0.0");
        f.registry.set_label(&mine, &reference, &label("a"), aim, None).await.unwrap_err();
        f.registry.undo_label(&mine, &reference, &label("a"), None).await.unwrap_err();
        f.registry.remove_label(&mine, &reference, &label("a"), None).await.unwrap_err();
        f.registry.version_numbers(&mine, &reference).await.unwrap_err();
    }
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    for projects in [None, Some(vec!["theirs".to_owned()])] {
        let query = ListQuery { projects, ..query.clone() };
        assert_eq!(f.registry.list(&mine, query, None).await.unwrap().total, 0);
    }
    assert!(f.registry.audit(&mine, None, 0, 10).await.unwrap().is_empty());
    assert!(f.registry.projects(&mine).await.unwrap().is_empty());
    assert!(f.registry.modules(&mine, "theirs").await.unwrap().is_empty());
    let create = f.registry.create(&mine, Some("theirs"), NewPrompt::new("A", "x")).await;
    assert!(matches!(create, Err(RegistryError::ProjectNotAllowed { .. })));
    let id = prompt(&secret.prompt.id);
    let found = f.registry.get(&f.access, &id, &Selector::Latest, None).await.unwrap();
    assert_eq!(found, secret, "nothing has changed");
}

#[tokio::test]
async fn every_write_is_in_the_audit_trail_with_who_and_digests() {
    let f = fixture();
    let created = f.create("Greeting").await.prompt;
    let why = UpdateOptions { message: Some("warmer".to_owned()), ..UpdateOptions::default() };
    let second = f.update("greeting", "two", why).await.unwrap().prompt;
    f.update("greeting", "two!", edit("1.1.0")).await.unwrap();
    f.point("greeting", "production", to("1.0.0")).await;
    f.point("greeting", "production", to("1.0.0")).await;
    f.delete("greeting", Some("1.1.0"), false).await.unwrap();
    f.delete("greeting", None, true).await.unwrap();
    let trail = f.registry.audit(&f.access, Some(&created.id), 0, 100).await.unwrap();
    let actions: Vec<_> = trail.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        ["publish", "publish", "edit", "set_label", "delete_version", "delete_prompt"],
        "pointing a label where it points already is no write"
    );
    assert!(trail.iter().all(|entry| entry.actor == "ann" && entry.slug == "greeting"));
    assert_eq!(trail[1].digest_before.as_ref(), Some(&created.digest));
    assert_eq!(trail[1].digest_after.as_ref(), Some(&second.digest));
    assert_eq!(trail[1].message.as_deref(), Some("warmer"));
    assert_eq!(trail[3].target_after, Some(to("1.0.0")));
}

#[tokio::test]
async fn a_forced_delete_tells_of_each_label_and_undo_does_not_bring_back_what_is_gone() {
    let f = fixture();
    let created = f.create("Greeting").await.prompt;
    f.publish("greeting", "two").await.unwrap();
    let weights =
        LabelTarget::Weights([(Version::new(1, 0, 0), 9), (Version::new(1, 1, 0), 1)].into());
    f.point("greeting", "canary", weights.clone()).await;
    f.point("greeting", "production", to("1.1.0")).await;
    f.delete("greeting", Some("1.1.0"), true).await.unwrap();
    let trail = f.registry.audit(&f.access, Some(&created.id), 0, 100).await.unwrap();
    let [.., canary, production, deleted] = trail.as_slice() else { panic!("{trail:?}") };
    assert_eq!((canary.action.as_str(), &canary.target_before), ("set_label", &Some(weights)));
    assert_eq!((production.action.as_str(), &production.target_after), ("remove_label", &None));
    assert_eq!(deleted.action.as_str(), "delete_version");
    assert!(deleted.digest_before.is_some());
    let undo = f.registry.undo_label(&f.access, &prompt("greeting"), &label("canary"), None).await;
    assert!(matches!(undo, Err(RegistryError::VersionNotFound { .. })), "{undo:?}");
}

#[tokio::test]
async fn numbers_at_their_end_are_told_and_nothing_is_overwritten() {
    let f = fixture();
    let last = NewPrompt::new("Last", "first").version("1.18446744073709551615.0");
    f.registry.create(&f.access, None, last).await.unwrap();
    let error = f.publish("last", "second").await.unwrap_err();
    assert!(error.to_string().contains("there is no number"), "{error}");
    assert_eq!(f.get("last", "latest").await.unwrap().prompt.content, "first");
}

#[tokio::test]
async fn without_a_new_version_the_latest_is_edited() {
    let f = fixture();
    f.create("Greeting").await;
    let options = UpdateOptions { create_new_version: Some(false), ..UpdateOptions::default() };
    let edited = f.update("greeting", "edited", options).await.unwrap().prompt;
    assert_eq!((edited.version.as_str(), edited.content.as_str()), ("1.0.0", "edited"));
}

#[tokio::test]
async fn odd_names_work_and_impossible_ones_are_refused() {
    let f = fixture();
    for name in [
        "a/b \"quoted\" 'single'",
        "🎉",
        "名前",
        ".hidden name",
        "deadbeefdeadbeefdeadbeefdeadbeef",
    ] {
        let created = f.create(name).await.prompt;
        assert_eq!(created.name, name);
        assert_eq!(f.get(&created.slug, "latest").await.unwrap().prompt.id, created.id);
    }
    for name in ["", " ", "a\0b", "tab\there", " padded"] {
        let new = NewPrompt::new(name, "x");
        let error = f.registry.create(&f.access, None, new).await.unwrap_err();
        assert!(matches!(error, RegistryError::Invalid(_)), "{name:?}: {error:?}");
    }
    let slug = NewPrompt::new("n", "x").slug("../../etc/passwd");
    let error = f.registry.create(&f.access, None, slug).await.unwrap_err();
    assert!(error.to_string().starts_with("`slug`: has a segment"), "{error}");
    let version = NewPrompt::new("n", "x").version("one");
    let error = f.registry.create(&f.access, None, version).await.unwrap_err();
    assert!(error.to_string().contains("such as 1.2.0"), "{error}");
}
