//! Proxies: they forward, they tunnel, they ask for a password.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use promptops_transport::test_util::{RawServer, Step};
use promptops_transport::{HyperTransport, Transport, TransportErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::tls::{Identity, answer};
use crate::{error, get, ok, server};

#[tokio::test]
async fn a_proxy_forwards_plain_requests_and_is_told_who_asks() {
    let proxy = server(vec![ok()]).await;
    let url = format!("http://user:pass%20word@{}", proxy.address());
    let transport = HyperTransport::builder().proxy(url).build().unwrap();
    transport.send(get("http://prompts.example:8080/v1?a=b")).await.unwrap();
    let sent = String::from_utf8_lossy(&proxy.requests()[0]).into_owned();
    assert!(sent.starts_with("GET http://prompts.example:8080/v1?a=b HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("host: prompts.example:8080\r\n"), "{sent}");
    assert!(sent.contains("proxy-authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n"), "{sent}");

    let here = server(vec![ok()]).await;
    transport.send(get(&here.url("/"))).await.unwrap();
    let sent = String::from_utf8_lossy(&here.requests()[0]).into_owned();
    assert!(sent.starts_with("GET / ") && !sent.contains("proxy-authorization"), "{sent}");
}

/// A proxy that notes the head of each request to it and tunnels to `to`.
async fn tunnel(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            noted.lock().unwrap().push(String::from_utf8(head).unwrap());
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
            pipe(stream, to).await;
        }
    });
    (address, heads)
}

async fn pipe(mut stream: TcpStream, to: SocketAddr) {
    let mut target = TcpStream::connect(to).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
}

#[tokio::test]
async fn a_tunnel_hides_everything_but_the_host() {
    let identity = Identity::of("prompts.example");
    let port = identity.serve(&[], answer).await;
    let (address, heads) = tunnel(SocketAddr::from(([127, 0, 0, 1], port))).await;
    let transport = HyperTransport::builder()
        .proxy(format!("http://user:pw@{address}"))
        .certificate_authority(identity.der())
        .build()
        .unwrap();
    let mut request = get("https://prompts.example/v1/secret");
    request.headers_mut().insert("authorization", "Bearer po_key".parse().unwrap());
    assert_eq!(transport.send(request).await.unwrap().status(), 200);
    let head = heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("CONNECT prompts.example:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic dXNlcjpwdw==\r\n"), "{head}");
    assert!(!head.contains("po_key") && !head.contains("/v1/secret"), "{head}");

    // The registry's certificate is checked, not the proxy's word.
    let distrusting = HyperTransport::builder().proxy(format!("http://{address}")).build().unwrap();
    let told = error(&distrusting, "https://prompts.example/").await;
    assert_eq!(told.kind(), TransportErrorKind::UntrustedPeer);
}

#[tokio::test]
async fn a_proxy_over_tls_is_checked_too() {
    let inner = Identity::of("prompts.example");
    let target = SocketAddr::from(([127, 0, 0, 1], inner.serve(&[], answer).await));
    let outer = Identity::of("localhost");
    let port = outer
        .serve(&["h2", "http/1.1"], move |mut stream| async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            assert!(head.starts_with(b"CONNECT "));
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut target = TcpStream::connect(target).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
        })
        .await;
    let proxied = || HyperTransport::builder().proxy(format!("https://localhost:{port}"));
    let transport = proxied()
        .certificate_authority(inner.der())
        .certificate_authority(outer.der())
        .build()
        .unwrap();
    assert_eq!(transport.send(get("https://prompts.example/")).await.unwrap().status(), 200);
    let distrusting = proxied().certificate_authority(inner.der()).build().unwrap();
    let told = error(&distrusting, "https://prompts.example/").await;
    assert_eq!(told.kind(), TransportErrorKind::UntrustedPeer, "{told}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let refuses = RawServer::start(|_| {
        vec![Step::Read, Step::answer("407 Proxy Authentication Required", "")]
    })
    .await
    .unwrap();
    let url = format!("http://user:hunter2@{}", refuses.address());
    let transport = HyperTransport::builder().proxy(url).build().unwrap();
    let told = error(&transport, "https://prompts.example/").await;
    assert_eq!(told.kind(), TransportErrorKind::Connect);
    let message = told.to_string();
    let proxy = format!("through the proxy http://{}/: ", refuses.address());
    assert!(message.starts_with("cannot connect to prompts.example: "), "{message}");
    assert!(message.contains(&proxy) && message.contains("proxy authorization"), "{message}");
    assert!(!message.contains("hunter2") && !format!("{told:?}").contains("hunter2"), "{told:?}");
}

/// A SOCKS 5 proxy (RFC 1928) without authentication that tunnels to `to`, whatever it is asked for;
/// gives what it was asked for.
async fn socks(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; usize::from(greeting[1])];
        stream.read_exact(&mut methods).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(head[..4], [5, 1, 0, 3], "a connection by name");
        let mut name = vec![0; usize::from(head[4]) + 2];
        stream.read_exact(&mut name).await.unwrap();
        noted.lock().unwrap().extend(name);
        stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await.unwrap();
        pipe(stream, to).await;
    });
    (address, asked)
}

#[tokio::test]
async fn a_socks_proxy_resolves_the_name() {
    let registry = server(vec![ok()]).await;
    let (address, asked) = socks(registry.address()).await;
    let proxy = format!("socks5h://{address}");
    let transport = HyperTransport::builder().proxy(proxy).build().unwrap();
    let url = "http://prompts.example:8080/v1";
    assert_eq!(transport.send(get(url)).await.unwrap().status(), 200);
    assert_eq!(*asked.lock().unwrap(), [b"prompts.example", &8080_u16.to_be_bytes()[..]].concat());
    let sent = String::from_utf8_lossy(&registry.requests()[0]).into_owned();
    assert!(sent.starts_with("GET /v1 HTTP/1.1\r\n"), "{sent}");
}
