use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use promptops_types::{RetryConfig, Timestamp};

use crate::breaker::CircuitBreaker;
use crate::budget::Payment;
use crate::clock::within;
use crate::middleware::{Answering, Endpoint};
use crate::retry::{Health, health};
use crate::skew::ClockSkew;
use crate::{
    Attempt, Attempts, Backoff, CircuitState, Clock, Credential, Deadline, FreshConnection,
    FullJitter, Middleware, Next, Outcome, Random, RetryBudget, RetryPolicy, RetryReason,
    SharedMiddleware, SharedTransport, StandardRetry, SystemRandom, TokioClock, Transport,
    TransportError, TransportErrorKind, Verdict, is_idempotent, retry_after,
};

const DEADLINE: HeaderName = HeaderName::from_static("x-promptops-deadline-ms");

/// How much later than an attempt's the timer of the whole call is.
const LAST: Duration = Duration::from_millis(1);

/// A transport with retries, deadlines and middleware around it. The order is always:
///
/// 1. the call's time limit: its [`Deadline`], or [`timeout`](Self::timeout) where it has none;
/// 2. middleware for each call, in the order added;
/// 3. the circuit breaker, if there is one: it counts calls, and fails them at once while it is open;
/// 4. the retry stage: policy, budget, `Retry-After`, backoff, deadline;
/// 5. the credential, once an attempt;
/// 6. the attempt's time limit: [`RetryConfig::attempt_timeout`], or what is left of the call's;
/// 7. middleware for each attempt, in the order added; what it changes is no longer signed;
/// 8. the transport.
///
/// It is a [`Transport`] itself, so it can be used without the client. A clone shares the budget,
/// the circuit breaker and what is known of the registry's clock. A response carries [`Attempts`] in
/// its extensions, an error says them by [`attempts`](TransportError::attempts).
///
/// # Cancel safety
/// A dropped call makes no further attempt. The attempt under way may be carried out or not.
#[derive(Debug, Clone)]
pub struct Pipeline {
    timeout: Duration,
    attempt_timeout: Option<Duration>,
    per_call: Vec<SharedMiddleware>,
    per_attempt: Vec<SharedMiddleware>,
    credential: Option<Arc<dyn Credential>>,
    policy: Arc<dyn RetryPolicy>,
    backoff: Arc<dyn Backoff>,
    budget: Arc<RetryBudget>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    skew: Arc<ClockSkew>,
    /// Made when it is first used, by the clock and the randomness that are set then.
    breaker: Option<Arc<OnceLock<CircuitBreaker>>>,
    transport: SharedTransport,
}

impl Pipeline {
    /// The standard stages of a configuration around a transport.
    pub fn new(transport: impl Transport, config: &RetryConfig) -> Self {
        Self {
            timeout: Duration::from_secs(30),
            attempt_timeout: config.attempt_timeout,
            per_call: Vec::new(),
            per_attempt: Vec::new(),
            credential: None,
            policy: Arc::new(StandardRetry::new(config.max_attempts)),
            backoff: Arc::new(FullJitter::new(config)),
            budget: Arc::new(RetryBudget::new(config.budget)),
            random: Arc::new(SystemRandom),
            clock: Arc::new(TokioClock),
            skew: Arc::default(),
            breaker: None,
            transport: SharedTransport::new(transport),
        }
    }

    /// Longest time of a call that has no [`Deadline`], retries included; 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
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

    /// Proves who asks, in each attempt.
    pub fn credential(mut self, credential: impl Credential) -> Self {
        self.credential = Some(Arc::new(credential));
        self
    }

