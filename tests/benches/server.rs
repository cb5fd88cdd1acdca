//! The registry and its server: a get over loopback beside raw hyper with the same bytes, an embedded get
//! beside a prepared read of SQLite, and a durable publish beside one sync a row.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

mod row;
mod timed;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use promptops_client::{CacheConfig, NewPrompt, PromptOpsClient, TelemetryConfig};
use promptops_server::{Access, MasterKey, NewKey, Registry, Scope, Server, ServerConfig};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use crate::row::{Target, compare, is_wanted};
use crate::timed::{count, now, seconds_since};

const ROUNDS: usize = 9;
const CONNECTIONS: usize = 64;
const REQUESTS: usize = 20_000;
const READS: usize = 5_000;
const PUBLISHES: usize = 400;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // What is measured with many at once is in a task: `block_on` is no part of the runtime's threads.
    runtime.block_on(async {
        if is_wanted("served") {
            tokio::spawn(served()).await.unwrap();
        }
        if is_wanted("embedded") {
            embedded().await;
        }
        if is_wanted("published") {
            tokio::spawn(published()).await.unwrap();
        }
    });
}

/// How long something takes, in seconds.
async fn timed<T>(work: impl Future<Output = T>) -> (f64, T) {
    let started = now();
    let done = work.await;
    (seconds_since(started), done)
}

fn new_prompt(name: &str) -> NewPrompt {
    let content = "Dear {{ customer_name }}, thank you for writing about {{ topic }}. ".repeat(44);
    NewPrompt::new(name, content).tags(["support", "email"])
}

/// A runtime of its own, in threads of its own, so that a server and who asks it share nothing.
fn aside<F: Future<Output = ()> + Send + 'static>(work: impl FnOnce() -> F + Send + 'static) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work());
    });
}

