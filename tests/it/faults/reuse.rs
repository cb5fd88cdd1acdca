//! Row 14: a peer that closes an idle connection at the moment it is used again is not seen.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use promptops_client::{CacheConfig, NewPrompt, RetryConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{row, runs, seed};

use crate::quiet;

/// What the server has done, by idempotency key: how often, and how often it was asked.
#[derive(Default)]
struct Effects {
    by_key: HashMap<String, (u32, u32)>,
    closed: usize,
}

/// A registry that, of 5 requests on a connection used before, answers 4 and closes at 1: before or
/// after it has carried it out. It knows idempotency keys, as the contract asks.
async fn serve(effects: Arc<Mutex<Effects>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let chance = Rng::with_seed(seed().wrapping_add(number));
            tokio::spawn(connection(stream, chance, Arc::clone(&effects)));
        }
    });
    address
}

async fn connection(mut stream: TcpStream, mut chance: Rng, effects: Arc<Mutex<Effects>>) {
    stream.set_nodelay(true).unwrap();
    for request in 0.. {
        let Some(head) = read(&mut stream).await else { return };
        let closes = request > 0 && chance.u32(..5) == 0;
        let carries_out = !closes || chance.bool();
        {
            let mut effects = effects.lock().unwrap();
            effects.closed += usize::from(closes);
            let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
            if let Some(key) = key {
                let (done, asked) = effects.by_key.entry(key.to_owned()).or_default();
                *asked += 1;
                *done += u32::from(carries_out && *done == 0);
            }
        }
        if closes {
            return;
        }
        let body = r#"{"id": "p-1", "slug": "a", "content": "Hi", "version": "1.0.0"}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all((head + body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads a request with its body; gives the head.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    let end = loop {
        let length = stream.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        head.extend(&piece[..length]);
        if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let mut body = head.split_off(end);
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        let more = stream.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        body.extend(&piece[..more]);
    }
    Some(head)
}

#[tokio::test(flavor = "multi_thread")]
async fn row_14_a_connection_that_closes_on_reuse_is_not_seen() {
    let effects = Arc::default();
    let address = serve(Arc::clone(&effects)).await;
    // One attempt: what is left of the fault would be an error, and not a retry.
    let client = quiet()
        .base_url(format!("http://{address}/v1"))
        .retry(RetryConfig::none())
        .cache(CacheConfig::none())
        .build()
        .unwrap();
    let (calls, callers) = (runs(20_000), 4);
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for call in 0..calls / callers {
                    let outcome = match call % 4 {
                        0 => client.create_prompt(NewPrompt::new("N", "Hi")).await.map(|_| ()),
                        1 => client.delete_prompt("a").await.map(|_| ()),
                        _ => client.get_prompt("a").await.map(|_| ()),
                    };
                    outcome.unwrap_or_else(|error| panic!("call {call}: {error}"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let effects = effects.lock().unwrap();
    let creates = effects.by_key.len();
    assert_eq!(
        creates,
        calls / callers / 4 * callers + usize::from(calls / callers % 4 > 0) * callers
    );
    assert!(effects.by_key.values().all(|(done, _)| *done == 1), "each once");
    let again = effects.by_key.values().filter(|(_, asked)| *asked > 1).count();
    assert!(effects.closed > calls / 20 && again > 0, "{} closed", effects.closed);
    let measured = format!(
        "0 errors in {calls}, {} closed; {creates} creates, one effect each, {again} of them sent again",
        effects.closed
    );
    let promised = "0 errors in 20 000, at most one effect each";
    row(14, "peer closes an idle connection on reuse", promised, measured, true);
}
