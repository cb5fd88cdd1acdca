//! The span of a call and those of its attempts, with the feature `otel`; nothing without it.

#[cfg(feature = "otel")]
pub(crate) use with_otel::{CallSpan, Traced, observe};
#[cfg(not(feature = "otel"))]
pub(crate) use without::CallSpan;

#[cfg(feature = "otel")]
mod with_otel {
    use std::sync::Weak;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;

    use bytes::Bytes;
    use http::{HeaderName, HeaderValue, Request, Response};
    pub(crate) use promptops_telemetry::otel::CallSpan;
    use promptops_telemetry::otel::{AttemptSpan, Readings};
    use promptops_transport::{Attempt, CircuitState, Middleware, Next, TransportError};

    use crate::client::Inner;

    /// Gives each attempt a span, and tells the registry of it.
    #[derive(Debug)]
    pub(crate) struct Traced;

    impl Middleware for Traced {
        async fn handle(
            &self,
            mut request: Request<Bytes>,
            next: Next<'_>,
        ) -> Result<Response<Bytes>, TransportError> {
            let uri = request.uri();
            let number =
                request.extensions().get::<Attempt>().map_or(1, |attempt| attempt.number());
            let (method, host) = (request.method().as_str(), uri.host().unwrap_or_default());
            let span = AttemptSpan::start(method, host, uri.port_u16(), uri.path(), number);
            let Some(span) = span else { return next.run(request).await };
            for (name, value) in span.headers() {
                if let Ok(value) = HeaderValue::try_from(value) {
                    request.headers_mut().insert(HeaderName::from_static(name), value);
                }
            }
            let outcome = next.run(request).await;
            match &outcome {
                Ok(response) => span.answered(response.status().as_u16()),
                Err(error) => span.failed(&format!("{:?}", error.kind())),
            }
            outcome
        }
    }

    /// Reports what a client counts for as long as it lives.
    pub(crate) fn observe(client: Weak<Inner>) {
        static CLIENTS: AtomicU64 = AtomicU64::new(1);
        let id = CLIENTS.fetch_add(1, Relaxed).to_string();
        promptops_telemetry::otel::observe(&id, move || {
            let client = client.upgrade()?;
            let ledger = client.observer.sink().ledger();
            Some(Readings {
                answers: client.observer.answers(client.cache.quick_calls()),
                queue_depth: ledger.pending,
                events: vec![("exported", ledger.exported), ("dropped", ledger.dropped)],
                circuit: match client.circuit_state() {
                    CircuitState::Closed => 0,
                    CircuitState::HalfOpen => 1,
                    _ => 2,
                },
            })
        });
    }
}

#[cfg(not(feature = "otel"))]
mod without {
    /// The span of a call.
    #[derive(Debug)]
    pub(crate) struct CallSpan;

    #[expect(clippy::unused_self, reason = "as with the feature")]
    impl CallSpan {
        pub(crate) fn start(_: &'static str, _: Option<&str>, _: Option<&str>) -> Self {
            Self
        }

        pub(crate) fn scope<F: Future>(&self, future: F) -> F {
            future
        }

        pub(crate) fn set_version(&self, _: &str) {}

        pub(crate) fn end(self, _: Option<&str>, _: u32) {}
    }
}
