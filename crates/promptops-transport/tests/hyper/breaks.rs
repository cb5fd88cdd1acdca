//! Connections that are refused, reset, closed, or say nothing.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use promptops_transport::test_util::{RawServer, Step};
use promptops_transport::{
    Attempts, FreshConnection, HyperTransport, Pipeline, Resolver, Transport,
    TransportErrorKind as Kind,
};
use promptops_types::RetryConfig;
use tokio::net::TcpListener;

use crate::{error, get, ok, server};

/// The URL of a port that nobody listens at.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[tokio::test]
async fn what_breaks_has_its_kind_and_names_the_host() {
    let transport = HyperTransport::new().unwrap();
    let told = error(&transport, &nobody().await).await;
    assert_eq!(told.kind(), Kind::Connect);
    assert!(told.to_string().starts_with("cannot connect to 127.0.0.1:"), "{told}");

    let half = || Step::write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort");
    for (name, answer, said) in [
        ("closed at once", vec![], "broke"),
        ("closed in the head", vec![Step::write("HTTP/1.1 200")], "broke"),
        ("reset in the head", vec![Step::write("HTTP/1.1 200"), Step::Reset], "broke"),
        ("half-closed in the head", vec![Step::HalfClose, Step::Stall], "broke"),
        ("not HTTP", vec![Step::write("SSH-2.0-OpenSSH\r\n\r\n")], "broke"),
        ("closed in the body", vec![half()], "broke off after 5 bytes"),
        ("reset in the body", vec![half(), Step::Stall], "broke off after 5 bytes"),
        ("half-closed in the body", vec![half(), Step::HalfClose, Step::Stall], "broke off"),
    ] {
        let answer = match name {
            "reset in the body" => {
                vec![half(), Step::Drip(" ".into(), Duration::from_millis(20)), Step::Reset]
            }
            _ => answer,
        };
        let server = server(answer).await;
        let told = error(&transport, &server.url("/")).await;
        assert_eq!(told.kind(), Kind::Interrupted, "{name}: {told}");
        let message = told.to_string();
        assert!(message.contains(&server.address().to_string()), "{name}: {message}");
        let said = if name == "reset in the body" { "broke off after 6 bytes" } else { said };
        assert!(message.contains(said), "{name}: {message}");
        assert_eq!(server.requests().len(), 1, "{name}: it was a fresh connection");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_at_the_deadline() {
    let limit = Duration::from_millis(60);
    let stages = Pipeline::new(HyperTransport::new().unwrap(), &RetryConfig::default());
    let alone = HyperTransport::builder().request_timeout(limit).build().unwrap();
    let head = || Step::write("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n");
    let drip = |text: &'static str| Step::Drip(text.into(), Duration::from_millis(25));
    for (name, answer) in [
        ("nothing", vec![Step::Stall]),
        ("no body", vec![head(), Step::Stall]),
        ("a slow head", vec![drip("HTTP/1.1 200 OK\r\n")]),
        ("a slow body", vec![head(), drip("xxxxxxxxxxxxxxxxxxxxxxxxxx")]),
    ] {
        let server = server(answer).await;
        let mut request = get(&server.url("/"));
        request.extensions_mut().insert(stages.deadline(limit));
        let told = stages.send(request).await.unwrap_err();
        assert_eq!((told.kind(), told.attempts()), (Kind::Timeout, 1), "{name}");
        let mut request = get(&server.url("/"));
        request.extensions_mut().insert(stages.deadline(Duration::from_mins(1)));
        let told = alone.send(request).await.unwrap_err();
        assert_eq!(told.kind(), Kind::Timeout, "{name}: a deadline that nobody keeps");
        assert_eq!(told.to_string(), "no answer came within 60ms");
    }
}

#[derive(Debug)]
struct Silent;

impl Resolver for Silent {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn connecting_has_a_time_limit_of_its_own_from_the_name_to_tls() {
    let limit = Duration::from_millis(60);
    let builder = || HyperTransport::builder().connect_timeout(limit);
    let told = error(&builder().resolver(Silent).build().unwrap(), "http://prompts.example/").await;
    assert_eq!(told.kind(), Kind::Connect, "nothing was sent");
    let expected = "cannot connect to prompts.example: it took longer than 60ms";
    assert_eq!(told.to_string(), expected);
    let server = RawServer::start(|_| vec![Step::Stall]).await.unwrap();
    let tls = format!("https://{}/", server.address());
    let told = error(&builder().build().unwrap(), &tls).await;
    assert_eq!(told.kind(), Kind::Connect);
    assert!(told.to_string().contains("it took longer than 60ms"), "{told}");
}

/// Two addresses, of which only the second is listened at.
#[derive(Debug)]
struct BothFamilies;

impl Resolver for BothFamilies {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(host, "prompts.example");
        // 2001:db8::/32 is documentation: nobody is there (RFC 3849).
        Ok(vec!["2001:db8::1".parse().unwrap(), "127.0.0.1".parse().unwrap()])
    }
}

#[tokio::test]
async fn an_address_that_leads_nowhere_does_not_hide_another_one() {
    let server = server(vec![ok()]).await;
    let transport = HyperTransport::builder().resolver(BothFamilies).build().unwrap();
    let url = format!("http://prompts.example:{}/", server.address().port());
    assert_eq!(transport.send(get(&url)).await.unwrap().status(), StatusCode::OK);
    let sent = String::from_utf8_lossy(&server.requests()[0]).to_lowercase();
    assert!(sent.contains("host: prompts.example:"), "{sent}");
}

/// A server whose first connection answers once and closes when it is used again, and whose other
/// connections answer always.
async fn closes_on_reuse() -> RawServer {
    RawServer::start(|number| match number {
        0 => vec![Step::Read, ok(), Step::Read],
        _ => [Step::Read, ok()].into_iter().cycle().take(20).collect(),
    })
    .await
    .unwrap()
}

/// A server that closes as soon as a connection is used again, after one request to it.
async fn used_once(transport: &impl Transport) -> RawServer {
    let server = closes_on_reuse().await;
    transport.send(get(&server.url("/"))).await.unwrap();
    server
}

#[tokio::test]
async fn a_connection_that_closes_on_reuse_is_unseen_where_that_is_safe() {
    // No retries: what is left of the fault would be an error.
    let stages = Pipeline::new(HyperTransport::new().unwrap(), &RetryConfig::none());
    let server = used_once(&stages).await;
    let response = stages.send(get(&server.url("/"))).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Attempts(2)));
    assert_eq!((server.requests().len(), stages.budget().tokens()), (3, 500), "it costs nothing");

    let write = |url: &str| Request::post(url).body(Bytes::from_static(b"{}")).unwrap();
    let server = used_once(&stages).await;
    let told = stages.send(write(&server.url("/"))).await.unwrap_err();
    assert_eq!(told.kind(), Kind::Interrupted, "a write may have been carried out");

    let server = used_once(&stages).await;
    let mut keyed = write(&server.url("/"));
    keyed.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    assert_eq!(stages.send(keyed).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_transport_alone_says_what_died_and_connects_anew_when_asked() {
    let transport = HyperTransport::new().unwrap();
    let server = used_once(&transport).await;
    let told = error(&transport, &server.url("/")).await;
    assert!(told.is_stale_connection() && told.kind() == Kind::Interrupted, "{told:?}");

    let server = used_once(&transport).await;
    let mut request = get(&server.url("/"));
    request.extensions_mut().insert(FreshConnection);
    assert_eq!(transport.send(request).await.unwrap().status(), 200);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_that_breaks_off_on_a_used_connection_is_no_stale_one() {
    let server = RawServer::start(|_| {
        let half = Step::write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort");
        vec![Step::Read, ok(), Step::Read, half]
    })
    .await
    .unwrap();
    let transport = HyperTransport::new().unwrap();
    transport.send(get(&server.url("/"))).await.unwrap();
    let told = error(&transport, &server.url("/")).await;
    assert_eq!((told.kind(), told.is_stale_connection()), (Kind::Interrupted, false));
}
