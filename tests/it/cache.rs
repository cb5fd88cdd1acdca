//! Reading through the cache: what comes from where, how long, and what a write, a failure or another
//! tenant does to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use promptops_cache::{Aged, CacheBackend, CacheFailure, CacheKey, Invalidation, MemoryCache};
use promptops_cache::{Reading, Ticket};
use promptops_client::{
    Bearer, CacheConfig, CacheStats, ClientBuilder, Credential, Error, ErrorKind, NewPrompt,
    PromptOpsClient, PromptResponse, PromptUpdate, RetryConfig, SharedCache, Source, Transport,
    TransportError,
};
use promptops_types::{ManualTime, SystemTime, TimeSource, Timestamp};
use serde_json::{Value, json};

use crate::quiet;

/// Time that a test moves; a clone shares it.
#[derive(Debug, Clone)]
pub(crate) struct Time(Arc<ManualTime>);

impl Time {
    pub(crate) fn new() -> Self {
        Self(Arc::new(ManualTime::new(Timestamp::default())))
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.0.advance(Duration::from_secs(seconds));
    }
}

impl TimeSource for Time {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

/// A registry in this process: it answers with its state, counts what it is asked, and fails as told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<State>);

#[derive(Debug, Default)]
struct State {
    version: AtomicU64,
    /// 0 answers; a status fails with it; 1 cannot be reached; 2 says nothing.
    fails: AtomicU64,
    asked: Mutex<Vec<String>>,
    not_modified: AtomicU64,
}

impl Registry {
    pub(crate) fn publish(&self) {
        self.0.version.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn fail(&self, status: u64) {
        self.0.fails.store(status, Ordering::SeqCst);
    }

    /// What it was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.asked.lock().unwrap())
    }

    pub(crate) fn requests(&self) -> usize {
        self.asked().len()
    }
}

fn prompt(id: &str, version: u64) -> Value {
    json!({"id": format!("uuid-of-{id}"), "slug": id, "content": format!("text {version}"),
        "version": format!("1.{version}.0")})
}

impl Transport for Registry {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let path = request.uri().path().trim_start_matches("/v1/client").to_owned();
        self.0.asked.lock().unwrap().push(format!("{} {path}", request.method()));
        // Others get a turn while it answers.
        tokio::task::yield_now().await;
        let version = self.0.version.load(Ordering::SeqCst);
        match self.0.fails.load(Ordering::SeqCst) {
            0 => {}
            1 => {
                let kind = promptops_client::TransportErrorKind::Connect;
                return Err(TransportError::new(kind, "nobody is there"));
            }
            2 => std::future::pending().await,
            3 => {
                self.fail(0);
                panic!("a transport that panics once");
            }
            status => {
                let response = Response::builder().status(u16::try_from(status).unwrap());
                return Ok(response.body(Bytes::new()).unwrap());
            }
        }
        let etag = format!("\"{version}\"");
        let same = request.headers().get("if-none-match").is_some_and(|told| told == &etag);
        if same && request.method() == Method::GET {
            self.0.not_modified.fetch_add(1, Ordering::SeqCst);
            return Ok(Response::builder().status(304).body(Bytes::new()).unwrap());
        }
        let id = path.rsplit('/').next().unwrap();
        let answer = match path.as_str() {
            "/prompts" if request.method() == Method::GET => {
                json!({"prompts": [prompt("listed", version)], "total": 1})
            }
            "/models" => json!({"models": [{"provider": "openai", "name": "m"}]}),
            "/prompts/batch" => {
                json!({"prompts": {"a": prompt("a", version), "b@1": prompt("b", version)},
                    "total_found": 2})
            }
            _ => prompt(id, version),
        };
        let response = Response::builder().status(200).header("etag", etag);
        Ok(response.body(answer.to_string().into()).unwrap())
    }
}

pub(crate) fn builder(registry: &Registry, time: &Time) -> ClientBuilder {
    quiet()
        .base_url("https://registry.example/v1")
        .transport(registry.clone())
        .retry(RetryConfig::none())
        .time_source(time.clone())
}

pub(crate) fn set_up() -> (Registry, Time, PromptOpsClient) {
    let (registry, time) = (Registry::default(), Time::new());
    let client = builder(&registry, &time).build().unwrap();
    (registry, time, client)
}

