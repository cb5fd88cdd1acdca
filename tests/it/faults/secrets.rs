//! Row 25: secrets, and what belongs to a prompt's owner, are printed nowhere.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use promptops_client::{
    CacheConfig, CallEvent, ConfigPatch, ErrorKind, NewPrompt, PromptOpsClient, PromptUpdate,
    RetryConfig, TelemetryConfig, TelemetrySink, vars,
};
use promptops_server::{MasterKey, Registry};
use tokio::net::TcpListener;
use tracing_subscriber::fmt::MakeWriter;

use super::row;
use crate::server::{all, start_with};

/// What may be seen nowhere: an API key that is no server's, a signing secret, a password of Redis, a
/// value of a variable, a caller's key behind a weighted label.
const SECRETS: [&str; 6] = [
    "po_canarycanarycanarycanar1",
    "canary-signing-secret",
    "canary-redis-password",
    "canary value of a variable",
    "canary-caller@example.com",
    "canary-caller%40example.com",
];

/// What is the owner's: in the registry, and in no log, span or event.
const CONTENT: &str = "canary text of a prompt";

/// Everything that was printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

/// Not what it holds, since it is part of what it is told of.
impl std::fmt::Debug for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Printed")
    }
}

impl Printed {
    fn add(&self, text: impl AsRef<[u8]>) {
        self.0.lock().unwrap().extend_from_slice(text.as_ref());
    }

    fn debug(&self, what: &impl std::fmt::Debug) {
        self.add(format!("{what:?}\n{what:#?}\n"));
    }

