#![doc = include_str!("../README.md")]

mod breaker;
mod budget;
mod clock;
#[cfg(feature = "test-util")]
pub mod contract;
mod deadline;
mod error;
#[cfg(feature = "hyper")]
mod hyper;
mod middleware;
mod pipeline;
mod retry;
mod retry_after;
#[cfg(feature = "test-util")]
pub mod test_util;
mod transport;

pub use breaker::CircuitState;
pub use budget::RetryBudget;
pub use clock::{Clock, Sleep, TokioClock};
pub use deadline::Deadline;
pub use error::{Attempts, RetryRule, TransportError, TransportErrorKind};
#[cfg(feature = "hyper")]
pub use hyper::{HyperTransport, HyperTransportBuilder};
pub use middleware::{Middleware, Next, SharedMiddleware};
pub use pipeline::Pipeline;
pub use retry::{
    Backoff, FullJitter, Outcome, Random, RetryPolicy, RetryReason, StandardRetry, SystemRandom,
    Verdict, is_idempotent,
};
pub use retry_after::retry_after;
pub use transport::{FnTransport, SharedTransport, Transport, from_fn};