pub(crate) async fn content(client: &PromptOpsClient, id: &str) -> (String, Source) {
    let fetched = client.get_prompt(id).fetch().await.unwrap();
    (fetched.value.content.clone(), fetched.source)
}

pub(crate) fn is(text: &str, source: Source) -> (String, Source) {
    (text.to_owned(), source)
}

/// Lets tasks beside this one run until they wait.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_prompt_is_fetched_once_and_says_where_it_is_from() {
    let (registry, time, client) = set_up();
    let first = client.get_prompt("a").fetch().await.unwrap();
    assert_eq!((first.source, first.age), (Source::Network, Duration::ZERO));
    time.pass(7);
    let second = client.get_prompt("a").fetch().await.unwrap();
    assert_eq!((second.source, second.age), (Source::Near, Duration::from_secs(7)));
    assert_eq!(second.etag, first.etag);
    assert!(Arc::ptr_eq(&first.value, &second.value), "decoded once");
    assert_eq!(registry.requests(), 1);
    for request in [
        client.get_prompt("a").version("v1"),
        client.get_prompt("a").project("p"),
        client.get_prompt("a").key("k"),
        client.get_prompt("b"),
    ] {
        assert_eq!(request.fetch().await.unwrap().source, Source::Network);
    }
    let stats = client.cache_stats();
    assert_eq!((stats.hits, stats.misses, stats.size), (1, 5, 5));
    assert!((stats.hit_rate - 1.0 / 6.0).abs() < 1e-9 && stats.memory_usage > 0, "{stats:?}");
}

#[tokio::test]
async fn a_stale_prompt_is_served_while_it_is_refreshed_once() {
    let (registry, time, client) = set_up();
    content(&client, "a").await;
    registry.publish();
    time.pass(301);
    registry.asked();
    for _ in 0..20 {
        let (text, source) = content(&client, "a").await;
        assert_eq!((text.as_str(), source), ("text 0", Source::Stale));
    }
    settle().await;
    assert_eq!(registry.requests(), 1);
    assert_eq!(content(&client, "a").await, is("text 1", Source::Near));
    time.pass(400);
    registry.publish();
    assert_eq!(content(&client, "a").await, is("text 2", Source::Network), "too old to serve");
}

#[tokio::test]
async fn what_has_not_changed_is_renewed_and_not_sent_again() {
    let (registry, time, client) = set_up();
    content(&client, "a").await;
    time.pass(400);
    assert_eq!(content(&client, "a").await, is("text 0", Source::Network));
    assert_eq!(registry.0.not_modified.load(Ordering::SeqCst), 1);
    assert_eq!(content(&client, "a").await, is("text 0", Source::Near));
    assert_eq!(registry.requests(), 2);
}

#[tokio::test]
async fn an_outage_of_the_registry_is_none_of_the_application() {
    let (registry, time, client) = set_up();
    content(&client, "a").await;
    for failure in [1, 429, 500, 503] {
        time.pass(600);
        registry.fail(failure);
        let fetched = client.get_prompt("a").fetch().await.unwrap();
        assert_eq!(fetched.source, Source::Stale, "{failure}");
        assert!(fetched.age >= Duration::from_mins(10));
    }
    let cold = client.get_prompt("b").await.unwrap_err();
    assert_eq!(cold.kind(), ErrorKind::Server);
    time.pass(24 * 3600);
    assert_eq!(client.get_prompt("a").await.unwrap_err().kind(), ErrorKind::Server, "too old");
    registry.fail(0);
    assert_eq!(content(&client, "a").await.1, Source::Network);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_says_nothing_costs_a_deadline_and_then_what_there_is() {
    let (registry, time) = (Registry::default(), Time::new());
    let client = builder(&registry, &time).timeout(Duration::from_secs(2)).build().unwrap();
    content(&client, "a").await;
    time.pass(600);
    registry.fail(2);
    for calls in [1, 20] {
        let running: Vec<_> = (0..calls)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { content(&client, "a").await })
            })
            .collect();
        for call in running {
            assert_eq!(call.await.unwrap(), is("text 0", Source::Stale));
        }
    }
    let started = tokio::time::Instant::now();
    let error = client.get_prompt("cold").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn a_refusal_evicts_and_is_told() {
    for (status, kind) in [
        (404, ErrorKind::PromptNotFound),
        (410, ErrorKind::PromptNotFound),
        (401, ErrorKind::Authentication),
        (403, ErrorKind::Authorization),
    ] {
        let (registry, time, client) = set_up();
        content(&client, "a").await;
        registry.fail(status);
        time.pass(301);
        assert_eq!(
            content(&client, "a").await.1,
            Source::Stale,
            "one stale answer, while it is asked"
        );
        settle().await;
        assert_eq!(client.get_prompt("a").await.unwrap_err().kind(), kind);
        registry.fail(503);
        let error = client.get_prompt("a").await.unwrap_err();
        let gone = [ErrorKind::Server, ErrorKind::PromptNotFound];
        assert!(gone.contains(&error.kind()), "{status}: nothing is left to serve: {error}");
    }
}