    fn error(&self, error: &promptops_client::Error) {
        self.add(format!("{error}\n{error:?}\n{:?}\n", error.details()));
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            self.add(format!("{cause}\n{cause:?}\n"));
            source = cause.source();
        }
    }

    fn holds(&self, secret: &str) -> bool {
        let printed = self.0.lock().unwrap();
        printed.windows(secret.len()).any(|window| window == secret.as_bytes())
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Printed {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Prints what it is told.
#[derive(Debug)]
struct Sink(Printed);

impl TelemetrySink for Sink {
    fn record(&self, event: CallEvent) {
        self.0.debug(&event);
        self.0.add(serde_json::to_vec(&event.to_usage()).unwrap());
    }
}

/// The same for spans.
#[derive(Debug)]
struct Spans(Printed);

impl SpanExporter for Spans {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        self.0.debug(&spans);
        Ok(())
    }
}

/// Each thing a client does, and each way it fails, with everything printed that can be.
async fn everything(url: &str, key: &promptops_client::Secret, printed: &Printed) {
    // Another test's thread may have come upon a log line while this one began to listen, and then holds
    // it for one that nobody wants.
    tracing::callsite::rebuild_interest_cache();
    let [_, _, redis, value, caller, _] = SECRETS;
    let mut cache = CacheConfig::memory();
    cache.redis_url = Some(format!("redis://:{redis}@127.0.0.1:1/").into());
    let builder = PromptOpsClient::builder()
        .base_url(url)
        .api_key(key.clone())
        .cache(cache)
        .retry(RetryConfig::default().base_delay(Duration::ZERO))
        .telemetry(TelemetryConfig::default().sample_rate(1.0))
        .telemetry_sink(Sink(printed.clone()));
    printed.debug(&builder);
    let client = builder.build().unwrap();
    printed.debug(&client);
    printed.add(serde_json::to_vec(&*client.config()).unwrap());
    printed.add(toml::to_string(&*client.config()).unwrap());
    let new = NewPrompt::new("Greeting", format!("{CONTENT} {{{{ name }}}}"));
    let created = client.create_prompt(new).await;
    if let Err(error) = &created {
        printed.error(error);
    }
    let request = client.render_prompt("greeting", vars! { "name" => value }).key(caller);
    printed.debug(&request);
    for outcome in [
        request.await.map(drop),
        client.render_prompt("greeting", vars! { "nam" => value }).await.map(drop),
        client.get_prompt("greeting").key(caller).use_cache(false).await.map(drop),
        client.get_prompt("gone").key(caller).await.map(drop),
        client.update_prompt("greeting", PromptUpdate::new().content("{{ x")).await.map(drop),
        client.set_label("greeting", "production", "9.9.9").await.map(drop),
        client.list_prompts().query("greet").await.map(drop),
        client.health_check().await.map(|health| printed.debug(&health)),
        client.flush_telemetry().await,
    ] {
        if let Err(error) = outcome {
            assert_ne!(error.kind(), ErrorKind::Decode, "{error}");
            printed.error(&error);
        }
    }
    let mut patch = ConfigPatch::new();
    patch.cache = Some(CacheConfig::hybrid(format!("redis://:{redis}@127.0.0.1:1/")));
    printed.debug(&patch);
    let _ = client.update_config(&patch);
    let _ = client.get_prompt("greeting").await;
}

/// Settings that are refused, each with a secret in it.
fn refusals(url: &str, printed: &Printed) {
    let [_, signing, redis, ..] = SECRETS;
    let builder = || PromptOpsClient::builder().base_url(url);
    let mut cache = CacheConfig::redis(format!("redis://:{redis}@127.0.0.1:1/"));
    cache.redis_url = Some(format!("http://:{redis}@127.0.0.1/").into());
    for wrong in [
        builder().api_key(format!("{signing}\n")),
        builder().secret_key(signing),
        builder().cache(cache),
        builder().base_url(format!("https://user:{signing}@h/v1")),
        builder().telemetry(TelemetryConfig::default().endpoint(format!("https://u:{signing}@h/"))),
    ] {
        printed.error(&wrong.build().unwrap_err());
    }
}

#[tokio::test]
async fn row_25_no_secret_is_printed() {
    let printed = Printed::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(printed.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let spans = SdkTracerProvider::builder().with_simple_exporter(Spans(printed.clone())).build();
    global::set_tracer_provider(spans.clone());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let registry = Registry::open(&path).unwrap();
    let server = start_with(registry, MasterKey::random().unwrap()).await;
    let (_, issued) = server.key(all()).await;
    let url = format!("http://{}/v1", server.address);
    let [foreign, signing, ..] = SECRETS;
    everything(&url, &server.admin, &printed).await;
    everything(&url, &foreign.into(), &printed).await;
    refusals(&url, &printed);
    // A signature, good and bad.
    for key in [issued.expose(), foreign] {
        let builder = PromptOpsClient::builder().base_url(&url).api_key(key).secret_key(signing);
        printed.debug(&builder);
        printed.error(&builder.build().unwrap().list_prompts().await.unwrap_err());
    }
    // Nobody there.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}/v1", nobody.local_addr().unwrap());
    drop(nobody);
    everything(&gone, &foreign.into(), &printed).await;
    everything("sqlite::memory:", &foreign.into(), &printed).await;
    let metrics = server.text("/metrics").await;
    printed.add(&metrics);
    global::set_tracer_provider(opentelemetry::trace::noop::NoopTracerProvider::new());
    drop(spans);

    let printed_bytes = printed.0.lock().unwrap().len();
    // Each kind of output was among it.
    for what in ["call ended", "gen_ai.prompt.name", "CallEvent", "# TYPE", "api_key: Some("] {
        assert!(printed.holds(what), "`{what}` should have been printed");
    }
    let keys = [server.admin.expose(), issued.expose()];
    let hits: Vec<_> = SECRETS.iter().chain(&keys).filter(|s| printed.holds(s)).collect();
    assert!(hits.is_empty(), "printed: {hits:?}");
    assert!(!printed.holds(CONTENT), "the text of a prompt was printed");

    // The file of the database, and its journal, hold prompts, and of keys only what proves them.
    let mut file = std::fs::read(&path).unwrap();
    file.extend(std::fs::read(path.with_extension("db-wal")).unwrap_or_default());
    let holds = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(CONTENT), "the prompt is in the file");
    let hits: Vec<_> = SECRETS.iter().chain(&keys).filter(|secret| holds(secret)).collect();
    assert!(hits.is_empty(), "in the file: {hits:?}");
    let measured = format!(
        "0 hits of {} canaries in {} KiB of Debug, errors, logs at trace, spans, events, metrics, and \
         in {} KiB of database",
        SECRETS.len() + keys.len() + 1,
        printed_bytes / 1024,
        file.len() / 1024,
    );
    row(25, "secrets where they could be printed", "redacted: 0 hits", measured, true);
}
