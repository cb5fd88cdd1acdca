//! What OpenTelemetry is told: by its own SDK, with exporters in memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::{FutureExt, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use promptops_client::{PromptOpsClient, RetryConfig, Source, TelemetryConfig, from_fn};

/// A registry whose first answer is a 503. It keeps the `traceparent` of each request.
fn client(seen: &Arc<Mutex<Vec<String>>>) -> PromptOpsClient {
    let seen = Arc::clone(seen);
    let transport = from_fn(move |request: Request<Bytes>| {
        let mut seen = seen.lock().unwrap();
        let parent = request.headers().get("traceparent").map(|value| value.to_str().unwrap());
        seen.push(parent.unwrap_or_default().to_owned());
        let status = if seen.len() == 1 { 503 } else { 200 };
        let body = r#"{"id": "p-1", "slug": "greeting", "version": "1.2.0", "content": "Hello"}"#;
        async move { Ok(Response::builder().status(status).body(Bytes::from(body)).unwrap()) }
    });
    PromptOpsClient::builder()
        .base_url("https://registry.example:8443/v1")
        .transport(transport)
        .retry(RetryConfig::default().base_delay(std::time::Duration::ZERO))
        .telemetry(TelemetryConfig::disabled())
        .project("support")
        .build()
        .unwrap()
}

fn attributes(span: &SpanData) -> HashMap<String, String> {
    span.attributes.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
}

fn joined<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> String {
    let pairs = attributes.filter(|pair| pair.key.as_str() != "promptops.client.id");
    let mut pairs: Vec<String> = pairs.map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    pairs.sort();
    pairs.join(" ")
}

/// Sums, gauges and the counts of histograms, by instrument and attributes, over all clients.
fn measured(exporter: &InMemoryMetricExporter) -> HashMap<String, u64> {
    let mut all = HashMap::new();
    for resource in exporter.get_finished_metrics().unwrap() {
        for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
            let mut keep = |attributes: String, value: u64| {
                let name = format!("{} {attributes}", metric.name());
                *all.entry(name).or_default() += value;
            };
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    sum.data_points()
                        .for_each(|point| keep(joined(point.attributes()), point.value()));
                }
                AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
                    gauge
                        .data_points()
                        .for_each(|point| keep(joined(point.attributes()), point.value()));
                }
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    histogram
                        .data_points()
                        .for_each(|point| keep(joined(point.attributes()), point.count()));
                }
                _ => {}
            }
        }
    }
    all
}

/// One test: the providers are the process's.
#[tokio::test]
async fn calls_attempts_and_measurements_are_told() {
    let spans = InMemorySpanExporter::default();
    let traces = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    global::set_tracer_provider(traces.clone());
    let kept = InMemoryMetricExporter::default();
    let metrics = SdkMeterProvider::builder().with_periodic_exporter(kept.clone()).build();
    global::set_meter_provider(metrics.clone());

    let seen = Arc::default();
    let client = client(&seen);
    let application = Context::current_with_span(global::tracer("app").start("request"));
    let calls = async {
        for _ in 0..3 {
            client.get_prompt("greeting").await.unwrap();
        }
        client.get_prompt("greeting").fetch().await.unwrap()
    };
    let last = calls.with_context(application.clone()).await;
    assert_eq!(last.source, Source::Near);

    let finished = spans.get_finished_spans().unwrap();
    let names: Vec<_> = finished.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["GET", "GET", "get_prompt"], "none on a hit");
    let (first, second, call) = (&finished[0], &finished[1], &finished[2]);
    let request = application.span().span_context().clone();
    assert_eq!(call.parent_span_id, request.span_id());
    assert_eq!(call.span_kind, SpanKind::Internal);
    let told = attributes(call);
    assert_eq!(told["gen_ai.prompt.name"], "greeting");
    assert_eq!(told["promptops.prompt.version"], "1.2.0");
    assert_eq!((&*told["promptops.attempts"], &*told["promptops.project"]), ("2", "support"));
    assert_eq!(call.status, Status::Unset);
    for (attempt, status) in [(first, "503"), (second, "200")] {
        assert_eq!(attempt.parent_span_id, call.span_context.span_id());
        assert_eq!(attempt.span_kind, SpanKind::Client);
        let told = attributes(attempt);
        assert_eq!(told["http.response.status_code"], status);
        assert_eq!((&*told["server.address"], &*told["server.port"]), ("registry.example", "8443"));
        assert_eq!(told["url.path"], "/v1/client/prompts/greeting");
    }
    assert_eq!(attributes(first)["error.type"], "503");
    assert_eq!(attributes(second)["http.request.resend_count"], "1");
    let parents = seen.lock().unwrap().clone();
    for (parent, attempt) in parents.iter().zip([first, second]) {
        let (trace, span) = (request.trace_id(), attempt.span_context.span_id());
        assert_eq!(*parent, format!("00-{trace}-{span}-01"));
    }

    // A call that is dropped ends its span.
    spans.reset();
    let stuck = PromptOpsClient::builder().base_url("https://h/v1");
    let stuck = stuck.transport(from_fn(|_| std::future::pending())).build().unwrap();
    tokio::select! {
        biased;
        _ = stuck.get_prompt("greeting") => panic!("it never ends"),
        () = tokio::task::yield_now() => {}
    }
    let finished = spans.get_finished_spans().unwrap();
    let cancelled = finished.iter().find(|span| span.name == "get_prompt").unwrap();
    assert_eq!(attributes(cancelled)["error.type"], "cancelled");

    metrics.force_flush().unwrap();
    let measured = measured(&kept);
    let of = |name: &str| measured.get(name).copied();
    let network = "promptops.operation=get_prompt promptops.source=network";
    assert_eq!(of(&format!("promptops.client.call.duration {network}")), Some(1), "{measured:#?}");
    assert_eq!(of("promptops.client.attempts promptops.operation=get_prompt"), Some(2));
    assert_eq!(of("promptops.client.answers promptops.source=network"), Some(1));
    assert_eq!(of("promptops.client.answers promptops.source=near"), Some(3), "{measured:#?}");
    assert_eq!(of("promptops.client.circuit "), Some(0));
    assert_eq!(of("promptops.client.telemetry.queue "), Some(0));
}
