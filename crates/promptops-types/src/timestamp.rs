use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Granularity;

/// A moment in UTC, exact to the microsecond, written as RFC 3339.
///
/// The default is the Unix epoch: what a field reads as when a registry leaves it out.
///
/// ```
/// use promptops_types::Timestamp;
///
/// let moment: Timestamp = "2026-11-23T13:00:00.25+01:00".parse()?;
/// assert_eq!(moment.to_string(), "2026-11-23T12:00:00.25Z");
/// # Ok::<(), promptops_types::TimestampError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(jiff::Timestamp);

/// RFC 850, whose years have two digits, and C's `asctime`.
const OBSOLETE_DATES: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// The text is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an RFC 3339 time such as 2026-11-23T12:00:00Z")]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// The moment `micros` microseconds after the Unix epoch, clamped to the years -9999 to 9999.
    pub fn from_unix_micros(micros: i64) -> Self {
        let clamped = if micros < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        Self(jiff::Timestamp::from_microsecond(micros).unwrap_or(clamped))
    }

    /// Reads the date of an HTTP header: `Sun, 06 Nov 1994 08:49:37 GMT`, and the two obsolete forms
    /// that recipients have to read (RFC 9110, 5.6.7).
    pub fn from_http_date(text: &str) -> Option<Self> {
        let preferred = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
        let date = preferred.or_else(|| {
            OBSOLETE_DATES.iter().find_map(|form| {
                let date = jiff::civil::DateTime::strptime(form, text).ok()?;
                jiff::tz::TimeZone::UTC.to_timestamp(date).ok()
            })
        })?;
        Some(Self::from_unix_micros(date.as_microsecond()))
    }

    /// When the period of UTC begins that it is in.
    pub fn start_of(self, granularity: Granularity) -> Self {
        let time = jiff::tz::TimeZone::UTC.to_datetime(self.0);
        let date = time.date();
        let start = match granularity {
            Granularity::Hour => date.at(time.hour(), 0, 0, 0),
            Granularity::Day => date.at(0, 0, 0, 0),
            Granularity::Week => {
                let days = i64::from(date.weekday().to_monday_zero_offset());
                date.saturating_sub(jiff::Span::new().days(days)).at(0, 0, 0, 0)
            }
            Granularity::Month => date.first_of_month().at(0, 0, 0, 0),
        };
        // It fails only before the first moment there is.
        Self(jiff::tz::TimeZone::UTC.to_timestamp(start).unwrap_or(jiff::Timestamp::MIN))
    }

    /// Microseconds since the Unix epoch; negative before it.
    pub fn unix_micros(self) -> i64 {
        self.0.as_microsecond()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// So much is shown of a text that is no time.
const MOST_SHOWN: usize = 64;

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let refused = || text.chars().take(MOST_SHOWN).flat_map(char::escape_debug).collect();
        let parsed: jiff::Timestamp =
            text.parse().map_err(|_| TimestampError { text: refused() })?;
        Ok(Self::from_unix_micros(parsed.as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Reads a time where it stands, without a copy of its text.
struct Text;

impl Visitor<'_> for Text {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_microseconds_and_drops_the_rest() {
        let moment: Timestamp = "2026-01-02T03:04:05.123456789Z".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-01-02T03:04:05.123456Z");
        assert_eq!(Timestamp::from_unix_micros(moment.unix_micros()), moment);
    }

    #[test]
    fn what_is_no_time_is_told_briefly_and_harmlessly() {
        let error = format!("\u{1b}[2J{}", "x".repeat(1000)).parse::<Timestamp>().unwrap_err();
        let error = error.to_string();
        assert!(error.contains("\\u{1b}[2J") && error.len() < 300, "{error}");
    }

    #[test]
    fn periods_begin_where_the_calendar_says() {
        for (moment, hour, day, week, month) in [
            ("2026-11-25T10:20:30Z", "2026-11-25T10:00:00Z", "25", "23", "2026-11-01"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:00:00Z", "29", "26", "2024-02-01"),
            ("2023-01-01T00:00:00Z", "2023-01-01T00:00:00Z", "01", "26", "2023-01-01"),
            ("1969-12-31T23:00:00Z", "1969-12-31T23:00:00Z", "31", "29", "1969-12-01"),
        ] {
            let moment: Timestamp = moment.parse().unwrap();
            let told = |granularity| moment.start_of(granularity).to_string();
            assert_eq!(told(Granularity::Hour), hour);
            assert_eq!(&told(Granularity::Day)[8..], format!("{day}T00:00:00Z"));
            assert_eq!(&told(Granularity::Week)[8..], format!("{week}T00:00:00Z"));
            assert_eq!(told(Granularity::Month), format!("{month}T00:00:00Z"));
        }
    }

    #[test]
    fn an_http_date_is_read() {
        let date = Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.to_string(), "1994-11-06T08:49:37Z");
        for obsolete in ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(Timestamp::from_http_date(obsolete), Some(date), "{obsolete}");
        }
        for text in ["", "120", "Sun, 06 Nov 1994", "tomorrow"] {
            assert_eq!(Timestamp::from_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_wrong_time_is_named_in_the_error() {
        let error = "yesterday".parse::<Timestamp>().unwrap_err();
        assert!(error.to_string().contains("`yesterday`"), "{error}");
    }

    #[test]
    fn a_time_past_the_calendar_is_clamped() {
        assert!(Timestamp::from_unix_micros(i64::MAX) > Timestamp::from_unix_micros(0));
        assert!(Timestamp::from_unix_micros(i64::MIN) < Timestamp::from_unix_micros(0));
    }
}
