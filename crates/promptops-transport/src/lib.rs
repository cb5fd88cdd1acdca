#![doc = include_str!("../README.md")]

mod breaker;
mod budget;
mod clock;
#[cfg(feature = "test-util")]
pub mod contract;
mod credential;
mod deadline;
mod error;
mod excerpt;
mod host;
#[cfg(feature = "hyper")]
mod hyper;
mod middleware;
mod pipeline;
mod retry;
mod retry_after;
mod skew;
#[cfg(feature = "test-util")]
pub mod test_util;
mod transport;

pub use breaker::CircuitState;
pub use budget::RetryBudget;
pub use clock::{Clock, Sleep, TokioClock};
pub use credential::{Bearer, Credential, Signed};
pub use deadline::Deadline;
pub use error::{
    Attempt, Attempts, FreshConnection, RetryRule, TransportError, TransportErrorKind,
};
pub use excerpt::excerpt;
pub use host::is_loopback;
#[cfg(feature = "rustls")]
pub use hyper::Roots;
#[cfg(feature = "hyper")]
pub use hyper::{HyperTransport, HyperTransportBuilder, Resolver};
pub use middleware::{Middleware, Next, SharedMiddleware};
pub use pipeline::Pipeline;
pub use retry::{
    Backoff, FullJitter, Idempotent, Outcome, Random, RetryPolicy, RetryReason, StandardRetry,
    SystemRandom, Verdict, is_idempotent,
};
pub use retry_after::retry_after;
pub use transport::{FnTransport, SharedTransport, Transport, from_fn};
