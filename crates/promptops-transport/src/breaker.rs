//! A circuit breaker for each origin: while a registry only fails, calls fail at once and it is
//! left alone to recover.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;

use crate::host::host_and_port;
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
    /// One for each origin. A client has one origin, seldom more.
    circuits: Mutex<Vec<Circuit>>,
    generations: AtomicU64,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// Scheme, host and port, each as written or as the default.
#[derive(Debug)]
struct Origin {
    is_https: bool,
    host: String,
    port: u16,
    written: String,
}

impl Origin {
    fn of(uri: &Uri) -> Self {
        let (is_https, port) = scheme_and_port(uri);
        let written = host_and_port(uri).to_owned();
        Self { is_https, host: uri.host().unwrap_or_default().to_owned(), port, written }
    }

    fn is_of(&self, uri: &Uri) -> bool {
        // As it was written the first time: the usual case, and quick.
        if self.written == host_and_port(uri) {
            return self.is_https == (uri.scheme_str() == Some("https"));
        }
        (self.is_https, self.port) == scheme_and_port(uri)
            && self.host.eq_ignore_ascii_case(uri.host().unwrap_or_default())
    }
}

fn scheme_and_port(uri: &Uri) -> (bool, u16) {
    let is_https = uri.scheme_str() == Some("https");
    (is_https, uri.port_u16().unwrap_or(if is_https { 443 } else { 80 }))
}

#[derive(Debug)]
struct Circuit {
    origin: Origin,
    state: State,
    /// Another one after each change of state, and for each circuit: what a call says is of the past
    /// once there is no circuit of its generation.
    generation: u64,
    /// By number of the time slice: calls and failures.
    slices: Vec<(u64, u32, u32)>,
    used: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open { until: Duration, times: u32 },
    Probing { since: Duration, times: u32 },
}

impl Circuit {
    fn turn(&mut self, state: State, generation: u64) {
        self.state = state;
        self.generation = generation;
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
        Self { circuits: Mutex::default(), generations: AtomicU64::new(0), clock, random }
    }

    fn circuits(&self) -> MutexGuard<'_, Vec<Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn state(&self, uri: &Uri) -> CircuitState {
        let circuits = self.circuits();
        let circuit = circuits.iter().find(|circuit| circuit.origin.is_of(uri));
        match circuit.map(|circuit| circuit.state) {
            None | Some(State::Closed) => CircuitState::Closed,
            Some(State::Probing { .. }) => CircuitState::HalfOpen,
            Some(State::Open { until, .. }) => {
                CircuitState::Open { remaining: until.saturating_sub(self.clock.monotonic()) }
            }
        }
    }

    /// The circuit of an origin; a new one in the place of the one not used for longest, where there
    /// are too many.
    fn circuit<'c>(&self, circuits: &'c mut Vec<Circuit>, uri: &Uri) -> &'c mut Circuit {
        let at = circuits.iter().position(|circuit| circuit.origin.is_of(uri));
        let at = at.unwrap_or_else(|| {
            if circuits.len() >= ORIGINS {
                let oldest = (0..circuits.len()).min_by_key(|at| circuits[*at].used);
                circuits.swap_remove(oldest.unwrap_or(0));
            }
            circuits.push(Circuit {
                origin: Origin::of(uri),
                state: State::Closed,
                generation: self.next_generation(),
                slices: Vec::new(),
                used: Duration::ZERO,
            });
            circuits.len() - 1
        });
        &mut circuits[at]
    }

    /// Asks to make a call.
    pub(crate) fn admit(&self, uri: &Uri) -> Result<Admission<'_>, TransportError> {
        let now = self.clock.monotonic();
        let mut circuits = self.circuits();
        let circuit = self.circuit(&mut circuits, uri);
        circuit.used = now;
        let probe = match circuit.state {
            State::Closed => None,
            State::Open { until, times } if until <= now => Some(times),
            State::Open { until, .. } => return Err(open(until.saturating_sub(now))),
            State::Probing { since, times } if since + PROBE_LEASE <= now => Some(times),
            State::Probing { .. } => return Err(open(Duration::ZERO)),
        };
        if let Some(times) = probe {
            circuit.turn(State::Probing { since: now, times }, self.next_generation());
        }
        let generation = circuit.generation;
        Ok(Admission { breaker: self, generation, probe, since: now, is_over: false })
    }

    fn settle(&self, admission: &Admission<'_>, health: Health) {
        let now = self.clock.monotonic();
        let mut circuits = self.circuits();
        let generation = admission.generation;
        let circuit = circuits.iter_mut().find(|circuit| circuit.generation == generation);
        let Some(circuit) = circuit else { return };
        let state = match (admission.probe, health) {
            (Some(_), Health::Working) => State::Closed,
            (Some(times), Health::Failing) => self.opened(now, times.saturating_add(1)),
            // The next call probes.
            (Some(times), Health::Unknown) => State::Open { until: now, times },
            (None, Health::Unknown) => return,
            (None, health) => {
                let failed = health == Health::Failing;
                circuit.count(now, failed);
                if !(failed && circuit.is_failing()) {
                    return;
                }
                self.opened(now, 0)
            }
        };
        circuit.turn(state, self.next_generation());
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
