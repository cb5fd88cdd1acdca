use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Durations, counted in classes that are each a fifth longer than the one before: any quantile is
/// known within 10 % (Masson, Rim and Lee, `DDSketch`, VLDB 2019).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<u16, u64>);

/// How much longer each class is than the one before.
const RATIO: f64 = 1.2;

/// The end of the first class, in milliseconds.
const FIRST: f64 = 0.001;

/// The last class: more than a day.
const LAST: u16 = 140;

impl Histogram {
    /// Counts a duration, in milliseconds.
    pub fn count(&mut self, milliseconds: f64) {
        let class = (milliseconds / FIRST).max(1.0).log(RATIO).ceil().min(f64::from(LAST));
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and the last class")]
        #[expect(clippy::cast_sign_loss, reason = "between 0 and the last class")]
        let class = class as u16;
        *self.0.entry(class).or_default() += 1;
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            let sum = self.0.entry(*class).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// The duration that a share of all, 0 to 1, took at most, in milliseconds; 0 without any.
    pub fn quantile(&self, share: f64) -> f64 {
        let total: u64 = self.0.values().sum();
        #[expect(clippy::cast_precision_loss, reason = "counts, of which a share is taken")]
        let wanted = total as f64 * share;
        let mut seen = 0;
        for (class, count) in &self.0 {
            seen += count;
            #[expect(clippy::cast_precision_loss, reason = "counts, of which a share is taken")]
            let is_enough = seen as f64 >= wanted;
            if is_enough {
                // The middle of the class, by the measure of the error.
                return FIRST * RATIO.powi(i32::from(*class)) * 2.0 / (1.0 + RATIO);
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_a_tenth() {
        let mut histogram = Histogram::default();
        assert!(histogram.quantile(0.5).abs() < f64::EPSILON);
        for number in 1..=10_000 {
            histogram.count(f64::from(number) / 10.0);
        }
        for (share, exact) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1000.0)] {
            let told = histogram.quantile(share);
            assert!((told / exact - 1.0).abs() <= 0.1, "{share}: {told} for {exact}");
        }
        for odd in [-1.0, 0.0, f64::NAN, f64::INFINITY, 1e300] {
            histogram.count(odd);
        }
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
    }
}