#[tokio::test]
async fn that_a_prompt_is_missing_is_remembered_for_a_moment() {
    let (registry, time, client) = set_up();
    registry.fail(404);
    for _ in 0..5 {
        let error = client.get_prompt("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PromptNotFound);
    }
    assert_eq!(registry.requests(), 1);
    registry.fail(0);
    client.get_prompt("a").use_cache(false).await.unwrap();
    assert_eq!(content(&client, "a").await.1, Source::Near, "the entry was refreshed");
    registry.fail(404);
    client.get_prompt("b").await.unwrap_err();
    registry.fail(0);
    time.pass(5);
    client.get_prompt("b").await.unwrap();
}

#[tokio::test]
async fn without_the_cache_nothing_is_read_from_it_and_the_entry_is_refreshed() {
    let (registry, _, client) = set_up();
    content(&client, "a").await;
    registry.publish();
    let fetched = client.get_prompt("a").use_cache(false).fetch().await.unwrap();
    assert_eq!((fetched.value.content.as_str(), fetched.source), ("text 1", Source::Network));
    assert_eq!(content(&client, "a").await, is("text 1", Source::Near));
    client.list_models().await.unwrap();
    client.list_models().use_cache(false).await.unwrap();
    assert_eq!(client.cache_stats().size, 2, "one entry of the models, refreshed");
    registry.fail(503);
    let error = client.get_prompt("a").use_cache(false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "nothing stale is served");

    let off = builder(&registry, &Time::new()).cache(CacheConfig::none()).build().unwrap();
    registry.fail(0);
    registry.asked();
    for _ in 0..3 {
        assert_eq!(content(&off, "a").await.1, Source::Network);
    }
    assert_eq!((registry.requests(), off.cache_stats()), (3, CacheStats::default()));
}

type Written = std::pin::Pin<Box<dyn Future<Output = bool> + Send>>;

fn done<T: Send + 'static>(
    request: impl IntoFuture<Output = Result<T, Error>, IntoFuture: Send + 'static>,
) -> Written {
    let request = request.into_future();
    Box::pin(async { request.await.is_ok() })
}

#[tokio::test]
async fn a_write_is_seen_by_the_next_read() {
    let (registry, _, client) = set_up();
    let writes: [fn(&PromptOpsClient) -> Written; 5] = [
        |c| done(c.update_prompt("a", PromptUpdate::new().content("x"))),
        |c| done(c.delete_prompt("a").version("1.0.0")),
        |c| done(c.set_label("a", "l", "1.0.0")),
        |c| done(c.undo_label("a", "l")),
        |c| done(c.remove_label("a", "l")),
    ];
    for write in writes {
        for id in ["a", "uuid-of-a", "a-b"] {
            client.get_prompt(id).await.unwrap();
        }
        client.list_prompts().await.unwrap();
        registry.publish();
        write(&client).await;
        registry.asked();
        assert_eq!(content(&client, "a").await.1, Source::Network);
        assert_eq!(content(&client, "a-b").await.1, Source::Near, "another prompt");
        client.list_prompts().await.unwrap();
        assert_eq!(registry.asked(), ["GET /prompts/a", "GET /prompts"]);
    }
    client.get_prompt("uuid-of-a").await.unwrap();
    registry.fail(503);
    client.update_prompt("a", PromptUpdate::new()).await.unwrap_err();
    registry.fail(0);
    assert_eq!(content(&client, "a").await.1, Source::Network, "it may have been carried out");
    client.create_prompt(NewPrompt::new("N", "x")).await.unwrap();
    registry.asked();
    client.list_prompts().await.unwrap();
    assert_eq!(registry.requests(), 1);
}

