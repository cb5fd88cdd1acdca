//! Values in Redis, read from one that answers with whatever it is told: one that is read is written back
//! as it was, and one of another key, damaged or of another generation is never read.
#![no_main]

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use promptops_cache::{CacheBackend, CacheKey, CacheScope, RedisCache};
use promptops_types::{ManualTime, Timestamp};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// What time it is.
const NOW: i64 = 1_700_000_000_000_000;

/// How far a clock may be ahead.
const MOST_AHEAD: i64 = 2_000_000;

/// No entry is too old at this age to be written.
const ALWAYS_KEPT: Duration = Duration::from_secs(4);

// Where the fields are, as `redis/value.rs` says.
const MAGIC: &[u8; 5] = b"PoEn\x01";
const CHECKSUM: std::ops::Range<usize> = 5..9;
const FINGERPRINT: std::ops::Range<usize> = 9..41;
const GENERATIONS: [std::ops::Range<usize>; 2] = [41..49, 49..57];
const STORED_AT: std::ops::Range<usize> = 57..65;
const EXPIRES_AT: std::ops::Range<usize> = 65..73;

// Bits of the first byte: what is put right before the rest is read.
const RIGHT_MAGIC: u8 = 1;
const RIGHT_FINGERPRINT: u8 = 2;
const RIGHT_CHECKSUM: u8 = 4;
const RIGHT_GENERATIONS: u8 = 8;

/// What the Redis holds, and what was written to it last.
#[derive(Default)]
struct Held {
    value: Vec<u8>,
    generations: [u64; 2],
    written: Option<Vec<u8>>,
    is_deleted: bool,
}

struct Cached {
    runtime: Runtime,
    cache: RedisCache,
    key: CacheKey,
    held: Arc<Mutex<Held>>,
}

static CACHED: LazyLock<Cached> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let held: Arc<Mutex<Held>> = Arc::default();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let shared = Arc::clone(&held);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(served(stream, Arc::clone(&shared)));
        }
    });
    let time = Arc::new(ManualTime::new(Timestamp::from_unix_micros(NOW)));
    let cache = RedisCache::builder(format!("redis://{address}")).time_source(time);
    let cache = cache.build().expect("these settings are good");
    let mut key = CacheKey::new(CacheScope::new("fuzz", None), "get_prompt");
    key.prompt = Some("greeting".to_owned());
    Cached { runtime, cache, key, held }
});

// A byte of what to put right, then the value.
fuzz_target!(|data: &[u8]| {
    let Some((right, value)) = data.split_first() else { return };
    let cached = &*CACHED;
    let fingerprint = cached.key.fingerprint();
    let (right, mut value) = (|bit| right & bit != 0, value.to_vec());
    let mut put = |is_right: bool, range: std::ops::Range<usize>, bytes: &[u8]| {
        if let Some(field) = value.get_mut(range).filter(|_| is_right) {
            field.copy_from_slice(bytes);
        }
    };
    put(right(RIGHT_MAGIC), 0..MAGIC.len(), MAGIC);
    put(right(RIGHT_FINGERPRINT), FINGERPRINT, &fingerprint);
    if right(RIGHT_CHECKSUM) && value.len() > CHECKSUM.end {
        let checksum = crc32fast::hash(&value[CHECKSUM.end..]).to_be_bytes();
        value[CHECKSUM].copy_from_slice(&checksum);
    }
    let number = |range: std::ops::Range<usize>| {
        value.get(range).map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().expect("eight")))
    };
    let of_value = GENERATIONS.map(number);
    let mut generations = of_value;
    if !right(RIGHT_GENERATIONS) {
        generations[1] ^= 1;
    }
    let time = |range| i64::from_be_bytes(number(range).to_be_bytes());
    let (stored_at, expires_at) = (time(STORED_AT), time(EXPIRES_AT));

    let Some(first) = cached.read(&value, generations) else {
        let is_timely = stored_at <= NOW + MOST_AHEAD && expires_at > NOW;
        let is_deleted = cached.held().is_deleted;
        assert!(is_deleted || !is_timely || generations != of_value, "kept, and never read");
        return;
    };
    assert!(value.starts_with(MAGIC) && value[FINGERPRINT] == fingerprint);
    assert_eq!(value[CHECKSUM], crc32fast::hash(&value[CHECKSUM.end..]).to_be_bytes());
    assert!(generations == of_value && stored_at <= NOW + MOST_AHEAD && expires_at > NOW);
    let age = u64::try_from(NOW.saturating_sub(stored_at)).unwrap_or(0);
    assert_eq!(first.aged.age, Duration::from_micros(age));

    if first.aged.age > ALWAYS_KEPT {
        return;
    }
    let written = cached.write(&first);
    // All but until when it is kept, which is what this cache's settings say, and the checksum.
    let mut expected = value.clone();
    expected[STORED_AT].copy_from_slice(&stored_at.min(NOW).to_be_bytes());
    expected[EXPIRES_AT].copy_from_slice(&written[EXPIRES_AT]);
    let checksum = crc32fast::hash(&expected[CHECKSUM.end..]).to_be_bytes();
    expected[CHECKSUM].copy_from_slice(&checksum);
    assert_eq!(written, expected, "what is read is written as it was");
    let again = cached.read(&written, generations).expect("what was written is read").aged;
    let (first, again) = ((first.aged.entry, first.aged.age), (again.entry, again.age));
    assert_eq!((first.1, first.0.body()), (again.1, again.0.body()));
    assert_eq!((first.0.kind(), first.0.cost()), (again.0.kind(), again.0.cost()));
    assert_eq!((first.0.etag(), first.0.names()), (again.0.etag(), again.0.names()));
});

