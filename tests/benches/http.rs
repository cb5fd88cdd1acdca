//! An uncached get over loopback, beside what it cannot be faster than: one connection of raw hyper,
//! and hyper-util's client with its pool. All of them in turn, in one process, so that a machine that
//! changes its speed changes it for all. The clients run on tokio's runtime of several threads, as an
//! application's do; the server has a thread of its own.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

mod answer;
mod row;
mod timed;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use promptops_client::{CacheConfig, PromptOpsClient, RetryConfig, TelemetryConfig};
use promptops_transport::{HyperTransport, Pipeline, SharedTransport, Transport};
use promptops_types::{PromptResponse, Success};
use tokio::net::{TcpListener, TcpStream};

use crate::answer::answer;
use crate::row::{Target, compare, median};
use crate::timed::{count, now, seconds_since};

const ROUNDS: usize = 25;
const LATENCY_REQUESTS: usize = 1000;
const THROUGHPUT_REQUESTS: usize = 20_000;

fn main() {
    let address = serve();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // In a task: what `block_on` runs is no part of the runtime's threads.
    let measuring = runtime.spawn(async move {
        latency(address).await;
        for concurrency in [16, 64] {
            throughput(address, concurrency).await;
        }
    });
    runtime.block_on(measuring).unwrap();
}

/// Answers every request with the same bytes, from a thread of its own.
fn serve() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            let body = Bytes::from(answer());
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let body = body.clone();
                let service = service_fn(move |_: Request<Incoming>| {
                    let response = Response::builder().header("content-type", "application/json");
                    let response = response.body(Full::new(body.clone())).unwrap();
                    async { Ok::<_, Infallible>(response) }
                });
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(serving);
            }
        });
    });
    address
}

/// Something that gets the prompt.
#[derive(Clone)]
enum Subject {
    /// hyper-util's client.
    Pooled(Arc<Client<HttpConnector, Full<Bytes>>>, SocketAddr),
    /// The same, and `serde_json` into the struct that the client gives.
    Decoded(Arc<Client<HttpConnector, Full<Bytes>>>, SocketAddr),
    /// Our transport in its pipeline: retries, deadline, circuit breaker.
    Transport(SharedTransport, SocketAddr),
    /// The whole client: it decodes and checks the prompt too.
    Client(PromptOpsClient),
}

/// The request that the client makes, header by header: everybody sends the same.
fn request<B: Default>(uri: String, host: SocketAddr) -> Request<B> {
    Request::get(uri)
        .header("host", host.to_string())
        .header("accept", "application/json")
        .header("accept-encoding", "gzip")
        .header("authorization", "Bearer po_000000000000000000000000")
        .header("user-agent", "promptops-client-rust/0.1.0")
        .header("x-request-id", "0199e0a3-5b7c-4c3e-9d2f-1c2b3a4d5e6f")
        .header("x-promptops-deadline-ms", "29999")
        .body(B::default())
        .unwrap()
}

impl Subject {
    async fn get(&self) -> usize {
        match self {
            Self::Pooled(client, address) => pooled_get(client, *address).await.len(),
            Self::Decoded(client, address) => {
                let answer = pooled_get(client, *address).await;
                let answer: Success<PromptResponse> = serde_json::from_slice(&answer).unwrap();
                answer.data.content.len()
            }
            Self::Transport(transport, address) => {
                transport.send(request(url(*address), *address)).await.unwrap().body().len()
            }
            Self::Client(client) => client.get_prompt("greeting").await.unwrap().content.len(),
        }
    }
}

async fn pooled_get(client: &Client<HttpConnector, Full<Bytes>>, address: SocketAddr) -> Bytes {
    let response = client.request(request(url(address), address)).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/v1/client/prompts/greeting")
}

