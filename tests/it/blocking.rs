//! The client without async: wherever it is called, and beside the async one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use promptops_client::blocking::PromptOpsClient;
use promptops_client::{
    CacheConfig, Error, NewPrompt, PromptResponse, PromptUpdate, Source, TelemetryConfig, vars,
};

use crate::over_http::serve;

/// A server with one prompt; its runtime runs on threads of its own.
struct Server {
    _runtime: tokio::runtime::Runtime,
    url: String,
}

impl Server {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let address = runtime.block_on(serve());
        Self { _runtime: runtime, url: format!("http://{address}/v1") }
    }

    fn client(&self) -> PromptOpsClient {
        let builder = PromptOpsClient::builder().base_url(&self.url);
        let client = builder.timeout(Duration::from_secs(10)).build_blocking().unwrap();
        let greeting = NewPrompt::new("Greeting", "Hello {{ name }}!");
        client.create_prompt(greeting).send().unwrap();
        client
    }
}

/// Each kind of call, once.
fn work(client: &PromptOpsClient) {
    let prompt = client.get_prompt("greeting").send().unwrap();
    assert_eq!(prompt.content, "Hello {{ name }}!");
    let render = client.render_prompt("greeting", vars! { "name" => "Ann" }).send().unwrap();
    assert_eq!((render.rendered_content.as_str(), render.cache_hit), ("Hello Ann!", true));
    assert_eq!(client.get_prompt("greeting").fetch().unwrap().source, Source::Near);
    assert_eq!(client.list_prompts().limit(10).tags(["none"]).send().unwrap().len(), 0);
    assert!(client.validate_prompt("greeting").send().unwrap());
    assert!(client.get_prompt("missing").send().is_err());
    let fallback = client.get_prompt("missing").fallback(PromptResponse::default());
    assert_eq!(fallback.send().unwrap().content, "");
    client.initialize().unwrap();
    assert_eq!(client.health_check().unwrap().errors, Vec::<String>::new());
}

#[test]
fn it_works_outside_every_runtime() {
    let server = Server::start();
    let client = server.client();
    work(&client);
    client.flush_telemetry().unwrap();
    client.shutdown().unwrap();
}

#[test]
fn it_works_inside_a_runtime_of_one_thread_that_it_blocks() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = server.client();
        work(&client);
        client.shutdown().unwrap();
        client.shutdown().unwrap();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_works_inside_tasks() {
    let server = std::thread::spawn(Server::start).join().unwrap();
    let client = server.client();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { work(&client) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    std::thread::spawn(move || drop(server)).join().unwrap();
}

/// The async client's connections would belong to a runtime that does not run while the blocking one
/// waits for them.
#[test]
fn it_shares_what_the_async_one_has_though_that_ones_runtime_stands_still() {
    let server = Server::start();
    let builder = promptops_client::PromptOpsClient::builder().base_url(&server.url);
    let client = builder.timeout(Duration::from_secs(10)).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).await.unwrap();
        client.get_prompt("greeting").await.unwrap();
    });
    let blocking = PromptOpsClient::from(client.clone());
    let found = blocking.get_prompt("greeting").fetch().unwrap();
    assert_eq!(found.source, Source::Near);
    blocking.get_prompt("greeting").use_cache(false).send().unwrap();
    runtime.block_on(async {
        client.get_prompt("greeting").use_cache(false).await.unwrap();
        // And the other way about, in the middle of a task.
        let update = PromptUpdate::new().content("Dear {{ name }}");
        blocking.update_prompt("greeting", update).message("politer").send().unwrap();
        let changed = client.get_prompt("greeting").await.unwrap();
        assert_eq!(changed.content, "Dear {{ name }}");
    });
    assert_eq!(client.stats().total_requests, blocking.stats().total_requests);
}

#[test]
fn what_is_cached_needs_no_runtime_and_its_events_are_sent_all_the_same() {
    let client = PromptOpsClient::builder()
        .base_url("sqlite::memory:")
        .telemetry(TelemetryConfig::default().sample_rate(1.0).batch_size(50))
        .build_blocking()
        .unwrap();
    client.create_prompt(NewPrompt::new("Greeting", "Hello")).send().unwrap();
    let first = client.get_prompt("greeting").send().unwrap();
    for _ in 0..98 {
        assert!(Arc::ptr_eq(&first, &client.get_prompt("greeting").send().unwrap()));
    }
    client.flush_telemetry().unwrap();
    let summary = client.telemetry_summary();
    assert_eq!((summary.exported_events, summary.pending_events), (100, 0));
    assert_eq!(client.stats().total_requests, 100);
}

/// A fallback that calls: on the thread that the first call runs on.
#[test]
fn a_call_within_a_call_does_not_wait_for_itself() {
    let server = Server::start();
    let client = server.client();
    let inner = client.clone();
    let prompt = client.get_prompt("missing").fallback_with(move |_: &Error| {
        let deeper = inner.clone();
        let other = inner.get_prompt("gone").fallback_with(move |_: &Error| {
            deeper.get_prompt("greeting").use_cache(false).send().unwrap()
        });
        other.send().unwrap()
    });
    assert_eq!(prompt.send().unwrap().content, "Hello {{ name }}!");
}

#[test]
fn a_call_that_panics_is_an_error_of_its_caller_alone() {
    let client = PromptOpsClient::builder()
        .base_url("sqlite::memory:")
        .cache(CacheConfig::none())
        .build_blocking()
        .unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let failing = client.get_prompt("missing").fallback_with(move |_: &Error| {
        let before = seen.fetch_add(1, Ordering::SeqCst);
        assert!(before > 0, "a fallback may do anything");
        PromptResponse::default()
    });
    let error = failing.send().unwrap_err();
    assert!(error.message().contains("panicked"), "{error}");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    client.list_prompts().send().unwrap();
}
