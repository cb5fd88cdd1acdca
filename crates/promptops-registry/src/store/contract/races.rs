//! Changes at the same time are made one after the other.

use std::future::Future;
use std::sync::Arc;

use promptops_types::Version;

use super::{apply, by_slug, create, entry, named, put};
use crate::{Change, Focus, PromptState, RegistryError, SharedStore, Store, Target};

/// Many writers that each take the next number: no number is taken twice and none is skipped.
pub(super) async fn decisions_never_see_the_same_state_twice(store: &SharedStore) {
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
pub(super) async fn one_of_many_creates_wins(store: &SharedStore) {
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
