//! For tests: a clock that moves when it is slept on, transports that answer by script or keep what
//! goes through them, and a server that misbehaves byte by byte.

mod raw_server;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use promptops_types::{ManualTime, TimeSource, Timestamp};

pub use self::raw_server::{RawServer, Step};
use crate::clock::Sleep;
use crate::{Clock, Outcome, SharedTransport, Transport, TransportError, TransportErrorKind};

/// A clock that stands still until it is slept on: then it moves at once, and notes how far. A
/// clone shares the time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    time: Arc<ManualTime>,
    sleeps: Arc<Mutex<Vec<Duration>>>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self { time: Arc::new(ManualTime::new(start)), sleeps: Arc::default() }
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        self.time.advance(by);
    }

    /// Sets the wall clock, forward or back. No time passes.
    pub fn set(&self, now: Timestamp) {
        self.time.set(now);
    }

    /// How long each sleep was that ended.
    pub fn sleeps(&self) -> Vec<Duration> {
        locked(&self.sleeps).clone()
    }
}

impl TimeSource for ManualClock {
    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn monotonic(&self) -> Duration {
        self.time.monotonic()
    }
}

impl Clock for ManualClock {
    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.clone();
        // Moves when it is first waited for: a sleep that loses a race at once moves nothing.
        Box::pin(async move {
            clock.advance(duration);
            locked(&clock.sleeps).push(duration);
        })
    }
}

/// What a script says of one request.
type Answer = Result<Response<Bytes>, TransportErrorKind>;

/// A transport that answers by script, step by step, and keeps what it was sent. When the script
/// is over it cannot connect. A clone shares both.
#[derive(Clone, Default)]
pub struct ScriptedTransport {
    steps: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl ScriptedTransport {
    /// A transport that answers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Then answers with this response.
    pub fn then(self, response: Response<Bytes>) -> Self {
        self.push(Ok(response))
    }

    /// Then answers with this status and an empty body.
    pub fn then_status(self, status: http::StatusCode) -> Self {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        self.then(response)
    }

    /// Then fails so.
    pub fn then_error(self, kind: TransportErrorKind) -> Self {
        self.push(Err(kind))
    }

    fn push(self, step: Answer) -> Self {
        locked(&self.steps).push_back(step);
        self
    }

    /// What was sent, in order.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        locked(&self.requests).clone()
    }
}

/// Counts only: requests hold prompts and keys.
impl fmt::Debug for ScriptedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedTransport")
            .field("steps", &locked(&self.steps).len())
            .field("requests", &locked(&self.requests).len())
            .finish()
    }
}

impl Transport for ScriptedTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        locked(&self.requests).push(request);
        let step = locked(&self.steps).pop_front();
        step.unwrap_or(Err(TransportErrorKind::Connect))
            .map_err(|kind| TransportError::new(kind, "as the script says"))
    }
}

/// One request, and how it ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// What was sent.
    pub request: Request<Bytes>,
    /// What came back; `None` while nothing has, or if the caller dropped the request.
    pub outcome: Option<Outcome>,
}

/// A transport that sends through another one and keeps every exchange, in the order sent. A clone
/// shares them.
#[derive(Clone)]
pub struct RecordingTransport {
    transport: SharedTransport,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl RecordingTransport {
    /// Records what goes through `transport`.
    pub fn new(transport: impl Transport) -> Self {
        Self { transport: SharedTransport::new(transport), exchanges: Arc::default() }
    }

    /// What was sent, and how it ended.
    pub fn exchanges(&self) -> Vec<Exchange> {
        locked(&self.exchanges).clone()
    }
}

impl fmt::Debug for RecordingTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingTransport")
            .field("transport", &self.transport)
            .field("exchanges", &locked(&self.exchanges).len())
            .finish()
    }
}

impl Transport for RecordingTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let number = {
            let mut exchanges = locked(&self.exchanges);
            exchanges.push(Exchange { request: request.clone(), outcome: None });
            exchanges.len() - 1
        };
        let outcome = Transport::send(&self.transport, request).await;
        locked(&self.exchanges)[number].outcome = Some(outcome.clone());
        outcome
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
