use std::time::Duration;

use promptops_types::CacheConfig;

use crate::{Aged, EntryKind};

/// How much earlier than at its end an entry may be refreshed, in multiples of what it costs to
/// fetch: beyond it, chance would have to be one in a hundred million.
const EARLIEST: u32 = 20;

/// How long an entry may be used, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    ttl: Duration,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
    negative_ttl: Duration,
}

/// What may be done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Use {
    /// Served.
    Fresh,
    /// Served, and refreshed beside that.
    ServeAndRefresh {
        /// Whether its time is over: if not, chance has picked this caller to refresh it early.
        is_stale: bool,
    },
    /// Served only if the registry fails.
    OnlyOnError,
    /// Not served.
    Never,
}

impl Freshness {
    /// The times of a configuration.
    pub fn new(config: &CacheConfig) -> Self {
        Self {
            ttl: config.ttl,
            stale_while_revalidate: config.stale_while_revalidate,
            stale_if_error: config.stale_if_error,
            negative_ttl: config.negative_ttl,
        }
    }

    /// What may be done with an entry. `random`, from 0.0 up to 1.0, is asked for only when the entry
    /// is about to end.
    ///
    /// Then one caller of many refreshes it a little early, by chance, the more likely the nearer the
    /// end and the longer a fetch takes, so that not all of them, in all processes, do it at once:
    /// `XFetch`, with β = 1 (Vattani, Chierichetti, Lowenstein, Optimal Probabilistic Cache Stampede
    /// Prevention, VLDB 2015).
    pub fn judge(&self, found: &Aged, random: impl FnOnce() -> f64) -> Use {
        let age = found.age;
        match found.entry.kind() {
            EntryKind::Frozen => return Use::Fresh,
            EntryKind::Missing if age < self.negative_ttl => return Use::Fresh,
            EntryKind::Missing => return Use::Never,
            EntryKind::Moving => {}
        }
        if age < self.ttl {
            let left = self.ttl.saturating_sub(age);
            let cost = found.entry.cost();
            if left > cost.saturating_mul(EARLIEST) {
                return Use::Fresh;
            }
            let early = cost.as_secs_f64() * -random().max(f64::MIN_POSITIVE).ln();
            let is_picked = early >= left.as_secs_f64();
            return if is_picked { Use::ServeAndRefresh { is_stale: false } } else { Use::Fresh };
        }
        let over = age.saturating_sub(self.ttl);
        if over < self.stale_while_revalidate {
            Use::ServeAndRefresh { is_stale: true }
        } else if over < self.stale_if_error {
            Use::OnlyOnError
        } else {
            Use::Never
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entry;

    fn judged(kind: EntryKind, age: u64, random: f64) -> Use {
        let entry = Entry::new(kind, "").with_cost(Duration::from_secs(1));
        let found = Aged::new(entry, Duration::from_secs(age));
        Freshness::new(&CacheConfig::default()).judge(&found, || random)
    }

    #[test]
    fn each_kind_has_its_time() {
        let (fresh, refreshed) = (Use::Fresh, Use::ServeAndRefresh { is_stale: true });
        for (age, expected) in [
            (0, fresh),
            (299, fresh),
            (300, refreshed),
            (359, refreshed),
            (360, Use::OnlyOnError),
            (300 + 24 * 3600 - 1, Use::OnlyOnError),
            (300 + 24 * 3600, Use::Never),
        ] {
            assert_eq!(judged(EntryKind::Moving, age, 0.9), expected, "{age}");
            assert_eq!(judged(EntryKind::Frozen, age, 0.9), fresh);
        }
        assert_eq!(judged(EntryKind::Missing, 4, 0.5), fresh);
        assert_eq!(judged(EntryKind::Missing, 5, 0.5), Use::Never);
    }

    #[test]
    fn an_entry_that_is_about_to_end_is_refreshed_early_by_chance() {
        let early = Use::ServeAndRefresh { is_stale: false };
        // A second left, and a second to fetch: one in e.
        assert_eq!(judged(EntryKind::Moving, 299, 0.36), early);
        assert_eq!(judged(EntryKind::Moving, 299, 0.38), Use::Fresh);
        // Ten seconds left: one in e to the tenth.
        assert_eq!(judged(EntryKind::Moving, 290, 0.00004), early);
        assert_eq!(judged(EntryKind::Moving, 290, 0.00006), Use::Fresh);
        assert_eq!(judged(EntryKind::Moving, 270, 0.0), Use::Fresh, "far from its end");
    }
}
