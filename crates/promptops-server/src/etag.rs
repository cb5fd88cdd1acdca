//! ETags: which state of a thing an answer shows.

use http::HeaderMap;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use promptops_registry::Found;
use sha2::{Digest, Sha256};

/// The ETag of one version: `"revision-version"`. The revision changes with every change of the
/// prompt, so an `If-Match` made of any of its ETags means the prompt as it was read.
pub(crate) fn of_prompt(found: &Found) -> String {
    of_revision(found.revision, &found.prompt.version)
}

/// The ETag of a prompt's state, with what of it is shown.
pub(crate) fn of_revision(revision: u64, part: &str) -> String {
    let part: String = part.chars().filter(char::is_ascii_graphic).filter(|c| *c != '"').collect();
    format!("\"{revision}-{part}\"")
}

/// The ETag of any other answer: the first half of the SHA-256 of its data.
pub(crate) fn of_data(data: &[u8]) -> String {
    let digest = Sha256::digest(data);
    let half = digest.iter().take(16).fold(0_u128, |n, byte| n << 8 | u128::from(*byte));
    format!("\"{half:032x}\"")
}

/// Whether the caller has this state already.
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given
        .flat_map(|list| list.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == etag)
}

/// The revisions that a write is conditional on, from `If-Match`: `None` without the header or for
/// `*`. A tag that names no revision is the tag of something else and matches no prompt. A weak tag
/// counts: proxies weaken tags when they compress, and a revision is exact either way.
pub(crate) fn if_match(headers: &HeaderMap) -> Option<Vec<u64>> {
    if !headers.contains_key(IF_MATCH) {
        return None;
    }
    let given = headers.get_all(IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags: Vec<&str> = given.flat_map(|list| list.split(',')).map(str::trim).collect();
    if tags.contains(&"*") {
        return None;
    }
    let revision =
        |tag: &str| tag.trim_start_matches("W/").strip_prefix('"')?.split('-').next()?.parse().ok();
    Some(tags.into_iter().filter_map(revision).collect())
}
