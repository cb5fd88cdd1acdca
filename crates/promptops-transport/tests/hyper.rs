//! `HyperTransport` against real sockets: what comes back, what breaks, and what is refused.
#![cfg(feature = "rustls")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use promptops_transport::{
    HyperTransport, Pipeline, Transport, TransportError, TransportErrorKind,
};
use promptops_types::RetryConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::{TlsAcceptor, rustls};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\n{}";

/// Reads the head of a request.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A server that answers each connection's first request with these bytes and then closes.
async fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

async fn error(transport: &impl Transport, url: &str) -> TransportError {
    transport.send(get(url)).await.unwrap_err()
}

#[tokio::test]
async fn a_response_comes_back_whole_whatever_its_status() {
    let transport = HyperTransport::new().unwrap();
    let response = transport.send(get(&server(OK).await)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-a"]),
        (200, &"b".parse().unwrap())
    );
    assert_eq!(response.body(), "{}");
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let response = transport.send(get(&server(moved).await)).await.unwrap();
    assert_eq!(response.status(), 302, "redirects are not followed");
}

#[tokio::test]
async fn what_breaks_has_its_kind_and_names_the_host() {
    let transport = HyperTransport::builder().max_body_bytes(1000).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let told = error(&transport, &refused).await;
    assert_eq!(told.kind(), TransportErrorKind::Connect);
    assert!(told.to_string().starts_with("cannot connect to 127.0.0.1:"), "{told}");

    let endless: &str = Box::leak(
        format!("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{}", "x".repeat(5000))
            .into_boxed_str(),
    );
    for (answer, kind) in [
        ("", TransportErrorKind::Interrupted),
        ("HTTP/1.1 200", TransportErrorKind::Interrupted),
        ("SSH-2.0-OpenSSH\r\n\r\n", TransportErrorKind::Interrupted),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", TransportErrorKind::Interrupted),
        (endless, TransportErrorKind::InvalidResponse),
    ] {
        let told = error(&transport, &server(answer).await).await;
        assert_eq!(told.kind(), kind, "{answer:.40}: {told}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let connections = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            read_head(&mut stream).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    });
    let transport = HyperTransport::new().unwrap();
    for _ in 0..3 {
        transport.clone().send(get(&url)).await.unwrap();
    }
    connections.await.unwrap();
}

/// A server whose first connection answers once and closes when it is used again, and whose other
/// connections answer always.
async fn closes_on_reuse() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        read_head(&mut stream).await;
        drop(stream);
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await;
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn a_connection_that_closes_on_reuse_is_unseen_where_that_is_safe() {
    let transport = HyperTransport::new().unwrap();
    let url = closes_on_reuse().await;
    for _ in 0..3 {
        assert_eq!(transport.send(get(&url)).await.unwrap().status(), 200);
    }

    let url = closes_on_reuse().await;
    transport.send(get(&url)).await.unwrap();
    let write = Request::post(&url).body(Bytes::from_static(b"{}")).unwrap();
    let told = transport.send(write).await.unwrap_err();
    assert_eq!(told.kind(), TransportErrorKind::Interrupted, "a write may have been carried out");
}

/// A server that answers with this body, as gzip.
async fn compressed(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(read_head(&mut stream).await.contains("accept-encoding: gzip"));
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
    });
    url
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_answers_are_decoded_within_the_limit() {
    let transport = HyperTransport::builder().max_body_bytes(10_000).build().unwrap();
    let response = transport.send(get(&compressed(gzip(b"{}")).await)).await.unwrap();
    assert_eq!(response.body(), "{}");
    assert!(!response.headers().contains_key("content-encoding"));

    let bomb = gzip(&vec![0; 5_000_000]);
    assert!(bomb.len() < 10_000);
    let told = error(&transport, &compressed(bomb).await).await;
    assert_eq!(told.kind(), TransportErrorKind::InvalidResponse);
    let told = error(&transport, &compressed(b"no gzip at all".to_vec()).await).await;
    assert!(told.to_string().contains("not gzip"), "{told}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let stages = Pipeline::new(HyperTransport::new().unwrap(), &RetryConfig::default());
    let mut request = get(&url);
    request.extensions_mut().insert(stages.deadline(Duration::from_millis(50)));
    let told = stages.send(request).await.unwrap_err();
    assert_eq!(told.kind(), TransportErrorKind::Timeout);
}

#[tokio::test]
async fn a_key_does_not_leave_the_machine_unencrypted() {
    let with_key = |url: &str| {
        let mut request = get(url);
        request.headers_mut().insert("authorization", "Bearer po_secret".parse().unwrap());
        request
    };
    let transport = HyperTransport::new().unwrap();
    for url in ["http://prompts.example/v1", "http://10.0.0.1/", "http://[2001:db8::1]/"] {
        let told = transport.send(with_key(url)).await.unwrap_err();
        assert_eq!(told.kind(), TransportErrorKind::InvalidRequest, "{url}");
        assert!(told.to_string().contains("unencrypted") && !told.to_string().contains("secret"));
    }
    transport.send(with_key(&server(OK).await)).await.unwrap();
}

/// A TLS server for one host name, and the certificate that vouches for it.
async fn tls_server(name: &str, expired: bool) -> (u16, Vec<u8>) {
    let mut parameters = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    if expired {
        parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let der = certificate.der().to_vec();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                answer(&mut stream).await;
            }
        }
    });
    (port, der)
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let head = read_head(stream).await;
    assert!(head.starts_with(Method::GET.as_str()), "{head}");
    let _ = stream.write_all(OK.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn certificates_are_checked() {
    let trusting =
        |der: Vec<u8>| HyperTransport::builder().certificate_authority(der).build().unwrap();
    let (port, der) = tls_server("localhost", false).await;
    let url = format!("https://localhost:{port}/");
    assert_eq!(trusting(der).send(get(&url)).await.unwrap().status(), 200);

    let unknown = error(&HyperTransport::new().unwrap(), &url).await;
    assert_eq!(unknown.kind(), TransportErrorKind::Connect);
    assert!(unknown.to_string().contains("certificate"), "{unknown}");

    let (port, der) = tls_server("other.example", false).await;
    let wrong = error(&trusting(der), &format!("https://localhost:{port}/")).await;
    assert!(wrong.to_string().contains("not valid for name"), "{wrong}");

    let (port, der) = tls_server("localhost", true).await;
    let expired = error(&trusting(der), &format!("https://localhost:{port}/")).await;
    assert!(expired.to_string().contains("expired"), "{expired}");

    let nonsense = HyperTransport::builder().certificate_authority(b"nonsense".to_vec()).build();
    assert!(nonsense.unwrap_err().to_string().contains("not a certificate"));
}
