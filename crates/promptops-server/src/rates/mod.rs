//! How much a key may ask: GCRA for each window of each key.

mod local;
#[cfg(feature = "redis")]
mod shared;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use promptops_registry::{ApiKey, RateLimits};
use promptops_types::{ErrorCode, TimeSource};
use serde::Serialize;
use utoipa::ToSchema;

use self::local::Local;
use crate::App;
use crate::auth::UsedKey;
use crate::error::ApiError;

/// Most requests of a key that says nothing of its own.
const DEFAULT: RateLimits =
    RateLimits { per_minute: Some(60_000), per_hour: Some(2_000_000), per_day: Some(20_000_000) };

const NAMES: [&str; 3] = ["minute", "hour", "day"];
const WINDOWS: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_hours(1), Duration::from_hours(24)];

/// The limits of a key, one a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits([NonZeroU32; 3]);

/// What is left of a window.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = RateLimit)]
pub(crate) struct Left {
    /// Most requests.
    pub(crate) limit: u32,
    /// Requests that there were.
    pub(crate) used: u32,
    /// Requests that there may be.
    pub(crate) remaining: u32,
    /// Seconds until nothing of it is used.
    pub(crate) reset_seconds: u64,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    /// What is left of each window, as far as that was looked at.
    left: [Option<Left>; 3],
    /// Which window is used up, and for how long.
    refused: Option<(usize, Duration)>,
}

impl Limits {
    fn of(key: &ApiKey) -> Self {
        let (own, default) = (key.limits.windows(), DEFAULT.windows());
        Self(std::array::from_fn(|at| {
            own[at].or(default[at]).and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
        }))
    }

    fn left(&self, at: usize, remaining: u32) -> Left {
        let limit = self.0[at].get();
        let used = limit.saturating_sub(remaining);
        let nanos = WINDOWS[at].as_nanos() * u128::from(used) / u128::from(limit);
        let reset_seconds = u64::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(u64::MAX);
        Left { limit, used, remaining, reset_seconds }
    }
}

/// The use of every key.
pub(crate) struct Rates {
    local: Local,
    #[cfg(feature = "redis")]
    shared: Option<shared::Shared>,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rates")
    }
}

impl Rates {
    pub(crate) fn new(time: Arc<dyn TimeSource>) -> Self {
        Self {
            local: Local::new(time),
            #[cfg(feature = "redis")]
            shared: None,
        }
    }

    /// Counts with all servers that have the same Redis; alone while that does not answer.
    #[cfg(feature = "redis")]
    pub(crate) fn shared(
        time: Arc<dyn TimeSource>,
        url: &promptops_types::Secret,
    ) -> Result<Self, String> {
        let shared = Some(shared::Shared::new(url, Arc::clone(&time))?);
        Ok(Self { local: Local::new(time), shared })
    }

    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, reason = "Redis is waited for")
    )]
    async fn ask(&self, key: &ApiKey) -> Asked {
        let limits = Limits::of(key);
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.shared
            && let Some(asked) = shared.ask(&key.id, limits).await
        {
            return asked;
        }
        self.local.ask(&key.id, limits)
    }
}

/// What is left, for who asks about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remaining(pub(crate) [Option<Left>; 3]);

/// Counts a request, and refuses it where there have been too many.
pub(crate) async fn limit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(UsedKey(key, _)) = request.extensions().get::<UsedKey>() else {
        return next.run(request).await;
    };
    let Asked { left, refused } = app.rates.ask(key).await;
    let mut response = match refused {
        None => {
            request.extensions_mut().insert(Remaining(left));
            next.run(request).await
        }
        Some((at, wait)) => {
            let seconds = wait.as_secs().saturating_add(1);
            let message =
                format!("this key has no requests left in this {}; wait {seconds} s", NAMES[at]);
            let error = ApiError::new(ErrorCode::RateLimit, message)
                .detail("retry_after", seconds)
                .detail("window", NAMES[at]);
            error.into_response()
        }
    };
    add_headers(response.headers_mut(), &left);
    response
}

/// The documented headers, and those of the `RateLimit` draft (draft-ietf-httpapi-ratelimit-headers-10).
fn add_headers(headers: &mut HeaderMap, left: &[Option<Left>; 3]) {
    let name = HeaderName::from_static;
    let names = [
        [
            name("x-ratelimit-limit-minute"),
            name("x-ratelimit-remaining-minute"),
            name("x-ratelimit-reset-minute"),
        ],
        [
            name("x-ratelimit-limit-hour"),
            name("x-ratelimit-remaining-hour"),
            name("x-ratelimit-reset-hour"),
        ],
        [
            name("x-ratelimit-limit-day"),
            name("x-ratelimit-remaining-day"),
            name("x-ratelimit-reset-day"),
        ],
    ];
    let (mut policy, mut state) = (Vec::new(), Vec::new());
    for (at, ([limit, remaining, reset], left)) in names.into_iter().zip(left).enumerate() {
        let Some(left) = left else { continue };
        headers.insert(limit, HeaderValue::from(left.limit));
        headers.insert(remaining, HeaderValue::from(left.remaining));
        headers.insert(reset, HeaderValue::from(left.reset_seconds));
        let (name, window) = (NAMES[at], WINDOWS[at].as_secs());
        policy.push(format!("\"{name}\";q={};w={window}", left.limit));
        state.push(format!("\"{name}\";r={};t={}", left.remaining, left.reset_seconds));
    }
    for (name, parts) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::try_from(parts.join(", ")) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
