//! Connections: slow ones, many of them, and those there are when the server stops.

use std::net::SocketAddr;
use std::time::Duration;

use promptops_client::{ErrorKind, HyperTransport, NewPrompt, PromptOpsClient, RetryConfig};
use promptops_server::{Access, MasterKey, Registry, Server, ServerConfig, TlsFiles};
use promptops_transport::{Clock, TokioClock};
use promptops_types::TimeSource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{all, start};
use crate::faults::since;

async fn is_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // An answer may come first; a reset is an end too.
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_request_that_does_not_come_is_not_waited_for() {
    let server = start().await;
    let started = TokioClock.monotonic();
    let mut slow = Vec::new();
    for part in [
        "",
        "GET /livez HTTP/1.1\r\nhost:",
        "POST /v1/client/auth/validate HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\n{",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(part.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.send("GET /livez", "", "").await.status, 200, "others are not held up");
    for stream in &mut slow {
        is_closed(stream).await;
    }
    assert!(since(started) >= Duration::from_secs(9), "they have their time");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head =
        "POST /v1/client/auth/validate HTTP/1.1\r\nhost: h\r\ncontent-length: 9000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    let long = format!("GET /v1/client/prompts/{}", "x".repeat(100_000));
    let status = server.send(&long, "", "").await.status;
    assert!(matches!(status, 414 | 431), "{status}");
}

#[tokio::test]
async fn nothing_large_is_read_for_somebody_without_a_key() {
    let server = start().await;
    for length in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST /v1/client/prompts HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n\
             {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // Nothing of the body is sent.
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
    let long = format!("GET /{}", "x".repeat(10_000));
    let answer = server.send(&long, "", "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.body["error"]["message"].as_str().unwrap().len() < 1000, "{answer:?}");
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_is_under_way() {
    let server = start().await;
    let client = server.client(&server.admin);
    client.create_prompt(NewPrompt::new("A", "x")).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET /livez HTTP/1.1\r\nho").await.unwrap();
    let waiting = tokio::spawn({
        let (address, admin) = (server.address, server.admin.clone());
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!(
                "GET /v1/client/changes?since=c99&wait=60 HTTP/1.1\r\nhost: h\r\n\
                 authorization: Bearer {}\r\n\r\n",
                admin.expose()
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }
    });
    TokioClock.sleep(Duration::from_millis(100)).await;
    let started = TokioClock.monotonic();
    server.stopper.stop();
    assert!(waiting.await.unwrap().starts_with("HTTP/1.1 200"), "it was answered");
    is_closed(&mut half).await;
    server.task.await.unwrap();
    assert!(since(started) < Duration::from_secs(11), "{:?}", since(started));
    let error = client.get_prompt("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
}

#[tokio::test]
async fn certificates_are_read_again_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert: folder.path().join("cert"), key: folder.path().join("key") };
    // One that is trusted, then one that is not.
    let write = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.cert, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.pem()
    };
    let trusted = write();
    let registry = Registry::in_memory().unwrap();
    let (_, admin) = registry.create_key(&Access::full("test"), all()).await.unwrap();
    let mut config = ServerConfig::default();
    config.tls = Some(files.clone());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let master = MasterKey::random().unwrap();
    let server = Server::bind(any, registry, master, config).await.unwrap();
    let (port, reloader) = (server.local_addr().unwrap().port(), server.reloader());
    tokio::spawn(server.run());
    let call = async || {
        let transport = HyperTransport::builder().certificate_authority(trusted.as_bytes());
        let client = PromptOpsClient::builder()
            .base_url(format!("https://localhost:{port}/v1"))
            .api_key(admin.clone())
            .retry(RetryConfig::none())
            .transport(transport.build().unwrap())
            .build()
            .unwrap();
        client.list_prompts().await.map(|prompts| prompts.len())
    };
    assert_eq!(call().await.unwrap(), 0);
    std::fs::write(&files.cert, "nothing").unwrap();
    let error = reloader.reload().unwrap_err().to_string();
    assert!(error.contains("cert"), "{error}");
    assert_eq!(call().await.unwrap(), 0, "those there were stay");
    write();
    reloader.reload().unwrap();
    assert_eq!(call().await.unwrap_err().kind(), ErrorKind::Network, "another certificate");
}
