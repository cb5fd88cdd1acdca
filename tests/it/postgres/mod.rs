//! The PostgreSQL store, on a real server.

pub(crate) mod server;

use std::time::Duration;

use promptops_client::NewPrompt;
use promptops_registry::{
    Access, PostgresOptions, PostgresStore, PromptRef, Registry, StoreError, store_contract,
};
use promptops_transport::{Clock, TokioClock};
use promptops_types::{Secret, Selector};

use self::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contract() {
    let server = Server::start().await;
    store_contract::check(async || server.store().await).await;
}

async fn registry(url: &Secret) -> Registry {
    Registry::new(PostgresStore::open(url, &PostgresOptions::default()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_changes_another_hears() {
    let server = Server::start().await;
    let url = server.database();
    let (one, other) = (registry(&url).await, registry(&url).await);
    let mut told = other.watch();
    let access = Access::full("test");
    // It may not listen yet: then it hears of the next one.
    for number in 0..200 {
        let new = NewPrompt::new(format!("A {number}"), "x");
        let made = one.create(&access, None, new).await.unwrap();
        let heard = tokio::select! {
            heard = told.wait_for(|seq| *seq >= made.revision) => heard.is_ok(),
            () = TokioClock.sleep(Duration::from_millis(200)) => false,
        };
        if heard {
            return;
        }
    }
    panic!("nothing was heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_open_one_empty_database_at_once() {
    let server = Server::start().await;
    let url = server.database();
    let opening = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { registry(&url).await })
    });
    for opened in opening.collect::<Vec<_>>() {
        opened.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_and_comes_back_is_used_again() {
    let mut server = Server::start().await;
    let registry = registry(&server.database()).await;
    let access = Access::full("test");
    registry.create(&access, None, NewPrompt::new("A", "x")).await.unwrap();
    server.kill();
    let prompt = PromptRef::new("a");
    let error = registry.get(&access, &prompt, &Selector::Latest, None).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    server.restart().await;
    let mut found = Err(error);
    for _ in 0..20 {
        // Connections that died are found out one by one.
        found = registry.get(&access, &prompt, &Selector::Latest, None).await;
        if found.is_ok() {
            break;
        }
    }
    assert_eq!(found.unwrap().prompt.content, "x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_database_is_said() {
    let server = Server::start().await;
    let open = async |url: String| {
        PostgresStore::open(&Secret::new(url), &PostgresOptions::default()).await.unwrap_err()
    };
    let url = server.url("postgres");
    for (wrong, told) in [
        (url.replace(":test@", ":canary@"), "password"),
        (url.replace("/postgres", "/absent"), "absent"),
        (format!("{url}?sslmode=require"), "TLS"),
        ("postgres://test:canary@127.0.0.1:1/d".to_owned(), "refused"),
        ("postgres://test:canary@".to_owned(), "host"),
    ] {
        let error = open(wrong.clone()).await.to_string();
        assert!(error.contains(told) && !error.contains("canary"), "{wrong}: {error}");
    }
    let url = server.database();
    drop(registry(&url).await);
    let name = url.expose().rsplit('/').next().unwrap();
    server.sql(name, "UPDATE promptops.schema_version SET version = 99").unwrap();
    let error = open(url.expose().to_owned()).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
}
