#![doc = include_str!("../README.md")]

mod error;
mod transport;

pub use error::{RetryRule, TransportError, TransportErrorKind};
pub use transport::{FnTransport, SharedTransport, Transport, from_fn};
