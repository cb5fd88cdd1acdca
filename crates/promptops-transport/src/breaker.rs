//! A circuit breaker for each origin: while a registry only fails, calls fail at once and it is
//! left alone to recover.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;

use crate::retry::{is_success, share};
use crate::{Clock, Outcome, Random, TransportError, TransportErrorKind};

/// How far back calls count.
const WINDOW: Duration = Duration::from_secs(30);

/// Parts of the window: the oldest goes as a whole.
const BUCKETS: u32 = 10;

/// Least calls in the window before a share of them says anything.
const LEAST_CALLS: u32 = 20;

/// How long a circuit is open the first time; doubled each time its probe fails.
const FIRST_OPEN: Duration = Duration::from_secs(5);

/// Longest that a circuit is open, before jitter.
const LONGEST_OPEN: Duration = Duration::from_mins(1);

/// Share that chance adds to the time a circuit is open, so that clients do not probe together.
const JITTER: f64 = 0.2;

/// Most origins that are told apart; beyond it, those that work are forgotten.
const ORIGINS: usize = 256;

/// Whether calls to an origin are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircuitState {
    /// They are.
    Closed,
    /// They fail at once for so long yet.
    Open {
        /// What is left until one call may try.
        remaining: Duration,
    },
    /// One call tries whether the origin has recovered; others fail at once.
    HalfOpen,
}

/// Opens the circuit of an origin when half of at least 20 calls failed within 30 s; after 5 s,
/// doubling up to 60 s with up to a fifth of jitter, lets exactly one call probe it.
#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    origins: Mutex<HashMap<Origin, Circuit>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Origin(Option<String>, Option<String>);

impl Origin {
    fn of(uri: &Uri) -> Self {
        Self(uri.scheme_str().map(str::to_owned), uri.authority().map(ToString::to_string))
    }
}

#[derive(Debug, Default)]
struct Circuit {
    state: State,
    /// By number of the time slice: calls and failures.
    slices: Vec<(u64, u32, u32)>,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Duration,
        times: u32,
    },
    Probing,
}

impl Circuit {
    fn count(&mut self, now: Duration, failed: bool) {
        let slice = u64::try_from(now.as_millis() / (WINDOW / BUCKETS).as_millis()).unwrap_or(0);
        self.slices.retain(|(number, ..)| number + u64::from(BUCKETS) > slice);
        match self.slices.last_mut() {
            Some((number, calls, failures)) if *number == slice => {
                *calls += 1;
                *failures += u32::from(failed);
            }
            _ => self.slices.push((slice, 1, u32::from(failed))),
        }
    }

    fn is_failing(&self) -> bool {
        let sum = |part: fn(&(u64, u32, u32)) -> u32| self.slices.iter().map(part).sum::<u32>();
        let (calls, failures) = (sum(|slice| slice.1), sum(|slice| slice.2));
        calls >= LEAST_CALLS && failures * 2 >= calls
    }
}

impl CircuitBreaker {
    pub(crate) fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { origins: Mutex::default(), clock, random }
    }

    fn origins(&self) -> MutexGuard<'_, HashMap<Origin, Circuit>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self, uri: &Uri) -> CircuitState {
        match self.origins().get(&Origin::of(uri)).map(|circuit| circuit.state) {
            None | Some(State::Closed) => CircuitState::Closed,
            Some(State::Probing) => CircuitState::HalfOpen,
            Some(State::Open { until, .. }) => {
                CircuitState::Open { remaining: until.saturating_sub(self.clock.monotonic()) }
            }
        }
    }

    /// Asks to make a call.
    pub(crate) fn admit(&self, uri: &Uri) -> Result<Admission<'_>, TransportError> {
        let origin = Origin::of(uri);
        let now = self.clock.monotonic();
        let mut origins = self.origins();
        if origins.len() >= ORIGINS && !origins.contains_key(&origin) {
            origins.retain(|_, circuit| !matches!(circuit.state, State::Closed));
        }
        let circuit = origins.entry(origin.clone()).or_default();
        let probe = match circuit.state {
            State::Closed => None,
            State::Open { until, times } if until <= now => {
                circuit.state = State::Probing;
                Some(times)
            }
            State::Open { until, .. } => return Err(open(until.saturating_sub(now))),
            State::Probing => return Err(open(Duration::ZERO)),
        };
        Ok(Admission { breaker: self, origin, probe, is_over: false })
    }

    fn settle(&self, origin: &Origin, probe: Option<u32>, failed: bool) {
        let now = self.clock.monotonic();
        let mut origins = self.origins();
        let Some(circuit) = origins.get_mut(origin) else { return };
        match (probe, circuit.state) {
            (Some(_), _) if !failed => *circuit = Circuit::default(),
            (Some(times), _) => circuit.state = self.opened(now, times.saturating_add(1)),
            (None, State::Closed) => {
                circuit.count(now, failed);
                if failed && circuit.is_failing() {
                    circuit.state = self.opened(now, 0);
                }
            }
            // A call from before the circuit opened says nothing new.
            (None, _) => {}
        }
    }

    fn opened(&self, now: Duration, times: u32) -> State {
        let open = FIRST_OPEN.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_OPEN);
        let jitter = open.mul_f64(JITTER * share(self.random.unit()));
        State::Open { until: now + open + jitter, times }
    }

    /// A probe that nobody waited for: the next call probes.
    fn abandon(&self, origin: &Origin, times: u32) {
        if let Some(circuit) = self.origins().get_mut(origin) {
            circuit.state = State::Open { until: self.clock.monotonic(), times };
        }
    }
}

fn open(remaining: Duration) -> TransportError {
    let message = if remaining.is_zero() {
        "the registry has been failing; one call is trying whether it has recovered".to_owned()
    } else {
        let seconds = remaining.as_secs_f64();
        format!("the registry has been failing and is left alone for {seconds:.1} s more")
    };
    let mut error = TransportError::new(TransportErrorKind::CircuitOpen, message);
    error.set_attempts(0);
    error
}

/// Leave to make one call. Dropped without an outcome, a probe passes to the next call.
#[derive(Debug)]
pub(crate) struct Admission<'b> {
    breaker: &'b CircuitBreaker,
    origin: Origin,
    /// How often the circuit has been opened in a row, for the call that probes.
    probe: Option<u32>,
    is_over: bool,
}

impl Admission<'_> {
    /// Counts how the call ended.
    pub(crate) fn ended(mut self, outcome: &Outcome) {
        self.is_over = true;
        // A request that could not be sent says nothing of the registry, nor does a 429.
        let failed = match outcome {
            Err(error) => error.kind() != TransportErrorKind::InvalidRequest,
            Ok(response) => response.status().is_server_error() && !is_success(outcome),
        };
        self.breaker.settle(&self.origin, self.probe, failed);
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if let (false, Some(times)) = (self.is_over, self.probe) {
            self.breaker.abandon(&self.origin, times);
        }
    }
}
