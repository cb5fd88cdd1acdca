//! The suite that every [`Transport`] has to pass. Call [`check`] from a test, with a transport and
//! the base URL of an empty registry that it reaches.
#![expect(clippy::unwrap_used, reason = "a contract fails by panicking, in a test")]

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use crate::Transport;

/// Runs every case.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn check(transport: &impl Transport, base_url: &str) {
    let peer = Peer { transport, base_url };
    peer.a_status_is_no_error().await;
    peer.headers_arrive_and_come_back().await;
    peer.paths_and_bodies_arrive_byte_for_byte().await;
    peer.calls_run_side_by_side().await;
    peer.a_dropped_call_leaves_the_next_alone().await;
}

struct Peer<'t, T> {
    transport: &'t T,
    base_url: &'t str,
}

impl<T: Transport> Peer<'_, T> {
    fn request(&self, method: Method, path: &str, body: String) -> Request<Bytes> {
        Request::builder()
            .method(method)
            .uri(format!("{}/client{path}", self.base_url))
            .header("content-type", "application/json")
            .header("x-request-id", "contract")
            .body(body.into())
            .unwrap()
    }

    async fn send(&self, method: Method, path: &str, body: String) -> Response<Bytes> {
        self.transport.send(self.request(method, path, body)).await.unwrap()
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
        let mut request = self.request(Method::GET, "/prompts", String::new());
        request.headers_mut().insert("if-none-match", etag);
        let response = self.transport.send(request).await.unwrap();
        assert_eq!((response.status(), response.body().len()), (StatusCode::NOT_MODIFIED, 0));
    }

    async fn paths_and_bodies_arrive_byte_for_byte(&self) {
        let text = format!("ä\\u0000{}", "x".repeat(1_000_000));
        let body = format!(r#"{{"name": "n", "slug": "a/b ä", "content": "{text}"}}"#);
        let created = self.send(Method::POST, "/prompts", body).await;
        assert_eq!(created.status(), StatusCode::CREATED);
        let found = self.send(Method::GET, "/prompts/a%2Fb%20%C3%A4", String::new()).await;
        assert_eq!(found.status(), StatusCode::OK, "an encoded slash stays one segment");
        let found = String::from_utf8(found.body().to_vec()).unwrap();
        assert!(found.contains(&text), "a large body comes back as it was sent");
    }

    async fn calls_run_side_by_side(&self) {
        let calls = (0..32).map(|_| Box::pin(self.send(Method::GET, "/models", String::new())));
        let mut calls: Vec<_> = calls.collect();
        std::future::poll_fn(|context| {
            calls.retain_mut(|call| call.as_mut().poll(context).is_pending());
            if calls.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    async fn a_dropped_call_leaves_the_next_alone(&self) {
        for _ in 0..32 {
            let mut call = Box::pin(self.send(Method::GET, "/models", String::new()));
            std::future::poll_fn(|context| {
                let _ = call.as_mut().poll(context);
                std::task::Poll::Ready(())
            })
            .await;
        }
        let response = self.send(Method::GET, "/prompts", String::new()).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
}
