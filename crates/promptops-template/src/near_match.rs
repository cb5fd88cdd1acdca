/// The candidate that `name` was most likely meant to be, if any is close enough.
///
/// Closeness is the Jaro-Winkler similarity (Winkler 1990) of the lower-cased names, at least
/// 0.84: one edit in a short name and two or three in a long one, found by trying typos on common
/// variable names. Equal candidates are no suggestion.
pub fn near_match<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    const CLOSE: f64 = 0.84;
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
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
