//! What an entry looks like in Redis.
//!
//! | bytes | |
//! |---|---|
//! | 4 | `PoEn` |
//! | 1 | format, 1 |
//! | 4 | CRC-32 (ISO 3309) of all that follows |
//! | 32 | the key's fingerprint |
//! | 8, 8 | the generations it was fetched under: the scope's, and the prompt's or the lists' |
//! | 8, 8 | when the registry gave it, and until when it is kept, in microseconds since 1970 |
//! | 8 | what it cost to fetch, in microseconds |
//! | 1 | kind: 0 moving, 1 frozen, 2 missing |
//! | 4 × (4 + n) | `ETag`, id, slug, version; each with its length, or `ff ff ff ff` for none |
//! | 4 + n | the answer |
//!
//! Numbers are big-endian.

use std::time::Duration;

use bytes::Bytes;

use super::fields::{Reader, push_text};
use crate::{Aged, Entry, EntryKind, Names};

const MAGIC: &[u8; 4] = b"PoEn";
const FORMAT: u8 = 1;
/// Where what the checksum covers begins.
const COVERED: usize = 9;

/// How far a clock of another machine may be ahead: an entry from later than that is not believed, or
/// it would stay fresh too long.
const MOST_AHEAD: Duration = Duration::from_secs(2);

/// When something is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// When the registry gave it.
    pub(super) stored_at: i64,
    /// Until when it is kept.
    pub(super) expires_at: i64,
}

/// Why a value is no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Not ours, of another format, damaged, or another key's: it is deleted.
    Unusable,
    /// Over, or from a clock that is ahead: it will be overwritten.
    Untimely,
}

/// An entry as it was read.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) aged: Aged,
    /// Of the scope, and of the prompt or the lists.
    pub(super) generations: (u64, u64),
}

pub(super) fn encode(
    fingerprint: &[u8; 32],
    entry: &Entry,
    (of_scope, of_group): (u64, u64),
    times: Times,
) -> Vec<u8> {
    let mut value = Vec::with_capacity(entry.body().len() + 256);
    value.extend_from_slice(MAGIC);
    value.push(FORMAT);
    value.extend_from_slice(&[0; 4]);
    value.extend_from_slice(fingerprint);
    let cost = u64::try_from(entry.cost().as_micros()).unwrap_or(u64::MAX);
    for number in [of_scope, of_group] {
        value.extend_from_slice(&number.to_be_bytes());
    }
    for time in [times.stored_at, times.expires_at] {
        value.extend_from_slice(&time.to_be_bytes());
    }
    value.extend_from_slice(&cost.to_be_bytes());
    value.push(match entry.kind() {
        EntryKind::Moving => 0,
        EntryKind::Frozen => 1,
        EntryKind::Missing => 2,
    });
    push_text(&mut value, entry.etag());
    let names = entry.names();
    for part in
        [|n: &Names| n.id.clone(), |n: &Names| n.slug.clone(), |n: &Names| n.version.clone()]
    {
        push_text(&mut value, names.map(part).as_deref());
    }
    let length = u32::try_from(entry.body().len()).unwrap_or(u32::MAX);
    value.extend_from_slice(&length.to_be_bytes());
    value.extend_from_slice(entry.body());
    let checksum = crc32fast::hash(&value[COVERED..]);
    value[5..COVERED].copy_from_slice(&checksum.to_be_bytes());
    value
}

/// Reads an entry of this key.
pub(super) fn decode(value: &Bytes, fingerprint: &[u8; 32], now: i64) -> Result<Stored, Flaw> {
    let stored = read(value, fingerprint).ok_or(Flaw::Unusable)?;
    let age = now.saturating_sub(stored.times.stored_at);
    let ahead = i64::try_from(MOST_AHEAD.as_micros()).unwrap_or(i64::MAX);
    if age < -ahead || now >= stored.times.expires_at {
        return Err(Flaw::Untimely);
    }
    let body = value.slice(value.len() - stored.body_length..);
    let entry = Entry::new(stored.kind, body)
        .with_etag(stored.etag.map(str::to_owned))
        .with_names(stored.names)
        .with_cost(stored.cost);
    let age = Duration::from_micros(u64::try_from(age).unwrap_or_default());
    Ok(Stored { aged: Aged::new(entry, age), generations: stored.generations })
}

