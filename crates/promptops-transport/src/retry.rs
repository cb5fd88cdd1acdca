//! Which answers are worth another attempt, and how long to wait for it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{Method, Request, Response};
use promptops_types::RetryConfig;

use crate::{RetryRule, TransportError, TransportErrorKind};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How an attempt ended.
pub type Outcome = Result<Response<Bytes>, TransportError>;

/// Decides whether a call makes another attempt.
pub trait RetryPolicy: fmt::Debug + Send + Sync + 'static {
    /// What to do after attempt `attempt` (the first is 1) ended so. `is_idempotent` says whether
    /// carrying the request out twice is the same as once.
    fn decide(&self, attempt: u32, is_idempotent: bool, outcome: &Outcome) -> Verdict;
}

/// What a [`RetryPolicy`] decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The outcome stands.
    Done,
    /// Another attempt may succeed.
    Retry(RetryReason),
}

/// Why another attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryReason {
    /// Something failed that may not fail again.
    Transient,
    /// The registry asked for fewer requests.
    Throttled,
}

/// Says how long to wait before a retry.
pub trait Backoff: fmt::Debug + Send + Sync + 'static {
    /// The delay before retry `retry` (the first is 1). `random` is from 0.0 up to 1.0.
    fn delay(&self, retry: u32, reason: RetryReason, random: f64) -> Duration;
}

/// Gives numbers nobody can foresee, so that clients that failed together do not return together.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// A number from 0.0 up to 1.0.
    fn unit(&self) -> f64;
}

/// Randomness of the standard library's hash seeds: good enough to spread delays, not for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn unit(&self) -> f64 {
        use std::hash::{BuildHasher, Hasher};
        let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
        // The 53 bits that a double holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        unit
    }
}

/// The standard policy: connection errors for any request; interrupted ones, timeouts and 408, 500,
/// 502, 503, 504 for idempotent requests; 429 for any; nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandardRetry {
    max_attempts: u32,
}

impl StandardRetry {
    /// At most this many attempts, the first included.
    pub fn new(max_attempts: u32) -> Self {
        Self { max_attempts }
    }
}

impl RetryPolicy for StandardRetry {
    fn decide(&self, attempt: u32, is_idempotent: bool, outcome: &Outcome) -> Verdict {
        if attempt >= self.max_attempts {
            return Verdict::Done;
        }
        let reason = match outcome {
            Ok(response) => match response.status().as_u16() {
                429 => Some(RetryReason::Throttled),
                408 | 500 | 502 | 503 | 504 if is_idempotent => Some(RetryReason::Transient),
                _ => None,
            },
            Err(error) => match error.kind().retry_rule() {
                RetryRule::Always => Some(RetryReason::Transient),
                RetryRule::IfIdempotent if is_idempotent => Some(RetryReason::Transient),
                _ => None,
            },
        };
        reason.map_or(Verdict::Done, Verdict::Retry)
    }
}

/// Full jitter: a random share of a bound that doubles with each retry, up to a cap. What AWS's
/// standard retry mode does, since 10 November 2026 with these defaults: 50 ms, 1 s when throttled,
/// 20 s at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullJitter {
    base: Duration,
    throttled: Duration,
    max: Duration,
}

impl FullJitter {
    /// The bounds of a configuration.
    pub fn new(config: &RetryConfig) -> Self {
        Self { base: config.base_delay, throttled: config.throttle_delay, max: config.max_delay }
    }
}

impl Backoff for FullJitter {
    fn delay(&self, retry: u32, reason: RetryReason, random: f64) -> Duration {
        let base = match reason {
            RetryReason::Throttled => self.throttled,
            RetryReason::Transient => self.base,
        };
        let doublings = 2_u32.saturating_pow(retry.saturating_sub(1));
        base.saturating_mul(doublings).min(self.max).mul_f64(share(random))
    }
}

/// A random number as a share. A source that gives nonsense gives none: a duration multiplied by
/// NaN is a panic.
pub(crate) fn share(random: f64) -> f64 {
    if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) }
}

/// An extension of a request that only reads, though its method does not tell: it may be sent again
/// as a GET may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Idempotent;

/// Whether carrying a request out twice is the same as once: it reads, it deletes, or it carries a
/// key by which the registry knows it again.
pub fn is_idempotent(request: &Request<Bytes>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE)
        || request.headers().contains_key(IDEMPOTENCY_KEY)
        || request.extensions().get::<Idempotent>().is_some()
}

/// What an outcome says of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// It answered as it should, a refusal such as 404 included.
    Working,
    /// It could not be reached, or failed.
    Failing,
    /// Nothing: it asks for patience, or the fault is not its own.
    Unknown,
}