#[tokio::test]
async fn clearing_covers_what_it_names() {
    let (_, _, client) = set_up();
    let fill = async || {
        for id in ["a", "a-b", "A"] {
            client.get_prompt(id).await.unwrap();
        }
        client.get_prompt("a").version("v1.0").await.unwrap();
        client.list_models().await.unwrap();
    };
    fill().await;
    client.clear_cache().prompt("a").version("1.0").await.unwrap();
    assert_eq!(content(&client, "a").await.1, Source::Near);
    let versioned = client.get_prompt("a").version("v1.0").fetch().await.unwrap();
    assert_eq!(versioned.source, Source::Network);
    client.clear_cache().prompt("a").await.unwrap();
    for (id, source) in [("a", Source::Network), ("a-b", Source::Near), ("A", Source::Near)] {
        assert_eq!(content(&client, id).await.1, source, "{id}");
    }
    client.clear_cache().await.unwrap();
    assert_eq!(client.cache_stats().size, 0);
}

#[tokio::test]
async fn a_batch_and_a_prefetch_fill_the_cache() {
    let (registry, _, client) = set_up();
    assert_eq!(client.prefetch(["a"]).await.unwrap(), 2);
    let pairs = [promptops_client::BatchEntry::selected("b", "1")];
    client.get_prompts(pairs).await.unwrap();
    registry.asked();
    assert_eq!(content(&client, "a").await.1, Source::Near);
    let selected = client.get_prompt("b").version("1").fetch().await.unwrap();
    assert_eq!(selected.source, Source::Near);
    assert_eq!(registry.requests(), 0);
}

#[tokio::test]
async fn a_fallback_is_made_only_when_it_is_needed() {
    let (registry, _, client) = set_up();
    let mut spare = PromptResponse::default();
    spare.content = "spare".to_owned();
    let never = client.get_prompt("a").fallback_with(|_| -> PromptResponse { panic!("needed") });
    assert_eq!(never.await.unwrap().content, "text 0");
    registry.fail(503);
    let made = client.get_prompt("b").fallback_with(move |error: &Error| {
        assert_eq!(error.kind(), ErrorKind::Server);
        spare
    });
    let fetched = made.fetch().await.unwrap();
    assert_eq!((fetched.value.content.as_str(), fetched.source), ("spare", Source::Fallback));
}

#[tokio::test]
async fn tenants_that_share_a_backend_never_see_each_other() {
    let shared = SharedCache::new(MemoryCache::new(1000, 1 << 24, Arc::new(SystemTime)));
    let (one, other) = (Registry::default(), Registry::default());
    other.publish();
    let client = |registry: &Registry, url: &str, key: &str, project: &str| {
        quiet()
            .base_url(url)
            .api_key(key)
            .project(project)
            .transport(registry.clone())
            .cache_backend(shared.clone())
            .cache(CacheConfig::redis("redis://unused"))
            .build()
            .unwrap()
    };
    let url = "https://registry.example/v1";
    assert_eq!(content(&client(&one, url, "po_a", "p"), "a").await, is("text 0", Source::Network));
    for different in [
        client(&other, url, "po_b", "p"),
        client(&other, "https://registry.example/v2", "po_a", "p"),
        client(&other, url, "po_a", "q"),
    ] {
        assert_eq!(content(&different, "a").await, is("text 1", Source::Network));
    }
    assert_eq!(content(&client(&other, url, "po_a", "p"), "a").await, is("text 0", Source::Far));
}

/// Proves something, and does not say who.
#[derive(Debug)]
struct Nameless;

impl Credential for Nameless {
    fn authorize(&self, _: &mut Request<Bytes>, _: Timestamp) -> Result<(), TransportError> {
        Ok(())
    }
}

#[tokio::test]
async fn credentials_of_ones_own_share_only_where_they_say_who_they_are() {
    let shared = SharedCache::new(MemoryCache::new(1000, 1 << 24, Arc::new(SystemTime)));
    let registry = Registry::default();
    let far = || {
        // Both clients find this key in their environment, as it were.
        let builder = builder(&registry, &Time::new()).api_key("po_env");
        builder.cache_backend(shared.clone()).cache(CacheConfig::redis("redis://unused"))
    };
    for _ in 0..2 {
        let client = far().credential(Nameless).build().unwrap();
        assert_eq!(content(&client, "a").await.1, Source::Network);
    }
    let named = |key: &str| far().credential(Bearer::new(&key.into()).unwrap()).build().unwrap();
    assert_eq!(content(&named("po_a"), "a").await.1, Source::Network);
    assert_eq!(content(&named("po_b"), "a").await.1, Source::Network);
    assert_eq!(content(&named("po_a"), "a").await.1, Source::Far);
}

