use std::time::Duration;

/// When a call has to be over, retries included: an extension of its request.
///
/// The pipeline gives each attempt no more than what is left, tells the registry how much that is
/// (`X-PromptOps-Deadline-Ms`), and begins no retry whose delay does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// On the pipeline's monotonic clock.
    at: Duration,
}

impl Deadline {
    /// The deadline `timeout` after `now`, a reading of the clock that the pipeline uses.
    pub fn after(now: Duration, timeout: Duration) -> Self {
        Self { at: now.saturating_add(timeout) }
    }

    /// What is left at `now`; zero once it has passed.
    pub fn remaining(self, now: Duration) -> Duration {
        self.at.saturating_sub(now)
    }
}
