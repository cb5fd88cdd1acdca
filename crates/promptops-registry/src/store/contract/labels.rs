//! Labels point at versions that there are.

use promptops_types::LabelTarget;

use super::{apply, by_slug, create, find, found_number, label, named, point, put, version};
use crate::{Located, Op, Pick, SharedStore, Store};

pub(super) async fn labels_point_at_versions_that_there_are(store: &SharedStore) {
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
