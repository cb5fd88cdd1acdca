use std::fmt;

/// What became of every event: `emitted` is always `exported + dropped + pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Ledger {
    /// Events that were recorded.
    pub emitted: u64,
    /// Those that arrived where they were sent.
    pub exported: u64,
    /// Those that never will: for want of room, refused, or after the end.
    pub dropped: u64,
    /// Those that wait or are on their way.
    pub pending: u64,
}

impl Ledger {
    /// Whether every event is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.emitted == self.exported + self.dropped + self.pending
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { emitted, exported, dropped, pending } = self;
        write!(f, "{emitted} emitted = {exported} exported + {dropped} dropped + {pending} pending")
    }
}
