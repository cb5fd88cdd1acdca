//! Everything moves to another store.

use promptops_types::LabelTarget;

use super::keys::keeps_keys_until_they_are_revoked;
use super::{add_to, apply, create, named, point, put, version};
use crate::{ListQuery, Op, Record, SharedStore, Store, VersionContent};

async fn exported(store: &SharedStore) -> Vec<Record> {
    let mut records = Vec::new();
    let mut each = |record| {
        records.push(record);
        Ok(())
    };
    store.export(&mut each).await.unwrap();
    records
}

pub(super) async fn moves_whole_to_another_store(store: &SharedStore, other: &SharedStore) {
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
