//! Answers that come, and what is made of them.

use std::io::Write;

use bytes::Bytes;
use http::Request;
use promptops_transport::test_util::{RawServer, Step};
use promptops_transport::{HyperTransport, Transport, TransportErrorKind};

use crate::{error, get, ok, server};

#[tokio::test]
async fn a_response_comes_back_whole_whatever_its_status() {
    let transport = HyperTransport::new().unwrap();
    let response = transport.send(get(&server(vec![ok()]).await.url("/v1"))).await.unwrap();
    let header = response.headers()["x-a"].to_str().unwrap();
    assert_eq!((response.status().as_u16(), header), (200, "b"));
    assert_eq!(response.body(), "{}");
    assert!(response.extensions().is_empty(), "nothing of ours is left on it");

    let elsewhere = server(vec![ok()]).await;
    let location = elsewhere.url("/");
    let moved = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let moved = server(vec![Step::write(moved)]).await;
    let response = transport.send(get(&moved.url("/"))).await.unwrap();
    assert_eq!((response.status().as_u16(), elsewhere.connections()), (302, 0), "not followed");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let script = |_| [Step::Read, ok()].into_iter().cycle().take(20).collect();
    let server = RawServer::start(script).await.unwrap();
    let transport = HyperTransport::new().unwrap();
    for _ in 0..10 {
        transport.clone().send(get(&server.url("/"))).await.unwrap();
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 10));
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made() {
    let server = server(vec![ok()]).await;
    let request = Request::put(server.url("/a%2Fb?x=%26&y=z"))
        .header("x-a", "b")
        .body(Bytes::from_static(b"\0body"))
        .unwrap();
    HyperTransport::new().unwrap().send(request).await.unwrap();
    let sent = String::from_utf8(server.requests()[0].to_vec()).unwrap();
    let address = server.address();
    assert!(sent.starts_with("PUT /a%2Fb?x=%26&y=z HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains(&format!("\r\nhost: {address}\r\n")), "{sent}");
    assert!(sent.contains("x-a: b") && sent.ends_with("\r\n\r\n\0body"), "{sent}");
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A server that answers with this body, as gzip, in pieces.
async fn compressed(body: &[u8], pieces: usize) -> RawServer {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n");
    let pieces = body.chunks(length.div_ceil(pieces)).map(Bytes::copy_from_slice).map(Step::Write);
    server([Step::write(head)].into_iter().chain(pieces).collect()).await
}

#[tokio::test]
async fn compressed_answers_are_decoded_within_the_limit() {
    let transport = HyperTransport::builder().max_body_bytes(10_000).build().unwrap();
    for pieces in [1, 7] {
        let text = "prompt ".repeat(1000);
        let server = compressed(&gzip(text.as_bytes()), pieces).await;
        let response = transport.send(get(&server.url("/"))).await.unwrap();
        assert_eq!(response.body(), &text);
        assert!(!response.headers().contains_key("content-encoding"));
        assert!(!response.headers().contains_key("content-length"));
        let request = String::from_utf8_lossy(&server.requests()[0]).to_lowercase();
        assert!(request.contains("accept-encoding: gzip"), "{request}");
    }
    let twice = [gzip(b"one, "), gzip(b"two")].concat();
    let server = compressed(&twice, 1).await;
    let response = transport.send(get(&server.url("/"))).await.unwrap();
    assert_eq!(response.body(), "one, two", "members follow one another (RFC 1952)");
    let nothing = "HTTP/1.1 304 Not Modified\r\ncontent-encoding: gzip\r\n\r\n";
    let server = self::server(vec![Step::write(nothing)]).await;
    let response = transport.send(get(&server.url("/"))).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body().len()), (304, 0));

    let bomb = gzip(&vec![b'0'; 5_000_000]);
    assert!(bomb.len() < 10_000);
    let told = error(&transport, &compressed(&bomb, 1).await.url("/")).await;
    assert_eq!(told.kind(), TransportErrorKind::InvalidResponse);
    assert!(told.to_string().contains("larger than 10000 bytes; it begins `000"), "{told}");
    let whole = gzip(b"{}");
    for damaged in [b"no gzip at all".to_vec(), whole[..whole.len() - 4].to_vec()] {
        let told = error(&transport, &compressed(&damaged, 1).await.url("/")).await;
        assert_eq!(told.kind(), TransportErrorKind::InvalidResponse);
        assert!(told.to_string().contains("is not gzip, though it says so"), "{told}");
    }
}

#[tokio::test]
async fn no_answer_is_larger_than_the_limit() {
    let transport = HyperTransport::builder().max_body_bytes(1000).build().unwrap();
    let exactly = server(vec![Step::answer("200 OK", &"x".repeat(1000))]).await;
    assert_eq!(transport.send(get(&exactly.url("/"))).await.unwrap().body().len(), 1000);

    let said = "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n<html>";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = Bytes::from_static(b"100\r\n<html>").to_vec();
    let chunk = Bytes::from([chunk, vec![b'x'; 250], b"\r\n".to_vec()].concat());
    for answer in [
        vec![Step::write(said), Step::Stall],
        vec![Step::answer("200 OK", &format!("<html>{}", "x".repeat(1000)))],
        vec![Step::write(chunked), Step::Endless(chunk)],
    ] {
        let told = error(&transport, &server(answer).await.url("/")).await;
        assert_eq!(told.kind(), TransportErrorKind::InvalidResponse);
        let message = told.to_string();
        assert!(message.contains("larger than 1000 bytes; it begins `<html>"), "{message}");
        assert!(message.len() < 400, "{message}");
    }
}

#[tokio::test]
async fn a_key_does_not_leave_the_machine_unencrypted() {
    let with = |url: &str, name: &str, is_sensitive: bool| {
        let mut request = get(url);
        let mut value: http::HeaderValue = "Bearer po_secret".parse().unwrap();
        value.set_sensitive(is_sensitive);
        request.headers_mut().insert(name.parse::<http::HeaderName>().unwrap(), value);
        request
    };
    let transport = HyperTransport::new().unwrap();
    for url in ["http://prompts.example/v1", "http://10.0.0.1/", "http://[2001:db8::1]/"] {
        for request in [with(url, "authorization", false), with(url, "x-key", true)] {
            let told = transport.send(request).await.unwrap_err();
            assert_eq!(told.kind(), TransportErrorKind::InvalidRequest, "{url}");
            assert!(told.to_string().contains("unencrypted"), "{told}");
            assert!(!told.to_string().contains("secret"), "{told}");
        }
    }
    let server = server(vec![ok()]).await;
    transport.send(with(&server.url("/"), "authorization", true)).await.unwrap();
}
