use std::sync::atomic::{AtomicU32, Ordering};

use crate::RetryReason;

/// What a retry takes.
const RETRY: u32 = 14;

/// What a retry takes after the registry asked for fewer requests.
const THROTTLED_RETRY: u32 = 5;

/// What a call that succeeds at the first attempt gives back.
const SUCCESS: u32 = 1;

/// Tokens that all calls of a client take retries from, so that an outage costs a bounded number
/// of requests however many calls there are: a full bucket of 500 pays for 35 retries.
///
/// The figures are those of AWS's standard retry mode (its default since 10 November 2026).
#[derive(Debug)]
pub struct RetryBudget {
    tokens: AtomicU32,
    full: u32,
}

impl RetryBudget {
    /// A full bucket.
    pub(crate) fn new(tokens: u32) -> Self {
        Self { tokens: tokens.into(), full: tokens }
    }

    /// The tokens left.
    pub fn tokens(&self) -> u32 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// The tokens of a full budget.
    pub fn size(&self) -> u32 {
        self.full
    }

    /// Takes what one retry costs; nothing where there is not enough.
    pub(crate) fn pay(&self, reason: RetryReason) -> Option<Payment<'_>> {
        let cost = match reason {
            RetryReason::Throttled => THROTTLED_RETRY,
            RetryReason::Transient => RETRY,
        };
        let left = |tokens: u32| tokens.checked_sub(cost);
        let paid = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        paid.ok().map(|_| Payment { budget: self, cost, is_spent: false })
    }

    /// Gives back what a success at the first attempt gives.
    pub(crate) fn refill(&self) {
        self.give_back(SUCCESS);
    }

    fn give_back(&self, tokens: u32) {
        // Full is as good as given back, and writes nothing that other threads read.
        let more =
            |left: u32| (left < self.full).then(|| left.saturating_add(tokens).min(self.full));
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

/// What was paid for one retry. Dropped before the retry begins, it goes back.
#[derive(Debug)]
#[must_use = "dropped, it goes back"]
pub(crate) struct Payment<'b> {
    budget: &'b RetryBudget,
    cost: u32,
    is_spent: bool,
}

impl Payment<'_> {
    /// The retry begins.
    pub(crate) fn spend(mut self) {
        self.is_spent = true;
    }
}

impl Drop for Payment<'_> {
    fn drop(&mut self) {
        if !self.is_spent {
            self.budget.give_back(self.cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_pays_for_35_retries_and_fills_by_successes() {
        let budget = RetryBudget::new(500);
        let pay = |reason| budget.pay(reason).map(Payment::spend).is_some();
        let retries = (0..100).filter(|_| pay(RetryReason::Transient)).count();
        assert_eq!((retries, budget.tokens()), (35, 10));
        assert!(pay(RetryReason::Throttled), "a throttled retry is cheaper");
        for _ in 0..1000 {
            budget.refill();
        }
        assert_eq!(budget.tokens(), 500, "it never overflows");
    }

    #[test]
    fn a_retry_that_does_not_begin_costs_nothing() {
        let budget = RetryBudget::new(500);
        drop(budget.pay(RetryReason::Transient));
        assert_eq!(budget.tokens(), 500);
    }
}
