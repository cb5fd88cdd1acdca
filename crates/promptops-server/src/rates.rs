//! How much a key may ask: GCRA for each window of each key.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use promptops_registry::{ApiKey, RateLimits};
use promptops_types::ErrorCode;
use serde::Serialize;

use crate::App;
use crate::auth::UsedKey;
use crate::error::ApiError;

/// Most keys whose use is remembered; beyond it, all of it is forgotten.
const MOST_KEYS: usize = 100_000;

/// Most requests of a key that says nothing of its own.
const DEFAULT: RateLimits =
    RateLimits { per_minute: Some(60_000), per_hour: Some(2_000_000), per_day: Some(20_000_000) };

const NAMES: [&str; 3] = ["minute", "hour", "day"];
const WINDOWS: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_hours(1), Duration::from_hours(24)];

type Limiter = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>;

/// The limiters of a key, one a window.
struct Limiters {
    limits: [NonZeroU32; 3],
    windows: [Limiter; 3],
}

/// What is left of a window.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Left {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until nothing of it is used.
    pub(crate) reset_seconds: u64,
}

/// The use of every key.
#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<String, Arc<Limiters>>>);

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rates")
    }
}

impl Limiters {
    fn new(limits: RateLimits) -> Self {
        let own = limits.windows();
        let default = DEFAULT.windows();
        let limits: [NonZeroU32; 3] = std::array::from_fn(|at| {
            own[at].or(default[at]).and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
        });
        let windows = std::array::from_fn(|at| {
            let each = WINDOWS[at] / limits[at].get();
            let quota = Quota::with_period(each.max(Duration::from_nanos(1)));
            let quota = quota.unwrap_or_else(|| Quota::per_minute(limits[at]));
            RateLimiter::direct_with_clock(quota.allow_burst(limits[at]), MonotonicClock)
                .with_middleware::<StateInformationMiddleware>()
        });
        Self { limits, windows }
    }

    fn left(&self, at: usize, remaining: u32) -> Left {
        let limit = self.limits[at].get();
        let used = u64::from(limit.saturating_sub(remaining));
        let nanos = WINDOWS[at].as_nanos() * u128::from(used) / u128::from(limit);
        let reset_seconds = u64::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(u64::MAX);
        Left { limit, remaining, reset_seconds }
    }

    /// One request: what is left of each window, or which is used up and for how long.
    fn ask(&self) -> Result<[Left; 3], (usize, Duration)> {
        let mut left = [None; 3];
        for (at, window) in self.windows.iter().enumerate() {
            match window.check() {
                Ok(state) => left[at] = Some(self.left(at, state.remaining_burst_capacity())),
                Err(not_until) => {
                    return Err((at, not_until.wait_time_from(MonotonicClock.now())));
                }
            }
        }
        Ok(left.map(|left| left.unwrap_or_else(|| self.left(0, 0))))
    }
}

impl Rates {
    fn of(&self, key: &ApiKey) -> Arc<Limiters> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiters) = keys.get(&key.id) {
            return Arc::clone(limiters);
        }
        if keys.len() >= MOST_KEYS {
            keys.clear();
        }
        let limiters = Arc::new(Limiters::new(key.limits));
        keys.insert(key.id.clone(), Arc::clone(&limiters));
        limiters
    }
}

/// What is left, for who asks about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remaining(pub(crate) [Left; 3]);

/// Counts a request, and refuses it where there have been too many.
pub(crate) async fn limit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(UsedKey(key, _)) = request.extensions().get::<UsedKey>() else {
        return next.run(request).await;
    };
    match app.rates.of(key).ask() {
        Ok(left) => {
            request.extensions_mut().insert(Remaining(left));
            let mut response = next.run(request).await;
            add_headers(response.headers_mut(), &left);
            response
        }
        Err((at, wait)) => {
            let seconds = wait.as_secs().saturating_add(1);
            let message =
                format!("this key has no requests left in this {}; wait {seconds} s", NAMES[at]);
            let error = ApiError::new(ErrorCode::RateLimit, message)
                .detail("retry_after", seconds)
                .detail("window", NAMES[at]);
            let mut response = error.into_response();
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}

/// The documented headers, and those of the `RateLimit` draft (draft-ietf-httpapi-ratelimit-headers-10).
fn add_headers(headers: &mut HeaderMap, left: &[Left; 3]) {
    let minute = HeaderName::from_static;
    let names = [
        [
            minute("x-ratelimit-limit-minute"),
            minute("x-ratelimit-remaining-minute"),
            minute("x-ratelimit-reset-minute"),
        ],
        [
            minute("x-ratelimit-limit-hour"),
            minute("x-ratelimit-remaining-hour"),
            minute("x-ratelimit-reset-hour"),
        ],
        [
            minute("x-ratelimit-limit-day"),
            minute("x-ratelimit-remaining-day"),
            minute("x-ratelimit-reset-day"),
        ],
    ];
    for (names, left) in names.into_iter().zip(left) {
        let [limit, remaining, reset] = names;
        headers.insert(limit, HeaderValue::from(left.limit));
        headers.insert(remaining, HeaderValue::from(left.remaining));
        headers.insert(reset, HeaderValue::from(left.reset_seconds));
    }
    let [policy, state] = [
        NAMES
            .iter()
            .zip(left)
            .zip(WINDOWS)
            .map(|((name, left), window)| {
                format!("\"{name}\";q={};w={}", left.limit, window.as_secs())
            })
            .collect::<Vec<_>>(),
        NAMES
            .iter()
            .zip(left)
            .map(|(name, left)| format!("\"{name}\";r={};t={}", left.remaining, left.reset_seconds))
            .collect(),
    ];
    for (name, parts) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::try_from(parts.join(", ")) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
