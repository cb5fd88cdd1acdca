use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use promptops_types::RetryConfig;

use crate::breaker::CircuitBreaker;
use crate::middleware::{Answering, Endpoint};
use crate::retry::is_success;
use crate::{
    Attempts, Backoff, CircuitState, Clock, Deadline, FullJitter, Middleware, Next, Random,
    RetryBudget, RetryPolicy, SharedMiddleware, SharedTransport, StandardRetry, SystemRandom,
    TokioClock, Transport, TransportError, TransportErrorKind, Verdict, is_idempotent, retry_after,
};

const DEADLINE: HeaderName = HeaderName::from_static("x-promptops-deadline-ms");

/// A transport with retries, deadlines and middleware around it. The order is always:
///
/// 1. middleware for each call, in the order added;
/// 2. the circuit breaker, if there is one: it counts calls, and fails them at once while it is open;
/// 3. the retry stage: policy, budget, `Retry-After`, backoff, deadline;
/// 4. middleware for each attempt, in the order added;
/// 5. the attempt's time limit: what is left of the call's [`Deadline`];
/// 6. the transport.
///
/// It is a [`Transport`] itself, so it can be used without the client. A clone shares the budget.
/// A response carries [`Attempts`] in its extensions, an error says them by
/// [`attempts`](TransportError::attempts).
///
/// # Cancel safety
/// A dropped call makes no further attempt. The attempt under way may be carried out or not.
#[derive(Debug, Clone)]
pub struct Pipeline {
    per_call: Vec<SharedMiddleware>,
    per_attempt: Vec<SharedMiddleware>,
    policy: Arc<dyn RetryPolicy>,
    backoff: Arc<dyn Backoff>,
    budget: Arc<RetryBudget>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    breaker: Option<Arc<CircuitBreaker>>,
    transport: SharedTransport,
}

impl Pipeline {
    /// The standard stages of a configuration around a transport.
    pub fn new(transport: impl Transport, config: &RetryConfig) -> Self {
        Self {
            per_call: Vec::new(),
            per_attempt: Vec::new(),
            policy: Arc::new(StandardRetry::new(config.max_attempts)),
            backoff: Arc::new(FullJitter::new(config)),
            budget: Arc::new(RetryBudget::new(config.budget)),
            random: Arc::new(SystemRandom),
            clock: Arc::new(TokioClock),
            breaker: None,
            transport: SharedTransport::new(transport),
        }
    }

    /// Adds a middleware that runs once a call.
    pub fn per_call(mut self, middleware: impl Middleware) -> Self {
        self.per_call.push(SharedMiddleware::new(middleware));
        self
    }

    /// Adds a middleware that runs once an attempt.
    pub fn per_attempt(mut self, middleware: impl Middleware) -> Self {
        self.per_attempt.push(SharedMiddleware::new(middleware));
        self
    }

    /// Decides otherwise which outcomes are worth a retry.
    pub fn retry_policy(mut self, policy: impl RetryPolicy) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Waits otherwise between attempts.
    pub fn backoff(mut self, backoff: impl Backoff) -> Self {
        self.backoff = Arc::new(backoff);
        self
    }

    /// Reads the time elsewhere, and waits there.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes randomness elsewhere.
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Leaves an origin alone while it only fails: when half of at least 20 calls failed within
    /// 30 s, for 5 s, doubling up to 60 s; then exactly one call probes it. Set the clock and the
    /// randomness before.
    pub fn circuit_breaker(mut self) -> Self {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        self.breaker = Some(Arc::new(CircuitBreaker::new(clock, random)));
        self
    }

    /// Whether calls to the origin of `uri` are made; closed where there is no breaker.
    pub fn circuit_state(&self, uri: &Uri) -> CircuitState {
        self.breaker.as_ref().map_or(CircuitState::Closed, |breaker| breaker.state(uri))
    }

    /// The deadline `timeout` from now, on this pipeline's clock, for a request's extensions.
    pub fn deadline(&self, timeout: Duration) -> Deadline {
        Deadline::after(self.clock.monotonic(), timeout)
    }

    /// The tokens that retries are paid from.
    pub fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// The retry stage.
    async fn attempt_until_done(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        let is_idempotent = is_idempotent(&request);
        let deadline = request.extensions().get::<Deadline>().copied();
        let mut attempt = 1;
        loop {
            let mut outcome = self.attempt(request.clone(), deadline).await;
            let verdict = self.policy.decide(attempt, is_idempotent, &outcome);
            if attempt == 1 && is_success(&outcome) {
                self.budget.refill();
            }
            if let Verdict::Retry(reason) = verdict {
                let asked = outcome
                    .as_ref()
                    .ok()
                    .and_then(|response| retry_after(response.headers(), self.clock.now()));
                let delay = self.backoff.delay(attempt, reason, self.random.unit());
                // What the registry asks for is the least; jitter comes on top of nothing.
                let delay = delay.max(asked.unwrap_or_default());
                let fits = deadline
                    .is_none_or(|deadline| delay < deadline.remaining(self.clock.monotonic()));
                if fits && self.budget.take(reason) {
                    self.clock.sleep(delay).await;
                    attempt += 1;
                    continue;
                }
            }
            match &mut outcome {
                Ok(response) => _ = response.extensions_mut().insert(Attempts(attempt)),
                Err(error) => error.set_attempts(attempt),
            }
            return outcome;
        }
    }

    /// One attempt, within what is left of the deadline.
    async fn attempt(
        &self,
        mut request: Request<Bytes>,
        deadline: Option<Deadline>,
    ) -> Result<Response<Bytes>, TransportError> {
        let sending = |request| Next::new(&self.per_attempt, &self.transport).run(request);
        let Some(deadline) = deadline else { return sending(request).await };
        let remaining = deadline.remaining(self.clock.monotonic());
        let timed_out = || {
            TransportError::new(
                TransportErrorKind::Timeout,
                "the call's deadline passed before an answer came",
            )
        };
        if remaining.is_zero() {
            return Err(timed_out());
        }
        let milliseconds = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
        request.headers_mut().insert(DEADLINE, HeaderValue::from(milliseconds));
        race(sending(request), self.clock.sleep(remaining))
            .await
            .unwrap_or_else(|| Err(timed_out()))
    }
}

/// The output of a future, or `None` if the sleep ends first.
async fn race<F: Future>(future: F, mut sleep: crate::clock::Sleep) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(context) {
            return std::task::Poll::Ready(Some(output));
        }
        sleep.as_mut().poll(context).map(|()| None)
    })
    .await
}

impl Endpoint for SharedTransport {
    fn call(&self, request: Request<Bytes>) -> Answering<'_> {
        Box::pin(Transport::send(self, request))
    }
}

impl Endpoint for Pipeline {
    fn call(&self, request: Request<Bytes>) -> Answering<'_> {
        Box::pin(async move {
            let Some(breaker) = &self.breaker else {
                return self.attempt_until_done(request).await;
            };
            let admission = breaker.admit(request.uri())?;
            let outcome = self.attempt_until_done(request).await;
            admission.ended(&outcome);
            outcome
        })
    }
}

impl Transport for Pipeline {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        Next::new(&self.per_call, self).run(request).await
    }
}
