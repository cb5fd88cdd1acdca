//! The span of a call and those of its attempts, with the feature `otel`; nothing without it.

#[cfg(feature = "otel")]
pub(crate) use with_otel::{CallSpan, Traced, observe};
#[cfg(not(feature = "otel"))]
pub(crate) use without::CallSpan;

#[cfg(feature = "otel")]
mod with_otel {
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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

    /// What is reported of a client, for as long as it lives; then of another one. What is registered
    /// for metrics stays registered, so there are no more of these than clients at a time.
    struct Place(Mutex<Weak<Inner>>);

    static PLACES: Mutex<Vec<Arc<Place>>> = Mutex::new(Vec::new());

    impl Place {
        fn client(&self) -> MutexGuard<'_, Weak<Inner>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn read(&self) -> Option<Readings> {
            let client = self.client().upgrade()?;
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
        }
    }

    /// Reports what a client counts for as long as it lives.
    pub(crate) fn observe(client: Weak<Inner>) {
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = places.iter().find(|place| place.client().strong_count() == 0) {
            *free.client() = client;
            return;
        }
        let place = Arc::new(Place(Mutex::new(client)));
        places.push(Arc::clone(&place));
        promptops_telemetry::otel::observe(&places.len().to_string(), move || place.read());
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
