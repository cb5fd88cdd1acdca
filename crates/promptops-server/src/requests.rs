//! How many requests there were in the last minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SECONDS: usize = 60;

/// Requests by the second, for a minute.
#[derive(Debug)]
pub(crate) struct Requests(Mutex<[(u64, u64); SECONDS]>);

impl Default for Requests {
    fn default() -> Self {
        Self(Mutex::new([(u64::MAX, 0); SECONDS]))
    }
}

impl Requests {
    pub(crate) fn count(&self, now: Duration) {
        let second = now.as_secs();
        let mut seconds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::cast_possible_truncation, reason = "below 60")]
        let (at, count) = &mut seconds[(second % SECONDS as u64) as usize];
        if *at == second {
            *count += 1;
        } else {
            (*at, *count) = (second, 1);
        }
    }

    pub(crate) fn last_minute(&self, now: Duration) -> u64 {
        let now = now.as_secs();
        let seconds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = seconds.iter().filter(|(at, _)| *at <= now && now - *at < SECONDS as u64);
        recent.map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_what_is_counted() {
        let requests = Requests::default();
        let at = Duration::from_secs;
        for second in [0, 0, 30, 59] {
            requests.count(at(second));
        }
        assert_eq!(requests.last_minute(at(59)), 4);
        assert_eq!(requests.last_minute(at(60)), 2);
        requests.count(at(90));
        assert_eq!(requests.last_minute(at(90)), 2);
        assert_eq!(requests.last_minute(at(1000)), 0);
    }
}
