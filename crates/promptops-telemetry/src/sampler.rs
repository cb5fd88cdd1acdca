use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// All calls.
const EVERY: u64 = u64::MAX;

/// Decides which calls are recorded, each by itself. Some nanoseconds a decision, one where nothing is
/// recorded.
#[derive(Debug)]
pub struct Sampler {
    /// Of all numbers of 64 bits, those below it are calls that are recorded.
    below: AtomicU64,
}

impl Sampler {
    /// Records this share of the calls, 0.0 to 1.0; what is outside is taken for the nearer end.
    pub fn new(rate: f64) -> Self {
        Self { below: threshold(rate).into() }
    }

    /// Changes the share, for the calls that begin from now on.
    pub fn set_rate(&self, rate: f64) {
        self.below.store(threshold(rate), Relaxed);
    }

    /// Whether the call that begins now is recorded.
    #[inline]
    pub fn draw(&self) -> bool {
        match self.below.load(Relaxed) {
            0 => false,
            EVERY => true,
            below => fastrand::u64(..) < below,
        }
    }
}

fn threshold(rate: f64) -> u64 {
    // NaN is no share of anything.
    if rate.is_nan() || rate <= 0.0 {
        return 0;
    }
    if rate >= 1.0 {
        return EVERY;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^64")]
    let below = (rate * EVERY as f64) as u64;
    below.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept() {
        fastrand::seed(7);
        for rate in [0.01, 0.1, 0.5, 0.9] {
            let sampler = Sampler::new(rate);
            let drawn = (0..100_000).filter(|_| sampler.draw()).count();
            let expected = rate * 100_000.0;
            // Five standard deviations of a binomial.
            let allowed = 5.0 * (expected * (1.0 - rate)).sqrt();
            #[expect(clippy::cast_precision_loss, reason = "a count")]
            let off = (drawn as f64 - expected).abs();
            assert!(off < allowed, "{drawn} of 100 000 at {rate}");
        }
    }

    #[test]
    fn all_is_all_and_none_is_none() {
        let sampler = Sampler::new(1.0);
        assert!((0..10_000).all(|_| sampler.draw()));
        for none in [0.0, -1.0, f64::NAN] {
            sampler.set_rate(none);
            assert!(!(0..10_000).any(|_| sampler.draw()), "{none}");
        }
        sampler.set_rate(7.0);
        assert!(sampler.draw());
    }
}