/// What was read, and what to write it back with.
struct Found {
    aged: promptops_cache::Aged,
    ticket: promptops_cache::Ticket,
}

impl Cached {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, value: &[u8], generations: [u64; 2]) -> Option<Found> {
        *self.held() = Held { value: value.to_vec(), generations, ..Held::default() };
        self.runtime.block_on(async {
            // On a busy machine an answer may be too late.
            for _ in 0..50 {
                if let Ok(reading) = self.cache.get(&self.key).await {
                    let ticket = reading.ticket;
                    return reading.found.map(|aged| Found { aged, ticket });
                }
                pause().await;
            }
            panic!("the cache does not answer: {:?}", self.cache.stats());
        })
    }

    /// What is written of an entry.
    fn write(&self, found: &Found) -> Vec<u8> {
        self.runtime.block_on(async {
            for _ in 0..50 {
                let put = self.cache.put(&self.key, &found.aged, found.ticket).await;
                put.expect("there is room");
                let _ = self.cache.flush().await;
                if let Some(written) = self.held().written.take() {
                    return written;
                }
                pause().await;
            }
            panic!("the cache does not write: {:?}", self.cache.stats());
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing else says when a cache tries again")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// A Redis that knows what the cache asks.
async fn served(stream: TcpStream, held: Arc<Mutex<Held>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = BufReader::new(stream);
    loop {
        let count = length(&mut stream, b'*').await?;
        let mut words = Vec::with_capacity(count);
        for _ in 0..count {
            let mut word = vec![0; length(&mut stream, b'$').await? + 2];
            stream.read_exact(&mut word).await.ok()?;
            word.truncate(word.len() - 2);
            words.push(word);
        }
        let answer = answered(&words, &mut held.lock().unwrap_or_else(PoisonError::into_inner));
        stream.write_all(&answer).await.ok()?;
    }
}

async fn length(stream: &mut BufReader<TcpStream>, kind: u8) -> Option<usize> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await.ok()?;
    str::from_utf8(line.strip_prefix(&[kind])?).ok()?.trim().parse().ok()
}

fn answered(words: &[Vec<u8>], held: &mut Held) -> Vec<u8> {
    let is_entry = |name: &[u8]| name.windows(3).any(|part| part == b":e:");
    match (words[0].to_ascii_uppercase().as_slice(), &words[1..]) {
        (b"MGET", _) => {
            let generations = held.generations.map(|number| number.to_string().into_bytes());
            let mut answer = b"*3\r\n".to_vec();
            for bulk in [&held.value, &generations[0], &generations[1]] {
                answer.extend_from_slice(format!("${}\r\n", bulk.len()).as_bytes());
                answer.extend_from_slice(bulk);
                answer.extend_from_slice(b"\r\n");
            }
            answer
        }
        (b"SET", [name, value, ..]) if is_entry(name) => {
            held.written = Some(value.clone());
            b"+OK\r\n".to_vec()
        }
        (b"UNLINK", [name, ..]) => {
            held.is_deleted |= is_entry(name);
            b":1\r\n".to_vec()
        }
        (b"PING", _) => b"+PONG\r\n".to_vec(),
        (b"PTTL", _) => b":-2\r\n".to_vec(),
        (b"EXPIRE" | b"SADD", _) => b":1\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    }
}