/// Answers every request with the same bytes.
fn serve_raw(body: Bytes) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    aside(move || async move {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let body = body.clone();
            let service = service_fn(move |_: Request<Incoming>| {
                let response = Response::builder().header("content-type", "application/json");
                let response = response.body(Full::new(body.clone())).unwrap();
                async { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

type Sender = SendRequest<Empty<Bytes>>;

async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(sender: &mut Sender, address: SocketAddr, key: &str) -> Bytes {
    let request = Request::get("/v1/client/prompts/greeting")
        .header("host", address.to_string())
        .header("authorization", key)
        .body(Empty::new())
        .unwrap();
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Requests a second, over connections that all ask at the same time.
async fn rate(address: SocketAddr, key: &Arc<str>) -> f64 {
    let mut senders = Vec::new();
    for _ in 0..CONNECTIONS {
        senders.push(connect(address).await);
    }
    let (seconds, ()) = timed(async {
        let asking = senders.into_iter().map(|mut sender| {
            let key = Arc::clone(key);
            tokio::spawn(async move {
                for _ in 0..REQUESTS / CONNECTIONS {
                    get(&mut sender, address, &key).await;
                }
            })
        });
        for asked in asking.collect::<Vec<_>>() {
            asked.await.unwrap();
        }
    })
    .await;
    count(REQUESTS) / seconds / 1e3
}

async fn served() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let registry = Registry::open(folder.path().join("prompts.db")).unwrap();
    let access = Access::full("bench");
    registry.create(&access, None, new_prompt("Greeting")).await.unwrap();
    let limit = Some(u32::MAX);
    let new = NewKey {
        name: "bench".to_owned(),
        scopes: Some([Scope::Read].into()),
        per_minute: limit,
        per_hour: limit,
        per_day: limit,
        ..NewKey::default()
    };
    let (_, key) = registry.create_key(&access, new).await.unwrap();
    let key: Arc<str> = format!("Bearer {}", key.expose()).into();
    let (tell, told) = std::sync::mpsc::channel();
    aside(move || async move {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let master = MasterKey::random().unwrap();
        let server = Server::bind(any, registry, master, ServerConfig::default()).await.unwrap();
        tell.send(server.local_addr().unwrap()).unwrap();
        server.run().await;
    });
    let ours = told.recv().unwrap();
    let body = get(&mut connect(ours).await, ours, &key).await;
    let raw = serve_raw(body);
    let (mut theirs, mut mine) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (raw, ours) = (rate(raw, &key).await, rate(ours, &key).await);
        // The first round is for warming up.
        if round > 0 {
            theirs.push(raw);
            mine.push(ours);
        }
    }
    let what = "server get, throughput at 64; auth, limits and counters on";
    compare(what, ("raw hyper, same bytes", &theirs), (&mine, "k/s"), Some(Target::AtLeast(0.6)));
}

async fn embedded() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("prompts.db");
    let registry = Registry::open(&path).unwrap();
    let access = Access::full("bench");
    let made = registry.create(&access, None, new_prompt("Greeting")).await.unwrap();
    drop(registry);
    let client = PromptOpsClient::builder()
        .base_url(format!("sqlite:{}", path.display()))
        .cache(CacheConfig::none())
        .telemetry(TelemetryConfig::disabled())
        .build()
        .unwrap();
    let connection = Connection::open(&path).unwrap();
    let body = serde_json::to_string(&made.prompt).unwrap();
    let table = "CREATE TABLE bench (id TEXT PRIMARY KEY, body TEXT NOT NULL)";
    connection.execute_batch(table).unwrap();
    connection.execute("INSERT INTO bench VALUES (?, ?)", [&made.prompt.id, &body]).unwrap();
    let mut read = connection.prepare("SELECT body FROM bench WHERE id = ?").unwrap();
    let (mut theirs, mut mine) = (Vec::new(), Vec::new());
    let each = 1e6 / count(READS);
    for round in 0..=ROUNDS {
        let started = now();
        for _ in 0..READS {
            let body: String = read.query_row([&made.prompt.id], |row| row.get(0)).unwrap();
            std::hint::black_box(body);
        }
        let raw = seconds_since(started);
        let started = now();
        for _ in 0..READS {
            // A statement that is kept is not shared between tasks, so it is read here and not in one.
            std::hint::black_box(futures_block(client.get_prompt("greeting"))).unwrap();
        }
        let ours = seconds_since(started);
        if round > 0 {
            theirs.push(raw * each);
            mine.push(ours * each);
        }
    }
    let what = "embedded get, not cached, JSON included";
    compare(what, ("rusqlite point read", &theirs), (&mine, "µs"), Some(Target::AtMost(3.0)));
}

/// What a call gives that never waits.
fn futures_block<F: IntoFuture>(call: F) -> F::Output {
    let mut call = std::pin::pin!(call.into_future());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = call.as_mut().poll(&mut context) {
            return output;
        }
    }
}

async fn published() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let registry = Registry::open(folder.path().join("prompts.db")).unwrap();
    let connection = Connection::open(folder.path().join("raw.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE bench (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
        )
        .unwrap();
    let body = serde_json::to_string(&new_prompt("x")).unwrap();
    let access = Access::full("bench");
    let (mut theirs, mut mine) = (Vec::new(), Vec::new());
    let publishes = count(PUBLISHES);
    for round in 0..=ROUNDS {
        let started = now();
        for _ in 0..PUBLISHES {
            connection.execute("INSERT INTO bench (body) VALUES (?)", [&body]).unwrap();
        }
        let raw = seconds_since(started);
        let (ours, ()) = timed(async {
            let writers = (0..16).map(|writer| {
                let (registry, access) = (registry.clone(), access.clone());
                tokio::spawn(async move {
                    for number in 0..PUBLISHES / 16 {
                        let new = new_prompt(&format!("P {round} {writer} {number}"));
                        registry.create(&access, None, new).await.unwrap();
                    }
                })
            });
            for writer in writers.collect::<Vec<_>>() {
                writer.await.unwrap();
            }
        })
        .await;
        if round > 0 {
            theirs.push(publishes / raw);
            mine.push(publishes / ours);
        }
    }
    let what = "durable publish, 16 writers";
    compare(what, ("one sync a row", &theirs), (&mine, "/s"), Some(Target::AtLeast(6.0)));
}