    /// Retries as another configuration says. Clones that there are go on as they did; the budget is
    /// shared with them, unless its size changes.
    pub fn retry(mut self, config: &RetryConfig) -> Self {
        self.attempt_timeout = config.attempt_timeout;
        self.policy = Arc::new(StandardRetry::new(config.max_attempts));
        self.backoff = Arc::new(FullJitter::new(config));
        if self.budget.size() != config.budget {
            self.budget = Arc::new(RetryBudget::new(config.budget));
        }
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
    /// 30 s, for 5 s, doubling up to 60 s, less up to a fifth; then exactly one call probes it.
    pub fn circuit_breaker(mut self) -> Self {
        self.breaker = Some(Arc::default());
        self
    }

    fn breaker(&self) -> Option<&CircuitBreaker> {
        let made = || CircuitBreaker::new(self.clock.clone(), self.random.clone());
        self.breaker.as_ref().map(|breaker| breaker.get_or_init(made))
    }

    /// Whether calls to the origin of `uri` are made; closed where there is no breaker.
    pub fn circuit_state(&self, uri: &Uri) -> CircuitState {
        self.breaker().map_or(CircuitState::Closed, |breaker| breaker.state(uri))
    }

    /// The deadline `timeout` from now, on this pipeline's clock, for a request's extensions.
    pub fn deadline(&self, timeout: Duration) -> Deadline {
        Deadline::after(self.clock.monotonic(), timeout)
    }

    /// Whether a deadline has passed.
    pub fn is_over(&self, deadline: Deadline) -> bool {
        self.remaining(deadline).is_zero()
    }

    /// The output of a future, or the error of a call whose deadline passed first. A future that ends
    /// by itself at the deadline, as a call does, comes first: what it does then is done.
    ///
    /// # Errors
    /// [`TransportErrorKind::Timeout`], with no attempt.
    pub async fn by<T>(
        &self,
        deadline: Deadline,
        future: impl Future<Output = T>,
    ) -> Result<T, TransportError> {
        let timer = self.clock.sleep(self.remaining(deadline).saturating_add(LAST * 5));
        within(timer, future).await.ok_or_else(timed_out)
    }

    /// The tokens that retries are paid from.
    pub fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    fn remaining(&self, deadline: Deadline) -> Duration {
        deadline.remaining(self.clock.monotonic())
    }

    /// The circuit breaker and what follows it.
    ///
    /// The request is boxed: the futures from here on are moved about, and it is large.
    async fn admitted(
        &self,
        request: Box<Request<Bytes>>,
        deadline: Deadline,
        sent: &AtomicU32,
    ) -> Outcome {
        let Some(breaker) = self.breaker() else {
            return self.attempt_until_done(request, deadline, sent, false).await;
        };
        let admission = breaker.admit(request.uri())?;
        let outcome = self.attempt_until_done(request, deadline, sent, admission.is_probe()).await;
        admission.ended(&outcome);
        outcome
    }

    /// The retry stage. A call that probes is not retried: one failure says enough. Two things are no
    /// failures of the registry and cost nothing, for a probe too: an idempotent request that met a
    /// connection which the peer had closed is sent on a fresh one, and one that was refused for the
    /// time it told is sent by the registry's clock, each once a call.
    async fn attempt_until_done(
        &self,
        request: Box<Request<Bytes>>,
        deadline: Deadline,
        sent_so_far: &AtomicU32,
        is_probe: bool,
    ) -> Outcome {
        let is_idempotent = is_idempotent(&request);
        let (mut attempt, mut sent) = (1, 0);
        let mut knows_time = self.credential.as_ref().is_none_or(|c| !c.tells_time());
        let mut is_fresh = false;
        let mut paid: Option<Payment<'_>> = None;
        loop {
            let told = self.skew.registry_time(self.clock.now());
            let attempting = self.prepared(&request, sent + 1, deadline, told);
            let attempting = attempting.map(|mut request| {
                if is_fresh {
                    request.extensions_mut().insert(FreshConnection);
                }
                request
            });
            let mut outcome = match attempting.map(|request| self.attempt(request, deadline)) {
                Ok(attempting) => {
                    sent += 1;
                    sent_so_far.store(sent, Ordering::Relaxed);
                    if let Some(payment) = paid.take() {
                        payment.spend();
                    }
                    attempting.await
                }
                Err(error) => Err(error),
            };
            if sent == 1 && health(&outcome) == Health::Working {
                self.budget.refill();
            }
            if is_idempotent && !is_fresh && is_stale(&outcome) {
                is_fresh = true;
                continue;
            }
            if !knows_time
                && let Ok(refusal) = &outcome
                && self.skew.learn(refusal, told, self.clock.now())
            {
                knows_time = true;
                continue;
            }
            if !is_probe
                && let Verdict::Retry(reason) = self.policy.decide(attempt, is_idempotent, &outcome)
                && let Some(delay) = self.delay(attempt, reason, &outcome, deadline)
                && let Some(payment) = self.budget.pay(reason)
            {
                self.clock.sleep(delay).await;
                // A sleep that overshoots leaves nothing for another attempt.
                if !self.remaining(deadline).is_zero() {
                    paid = Some(payment);
                    attempt += 1;
                    continue;
                }
            }
            match &mut outcome {
                Ok(response) => _ = response.extensions_mut().insert(Attempts(sent)),
                Err(error) => error.set_attempts(sent),
            }
            return outcome;
        }
    }

    /// How long to wait before the next attempt, if that ends before the deadline. What the registry
    /// asks for is the least; chance comes on top, so that those it told the same moment do not
    /// return together.
    fn delay(
        &self,
        retry: u32,
        reason: RetryReason,
        outcome: &Outcome,
        deadline: Deadline,
    ) -> Option<Duration> {
        let response = outcome.as_ref().ok();
        let asked = response.and_then(|response| retry_after(response.headers(), self.clock.now()));
        let chance = self.backoff.delay(retry, reason, self.random.unit());
        let remaining = self.remaining(deadline);
        let spread = asked.unwrap_or_default().saturating_add(chance);
        Some(spread).filter(|delay| *delay < remaining).or(asked.filter(|delay| *delay < remaining))
    }

    /// An attempt's request: it tells how much is left of the deadline, and who asks.
    fn prepared(
        &self,
        request: &Request<Bytes>,
        number: u32,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<Request<Bytes>, TransportError> {
        let remaining = self.remaining(deadline);
        if remaining.is_zero() {
            return Err(timed_out());
        }
        let milliseconds = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
        let mut request = request.clone();
        request.headers_mut().insert(DEADLINE, HeaderValue::from(milliseconds));
        request.extensions_mut().insert(Attempt::new(number));
        request.extensions_mut().insert(deadline);
        if let Some(credential) = &self.credential {
            credential.authorize(&mut request, now)?;
        }
        Ok(request)
    }

    /// One attempt, within its time limit.
    fn attempt(
        &self,
        request: Request<Bytes>,
        deadline: Deadline,
    ) -> impl Future<Output = Outcome> + Send {
        let remaining = self.remaining(deadline);
        let limit = self.attempt_timeout.unwrap_or(remaining).min(remaining);
        let sending = Next::new(&self.per_attempt, &self.transport).run(request);
        let sending = within(self.clock.sleep(limit), sending);
        async move {
            sending.await.unwrap_or_else(|| {
                if limit == remaining {
                    return Err(timed_out());
                }
                let message = format!("no answer came within the {limit:?} of an attempt");
                Err(TransportError::new(TransportErrorKind::Timeout, message))
            })
        }
    }
}

fn is_stale(outcome: &Outcome) -> bool {
    outcome.as_ref().is_err_and(TransportError::is_stale_connection)
}

fn timed_out() -> TransportError {
    let message = "the call's deadline passed before an answer came";
    TransportError::new(TransportErrorKind::Timeout, message).with_attempts(0)
}

impl Endpoint for SharedTransport {
    fn call(&self, request: Request<Bytes>) -> Answering<'_> {
        self.sending(request)
    }
}

/// What stands behind the middleware for each call. It has the deadline itself, so that no
/// middleware loses it.
struct Call<'p> {
    pipeline: &'p Pipeline,
    deadline: Deadline,
    sent: &'p AtomicU32,
}

impl Endpoint for Call<'_> {
    fn call(&self, request: Request<Bytes>) -> Answering<'_> {
        Box::pin(self.pipeline.admitted(Box::new(request), self.deadline, self.sent))
    }
}

impl Transport for Pipeline {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let deadline = request.extensions().get::<Deadline>().copied();
        let deadline = deadline.unwrap_or_else(|| self.deadline(self.timeout));
        let sent = AtomicU32::new(0);
        if self.per_call.is_empty() {
            // Each attempt and each delay ends before the deadline: no other timer is needed.
            return self.admitted(Box::new(request), deadline, &sent).await;
        }
        // An attempt's own timer comes first: then the circuit breaker hears of it.
        let timer = self.clock.sleep(self.remaining(deadline).saturating_add(LAST));
        let call = Call { pipeline: self, deadline, sent: &sent };
        let call = Next::new(&self.per_call, &call).run(request);
        within(timer, call)
            .await
            .unwrap_or_else(|| Err(timed_out().with_attempts(sent.load(Ordering::Relaxed))))
    }
}