pub(crate) fn health(outcome: &Outcome) -> Health {
    match outcome {
        Ok(response) => match response.status().as_u16() {
            408 | 500 | 502 | 503 | 504 => Health::Failing,
            429 => Health::Unknown,
            _ => Health::Working,
        },
        // Nothing was sent.
        Err(error) if error.attempts() == 0 => Health::Unknown,
        Err(error) => match error.kind() {
            TransportErrorKind::Connect
            | TransportErrorKind::UntrustedPeer
            | TransportErrorKind::Timeout
            | TransportErrorKind::Interrupted => Health::Failing,
            TransportErrorKind::InvalidResponse
            | TransportErrorKind::InvalidRequest
            | TransportErrorKind::CircuitOpen => Health::Unknown,
        },
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::TransportErrorKind as Kind;

    fn status(code: u16) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::from_u16(code).unwrap();
        response
    }

    fn failed(kind: Kind) -> TransportError {
        TransportError::new(kind, "failed")
    }

    #[test]
    fn the_table_of_the_standard_policy() {
        let policy = StandardRetry::new(3);
        let transient = Verdict::Retry(RetryReason::Transient);
        let throttled = Verdict::Retry(RetryReason::Throttled);
        for (outcome, idempotent, other) in [
            (Err(failed(Kind::Connect)), transient, transient),
            (Err(failed(Kind::Interrupted)), transient, Verdict::Done),
            (Err(failed(Kind::Timeout)), transient, Verdict::Done),
            (Err(failed(Kind::UntrustedPeer)), Verdict::Done, Verdict::Done),
            (Err(failed(Kind::InvalidResponse)), Verdict::Done, Verdict::Done),
            (Err(failed(Kind::InvalidRequest)), Verdict::Done, Verdict::Done),
            (Ok(status(429)), throttled, throttled),
            (Ok(status(408)), transient, Verdict::Done),
            (Ok(status(500)), transient, Verdict::Done),
            (Ok(status(503)), transient, Verdict::Done),
            (Ok(status(501)), Verdict::Done, Verdict::Done),
            (Ok(status(404)), Verdict::Done, Verdict::Done),
            (Ok(status(200)), Verdict::Done, Verdict::Done),
        ] {
            assert_eq!(policy.decide(1, true, &outcome), idempotent, "{outcome:?}");
            assert_eq!(policy.decide(2, false, &outcome), other, "{outcome:?}");
            assert_eq!(policy.decide(3, true, &outcome), Verdict::Done, "the last: {outcome:?}");
        }
    }

    #[test]
    fn an_outcome_says_of_the_registry_what_it_can() {
        for (outcome, expected) in [
            (Ok(status(200)), Health::Working),
            (Ok(status(404)), Health::Working),
            (Ok(status(501)), Health::Working),
            (Ok(status(408)), Health::Failing),
            (Ok(status(503)), Health::Failing),
            (Ok(status(429)), Health::Unknown),
            (Err(failed(Kind::Timeout)), Health::Failing),
            (Err(failed(Kind::Timeout).with_attempts(0)), Health::Unknown),
            (Err(failed(Kind::InvalidRequest)), Health::Unknown),
        ] {
            assert_eq!(health(&outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn a_request_is_idempotent_by_method_key_or_word() {
        let post = || Request::post("http://h/").body(Bytes::new()).unwrap();
        assert!(is_idempotent(&Request::delete("http://h/").body(Bytes::new()).unwrap()));
        assert!(!is_idempotent(&post()));
        let mut keyed = post();
        keyed.headers_mut().insert(IDEMPOTENCY_KEY, "k".parse().unwrap());
        let mut reads = post();
        reads.extensions_mut().insert(Idempotent);
        assert!(is_idempotent(&keyed) && is_idempotent(&reads));
    }

    #[test]
    fn delays_double_up_to_the_cap_and_take_a_random_share() {
        let jitter = FullJitter::new(&RetryConfig::default());
        let longest = |retry, reason| jitter.delay(retry, reason, 1.0).as_millis();
        assert_eq!([1, 2, 3].map(|retry| longest(retry, RetryReason::Transient)), [50, 100, 200]);
        assert_eq!(longest(1, RetryReason::Throttled), 1000);
        assert_eq!(longest(400, RetryReason::Transient), 20_000);
        assert_eq!(jitter.delay(1, RetryReason::Transient, 0.0), Duration::ZERO);
        assert_eq!(jitter.delay(1, RetryReason::Transient, f64::NAN), Duration::ZERO);
    }

    #[test]
    fn randomness_stays_inside_its_range() {
        let numbers: Vec<f64> = (0..1000).map(|_| SystemRandom.unit()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(numbers.iter().any(|n| *n < 0.1) && numbers.iter().any(|n| *n > 0.9));
    }
}
