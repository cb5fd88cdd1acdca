//! Hits and misses, counted where threads do not meet.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};

/// Threads that count in places of their own; more of them share.
const STRIPES: usize = 16;

/// Counters of the threads of one stripe, on cache lines of their own: threads that hit the same entry
/// would otherwise take the line of its counter from each other with each hit.
#[derive(Default)]
#[repr(align(128))]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
pub(super) struct Counts([Stripe; STRIPES]);

impl Counts {
    pub(super) fn count(&self, is_hit: bool) {
        let Stripe { hits, misses } = &self.0[stripe()];
        let counter = if is_hit { hits } else { misses };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn hits(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.hits.load(Relaxed)).sum()
    }

    pub(super) fn misses(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.misses.load(Relaxed)).sum()
    }
}

/// Which stripe this thread counts in: threads take them in turn, each at its first count.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    STRIPE.with(|stripe| {
        if stripe.get() == usize::MAX {
            stripe.set(NEXT.fetch_add(1, Relaxed) % STRIPES);
        }
        stripe.get()
    })
}

#[cfg(test)]
mod tests {
    use super::{Counts, STRIPES};

    #[test]
    fn what_more_threads_than_stripes_count_is_counted() {
        let counts = Counts::default();
        std::thread::scope(|scope| {
            for thread in 0..2 * STRIPES {
                let counts = &counts;
                scope.spawn(move || (0..100).for_each(|_| counts.count(thread % 2 == 0)));
            }
        });
        let each = u64::try_from(100 * STRIPES).unwrap();
        assert_eq!((counts.hits(), counts.misses()), (each, each));
    }
}
