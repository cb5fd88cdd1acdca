//! HTTP/2, where it is asked for.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use promptops_transport::{HyperTransport, HyperTransportBuilder, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

use crate::get;
use crate::tls::{Identity, answer};

fn builder(identity: &Identity) -> HyperTransportBuilder {
    HyperTransport::builder().certificate_authority(identity.der())
}

/// Answers with the version that a request came by.
async fn serve(stream: TlsStream<TcpStream>) {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(format!("{:?}", request.version())))
    });
    let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[tokio::test]
async fn many_requests_share_one_connection_where_both_sides_want_it() {
    let identity = Identity::of("localhost");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let port = identity
        .serve(&["h2", "http/1.1"], move |stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            serve(stream)
        })
        .await;
    let url = format!("https://localhost:{port}/");
    let transport = builder(&identity).http2(true).build().unwrap();
    assert_eq!(transport.send(get(&url)).await.unwrap().body(), "HTTP/2.0");
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (transport, url) = (transport.clone(), url.clone());
            tokio::spawn(async move { transport.send(get(&url)).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().body(), "HTTP/2.0");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);

    let unasked = builder(&identity).build().unwrap();
    assert_eq!(unasked.send(get(&url)).await.unwrap().body(), "HTTP/1.1");
    let old = format!("https://localhost:{}/", identity.serve(&["http/1.1"], answer).await);
    assert_eq!(transport.send(get(&old)).await.unwrap().status(), 200, "the peer decides");
}

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const HEADERS: u8 = 1;
const ACK: u8 = 1;

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Answers requests and tells of pings, but does not answer those; tells when the peer closes.
async fn deaf(mut stream: TlsStream<TcpStream>, told: mpsc::UnboundedSender<&'static str>) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            break;
        }
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.unwrap();
        match head[3] {
            SETTINGS if head[4] & ACK == 0 => {
                stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await.unwrap();
            }
            // END_STREAM and END_HEADERS; 0x88 is `:status: 200` (RFC 7541, appendix A).
            HEADERS => stream.write_all(&frame(HEADERS, 5, head[8], &[0x88])).await.unwrap(),
            PING if head[4] & ACK == 0 => told.send("ping").unwrap(),
            _ => {}
        }
    }
    told.send("closed").unwrap();
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let identity = Identity::of("localhost");
    let (told, mut events) = mpsc::unbounded_channel();
    let port = identity.serve(&["h2"], move |stream| deaf(stream, told.clone())).await;
    let transport = builder(&identity).http2(true).build().unwrap();
    let url = format!("https://localhost:{port}/");
    assert_eq!(transport.send(get(&url)).await.unwrap().status(), 200);
    // From here on nothing happens but timers: time runs as fast as they do.
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    assert_eq!(events.recv().await, Some("ping"));
    assert_eq!(events.recv().await, Some("closed"));
    assert!(started.elapsed().as_secs() < 40, "{:?}", started.elapsed());
}
