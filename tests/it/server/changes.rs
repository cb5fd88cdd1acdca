//! The change feed.

use std::time::Duration;

use promptops_client::{NewPrompt, PromptUpdate};
use promptops_server::{Access, MasterKey, NewKey, Registry};
use promptops_transport::{Clock, TokioClock};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{all, start, start_with};

#[tokio::test]
async fn what_was_changed_is_told_in_order_from_a_cursor_on() {
    let server = start().await;
    let client = server.client(&server.admin);
    for (name, project) in [("A", "support"), ("B", "sales"), ("C", "support")] {
        client.create_prompt(NewPrompt::new(name, "x")).project(project).await.unwrap();
    }
    let first = server.get("/v1/client/changes?limit=2", &server.admin).await.body["data"].clone();
    assert_eq!((first["changes"].as_array().unwrap().len(), &first["has_more"]), (2, &true.into()));
    let cursor = first["next_cursor"].as_str().unwrap();
    let path = format!("/v1/client/changes?since={cursor}");
    let rest = server.get(&path, &server.admin).await.body["data"].clone();
    assert_eq!(rest["changes"][0]["slug"], "c");
    assert_eq!(rest["has_more"], false);
    let of = server.get("/v1/client/changes?project_id=sales", &server.admin).await;
    assert_eq!(of.body["data"]["changes"].as_array().unwrap().len(), 1);
    let new = NewKey { projects: Some(["sales".to_owned()].into()), ..all() };
    let (_, narrow) = server.key(new).await;
    let seen = server.get("/v1/client/changes", &narrow).await.body["data"]["changes"].clone();
    assert_eq!((seen.as_array().unwrap().len(), &seen[0]["slug"]), (1, &"b".into()));
    let hidden = server.get("/v1/client/changes?project_id=support", &narrow).await;
    assert_eq!(hidden.body["data"]["changes"].as_array().unwrap().len(), 0);
    let now = server.get("/v1/client/changes?since=now", &server.admin).await.body["data"].clone();
    assert_eq!(
        (now["changes"].as_array().unwrap().len(), &now["next_cursor"]),
        (0, &rest["next_cursor"])
    );
    let wrong = server.get("/v1/client/changes?since=7", &server.admin).await;
    assert_eq!(wrong.status, 422);
}

#[tokio::test]
async fn a_request_waits_for_a_change() {
    let server = start().await;
    let client = server.client(&server.admin);
    let waiting = server.get("/v1/client/changes?wait=30", &server.admin);
    let change = async {
        TokioClock.sleep(Duration::from_millis(50)).await;
        client.create_prompt(NewPrompt::new("A", "x")).await.unwrap();
    };
    let (answer, ()) = tokio::join!(waiting, change);
    assert_eq!(answer.body["data"]["changes"][0]["slug"], "a");
}

#[tokio::test]
async fn a_stream_of_events_goes_on_and_ends_with_the_server() {
    let server = start().await;
    let client = server.client(&server.admin);
    client.create_prompt(NewPrompt::new("A", "x")).await.unwrap();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut stream = BufReader::new(stream);
    let request = format!(
        "GET /v1/client/changes HTTP/1.1\r\nhost: h\r\naccept: text/event-stream\r\n\
         authorization: Bearer {}\r\n\r\n",
        server.admin.expose()
    );
    stream.get_mut().write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    let mut ids = Vec::new();
    for update in 0..3 {
        loop {
            line.clear();
            assert!(stream.read_line(&mut line).await.unwrap() > 0, "it ended");
            if let Some(id) = line.strip_prefix("id: ") {
                ids.push(id.trim().to_owned());
                break;
            }
        }
        let content = format!("text {update}");
        client.update_prompt("a", PromptUpdate::new().content(content)).await.unwrap();
    }
    assert_eq!(ids, ["c1", "c2", "c3"]);
    server.stopper.stop();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {}
    server.task.await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_with_the_key_that_it_was_asked_with() {
    let server = start().await;
    let client = server.client(&server.admin);
    let (key, text) = server.key(all()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "GET /v1/client/changes HTTP/1.1\r\nhost: h\r\naccept: text/event-stream\r\n\
         authorization: Bearer {}\r\n\r\n",
        text.expose()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut seen = String::new();
    client.create_prompt(NewPrompt::new("before", "x")).await.unwrap();
    while !seen.contains("before") {
        assert!(stream.read_line(&mut seen).await.unwrap() > 0, "it ended: {seen}");
    }
    server.registry.revoke_key(&Access::full("test"), &key.id).await.unwrap();
    client.create_prompt(NewPrompt::new("after", "x")).await.unwrap();
    // A chunk of nothing is the end of the answer.
    while !seen.ends_with("\r\n0\r\n") && stream.read_line(&mut seen).await.unwrap() > 0 {}
    assert!(!seen.contains("\"slug\":\"after\""), "{seen}");
}

#[tokio::test]
async fn what_another_process_writes_to_the_file_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let master = MasterKey::random().unwrap();
    let server = start_with(Registry::open(&path).unwrap(), master).await;
    let other = Registry::open(&path).unwrap();
    let waiting = server.get("/v1/client/changes?wait=30", &server.admin);
    let change = async {
        TokioClock.sleep(Duration::from_millis(50)).await;
        let access = Access::full("other");
        other.create(&access, None, NewPrompt::new("A", "x")).await.unwrap();
    };
    let (answer, ()) = tokio::join!(waiting, change);
    assert_eq!(answer.body["data"]["changes"][0]["slug"], "a");
}
