//! How long a registry asks to wait.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};
use promptops_types::Timestamp;

/// Longest wait that is believed: a year. Beyond it, arithmetic on times overflows sooner or later.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The wait that `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date, which is taken from
/// the answer's own `Date`, or from `now` where it has none: clocks differ. A date that has passed
/// asks for none; what is neither is ignored. At most a year.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // More digits than fit are a very long wait.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let date = Timestamp::from_http_date(text)?;
    let now = self::text(headers, DATE).and_then(Timestamp::from_http_date).unwrap_or(now);
    let micros = date.unix_micros().saturating_sub(now.unix_micros());
    Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(LONGEST))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wait(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().ok()?);
        retry_after(&headers, "1994-11-06T08:49:00Z".parse().unwrap())
    }

    #[test]
    fn seconds_and_dates_are_read_and_capped() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("99999999999999999999999999"), Some(LONGEST));
        assert_eq!(wait("Mon, 01 Jan 2970 00:00:00 GMT"), Some(LONGEST));
        for nonsense in ["", "-1", "soon", "1.5", "+7", "1e3"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_date_is_taken_from_the_answers_own() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:30 GMT".parse().unwrap());
        let an_hour_ahead = "1994-11-06T09:49:30Z".parse().unwrap();
        assert_eq!(retry_after(&headers, an_hour_ahead), Some(Duration::from_secs(7)));
    }

    proptest! {
        /// Digits are seconds, up to a year; whatever else is no date is nothing.
        #[test]
        fn seconds_are_what_they_say(digits in "[0-9]{1,30}", junk in "[a-z+. -]{1,9}") {
            let seconds: u128 = digits.parse().unwrap();
            let expected = u64::try_from(seconds).unwrap_or(u64::MAX).min(LONGEST.as_secs());
            prop_assert_eq!(wait(&digits), Some(Duration::from_secs(expected)));
            prop_assert_eq!(wait(&format!("{junk}x{digits}")), None);
        }

        #[test]
        fn any_header_is_survived(text in "\\PC{0,40}|[0-9]{0,40}") {
            if let Some(wait) = wait(&text) {
                prop_assert!(wait <= LONGEST);
            }
        }
    }
}
