/// The candidate that `name` was most likely meant to be, if any is close enough.
///
/// Closeness is the Jaro-Winkler similarity (Winkler 1990) of the lower-cased names, at least
/// 0.84: one edit in a short name and two or three in a long one, found by trying typos on common
/// variable names. Equal candidates are no suggestion.
///
/// Names of more than 100 bytes are not compared, nor more than 1000 candidates: the work stays
/// small whatever the names are.
pub fn near_match<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    const CLOSE: f64 = 0.84;
    const MAX_BYTES: usize = 100;
    const MAX_CANDIDATES: usize = 1000;
    if name.len() > MAX_BYTES {
        return None;
    }
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| *candidate != name && candidate.len() <= MAX_BYTES)
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= CLOSE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_probably_meant() {
        let given = ["customer_name", "issue", "Priority"];
        assert_eq!(near_match("custmer_name", given), Some("customer_name"));
        assert_eq!(near_match("priority", given), Some("Priority"));
        assert_eq!(near_match("tone", given), None);
        assert_eq!(near_match("issue", given), None);
    }
}
