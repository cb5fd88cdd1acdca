//! Row 37, the server's part: what is published at one server is told by the feed of another.

use std::time::Duration;

use promptops_client::NewPrompt;
use promptops_registry::Registry;
use promptops_server::MasterKey;
use promptops_transport::TokioClock;
use promptops_types::TimeSource;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{row, runs, since};
use crate::postgres;
use crate::server::{Running, start_with};

/// An open feed of a server.
async fn feed(server: &Running) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "GET /v1/client/changes HTTP/1.1\r\nhost: h\r\naccept: text/event-stream\r\n\
         authorization: Bearer {}\r\n\r\n",
        server.admin.expose()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    BufReader::new(stream)
}

/// Publishes at one server and waits until the other one's feed tells; gives the longest time.
async fn told(one: Registry, other: Registry, publishes: usize) -> Duration {
    let master = MasterKey::random().unwrap();
    let one = start_with(one, master.clone()).await;
    let other = start_with(other, master).await;
    let client = one.client(&one.admin);
    let mut feed = feed(&other).await;
    let mut slowest = Duration::ZERO;
    let mut line = String::new();
    for number in 0..publishes {
        let slug = format!("p-{number}");
        client.create_prompt(NewPrompt::new(&slug, "x").slug(&slug)).await.unwrap();
        let started = TokioClock.monotonic();
        while !line.contains(&format!("\"slug\":\"{slug}\"")) {
            line.clear();
            assert!(feed.read_line(&mut line).await.unwrap() > 0, "it ended");
        }
        slowest = slowest.max(since(started));
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_37_the_feed_of_one_server_tells_of_another() {
    let publishes = runs(1000);
    let database = postgres::server::Server::start().await;
    let url = database.database();
    let on_postgres = async || Registry::new(database.open(&url).await);
    let by_database = told(on_postgres().await, on_postgres().await, publishes).await;
    let folder = tempfile::tempdir().unwrap();
    let open = || Registry::open(folder.path().join("prompts.db")).unwrap();
    // A file tells nobody: it is looked at every half a second.
    let by_file = told(open(), open(), publishes.div_ceil(20)).await;
    let is_met = by_database.max(by_file) < Duration::from_secs(1);
    let measured = format!(
        "{publishes} of {publishes} within {:.3} s through PostgreSQL, {:.3} s through one SQLite file",
        by_database.as_secs_f64(),
        by_file.as_secs_f64()
    );
    let promised = "told by the change feed within 1 s";
    row(37, "published at one server, told by another's feed", promised, measured, is_met);
}
