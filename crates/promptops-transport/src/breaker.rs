//! A circuit breaker for each origin: while a registry only fails, calls fail at once and it is
//! left alone to recover.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;

use crate::retry::{Health, health, share};
use crate::{Clock, Outcome, Random, TransportError, TransportErrorKind};

/// How far back calls count.
const WINDOW: Duration = Duration::from_secs(30);

/// Parts of the window: the oldest goes as a whole.
const BUCKETS: u32 = 10;

/// Least calls in the window before a share of them says anything.
const LEAST_CALLS: u32 = 20;

/// How long a circuit is open the first time; doubled each time its probe fails.
const FIRST_OPEN: Duration = Duration::from_secs(5);

/// Longest that a circuit is open, before chance.
const LONGEST_OPEN: Duration = Duration::from_mins(1);

/// Share that chance takes off the time a circuit is open, so that clients do not probe together.
const JITTER: f64 = 0.2;

/// How long a probe may last before another call probes: nobody waits for one that is forgotten.
const PROBE_LEASE: Duration = LONGEST_OPEN;

/// A call that was dropped after this long without an answer counts as failed: its caller had a time
/// limit of their own.
const PATIENCE: Duration = Duration::from_secs(1);

/// Most origins that are told apart; beyond it, the one not used for longest is forgotten.
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
/// doubling up to 60 s, less up to a fifth, lets exactly one call probe it.
#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    circuits: Mutex<HashMap<Origin, Circuit>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Scheme, host and port, each as written or as the default.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    fn of(uri: &Uri) -> Self {
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        Self { is_https, host: uri.host().unwrap_or_default().to_ascii_lowercase(), port }
    }
}

#[derive(Debug, Default)]
struct Circuit {
    state: State,
    /// Raised with each change of state: what a call from before it says is of the past.
    generation: u64,
    /// By number of the time slice: calls and failures.
    slices: Vec<(u64, u32, u32)>,
    used: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Duration,
        times: u32,
    },
    Probing {
        since: Duration,
        times: u32,
    },
}

impl Circuit {
    fn turn(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.slices.clear();
    }

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
        Self { circuits: Mutex::default(), clock, random }
    }

    fn circuits(&self) -> MutexGuard<'_, HashMap<Origin, Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self, uri: &Uri) -> CircuitState {
        match self.circuits().get(&Origin::of(uri)).map(|circuit| circuit.state) {
            None | Some(State::Closed) => CircuitState::Closed,
            Some(State::Probing { .. }) => CircuitState::HalfOpen,
            Some(State::Open { until, .. }) => {
                CircuitState::Open { remaining: until.saturating_sub(self.clock.monotonic()) }
            }
        }
    }

    /// Asks to make a call.
    pub(crate) fn admit(&self, uri: &Uri) -> Result<Admission<'_>, TransportError> {
        let origin = Origin::of(uri);
        let now = self.clock.monotonic();
        let mut circuits = self.circuits();
        if circuits.len() >= ORIGINS && !circuits.contains_key(&origin) {
            let oldest = circuits.iter().min_by_key(|(_, circuit)| circuit.used);
            if let Some(oldest) = oldest.map(|(origin, _)| origin.clone()) {
                circuits.remove(&oldest);
            }
        }
        let circuit = circuits.entry(origin.clone()).or_default();
        circuit.used = now;
        let probe = match circuit.state {
            State::Closed => None,
            State::Open { until, times } if until <= now => Some(times),
            State::Open { until, .. } => return Err(open(until.saturating_sub(now))),
            State::Probing { since, times } if since + PROBE_LEASE <= now => Some(times),
            State::Probing { .. } => return Err(open(Duration::ZERO)),
        };
        if let Some(times) = probe {
            circuit.turn(State::Probing { since: now, times });
        }
        let generation = circuit.generation;
        Ok(Admission { breaker: self, origin, generation, probe, since: now, is_over: false })
    }

    fn settle(&self, admission: &Admission<'_>, health: Health) {
        let now = self.clock.monotonic();
        let mut circuits = self.circuits();
        let Some(circuit) = circuits.get_mut(&admission.origin) else { return };
        if circuit.generation != admission.generation {
            return;
        }
        match (admission.probe, health) {
            (Some(_), Health::Working) => circuit.turn(State::Closed),
            (Some(times), Health::Failing) => {
                circuit.turn(self.opened(now, times.saturating_add(1)));
            }
            // The next call probes.
            (Some(times), Health::Unknown) => circuit.turn(State::Open { until: now, times }),
            (None, Health::Unknown) => {}
            (None, health) => {
                let failed = health == Health::Failing;
                circuit.count(now, failed);
                if failed && circuit.is_failing() {
                    circuit.turn(self.opened(now, 0));
                }
            }
        }
    }

    fn opened(&self, now: Duration, times: u32) -> State {
        let open = FIRST_OPEN.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_OPEN);
        let open = open.mul_f64(1.0 - JITTER * share(self.random.unit()));
        State::Open { until: now + open, times }
    }
}

fn open(remaining: Duration) -> TransportError {
    let message = if remaining.is_zero() {
        "the registry has been failing; one call is trying whether it has recovered".to_owned()
    } else {
        let seconds = remaining.as_secs_f64();
        format!("the registry has been failing and is left alone for {seconds:.1} s more")
    };
    TransportError::new(TransportErrorKind::CircuitOpen, message)
        .with_attempts(0)
        .with_retry_after(remaining)
}

/// Leave to make one call.
#[derive(Debug)]
pub(crate) struct Admission<'b> {
    breaker: &'b CircuitBreaker,
    origin: Origin,
    generation: u64,
    /// How often the circuit has been opened in a row, for the call that probes.
    probe: Option<u32>,
    since: Duration,
    is_over: bool,
}

impl Admission<'_> {
    /// Whether this call tries if the origin has recovered.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// Counts how the call ended.
    pub(crate) fn ended(mut self, outcome: &Outcome) {
        self.is_over = true;
        self.breaker.settle(&self, health(outcome));
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let waited = self.breaker.clock.monotonic().saturating_sub(self.since);
            let health = if waited < PATIENCE { Health::Unknown } else { Health::Failing };
            self.breaker.settle(self, health);
        }
    }
}
