use std::fmt;
use std::future::Future;

use opentelemetry::context::FutureExt;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, KeyValue, global};

use super::SCOPE;

fn tracer() -> global::BoxedTracer {
    let scope = InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION"));
    global::tracer_provider().tracer_with_scope(scope.build())
}

/// A call that reaches the registry, its retries included. One that a cache answers has no span.
///
/// Dropped without an end, it ends as cancelled.
pub struct CallSpan {
    context: Context,
    has_ended: bool,
}

impl CallSpan {
    /// Begins a span named as the operation, below the application's current one.
    pub fn start(operation: &'static str, prompt: Option<&str>, project: Option<&str>) -> Self {
        let mut attributes = vec![KeyValue::new("promptops.operation", operation)];
        if let Some(prompt) = prompt {
            attributes.push(KeyValue::new("gen_ai.prompt.name", prompt.to_owned()));
        }
        if let Some(project) = project {
            attributes.push(KeyValue::new("promptops.project", project.to_owned()));
        }
        let tracer = tracer();
        let builder = tracer.span_builder(operation).with_kind(SpanKind::Internal);
        let span = tracer.build(builder.with_attributes(attributes));
        Self { context: Context::current_with_span(span), has_ended: false }
    }

    /// A future during which this is the current span.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        future.with_context(self.context.clone())
    }

    /// Which version the answer is.
    pub fn set_version(&self, version: &str) {
        let version = KeyValue::new("promptops.prompt.version", version.to_owned());
        self.context.span().set_attribute(version);
    }

    /// Ends it: with the code of an error, or none, and how many requests were sent.
    pub fn end(mut self, error: Option<&str>, attempts: u32) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("promptops.attempts", i64::from(attempts)));
        if let Some(code) = error {
            span.set_attribute(KeyValue::new("error.type", code.to_owned()));
            span.set_status(Status::error(code.to_owned()));
        }
        span.end();
        self.has_ended = true;
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        if !self.has_ended {
            end_failed(&self.context, CANCELLED, "the call was dropped");
        }
    }
}

impl fmt::Debug for CallSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSpan").field("has_ended", &self.has_ended).finish_non_exhaustive()
    }
}

/// A future during which what is the current span here is the current one there too, wherever it runs.
pub fn in_current_context<F: Future>(future: F) -> impl Future<Output = F::Output> + use<F> {
    future.with_current_context()
}

/// One request of a call.
///
/// Dropped without an end, it ends as cancelled: its time was over, or the call was dropped.
pub struct AttemptSpan {
    context: Context,
    has_ended: bool,
}

impl AttemptSpan {
    /// Begins a span below the call's that is current; none outside a call. `path` comes without the
    /// query, which may name a caller.
    pub fn start(
        method: &str,
        host: &str,
        port: Option<u16>,
        path: &str,
        number: u32,
    ) -> Option<Self> {
        let parent = Context::current();
        if !parent.has_active_span() {
            return None;
        }
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("server.address", host.to_owned()),
            KeyValue::new("url.path", path.to_owned()),
        ];
        if let Some(port) = port {
            attributes.push(KeyValue::new("server.port", i64::from(port)));
        }
        if number > 1 {
            attributes.push(KeyValue::new("http.request.resend_count", i64::from(number - 1)));
        }
        let tracer = tracer();
        let builder = tracer.span_builder(method.to_owned()).with_kind(SpanKind::Client);
        let span = tracer.build_with_context(builder.with_attributes(attributes), &parent);
        Some(Self { context: parent.with_span(span), has_ended: false })
    }

    /// The headers of W3C Trace Context (level 1, sections 3.2 and 3.3): `traceparent`, and
    /// `tracestate` where there is one. None where nothing traces.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let span = self.context.span();
        let context = span.span_context();
        if !context.is_valid() {
            return Vec::new();
        }
        let (trace, id) = (context.trace_id(), context.span_id());
        let flags = context.trace_flags().to_u8();
        let mut headers = vec![("traceparent", format!("00-{trace}-{id}-{flags:02x}"))];
        let state = context.trace_state().header();
        if !state.is_empty() {
            headers.push(("tracestate", state));
        }
        headers
    }

    /// Ends it with the status of an answer.
    pub fn answered(mut self, status: u16) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 400 {
            span.set_attribute(KeyValue::new("error.type", status.to_string()));
            span.set_status(Status::error(status.to_string()));
        }
        span.end();
        self.has_ended = true;
    }

    /// Ends it without an answer.
    pub fn failed(mut self, kind: &str) {
        end_failed(&self.context, kind, kind);
        self.has_ended = true;
    }
}

impl Drop for AttemptSpan {
    fn drop(&mut self) {
        if !self.has_ended {
            end_failed(&self.context, CANCELLED, "its time was over, or the call was dropped");
        }
    }
}

/// What ended a span that nobody waited for.
const CANCELLED: &str = "cancelled";

fn end_failed(context: &Context, kind: &str, why: &str) {
    let span = context.span();
    span.set_attribute(KeyValue::new("error.type", kind.to_owned()));
    span.set_status(Status::error(why.to_owned()));
    span.end();
}

impl fmt::Debug for AttemptSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptSpan").finish_non_exhaustive()
    }
}
