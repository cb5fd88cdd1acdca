//! Which version behind a weighted label a caller gets.

use std::collections::BTreeMap;

use promptops_types::{LabelName, Version};
use sha2::{Digest, Sha256};

/// Picks a version: the same for the same label, weights and key, on every machine.
///
/// The first eight bytes of SHA-256 over label, a zero byte and key, big endian, modulo the sum of
/// the weights, fall into one version's share; shares lie in ascending order of version. Without a
/// key: the version with the largest weight, of equal ones the highest.
pub(crate) fn pick<'w>(
    label: &LabelName,
    weights: &'w BTreeMap<Version, u32>,
    key: Option<&str>,
) -> Option<&'w Version> {
    let Some(key) = key else {
        return weights.iter().max_by_key(|(version, weight)| (**weight, *version)).map(|(v, _)| v);
    };
    let total: u64 = weights.values().map(|weight| u64::from(*weight)).sum();
    let digest =
        Sha256::new().chain_update(label.as_str()).chain_update([0]).chain_update(key).finalize();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut point = number.checked_rem(total)?;
    weights
        .iter()
        .find(|(_, weight)| {
            let inside = point < u64::from(**weight);
            if !inside {
                point -= u64::from(**weight);
            }
            inside
        })
        .map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(parts: &[(u64, u32)]) -> BTreeMap<Version, u32> {
        parts.iter().map(|(minor, weight)| (Version::new(1, *minor, 0), *weight)).collect()
    }

    #[test]
    fn a_key_always_gets_the_same_version_and_shares_follow_the_weights() {
        let label: LabelName = "production".parse().unwrap();
        let weights = weights(&[(0, 90), (1, 10)]);
        let second = Version::new(1, 1, 0);
        let got: Vec<_> = (0..10_000)
            .map(|user| pick(&label, &weights, Some(&format!("user-{user}"))).unwrap())
            .collect();
        let share = got.iter().filter(|version| ***version == second).count();
        // 10 % of 10 000, within five standard deviations (30).
        assert!((850..=1150).contains(&share), "{share}");
        for user in [0, 17, 9999] {
            let again = pick(&label, &weights, Some(&format!("user-{user}")));
            assert_eq!(again, Some(got[user]));
        }
    }

    #[test]
    fn without_a_key_the_heaviest_wins_and_of_equals_the_highest() {
        let label: LabelName = "a".parse().unwrap();
        assert_eq!(pick(&label, &weights(&[(0, 90), (1, 10)]), None), Some(&Version::new(1, 0, 0)));
        assert_eq!(pick(&label, &weights(&[(0, 50), (1, 50)]), None), Some(&Version::new(1, 1, 0)));
        assert_eq!(pick(&label, &weights(&[]), None), None);
    }

    #[test]
    fn a_published_example_never_changes() {
        let label: LabelName = "production".parse().unwrap();
        let weights = weights(&[(0, 1), (1, 1)]);
        let versions: String = (0..8)
            .map(|n| pick(&label, &weights, Some(&n.to_string())).unwrap().minor().to_string())
            .collect();
        // Python: hashlib.sha256(b"production\0" + key).digest()[:8], big endian, modulo 2.
        assert_eq!(versions, "01011010");
    }
}
