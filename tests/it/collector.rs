//! The example that exports to a collector of OpenTelemetry: what arrives there is decoded with the
//! protocol's own messages.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

/// What a client measures.
const METRICS: [&str; 6] = [
    "promptops.client.answers",
    "promptops.client.attempts",
    "promptops.client.call.duration",
    "promptops.client.circuit",
    "promptops.client.telemetry.events",
    "promptops.client.telemetry.queue",
];

type Received = Arc<Mutex<Vec<Bytes>>>;

#[derive(Clone, Default)]
struct Collector {
    traces: Received,
    metrics: Received,
}

async fn collector() -> (SocketAddr, Collector) {
    let collector = Collector::default();
    let router = Router::new()
        .route(
            "/v1/traces",
            post(async |State(c): State<Collector>, body: Bytes| keep(&c.traces, body)),
        )
        .route(
            "/v1/metrics",
            post(async |State(c): State<Collector>, body: Bytes| keep(&c.metrics, body)),
        )
        .with_state(collector.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, collector)
}

fn keep(received: &Received, body: Bytes) {
    received.lock().unwrap().push(body);
}

fn decoded<M: Message + Default>(received: &Received) -> Vec<M> {
    let received = received.lock().unwrap();
    received.iter().map(|body| M::decode(body.clone()).unwrap()).collect()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|pair| pair.key == key)?.value.clone()?.value?;
    match value {
        Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_exports_spans_and_metrics_to_a_collector() {
    let (address, collector) = collector().await;
    let here = std::env::current_exe().unwrap();
    let example: PathBuf = here.ancestors().nth(2).unwrap().join("examples/opentelemetry");
    assert!(example.is_file(), "build it first: `cargo build --example opentelemetry`");
    let running = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(example);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
        command.env_remove("NO_PROXY").output().unwrap()
    });
    let output = running.await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told, "Hello Ben!\nexported\n");

    let requests: Vec<ExportTraceServiceRequest> = decoded(&collector.traces);
    let resources = requests.into_iter().flat_map(|request| request.resource_spans);
    let spans: Vec<Span> = resources
        .flat_map(|resource| {
            let service = text(&resource.resource.unwrap().attributes, "service.name");
            assert_eq!(service.as_deref(), Some("support-desk"));
            resource.scope_spans.into_iter().flat_map(|scope| scope.spans)
        })
        .collect();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let (application, calls) = (named("answer a customer"), named("get_prompt"));
    assert_eq!((application.len(), calls.len()), (1, 1), "none for the hit: {spans:#?}");
    assert_eq!(calls[0].parent_span_id, application[0].span_id);
    assert_eq!(calls[0].trace_id, application[0].trace_id);
    assert_eq!(text(&calls[0].attributes, "gen_ai.prompt.name").as_deref(), Some("greeting"));
    assert_eq!(text(&calls[0].attributes, "promptops.prompt.version").as_deref(), Some("1.0.0"));
    let attempts = named("GET");
    assert!(attempts.iter().any(|attempt| attempt.parent_span_id == calls[0].span_id));
    for body in collector.traces.lock().unwrap().iter().chain(&*collector.metrics.lock().unwrap()) {
        for secret in ["Ann", "Hello"] {
            let bytes = secret.as_bytes();
            assert!(!body.windows(bytes.len()).any(|window| window == bytes), "{secret} was told");
        }
    }

    let requests: Vec<ExportMetricsServiceRequest> = decoded(&collector.metrics);
    let resources = requests.into_iter().flat_map(|request| request.resource_metrics);
    let scopes = resources.flat_map(|resource| resource.scope_metrics);
    let measured: BTreeSet<String> =
        scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name).collect();
    assert_eq!(measured.into_iter().collect::<Vec<_>>(), METRICS);
}

/// The dashboard asks for what there is, by the names that Prometheus gives it, and for all of it.
#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let text = include_str!("../../docs/grafana-dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let words = query.split(|c: char| !c.is_alphanumeric() && c != '_');
            asked.extend(words.filter(|word| word.starts_with("promptops_client_")));
        }
    }
    let in_prometheus = |metric: &str| {
        let name = metric.replace('.', "_");
        match metric.rsplit('.').next().unwrap() {
            "duration" => vec![format!("{name}_seconds_count"), format!("{name}_seconds_bucket")],
            "answers" | "attempts" | "events" => vec![format!("{name}_total")],
            _ => vec![name],
        }
    };
    let there_are: BTreeSet<String> = METRICS.into_iter().flat_map(in_prometheus).collect();
    assert_eq!(asked.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), there_are);
}
