//! How far the registry's clock is from this machine's.

use std::sync::atomic::{AtomicI64, Ordering};

use http::header::DATE;
use http::{Response, StatusCode};
use promptops_types::Timestamp;

/// Least difference that is believed. `Date` is a whole second that has travelled; registries take
/// signatures that are up to 300 s off.
const LEAST: i64 = 30 * 1_000_000;

/// What is known of the registry's clock, learnt when it refuses a request for the time it tells.
/// The system's clock is not touched.
#[derive(Debug, Default)]
pub(crate) struct ClockSkew {
    /// Microseconds that the registry is ahead.
    ahead: AtomicI64,
}

impl ClockSkew {
    /// The registry's time, as far as it is known.
    pub(crate) fn registry_time(&self, now: Timestamp) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Relaxed);
        Timestamp::from_unix_micros(now.unix_micros().saturating_add(ahead))
    }

    /// Whether a request that told the time `told` was refused since that time is wrong. Then the
    /// registry's is known from here on.
    pub(crate) fn learn<B>(&self, refusal: &Response<B>, told: Timestamp, now: Timestamp) -> bool {
        if refusal.status() != StatusCode::UNAUTHORIZED {
            return false;
        }
        let date = refusal.headers().get(DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(Timestamp::from_http_date) else { return false };
        let off = date.unix_micros().saturating_sub(told.unix_micros());
        if off.unsigned_abs() < LEAST.unsigned_abs() {
            return false;
        }
        let ahead = date.unix_micros().saturating_sub(now.unix_micros());
        self.ahead.store(ahead, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn refusal(status: u16, date: &str) -> Response<()> {
        Response::builder().status(status).header("date", date).body(()).unwrap()
    }

    #[test]
    fn a_clock_that_is_off_is_learnt_from_a_refusal_alone() {
        let skew = ClockSkew::default();
        let now = time("1994-11-06T08:00:00Z");
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert!(!skew.learn(&refusal(403, date), now, now));
        assert!(!skew.learn(&refusal(401, "noon"), now, now));
        assert!(!skew.learn(&refusal(401, "Sun, 06 Nov 1994 08:00:29 GMT"), now, now));
        assert_eq!(skew.registry_time(now), now);
        assert!(skew.learn(&refusal(401, date), now, now));
        assert_eq!(skew.registry_time(now), time("1994-11-06T08:49:37Z"));
        let told = skew.registry_time(now);
        assert!(!skew.learn(&refusal(401, date), told, now), "it is not the clock");
        assert!(skew.learn(&refusal(401, date), now, now), "a call that was under way meanwhile");
    }
}
