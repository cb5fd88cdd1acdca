//! For tests: a clock that moves when it is slept on, and transports that answer by script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use promptops_types::{ManualTime, TimeSource, Timestamp};

use crate::clock::Sleep;
use crate::{Clock, Transport, TransportError, TransportErrorKind};

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

    /// How long each sleep was that ended.
    pub fn sleeps(&self) -> Vec<Duration> {
        self.sleeps.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            clock.sleeps.lock().unwrap_or_else(PoisonError::into_inner).push(duration);
        })
    }
}

type Step = Result<Response<Bytes>, TransportErrorKind>;

/// A transport that answers by script, step by step, and keeps what it was sent. When the script
/// is over it cannot connect. A clone shares both.
#[derive(Debug, Clone, Default)]
pub struct ScriptedTransport {
    steps: Arc<Mutex<VecDeque<Step>>>,
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

    fn push(self, step: Step) -> Self {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push_back(step);
        self
    }

    /// What was sent, in order.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Transport for ScriptedTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let step = self.steps.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        step.unwrap_or(Err(TransportErrorKind::Connect))
            .map_err(|kind| TransportError::new(kind, "as the script says"))
    }
}