/// The parts of a value.
struct Parts<'v> {
    generations: (u64, u64),
    times: Times,
    cost: Duration,
    kind: EntryKind,
    etag: Option<&'v str>,
    names: Option<Names>,
    /// It is the end of the value.
    body_length: usize,
}

fn read<'v>(value: &'v [u8], fingerprint: &[u8; 32]) -> Option<Parts<'v>> {
    let mut reader = Reader::new(value);
    if reader.take(4)? != MAGIC || reader.byte()? != FORMAT {
        return None;
    }
    let checksum = u32::from_be_bytes(reader.array()?);
    if checksum != crc32fast::hash(&value[COVERED..]) || reader.take(32)? != fingerprint {
        return None;
    }
    let generations = (reader.number()?, reader.number()?);
    let times = Times {
        stored_at: i64::from_be_bytes(reader.array()?),
        expires_at: i64::from_be_bytes(reader.array()?),
    };
    let cost = Duration::from_micros(reader.number()?);
    let kind = match reader.byte()? {
        0 => EntryKind::Moving,
        1 => EntryKind::Frozen,
        2 => EntryKind::Missing,
        _ => return None,
    };
    let etag = reader.text()?;
    let names = match (reader.text()?, reader.text()?, reader.text()?) {
        (Some(id), Some(slug), Some(version)) => {
            Some(Names { id: id.to_owned(), slug: slug.to_owned(), version: version.to_owned() })
        }
        (None, None, None) => None,
        _ => return None,
    };
    let body_length = usize::try_from(u32::from_be_bytes(reader.array()?)).ok()?;
    let is_whole = reader.left() == body_length;
    is_whole.then_some(Parts { generations, times, cost, kind, etag, names, body_length })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000_000_000;
    const TIMES: Times = Times { stored_at: NOW - 7_000_000, expires_at: NOW + 1 };

    fn entry(body: &[u8], etag: Option<&str>, names: Option<&str>) -> Entry {
        let names = names.map(|name| Names {
            id: name.to_owned(),
            slug: format!("{name}-s"),
            version: String::new(),
        });
        Entry::new(EntryKind::Frozen, body.to_vec())
            .with_etag(etag.map(str::to_owned))
            .with_names(names)
            .with_cost(Duration::from_micros(1234))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            body in prop::collection::vec(any::<u8>(), 0..300),
            etag in prop::option::of(".{0,9}"),
            name in prop::option::of(".{0,9}"),
            fingerprint: [u8; 32],
            generations: (u64, u64),
        ) {
            let entry = entry(&body, etag.as_deref(), name.as_deref());
            let value = encode(&fingerprint, &entry, generations, TIMES);
            let stored = decode(&value.into(), &fingerprint, NOW).unwrap();
            let read = &stored.aged.entry;
            prop_assert_eq!(&read.body()[..], &body[..]);
            prop_assert_eq!((read.etag(), read.names()), (entry.etag(), entry.names()));
            prop_assert_eq!((read.kind(), read.cost()), (entry.kind(), entry.cost()));
            prop_assert_eq!((stored.generations, stored.aged.age.as_secs()), (generations, 7));
        }

        #[test]
        fn any_change_is_seen(at in 0..400_usize, bit in 0..8_u8, cut: bool) {
            let mut value = encode(&[7; 32], &entry(&[b'x'; 200], Some("e"), Some("n")), (1, 2), TIMES);
            let at = at % value.len();
            if cut {
                value.truncate(at);
            } else {
                value[at] ^= 1 << bit;
            }
            prop_assert_eq!(decode(&value.into(), &[7; 32], NOW).unwrap_err(), Flaw::Unusable);
        }

        #[test]
        fn any_bytes_are_read_without_harm(value in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&value.into(), &[7; 32], NOW).is_err());
        }
    }

    #[test]
    fn another_key_and_another_time_are_refused() {
        let value = Bytes::from(encode(&[7; 32], &entry(b"x", None, None), (1, 2), TIMES));
        assert_eq!(decode(&value, &[8; 32], NOW).unwrap_err(), Flaw::Unusable);
        assert_eq!(decode(&value, &[7; 32], NOW + 1).unwrap_err(), Flaw::Untimely, "over");
        let early = TIMES.stored_at - 2_000_001;
        assert_eq!(decode(&value, &[7; 32], early).unwrap_err(), Flaw::Untimely, "ahead");
        let stored = decode(&value, &[7; 32], early + 1).unwrap();
        assert_eq!(stored.aged.age, Duration::ZERO, "a little ahead is now");
    }
}
