//! What every [`TelemetrySink`] promises, as a suite that a sink of your own can call:
//!
//! ```
//! use promptops_telemetry::{CallEvent, TelemetrySink, contract};
//!
//! /// Takes events, and forgets them.
//! #[derive(Debug)]
//! struct Nowhere;
//!
//! impl TelemetrySink for Nowhere {
//!     fn record(&self, _: CallEvent) {}
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(
//! contract::check(|| Nowhere)
//! # );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![allow(clippy::expect_used, clippy::panic, reason = "a suite of tests fails by panicking")]

use std::time::Duration;

use promptops_types::{Source, TelemetryConfig, Timestamp};

use crate::{CallEvent, TelemetrySink};

/// Enough for a sink that works.
const LIMIT: Duration = Duration::from_secs(5);

/// Panics at the first promise that is not kept. `make` gives a new sink that works each time.
pub async fn check<S: TelemetrySink>(make: impl Fn() -> S) {
    a_flush_sends_what_was_recorded(&make()).await;
    it_ends_and_ends_again(&make()).await;
    it_takes_events_from_anywhere(&make());
    it_can_be_configured(&make()).await;
}

fn event(number: usize) -> CallEvent {
    CallEvent::new("get_prompt", Timestamp::default())
        .with_prompt(&format!("prompt-{number}"))
        .with_source(Source::Network)
}

fn balanced(sink: &impl TelemetrySink) {
    let ledger = sink.ledger();
    assert!(ledger.is_balanced(), "the ledger does not balance: {ledger}");
}

async fn a_flush_sends_what_was_recorded(sink: &impl TelemetrySink) {
    for number in 0..1000 {
        sink.record(event(number));
        balanced(sink);
    }
    sink.flush(LIMIT).await.expect("a sink that works can be flushed");
    balanced(sink);
    assert_eq!(sink.ledger().pending, 0, "nothing waits after a flush");
    sink.flush(LIMIT).await.expect("an empty sink can be flushed");
}

async fn it_ends_and_ends_again(sink: &impl TelemetrySink) {
    sink.record(event(0));
    sink.shutdown(LIMIT).await.expect("a sink that works can be shut down");
    sink.shutdown(LIMIT).await.expect("a second end is no error");
    sink.record(event(1));
    sink.flush(LIMIT).await.expect("nor is a flush after it");
    balanced(sink);
    assert_eq!(sink.ledger().pending, 0, "nothing waits after the end");
}

fn it_takes_events_from_anywhere(sink: &impl TelemetrySink) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (0..250).for_each(|number| sink.record(event(thread + number))));
        }
    });
    balanced(sink);
}

async fn it_can_be_configured(sink: &impl TelemetrySink) {
    let mut config = TelemetryConfig::default();
    (config.batch_size, config.queue_size) = (3, 7);
    sink.configure(&config).expect("these settings are good");
    (0..20).for_each(|number| sink.record(event(number)));
    sink.flush(LIMIT).await.expect("whatever its settings");
    balanced(sink);
}
