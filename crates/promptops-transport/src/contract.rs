//! The suite that every [`Transport`] has to pass. Call [`check`] from a test, with a transport and
//! the base URL of an empty registry that it reaches; and [`check_unreachable`], where it can fail
//! to reach one.
#![expect(clippy::unwrap_used, reason = "a contract fails by panicking, in a test")]

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::{RetryRule, Transport};

/// Runs every case.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn check(transport: &impl Transport, base_url: &str) {
    let peer = Peer { transport, base_url };
    peer.a_status_is_no_error().await;
    peer.headers_arrive_and_come_back().await;
    peer.paths_queries_and_bodies_arrive_byte_for_byte().await;
    peer.calls_run_side_by_side_and_get_their_own_answers().await;
    peer.a_dropped_call_leaves_the_next_alone().await;
}

/// Checks that a registry that cannot be reached is an error that may be retried and says what was
/// tried. `url` leads to nobody.
///
/// # Panics
/// If it is not.
pub async fn check_unreachable(transport: &impl Transport, url: &str) {
    let request = Request::get(url).body(Bytes::new()).unwrap();
    let host = request.uri().authority().unwrap().to_string();
    let error = transport.send(request).await.unwrap_err();
    assert_eq!(error.kind().retry_rule(), RetryRule::Always, "nothing was sent: {error}");
    assert!(error.to_string().contains(&host), "`{error}` names {host}");
}

struct Peer<'t, T> {
    transport: &'t T,
    base_url: &'t str,
}

impl<T: Transport> Peer<'_, T> {
    /// A request that the answer can be told by: the registry echoes its id.
    fn request(&self, method: Method, path: &str, body: String, id: &str) -> Request<Bytes> {
        Request::builder()
            .method(method)
            .uri(format!("{}/client{path}", self.base_url))
            .header("content-type", "application/json")
            .header("x-request-id", id)
            .body(body.into())
            .unwrap()
    }

    async fn send(&self, method: Method, path: &str, body: String) -> Response<Bytes> {
        self.transport.send(self.request(method, path, body, "contract")).await.unwrap()
    }

    async fn a_status_is_no_error(&self) {
        for (method, path, status) in [
            (Method::GET, "/prompts", StatusCode::OK),
            (Method::GET, "/prompts/none", StatusCode::NOT_FOUND),
            (Method::DELETE, "/prompts", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let response = self.send(method, path, String::new()).await;
            assert_eq!(response.status(), status, "{path}");
            assert!(response.body().starts_with(b"{"), "the body comes with it");
        }
    }

    async fn headers_arrive_and_come_back(&self) {
        let response = self.send(Method::GET, "/prompts", String::new()).await;
        assert_eq!(response.headers()["x-request-id"], "contract");
        let etag = response.headers()["etag"].clone();
        let mut request = self.request(Method::GET, "/prompts", String::new(), "contract");
        request.headers_mut().insert("if-none-match", etag);
        let response = self.transport.send(request).await.unwrap();
        assert_eq!((response.status(), response.body().len()), (StatusCode::NOT_MODIFIED, 0));
    }

    async fn paths_queries_and_bodies_arrive_byte_for_byte(&self) {
        let text = format!("ä\\u0000{}", "x".repeat(1_000_000));
        let body = format!(r#"{{"name": "n & m", "slug": "a/b ä", "content": "{text}"}}"#);
        let created = self.send(Method::POST, "/prompts", body).await;
        assert_eq!(created.status(), StatusCode::CREATED);
        let found = self.send(Method::GET, "/prompts/a%2Fb%20%C3%A4", String::new()).await;
        assert_eq!(found.status(), StatusCode::OK, "an encoded slash stays one segment");
        let found = String::from_utf8(found.body().to_vec()).unwrap();
        assert!(found.contains(&text), "a large body comes back as it was sent");
        for (query, is_found) in [("n%20%26%20m", true), ("n%20", true), ("n%20%26amp", false)] {
            let path = format!("/prompts?query={query}&limit=5");
            let listed = self.send(Method::GET, &path, String::new()).await;
            let listed = String::from_utf8(listed.body().to_vec()).unwrap();
            assert_eq!(listed.contains("a/b ä"), is_found, "{query}");
        }
    }

    async fn calls_run_side_by_side_and_get_their_own_answers(&self) {
        let ids: Vec<String> = (0..32).map(|number| format!("contract-{number}")).collect();
        let calls = ids.iter().map(|id| {
            let request = self.request(Method::GET, "/models", String::new(), id);
            Box::pin(async move { (id, self.transport.send(request).await.unwrap()) })
        });
        for (id, response) in all(calls.collect()).await {
            assert_eq!(response.headers()["x-request-id"], id.as_str(), "the answer of another");
        }
    }

    /// Calls are dropped at their first await, their second, and so on.
    async fn a_dropped_call_leaves_the_next_alone(&self) {
        for polls in 0..32 {
            let request = self.request(Method::GET, "/models", String::new(), "dropped");
            poll_times(self.transport.send(request), polls % 8).await;
            let id = format!("after-{polls}");
            let request = self.request(Method::GET, "/prompts", String::new(), &id);
            let response = self.transport.send(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["x-request-id"], id.as_str(), "the answer of another");
        }
    }
}

/// The outputs of futures that run side by side.
async fn all<F: Future>(mut running: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut outputs = Vec::new();
    std::future::poll_fn(|context| {
        running.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Ready(output) => {
                outputs.push(output);
                false
            }
            Poll::Pending => true,
        });
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs
}

/// Polls a future at most so often, then drops it.
async fn poll_times(future: impl Future, polls: usize) {
    let mut future = pin!(future);
    let mut polled = 0;
    std::future::poll_fn(|context| {
        polled += 1;
        if polled > polls || future.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}
