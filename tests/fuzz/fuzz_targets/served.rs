//! A registry with a few prompts, called without a socket. Time passes at once where it is waited for.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode, Uri};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use promptops_registry::{Access, NewKey, PromptRef, Registry, UpdateOptions};
use promptops_types::{LabelName, LabelTarget, NewPrompt, PromptUpdate, TimeSource, Timestamp};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// What no URI holds as it is.
const NEVER_IN_A_URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The prompts that there are.
const SLUGS: [&str; 4] = ["greeting", "größe", "support/refund", "tone"];

/// Most bytes of an answer, beside what was asked and is repeated in it.
const MOST_BYTES: usize = 256 * 1024;

/// A registry and what it is called in.
#[derive(Debug)]
pub(crate) struct Served {
    runtime: Runtime,
    router: Router,
    access: Access,
}

/// The one registry of a run.
pub(crate) static SERVED: LazyLock<Served> = LazyLock::new(Served::new);

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Where the list goes on.
    pub(crate) next_cursor: Option<String>,
    pub(crate) body: Value,
}

/// Time as the runtime has it.
#[derive(Debug)]
struct RuntimeTime(tokio::time::Instant);

impl TimeSource for RuntimeTime {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.monotonic().as_micros()).expect("it fits");
        Timestamp::from_unix_micros(1_700_000_000_000_000 + passed)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Served {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let access = Access::full("fuzz");
        let router = runtime.block_on(async {
            let time: Arc<dyn TimeSource> = Arc::new(RuntimeTime(tokio::time::Instant::now()));
            let registry = Registry::in_memory().expect("a registry");
            let registry = registry.time_source(Arc::clone(&time));
            filled(&registry, &access).await;
            promptops_server::router_with_time(registry, time)
        });
        Self { runtime, router, access }
    }

    /// Asks for a path and query below the beginning of the contract's paths.
    pub(crate) fn get(&self, path_and_query: &str) -> Answer {
        let encoded = utf8_percent_encode(path_and_query, NEVER_IN_A_URI);
        let uri: Uri = format!("http://h/v1/client{encoded}").parse().expect("a URI");
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri;
        request.extensions_mut().insert(self.access.clone());
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await;
            let (parts, body) = response.expect("the router never fails").into_parts();
            let body = body.collect().await.expect("a body in memory").to_bytes();
            assert!(!parts.status.is_server_error(), "{path_and_query:?}: {body:?}");
            assert!(body.len() <= MOST_BYTES + 16 * path_and_query.len(), "{} bytes", body.len());
            let body: Value = serde_json::from_slice(&body).expect("every answer is JSON");
            assert_eq!(body["success"], parts.status.is_success(), "{body}");
            let in_body = body.pointer("/data/next_cursor").and_then(Value::as_str);
            let in_headers = parts.headers.get("x-next-cursor");
            let in_headers = in_headers.map(|value| value.to_str().expect("a text"));
            let next_cursor = in_body.or(in_headers).map(str::to_owned);
            Answer { status: parts.status, next_cursor, body }
        })
    }
}

/// A text as a part of a query string.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

async fn filled(registry: &Registry, access: &Access) {
    for (number, slug) in SLUGS.into_iter().enumerate() {
        // Times that differ: lists are sorted by them.
        tokio::time::advance(Duration::from_secs(1)).await;
        let prompt = NewPrompt::new(slug.to_uppercase(), "Hello {{ name }}")
            .slug(slug)
            .tags((0..number).map(|tag| format!("t{tag}")));
        registry.create(access, None, prompt).await.expect("a prompt");
        for text in ["Good day {{ name }}", "Hi {{ name }}, {{ news }}"] {
            let (at, update) = (PromptRef::new(slug), PromptUpdate::new().content(text));
            let options = UpdateOptions::default();
            registry.update(access, &at, update, options).await.expect("a version");
        }
    }
    let label: LabelName = "production".parse().expect("a label");
    let target = LabelTarget::Version("1.1.0".parse().expect("a version"));
    let at = PromptRef::new(SLUGS[0]);
    registry.set_label(access, &at, &label, target, None).await.expect("a label");
    for name in ["one", "two", "three"] {
        tokio::time::advance(Duration::from_secs(1)).await;
        let key = NewKey { name: name.to_owned(), ..NewKey::default() };
        registry.create_key(access, key).await.expect("a key");
    }
}
