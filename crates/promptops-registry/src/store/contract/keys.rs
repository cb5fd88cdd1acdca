//! Keys are kept until they are revoked, and tokens are used once.

use super::at;
use crate::{ApiKey, RateLimits, Scope, SharedStore, Store};

pub(super) async fn keeps_keys_until_they_are_revoked(store: &SharedStore) {
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

pub(super) async fn sees_a_token_once(store: &SharedStore) {
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
