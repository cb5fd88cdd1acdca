//! `HyperTransport` against real sockets: what comes back, what breaks, and what is refused.
#![cfg(feature = "rustls")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod breaks;
#[cfg(feature = "http2")]
mod http2;
mod proxies;
mod tls;

use bytes::Bytes;
use http::Request;
use promptops_transport::test_util::{RawServer, Step};
use promptops_transport::{Transport, TransportError};

fn ok() -> Step {
    Step::write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\n{}")
}

/// A server that does the same on each connection, after it has read a request.
async fn server(answer: Vec<Step>) -> RawServer {
    let script = move |_| [vec![Step::Read], answer.clone()].concat();
    RawServer::start(script).await.unwrap()
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

async fn error(transport: &impl Transport, url: &str) -> TransportError {
    transport.send(get(url)).await.unwrap_err()
}
