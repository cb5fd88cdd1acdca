//! The trail of what was done is in order.

use super::{add_to, apply, create, named, put};
use crate::{AuditQuery, SharedStore, Store};

pub(super) async fn the_audit_trail_is_in_order(store: &SharedStore) {
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

pub(super) async fn the_trail_of_some_projects_is_in_order(store: &SharedStore) {
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
