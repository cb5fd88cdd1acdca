use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

/// Why no response came. A response with an error status is no error here.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    kind: TransportErrorKind,
    message: String,
    attempts: u32,
    retry_after: Option<Duration>,
    is_stale_connection: bool,
    #[source]
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Which attempt of its call a request is, the first is 1: an extension of the request that a
/// pipeline sends. Only a pipeline makes one: where it is, the pipeline keeps the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt(u32);

impl Attempt {
    pub(crate) fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Asks a transport with a pool for a connection that was not used before: an extension of the
/// request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreshConnection;

/// How many attempts a call made: an extension of the response that a pipeline gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts(pub u32);

/// What went wrong, and so whether the request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The registry could not be reached: nothing of the request was sent.
    Connect,
    /// The peer's certificate does not vouch for it: nothing of the request was sent.
    UntrustedPeer,
    /// No response came in time; the request may have been carried out.
    Timeout,
    /// The connection broke after the request was begun; it may have been carried out.
    Interrupted,
    /// The response is larger than the limit, or not encoded as it says.
    InvalidResponse,
    /// The request cannot be sent as it is.
    InvalidRequest,
    /// Nothing was sent: the registry has been failing, and is left alone for a while. Calling
    /// again later may help.
    CircuitOpen,
}

/// Whether a request that failed may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryRule {
    /// Always: it has not been carried out.
    Always,
    /// Only if carrying it out twice is the same as once.
    IfIdempotent,
    /// Never: it would fail again.
    Never,
}

impl TransportErrorKind {
    /// The rule of this kind.
    pub fn retry_rule(self) -> RetryRule {
        match self {
            Self::Connect => RetryRule::Always,
            Self::Timeout | Self::Interrupted => RetryRule::IfIdempotent,
            Self::UntrustedPeer
            | Self::InvalidResponse
            | Self::InvalidRequest
            | Self::CircuitOpen => RetryRule::Never,
        }
    }
}

impl TransportError {
    /// An error of a kind, with a message that says what was being done.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            attempts: 1,
            retry_after: None,
            is_stale_connection: false,
            source: None,
        }
    }

    /// Adds the error that caused this one.
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// How many attempts the call had made when it gave up.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Sets how many attempts had been made; 1. An error of a middleware that sent nothing says 0.
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    pub(crate) fn set_attempts(&mut self, attempts: u32) {
        self.attempts = attempts;
    }

    /// Whether the request died on a connection that had answered one before. The peer has most
    /// likely closed it while it was idle; on a fresh connection the same may well succeed.
    pub fn is_stale_connection(&self) -> bool {
        self.is_stale_connection
    }

    /// Says whether the connection had answered a request before.
    pub fn with_stale_connection(mut self, is_stale: bool) -> Self {
        self.is_stale_connection = is_stale;
        self
    }

    /// After how long calling again may help, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Says after how long calling again may help.
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}