fn subjects(address: SocketAddr) -> [(&'static str, Subject); 4] {
    let pooled = Arc::new(Client::builder(TokioExecutor::new()).build_http());
    let pipeline = Pipeline::new(HyperTransport::new().unwrap(), &RetryConfig::default());
    let pipeline = SharedTransport::new(pipeline.circuit_breaker());
    let client = PromptOpsClient::builder()
        .base_url(format!("http://{address}/v1"))
        .api_key("po_000000000000000000000000")
        .cache(CacheConfig::none())
        .telemetry(TelemetryConfig::disabled())
        .build()
        .unwrap();
    [
        ("hyper-util legacy client", Subject::Pooled(Arc::clone(&pooled), address)),
        ("hyper-util legacy client and serde_json", Subject::Decoded(pooled, address)),
        ("promptops-transport", Subject::Transport(pipeline, address)),
        ("promptops-client", Subject::Client(client)),
    ]
}

/// One connection of raw hyper, one request at a time.
async fn raw(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn raw_get(sender: &mut SendRequest<Full<Bytes>>, address: SocketAddr) -> Bytes {
    sender.ready().await.unwrap();
    let request = request("/v1/client/prompts/greeting".to_owned(), address);
    let response = sender.send_request(request).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

/// The median time of an expression with an await, in microseconds. A macro, since a future of an
/// async closure is not known to be `Send`.
macro_rules! p50 {
    ($get:expr) => {{
        let mut taken = Vec::with_capacity(LATENCY_REQUESTS);
        for _ in 0..LATENCY_REQUESTS {
            let started = now();
            std::hint::black_box($get);
            taken.push(seconds_since(started) * 1e6);
        }
        median(taken)
    }};
}

/// One request at a time: raw hyper, raw hyper and the decoding of its answer, and each subject.
async fn latency(address: SocketAddr) {
    let mut sender = raw(address).await;
    let subjects = subjects(address);
    let (mut bytes, mut decoded) = (Vec::new(), Vec::new());
    let mut rounds: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        bytes.push(p50!(raw_get(&mut sender, address).await));
        decoded.push(p50!({
            let answer = raw_get(&mut sender, address).await;
            serde_json::from_slice::<Success<PromptResponse>>(&answer).unwrap()
        }));
        for (at, (_, subject)) in subjects.iter().enumerate() {
            rounds[at].push(p50!(subject.get().await));
        }
    }
    let target = Target::AtMost(1.15);
    for ((name, _), medians) in subjects.iter().zip(&rounds) {
        let what = format!("uncached get, p50, 1 at a time: {name}");
        let target = name.starts_with("promptops").then_some(target);
        compare(&what, ("raw hyper connection", &bytes), (medians, "µs"), target);
    }
    let what = "the same: promptops-client, which decodes the answer";
    compare(what, ("raw hyper connection and serde_json", &decoded), (&rounds[3], "µs"), None);
}

/// Requests a second at a concurrency, each subject in turn.
async fn throughput(address: SocketAddr, concurrency: usize) {
    let subjects = subjects(address);
    let mut rounds: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, subject), rates) in subjects.iter().zip(&mut rounds) {
            let started = now();
            let tasks: Vec<_> = (0..concurrency)
                .map(|_| {
                    let subject = subject.clone();
                    tokio::spawn(async move {
                        for _ in 0..THROUGHPUT_REQUESTS / concurrency {
                            subject.get().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            rates.push(count(THROUGHPUT_REQUESTS) / 1e3 / seconds_since(started));
        }
    }
    let target = Some(Target::AtLeast(0.8));
    for ((name, _), rates) in subjects.iter().zip(&rounds).skip(1) {
        let what = format!("the same, throughput at {concurrency}: {name}");
        let target = target.filter(|_| name.starts_with("promptops"));
        compare(&what, ("hyper-util legacy client", &rounds[0]), (rates, "k/s"), target);
    }
    let what = format!("throughput at {concurrency}: promptops-client, which decodes the answer");
    let peer = ("hyper-util legacy client and serde_json", &rounds[1][..]);
    compare(&what, peer, (&rounds[3], "k/s"), None);
}