/// A cache that cannot do anything.
#[derive(Debug)]
struct Broken;

fn broken<T>() -> Result<T, CacheFailure> {
    Err(CacheFailure::new("broken", "it cannot be reached"))
}

impl CacheBackend for Broken {
    async fn get(&self, _: &CacheKey) -> Result<Reading, CacheFailure> {
        broken()
    }

    async fn put(&self, _: &CacheKey, _: &Aged, _: Ticket) -> Result<(), CacheFailure> {
        broken()
    }

    async fn invalidate(&self, _: &Invalidation) -> Result<(), CacheFailure> {
        broken()
    }

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }

    async fn ping(&self) -> Result<(), CacheFailure> {
        broken()
    }
}

#[tokio::test]
async fn a_cache_that_fails_fails_no_call_but_one_to_itself() {
    let registry = Registry::default();
    let client = builder(&registry, &Time::new()).cache_backend(Broken).build().unwrap();
    assert_eq!(content(&client, "a").await.1, Source::Network);
    assert_eq!(content(&client, "a").await.1, Source::Near, "the near tier still works");
    client.update_prompt("a", PromptUpdate::new().content("x")).await.unwrap();
    let error = client.clear_cache().await.unwrap_err();
    assert!(matches!(&error, Error::Cache { cache_type, .. } if cache_type == "broken"), "{error}");
    assert_eq!(client.cache_stats().size, 0, "the near tier was cleared all the same");
}

#[tokio::test]
async fn what_a_far_tier_holds_is_read_by_another_process() {
    let far = SharedCache::new(MemoryCache::new(1000, 1 << 24, Arc::new(SystemTime)));
    let registry = Registry::default();
    let process = || builder(&registry, &Time::new()).cache_backend(far.clone()).build().unwrap();
    let (one, other) = (process(), process());
    assert_eq!(content(&one, "a").await.1, Source::Network);
    assert_eq!(content(&other, "a").await, is("text 0", Source::Far));
    assert_eq!(registry.requests(), 1);
    one.clear_cache().prompt("a").await.unwrap();
    registry.publish();
    assert_eq!(content(&process(), "a").await, is("text 1", Source::Network));
}

/// One that telemetry is told of has to be kept for it: see the benchmark of telemetry.
#[tokio::test]
async fn a_hit_allocates_nothing() {
    let (_, _, client) = set_up();
    let (id, uuid) = ("greetings/customer-service", "0199e0a3-5b7c-4c3e-9d2f-1c2b3a4d5e6f");
    for id in [id, uuid] {
        client.get_prompt(id).await.unwrap();
        let allocated = allocation_counter::measure(|| {
            for _ in 0..100 {
                let hit = std::pin::pin!(client.get_prompt(id).into_future());
                let polled = hit.poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Ready(Ok(_))));
            }
        });
        assert_eq!(allocated.count_total, 0, "{allocated:?}");
    }
}

#[tokio::test]
async fn a_write_that_is_dropped_forgets_too() {
    let (registry, _, client) = set_up();
    content(&client, "a").await;
    registry.publish();
    registry.fail(2);
    let write = client.update_prompt("a", PromptUpdate::new().content("x")).into_future();
    let dropped = tokio::spawn(write);
    settle().await;
    dropped.abort();
    settle().await;
    registry.fail(0);
    assert_eq!(content(&client, "a").await, is("text 1", Source::Network));
}

#[tokio::test]
async fn what_was_missing_is_there_once_it_is_created() {
    let (registry, _, client) = set_up();
    registry.fail(404);
    client.get_prompt("greeting").await.unwrap_err();
    client.get_prompt("uuid-of-greeting").await.unwrap_err();
    registry.fail(0);
    client.create_prompt(NewPrompt::new("Greeting", "x").slug("greeting")).await.unwrap();
    assert_eq!(content(&client, "greeting").await.1, Source::Network);
    assert_eq!(content(&client, "uuid-of-greeting").await.1, Source::Network);
}
