//! Several servers: on one PostgreSQL, and with limits shared through Redis.

use std::net::SocketAddr;
use std::time::Duration;

use promptops_client::NewPrompt;
use promptops_registry::{PostgresOptions, PostgresStore};
use promptops_server::{Access, MasterKey, NewKey, Registry, Server, ServerConfig};
use promptops_transport::{Clock, TokioClock};
use promptops_types::Secret;

use super::{Running, all};
use crate::{postgres, redis};

async fn node(registry: Registry, master: &MasterKey, config: ServerConfig) -> Running {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(any, registry.clone(), master.clone(), config).await.unwrap();
    let (address, stopper) = (server.local_addr().unwrap(), server.stopper());
    let task = tokio::spawn(server.run());
    let (_, admin) = registry.create_key(&Access::full("test"), all()).await.unwrap();
    Running { address, registry, master: master.clone(), stopper, task, admin }
}

async fn on_postgres(url: &Secret, master: &MasterKey) -> Running {
    let store = PostgresStore::open(url, &PostgresOptions::default()).await.unwrap();
    node(Registry::new(store), master, ServerConfig::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_share_a_database_are_one() {
    let database = postgres::server::Server::start().await;
    let (url, master) = (database.database(), MasterKey::random().unwrap());
    let (one, other) = (on_postgres(&url, &master).await, on_postgres(&url, &master).await);

    // A key of one is a key of the other, its secret too; and so is its end.
    let header = format!("authorization: Bearer {}\r\n", one.admin.expose());
    let made = one.send("POST /v1/client/auth/api-keys", &header, r#"{"name": "new"}"#).await;
    let (id, text) = (&made.body["data"]["id"], &made.body["data"]["api_key"]);
    assert_eq!(
        made.body["data"]["secret_key"],
        other.master.secret(id.as_str().unwrap()).expose(),
        "what one gives, the other knows"
    );
    let key = Secret::new(text.as_str().unwrap());
    assert_eq!(other.get("/v1/client/prompts", &key).await.status, 200);
    let revoke = format!("DELETE /v1/client/auth/api-keys/{}", id.as_str().unwrap());
    assert_eq!(one.send(&revoke, &header, "").await.status, 200);
    assert_eq!(other.get("/v1/client/prompts", &key).await.status, 401, "from the next request");

    // What is published at one is told by the feed of the other.
    let client = one.client(&one.admin);
    let waiting = other.get("/v1/client/changes?wait=30", &other.admin);
    let publishing = async {
        TokioClock.sleep(Duration::from_millis(50)).await;
        client.create_prompt(NewPrompt::new("A", "x")).await.unwrap();
    };
    let (told, ()) = tokio::join!(waiting, publishing);
    assert_eq!(told.body["data"]["changes"][0]["slug"], "a");

    // A write that is sent again to the other is made once.
    let header = format!("{header}idempotency-key: k-1\r\n");
    let body = r#"{"name": "Once", "content": "x"}"#;
    let first = one.send("POST /v1/client/prompts", &header, body).await;
    let again = other.send("POST /v1/client/prompts", &header, body).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body["data"], again.body["data"]);
    let list = other.get("/v1/client/prompts?query=once", &other.admin).await;
    assert_eq!(list.body["data"]["total"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_that_of_all_servers_together() {
    let shared = redis::server::Server::start().await;
    let registry = Registry::in_memory().unwrap();
    let master = MasterKey::random().unwrap();
    let mut config = ServerConfig::default();
    config.redis = Some(Secret::new(shared.url()));
    let one = node(registry.clone(), &master, config.clone()).await;
    let other = node(registry, &master, config).await;
    let (_, key) = one.key(NewKey { per_minute: Some(10), ..all() }).await;
    let mut accepted = 0;
    let mut last = None;
    for number in 0..30 {
        let server = if number % 2 == 0 { &one } else { &other };
        let answer = server.get("/v1/client/usage/limits", &key).await;
        accepted += usize::from(answer.status == 200);
        if answer.status == 200 {
            last = answer.header("x-ratelimit-remaining-minute").map(str::to_owned);
        } else {
            assert_eq!(answer.status, 429);
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            assert_eq!(answer.header("x-ratelimit-remaining-minute"), Some("0"));
        }
    }
    // A minute has ten; while they are asked for, a few seconds may give another.
    assert!((10..=12).contains(&accepted), "{accepted}");
    assert_eq!(last.as_deref(), Some("0"));

    // Without Redis each counts alone, and nobody waits for it.
    shared.stop();
    let (_, key) = one.key(NewKey { per_minute: Some(3), ..all() }).await;
    let mut accepted = 0;
    for _ in 0..6 {
        accepted += usize::from(one.get("/v1/client/usage/limits", &key).await.status == 200);
    }
    assert_eq!(accepted, 3);
    shared.go_on();
}
