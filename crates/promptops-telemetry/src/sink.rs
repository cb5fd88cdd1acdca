use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use promptops_types::{Error, TelemetryConfig};

use crate::{CallEvent, Ledger};

/// The end of a flush.
pub type Flushing<'a> = Pin<Box<dyn Future<Output = Result<(), TelemetryFailure>> + Send + 'a>>;

/// Where events go.
///
/// A client records the calls that are sampled, from any thread, in a runtime or not, while somebody
/// waits for the answer: `record` has to return at once, whatever the state of what is behind it.
pub trait TelemetrySink: fmt::Debug + Send + Sync + 'static {
    /// Takes an event. Never blocks, never fails, never panics.
    fn record(&self, event: CallEvent);

    /// Sends on what was recorded before, within a time limit. Nothing to do unless implemented.
    ///
    /// # Errors
    /// [`TelemetryFailure`] that says how many events were not sent, and why.
    ///
    /// # Cancel safety
    /// What is dropped half-way has sent some events or all of them, and lost none.
    fn flush(&self, limit: Duration) -> Flushing<'_> {
        let _ = limit;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Flushes, and takes no more events afterwards. Calling it again is no error.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    fn shutdown(&self, limit: Duration) -> Flushing<'_> {
        self.flush(limit)
    }

    /// What became of the events, for a sink that counts them.
    fn ledger(&self) -> Ledger {
        Ledger::default()
    }

    /// Why events could not be sent the last time; `None` once they could.
    fn last_failure(&self) -> Option<String> {
        None
    }

    /// Takes other settings from now on; those for which there is nothing to change are passed over.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting; nothing is changed then.
    fn configure(&self, config: &TelemetryConfig) -> Result<(), Error> {
        let _ = config;
        Ok(())
    }
}

/// Events that were not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unsent} telemetry events could not be sent: {reason}")]
#[non_exhaustive]
pub struct TelemetryFailure {
    /// How many.
    pub unsent: u64,
    /// Why.
    pub reason: String,
}

impl TelemetryFailure {
    /// So many events were not sent, for this reason.
    pub fn new(unsent: u64, reason: impl Into<String>) -> Self {
        Self { unsent, reason: reason.into() }
    }
}
