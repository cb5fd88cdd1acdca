//! A change is made whole, with its receipt, or not at all.

use std::sync::Arc;

use promptops_types::LabelTarget;

use super::{
    apply, at, by_slug, create, entry, find, found_number, named, point, put, stored, version,
};
use crate::{
    AuditQuery, Change, Focus, Located, Op, Pick, PromptState, Receipt, RegistryError, SharedStore,
    Store, Target,
};

pub(super) async fn a_refused_change_leaves_nothing(store: &SharedStore) {
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

pub(super) async fn a_change_that_fails_half_way_leaves_nothing(store: &SharedStore) {
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

pub(super) async fn keeps_a_receipt_with_the_change(store: &SharedStore) {
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
