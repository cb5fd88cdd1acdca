//! The use of keys in this process: governor's GCRA.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use promptops_types::TimeSource;

use super::{Asked, Limits, WINDOWS};

/// Most keys whose use is remembered; beyond it, all of it is forgotten.
const MOST_KEYS: usize = 100_000;

type Limiter = RateLimiter<NotKeyed, InMemoryState, Monotonic, StateInformationMiddleware>;

/// The server's own time, for governor.
#[derive(Debug, Clone)]
struct Monotonic(Arc<dyn TimeSource>);

impl Clock for Monotonic {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.monotonic().into()
    }
}

/// The limiters of a key, one a window.
struct Limiters {
    limits: Limits,
    windows: [Limiter; 3],
    clock: Monotonic,
}

impl Limiters {
    fn new(limits: Limits, clock: Monotonic) -> Self {
        let windows = std::array::from_fn(|at| {
            let limit = limits.0[at];
            let each = WINDOWS[at] / limit.get();
            let quota = Quota::with_period(each.max(Duration::from_nanos(1)));
            let quota = quota.unwrap_or_else(|| Quota::per_minute(NonZeroU32::MIN));
            RateLimiter::direct_with_clock(quota.allow_burst(limit), clock.clone())
                .with_middleware::<StateInformationMiddleware>()
        });
        Self { limits, windows, clock }
    }

    fn ask(&self) -> Asked {
        let mut asked = Asked::default();
        for (at, window) in self.windows.iter().enumerate() {
            match window.check() {
                Ok(state) => {
                    let remaining = state.remaining_burst_capacity();
                    asked.left[at] = Some(self.limits.left(at, remaining));
                }
                Err(not_until) => {
                    asked.left[at] = Some(self.limits.left(at, 0));
                    asked.refused = Some((at, not_until.wait_time_from(self.clock.now())));
                    break;
                }
            }
        }
        asked
    }
}

/// The use of every key.
pub(super) struct Local {
    keys: Mutex<HashMap<String, Arc<Limiters>>>,
    clock: Monotonic,
}

impl Local {
    pub(super) fn new(time: Arc<dyn TimeSource>) -> Self {
        Self { keys: Mutex::default(), clock: Monotonic(time) }
    }

    /// One request of a key.
    pub(super) fn ask(&self, id: &str, limits: Limits) -> Asked {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let known = keys.get(id).filter(|known| known.limits == limits).map(Arc::clone);
        let limiters = known.unwrap_or_else(|| {
            if keys.len() >= MOST_KEYS {
                keys.clear();
            }
            let limiters = Arc::new(Limiters::new(limits, self.clock.clone()));
            keys.insert(id.to_owned(), Arc::clone(&limiters));
            limiters
        });
        drop(keys);
        limiters.ask()
    }
}

#[cfg(test)]
mod tests {
    use promptops_types::{ManualTime, Timestamp};

    use super::*;

    /// Requests at moments that a rule chooses; no window of a minute, however it slides, has more than
    /// the limit and what was saved up, and one that asks as often as it may is hardly ever refused.
    #[test]
    fn no_window_however_it_slides_has_more_than_the_limit_and_the_burst() {
        const LIMIT: u32 = 60;
        for rule in 0..4_u64 {
            let time = Arc::new(ManualTime::new(Timestamp::default()));
            let local = Local::new(Arc::clone(&time) as _);
            let limits = [LIMIT, 100_000, 100_000].map(|limit| NonZeroU32::new(limit).unwrap());
            let mut accepted: Vec<u64> = Vec::new();
            let mut asked = 0;
            for at in 0..5 * 60 * 10_u64 {
                // A tenth of a second each: all the time, in bursts at the edges of minutes, every other
                // ten seconds, and as often as it may.
                let tries = match rule {
                    0 => 3,
                    1 => 200 * u64::from(at % 600 < 2 || at % 600 > 597),
                    2 => 5 * (at / 100 % 2),
                    _ => u64::from(at % 10 == 0),
                };
                for _ in 0..tries {
                    asked += 1;
                    if local.ask("key", Limits(limits)).refused.is_none() {
                        accepted.push(at);
                    }
                }
                time.advance(Duration::from_millis(100));
            }
            for (index, start) in accepted.iter().enumerate() {
                let within = accepted[index..].iter().take_while(|at| *at - start < 600).count();
                assert!(within <= 2 * LIMIT as usize, "rule {rule}: {within} from {start}");
            }
            if rule == 3 {
                assert_eq!(accepted.len(), asked, "a steady one is never refused");
            }
        }
    }
}
