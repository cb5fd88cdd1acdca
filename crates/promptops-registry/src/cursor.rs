//! Places in lists as text: opaque, the same in every process, and of one list only.

use data_encoding::HEXLOWER;
use promptops_types::Timestamp;
use sha2::{Digest, Sha256};

use crate::{ListQuery, Place, RegistryError, SortValue};

/// The cursor of a place in a list.
pub(crate) fn of(place: &Place, query: &ListQuery) -> String {
    let sorted_by = match &place.sorted_by {
        SortValue::Time(time) => format!("t{}", time.unix_micros()),
        SortValue::Name(name) => format!("n{}", HEXLOWER.encode(name.as_bytes())),
    };
    format!("p{:016x}.{}.{sorted_by}", list(query), place.key)
}

/// The place of a cursor, if it is one of this list.
pub(crate) fn read(text: &str, query: &ListQuery) -> Result<Place, RegistryError> {
    parse(text, list(query)).ok_or_else(refused)
}

fn parse(text: &str, list: u64) -> Option<Place> {
    let mut parts = text.strip_prefix('p')?.split('.');
    let (told, key, sorted_by) = (parts.next()?, parts.next()?, parts.next()?);
    let is_of_list = parts.next().is_none() && u64::from_str_radix(told, 16) == Ok(list);
    let sorted_by = match sorted_by.split_at_checked(1).filter(|_| is_of_list)? {
        ("t", micros) => SortValue::Time(Timestamp::from_unix_micros(micros.parse().ok()?)),
        ("n", name) => {
            SortValue::Name(String::from_utf8(HEXLOWER.decode(name.as_bytes()).ok()?).ok()?)
        }
        _ => return None,
    };
    Some(Place { sorted_by, key: key.parse().ok()? })
}

/// What tells a list from others: all of a query but how much of it is wanted.
fn list(query: &ListQuery) -> u64 {
    let ListQuery { projects, module, tags, text, sort_by, sort_order, .. } = query;
    digest(&format!("{:?}", (projects, module, tags, text, sort_by, sort_order)))
}

fn digest(text: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The cursor of a version among those of its prompt.
pub(crate) fn version(place: u64, prompt_id: &str) -> String {
    format!("v{:016x}.{place}", digest(prompt_id))
}

/// The place of a cursor, if it is one of this prompt's versions.
pub(crate) fn read_version(text: &str, prompt_id: &str) -> Result<u64, RegistryError> {
    let parse = || {
        let (told, place) = text.strip_prefix('v')?.split_once('.')?;
        let is_of_prompt = u64::from_str_radix(told, 16) == Ok(digest(prompt_id));
        place.parse().ok().filter(|_| is_of_prompt)
    };
    parse().ok_or_else(refused)
}

fn refused() -> RegistryError {
    let message = "is no cursor of this list; take it from `next_cursor`, with the same filters";
    RegistryError::invalid("cursor", "invalid", message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_of_one_list(name: String, key: u64, text: String, micros: i32) {
            let query = ListQuery { text: Some(text.clone()), ..ListQuery::default() };
            let other = ListQuery { text: Some(format!("{text}x")), ..ListQuery::default() };
            let time = SortValue::Time(Timestamp::from_unix_micros(micros.into()));
            for sorted_by in [SortValue::Name(name), time] {
                let place = Place { sorted_by, key };
                let cursor = of(&place, &query);
                prop_assert_eq!(read(&cursor, &query).unwrap(), place);
                prop_assert!(read(&cursor, &other).is_err());
            }
            prop_assert_eq!(read_version(&version(key, "a"), "a").unwrap(), key);
            prop_assert!(read_version(&version(key, "a"), "b").is_err());
        }

        #[test]
        fn no_text_is_more_than_refused(text: String) {
            prop_assert!(read(&text, &ListQuery::default()).is_err());
            prop_assert!(read_version(&text, "a").is_err());
        }
    }
}
