//! The user's API, method by method: every parameter, field, default and error of it, against a registry
//! in the process and against a server over HTTP. The chapter "Parity" names these tests.

use std::future::Future;
use std::time::Duration;

use promptops_client::{
    CacheBackend, CacheConfig, CacheFailure, CacheKey, CacheLevel, CacheStats, CallEvent,
    ClientBuilder, ClientConfig, ConfigPatch, Error, ErrorKind, Flushing, HealthState,
    Invalidation, ModelProvider, ModelSpecificPrompt, NewPrompt, PromptOpsClient, PromptUpdate,
    PromptVariables, Reading, RetryConfig, SortBy, SortOrder, Source, TelemetryConfig,
    TelemetryFailure, TelemetrySink, Ticket, Timestamp, vars,
};
use promptops_registry::{NewKey, Scope};
use serde_json::json;
use tokio::net::TcpListener;

use crate::server::{all, start};

/// Runs a check with a registry in the process, and with a server and a key for everything.
async fn both<F: Future<Output = ()>>(check: impl Fn(ClientBuilder) -> F) {
    check(PromptOpsClient::builder().base_url("sqlite::memory:")).await;
    let server = start().await;
    let url = format!("http://{}/v1", server.address);
    check(PromptOpsClient::builder().base_url(url).api_key(server.admin.clone())).await;
}

fn greeting() -> NewPrompt {
    NewPrompt::new("Customer Service Greeting", "Hello {{customer_name}}!")
        .description("Greets a customer")
        .variables(["customer_name"])
        .target_models([ModelProvider::OpenAi])
        .model_specific_prompts([ModelSpecificPrompt::new("openai", "Hi {{customer_name}}!")])
        .tags(["support"])
        .metadata(json!({"owner": "ann"}).as_object().unwrap().clone())
        .module("customer-service")
}

/// A client of a registry with one prompt.
async fn with_greeting(builder: ClientBuilder) -> PromptOpsClient {
    let client = builder.build().unwrap();
    client.create_prompt(greeting()).await.unwrap();
    client
}

const ID: &str = "customer-service-greeting";

#[tokio::test]
async fn constructor() {
    let config = PromptOpsClient::new("po_key").unwrap().config();
    assert_eq!(config.base_url, "https://api.promptops.com/v1");
    assert_eq!(config.timeout, Duration::from_secs(30));
    assert_eq!(config.api_key, Some("po_key".into()));
    assert_eq!(config.cache.level, CacheLevel::Memory);
    assert!(config.telemetry.enabled);
    let mut whole = ClientConfig::default();
    whole.base_url = "https://h/v1".to_owned();
    let client = PromptOpsClient::builder()
        .config(whole)
        .api_key("po_other")
        .timeout(Duration::from_secs(5))
        .cache(CacheConfig::none())
        .telemetry(TelemetryConfig::disabled());
    let config = client.build().unwrap().config();
    assert_eq!((config.base_url.as_str(), config.timeout.as_secs()), ("https://h/v1", 5));
    assert_eq!((config.cache.level, config.telemetry.enabled), (CacheLevel::None, false));
    assert_eq!(config.api_key, Some("po_other".into()));
}

#[tokio::test]
async fn context_manager() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        client.initialize().await.unwrap();
        client.get_prompt(ID).await.unwrap();
        client.shutdown().await.unwrap();
        client.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn get_prompt() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let update = PromptUpdate::new().content("Dear {{customer_name}}");
        client.update_prompt(ID, update).await.unwrap();
        assert_eq!(client.get_prompt(ID).await.unwrap().version, "1.1.0");
        assert_eq!(client.get_prompt(ID).version("v1.0.0").await.unwrap().version, "1.0.0");
        let fetched = client.get_prompt(ID).use_cache(false).fetch().await.unwrap();
        assert_eq!(fetched.source, Source::Network);
        assert_eq!(client.get_prompt(ID).fetch().await.unwrap().source, Source::Near);
        client.get_prompt(ID).project("default").await.unwrap();
        client.get_prompt(ID).project("elsewhere").await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn render_prompt() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let variables = PromptVariables::from_serialize(&json!({"customer_name": "Ann"})).unwrap();
        let render = |v: &PromptVariables| client.render_prompt(ID, v.clone());
        let rendered = render(&variables)
            .version("1.0.0")
            .model(ModelProvider::OpenAi, "gpt-4")
            .use_cache(false)
            .project("default")
            .await
            .unwrap();
        assert_eq!(rendered.rendered_content, "Hi Ann!");
        assert!(!rendered.cache_hit);
        let rendered = render(&variables).await.unwrap();
        assert_eq!(rendered.rendered_content, "Hello Ann!");
        assert!(render(&variables).await.unwrap().cache_hit);
        let prompt = client.get_prompt(ID).await.unwrap();
        assert_eq!((&rendered.prompt_id, &rendered.version), (&prompt.id, &prompt.version));
        assert_eq!(rendered.messages[0].role, "user");
        assert_eq!(rendered.messages[0].content, "Hello Ann!");
        assert_eq!(rendered.variables_used, ["customer_name"]);
        assert!(rendered.processing_time_ms >= 0.0);
    })
    .await;
}

#[tokio::test]
async fn list_prompts() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        for name in ["Beta", "Alpha"] {
            client.create_prompt(NewPrompt::new(name, "text")).await.unwrap();
        }
        let names = async |request: promptops_client::requests::ListPrompts| {
            let prompts = request.await.unwrap();
            prompts.iter().map(|prompt| prompt.name.clone()).collect::<Vec<_>>()
        };
        // The newest first.
        let newest = ["Alpha", "Beta", "Customer Service Greeting"];
        assert_eq!(names(client.list_prompts()).await, newest);
        let module = client.list_prompts().module("customer-service").skip(0).limit(50);
        assert_eq!(names(module).await, ["Customer Service Greeting"]);
        let sorted = client.list_prompts().sort_by(SortBy::Name).sort_order(SortOrder::Asc);
        assert_eq!(names(sorted.skip(1).limit(1).use_cache(false)).await, ["Beta"]);
        assert!(names(client.list_prompts().project("elsewhere")).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn create_prompt() {
    both(async |builder| {
        let client = builder.build().unwrap();
        let new: NewPrompt = serde_json::from_value(json!({
            "name": "Technical Support Response",
            "description": "Response template for technical issues",
            "content": "Hello {{customer_name}}! I understand you're having {{issue_type}}...",
            "variables": ["customer_name", "issue_type", "severity"],
            "target_models": ["openai", "anthropic"],
            "tags": ["technical", "support", "response"],
        }))
        .unwrap();
        let created = client.create_prompt(new).project("support").await.unwrap();
        assert_eq!(created.variables, ["customer_name", "issue_type", "severity"]);
        assert_eq!((created.version.as_str(), created.project_id.as_str()), ("1.0.0", "support"));
    })
    .await;
}

#[tokio::test]
async fn update_prompt() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let update = || PromptUpdate::new().description("Greets anybody");
        let new = client.update_prompt(ID, update()).project("default").await.unwrap();
        assert_eq!((new.version.as_str(), &*new.description), ("1.1.0", "Greets anybody"));
        let edited = client.update_prompt(ID, update().tags(["x"])).version("1.1.0").await.unwrap();
        assert_eq!((edited.version.as_str(), &edited.tags[..]), ("1.1.0", &["x".to_owned()][..]));
    })
    .await;
}

#[tokio::test]
async fn delete_prompt() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let update = PromptUpdate::new().content("Dear {{customer_name}}");
        client.update_prompt(ID, update).await.unwrap();
        assert!(client.delete_prompt(ID).version("1.0.0").project("default").await.unwrap());
        client.get_prompt(ID).version("1.0.0").await.unwrap_err();
        assert!(client.delete_prompt(ID).await.unwrap());
        client.get_prompt(ID).await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn validate_prompt() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        assert!(client.validate_prompt(ID).version("1.0.0").project("default").await.unwrap());
        assert!(!client.validate_prompt(ID).version("9.9.9").await.unwrap());
        assert!(!client.validate_prompt("gone").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn get_model_compatibility() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let fits = |provider: ModelProvider, name: &str| {
            client.get_model_compatibility(ID, provider, name).version("1.0.0").project("default")
        };
        assert!(fits(ModelProvider::OpenAi, "gpt-4").await.unwrap());
        assert!(!fits(ModelProvider::Anthropic, "claude-3-sonnet").await.unwrap());
        let report = fits(ModelProvider::OpenAi, "gpt-4").report().await.unwrap();
        assert_eq!(report.context_window, Some(8192));
        assert!((1..10).contains(&report.estimated_tokens), "{report:?}");
    })
    .await;
}

#[tokio::test]
async fn list_models() {
    both(async |builder| {
        let client = builder.build().unwrap();
        let models = client.list_models().use_cache(false).await.unwrap();
        let google = client.list_models().provider(ModelProvider::Google).await.unwrap();
        assert!(google.len() < models.len());
        assert!(google.iter().all(|model| model.provider == ModelProvider::Google));
        assert!(models.iter().any(|model| model.name == "gpt-4" && !model.capabilities.is_empty()));
    })
    .await;
}

#[tokio::test]
async fn get_stats() {
    both(async |builder| {
        let client = builder.build().unwrap();
        let nothing = client.stats();
        assert_eq!((nothing.total_requests, nothing.last_request_time), (0, None));
        assert!(nothing.success_rate.abs() < f64::EPSILON);
        client.create_prompt(greeting()).await.unwrap();
        for _ in 0..3 {
            client.get_prompt(ID).await.unwrap();
        }
        client.render_prompt(ID, vars! { "customer_name" => "Ann" }).await.unwrap();
        client.get_prompt("gone").await.unwrap_err();
        client.get_prompt("gone").await.unwrap_err();
        let missing = client.render_prompt(ID, vars! {}).await;
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::Validation);
        let stats = client.stats();
        assert_eq!((stats.successful_requests, stats.failed_requests), (5, 3));
        assert_eq!(stats.total_requests, 8);
        assert!((stats.success_rate - 5.0 / 8.0).abs() < 1e-9);
        assert!(stats.avg_response_time_ms > 0.0);
        // The first of each was a miss; that there is no such prompt is remembered too.
        assert_eq!((stats.cache_hits, stats.cache_misses), (5, 2));
        let age = Timestamp::default()
            .unix_micros()
            .abs_diff(stats.last_request_time.unwrap().unix_micros());
        assert!(age > 1_700_000_000_000_000, "a time of this century");
    })
    .await;
}

#[tokio::test]
async fn get_cache_stats() {
    both(async |builder| {
        let client = with_greeting(builder.cache(CacheConfig::memory().max_size(7))).await;
        for _ in 0..4 {
            client.get_prompt(ID).await.unwrap();
        }
        let stats = client.cache_stats();
        assert_eq!((stats.hits, stats.misses, stats.size, stats.max_size), (3, 1, 1, 7));
        assert!((stats.hit_rate - 0.75).abs() < 1e-9);
        assert!(stats.memory_usage > 200);
    })
    .await;
}

#[tokio::test]
async fn clear_cache() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        client.create_prompt(NewPrompt::new("Other", "text")).await.unwrap();
        let fill = async || {
            client.get_prompt(ID).await.unwrap();
            client.get_prompt(ID).version("1.0.0").await.unwrap();
            client.get_prompt("other").await.unwrap();
            client.cache_stats().size
        };
        assert_eq!(fill().await, 3);
        client.clear_cache().prompt(ID).version("1.0.0").await.unwrap();
        // `latest` is the same version.
        assert_eq!(client.cache_stats().size, 1);
        assert_eq!(fill().await, 3);
        client.clear_cache().prompt(ID).await.unwrap();
        assert_eq!(client.cache_stats().size, 1);
        assert_eq!(fill().await, 3);
        client.clear_cache().await.unwrap();
        assert_eq!(client.cache_stats().size, 0);
    })
    .await;
}

#[tokio::test]
async fn telemetry() {
    both(async |builder| {
        let telemetry = TelemetryConfig::default().sample_rate(1.0).batch_size(50);
        let client = with_greeting(builder.telemetry(telemetry)).await;
        for _ in 0..9 {
            client.get_prompt(ID).await.unwrap();
        }
        let summary = client.telemetry_summary();
        assert_eq!((summary.pending_events, summary.batch_size), (10, 50));
        assert!(summary.enabled && (summary.sample_rate - 1.0).abs() < f64::EPSILON);
        client.flush_telemetry().await.unwrap();
        let summary = client.telemetry_summary();
        assert_eq!((summary.pending_events, summary.exported_events), (0, 10));
        client.disable_telemetry();
        client.get_prompt(ID).await.unwrap();
        assert!(!client.telemetry_summary().enabled);
        assert_eq!(client.telemetry_summary().emitted_events, 10);
        client.enable_telemetry(0.1);
        let summary = client.telemetry_summary();
        assert!(summary.enabled && (summary.sample_rate - 0.1).abs() < f64::EPSILON);
        client.enable_telemetry(f64::NAN);
        assert!(client.telemetry_summary().sample_rate.abs() < f64::EPSILON);
        client.enable_telemetry(7.0);
        assert!((client.config().telemetry.sample_rate - 1.0).abs() < f64::EPSILON);
    })
    .await;
}

#[tokio::test]
async fn update_config() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let patch = ConfigPatch::new()
            .timeout(Duration::from_mins(1))
            .cache(CacheConfig::none())
            .telemetry(TelemetryConfig::disabled());
        client.update_config(&patch).unwrap();
        let config = client.config();
        assert_eq!((config.timeout.as_secs(), config.cache.level), (60, CacheLevel::None));
        assert!(!client.telemetry_summary().enabled);
        let wrong = TelemetryConfig::default().endpoint("collector");
        let error = client.update_config(&ConfigPatch::new().telemetry(wrong)).unwrap_err();
        assert!(error.message().starts_with("`telemetry.endpoint`"), "{error}");
        assert_eq!(client.config(), config, "nothing was changed");
    })
    .await;
}

#[tokio::test]
async fn health_check() {
    both(async |builder| {
        let client = builder.build().unwrap();
        let health = client.health_check().await.unwrap();
        assert_eq!(health.status, HealthState::Healthy, "{health:?}");
        assert_eq!(health.errors, Vec::<String>::new());
        let names: Vec<_> = health.dependencies.keys().map(String::as_str).collect();
        assert_eq!(names, ["api", "cache", "telemetry"]);
        assert!(health.dependencies["api"].latency_ms.unwrap() > 0.0);
        assert!(health.timestamp > Timestamp::default());
    })
    .await;
}

#[tokio::test]
async fn prompt_response() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let prompt = client.get_prompt(ID).await.unwrap();
        assert_eq!((prompt.id.len(), prompt.name.as_str()), (36, "Customer Service Greeting"));
        assert_eq!(prompt.description, "Greets a customer");
        assert_eq!(prompt.content, "Hello {{customer_name}}!");
        assert_eq!(prompt.variables, ["customer_name"]);
        assert_eq!(prompt.target_models, ["openai"]);
        let body = &prompt.model_specific_prompts[0];
        assert_eq!(
            (&body.model_provider, &*body.content),
            (&ModelProvider::OpenAi, "Hi {{customer_name}}!")
        );
        assert_eq!(prompt.version, "1.0.0");
        assert!(prompt.created_at > Timestamp::default() && prompt.updated_at >= prompt.created_at);
        assert_eq!(prompt.tags, ["support"]);
        assert_eq!(prompt.metadata["owner"], "ann");
    })
    .await;
}

#[test]
fn prompt_variables() {
    let mut variables = PromptVariables::from_serialize(&json!({"a": 1})).unwrap();
    variables.add("b", "two");
    assert_eq!(variables.get("b"), Some(&json!("two")));
    assert!(variables.contains("a") && !variables.contains("c"));
    assert_eq!(json!(variables.as_map()), json!({"a": 1, "b": "two"}));
}

#[test]
fn model_provider() {
    for (provider, name) in [
        (ModelProvider::OpenAi, "openai"),
        (ModelProvider::Anthropic, "anthropic"),
        (ModelProvider::Google, "google"),
        (ModelProvider::Cohere, "cohere"),
        (ModelProvider::HuggingFace, "huggingface"),
        (ModelProvider::Local, "local"),
    ] {
        assert_eq!(provider.as_str(), name);
        assert_eq!(ModelProvider::from(name), provider);
    }
}

#[test]
fn cache_level() {
    for (level, name) in [
        (CacheLevel::None, "none"),
        (CacheLevel::Memory, "memory"),
        (CacheLevel::Redis, "redis"),
        (CacheLevel::Hybrid, "hybrid"),
    ] {
        assert_eq!(json!(level), name);
    }
}

/// What every error has.
fn whole(error: &Error, kind: ErrorKind, code: &str, retryable: bool) {
    assert_eq!((error.kind(), error.code()), (kind, code), "{error}");
    assert!(!error.message().is_empty(), "{error:?}");
    assert_eq!(error.is_retryable(), retryable, "{error}");
}

#[tokio::test]
async fn authentication_and_authorization_error() {
    let server = start().await;
    let with = |key: &promptops_client::Secret| server.client(key);
    let error = with(&"po_aaaaaaaaaaaaaaaaaaaaaaaa".into()).list_prompts().await.unwrap_err();
    whole(&error, ErrorKind::Authentication, "AUTHENTICATION_ERROR", false);
    let reader = NewKey { scopes: Some([Scope::Read].into()), ..all() };
    let (_, key) = server.key(reader).await;
    let error = with(&key).create_prompt(greeting()).await.unwrap_err();
    whole(&error, ErrorKind::Authorization, "AUTHORIZATION_ERROR", false);
}

#[tokio::test]
async fn prompt_not_found_error() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let error = client.get_prompt("customer-service-greting").await.unwrap_err();
        whole(&error, ErrorKind::PromptNotFound, "PROMPT_NOT_FOUND", false);
        assert_eq!(error.details()["prompt_id"], "customer-service-greting");
        let Error::PromptNotFound { prompt_id, suggested_prompts, .. } = error else { panic!() };
        assert_eq!(prompt_id, "customer-service-greting");
        assert_eq!(suggested_prompts, [ID]);
    })
    .await;
}

#[tokio::test]
async fn validation_error() {
    both(async |builder| {
        let client = with_greeting(builder).await;
        let error = client.render_prompt(ID, vars! { "customer" => "Ann" }).await.unwrap_err();
        whole(&error, ErrorKind::Validation, "VALIDATION_ERROR", false);
        let Error::Validation { validation_errors, .. } = error else { panic!() };
        assert_eq!(validation_errors[0].field, "customer_name");
    })
    .await;
}

#[tokio::test]
async fn network_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let builder = PromptOpsClient::builder().base_url(url).retry(RetryConfig::none());
    let error = builder.build().unwrap().get_prompt(ID).await.unwrap_err();
    whole(&error, ErrorKind::Network, "NETWORK_ERROR", true);
    assert!(std::error::Error::source(&error).is_some(), "the original error");
}

#[tokio::test]
async fn timeout_error() {
    // It takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let limit = Duration::from_millis(50);
    let builder = PromptOpsClient::builder().base_url(url).timeout(limit);
    let error = builder.build().unwrap().get_prompt(ID).await.unwrap_err();
    whole(&error, ErrorKind::Timeout, "TIMEOUT_ERROR", true);
    let Error::Timeout { timeout, .. } = error else { panic!() };
    assert_eq!(timeout, limit);
}

/// A client whose registry answers with this status, whatever it is asked.
fn answered(status: u16, retry_after: &'static str) -> PromptOpsClient {
    let transport = promptops_client::from_fn(move |_| async move {
        let response = http::Response::builder().status(status).header("retry-after", retry_after);
        Ok(response.body(bytes::Bytes::new()).unwrap())
    });
    let builder = PromptOpsClient::builder().base_url("https://h/v1").transport(transport);
    builder.retry(RetryConfig::none()).build().unwrap()
}

#[tokio::test]
async fn rate_limit_error() {
    let client = answered(429, "7");
    let error = client.get_prompt(ID).await.unwrap_err();
    whole(&error, ErrorKind::RateLimit, "RATE_LIMIT_ERROR", true);
    let Error::RateLimit { retry_after, .. } = error else { panic!() };
    assert_eq!(retry_after, Duration::from_secs(7));
}

#[tokio::test]
async fn server_error() {
    let error = answered(503, "0").get_prompt(ID).await.unwrap_err();
    whole(&error, ErrorKind::Server, "UNAVAILABLE", true);
    let Error::Server { status_code, .. } = error else { panic!() };
    assert_eq!(status_code, 503);
}

/// A cache that is there and never works.
#[derive(Debug)]
struct Broken;

impl Broken {
    fn failure() -> CacheFailure {
        CacheFailure::new("broken", "it is broken")
    }
}

impl CacheBackend for Broken {
    async fn get(&self, _: &CacheKey) -> Result<Reading, CacheFailure> {
        Err(Self::failure())
    }

    async fn put(
        &self,
        _: &CacheKey,
        _: &promptops_client::Aged,
        _: Ticket,
    ) -> Result<(), CacheFailure> {
        Err(Self::failure())
    }

    async fn invalidate(&self, _: &Invalidation) -> Result<(), CacheFailure> {
        Err(Self::failure())
    }

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }

    async fn ping(&self) -> Result<(), CacheFailure> {
        Err(Self::failure())
    }
}

#[tokio::test]
async fn cache_error() {
    both(async |builder| {
        let client = with_greeting(builder.cache_backend(Broken)).await;
        client.get_prompt(ID).await.unwrap();
        let error = client.clear_cache().await.unwrap_err();
        whole(&error, ErrorKind::Cache, "CACHE_ERROR", error.is_retryable());
        let Error::Cache { cache_type, .. } = error else { panic!() };
        assert_eq!(cache_type, "broken");
        let health = client.health_check().await.unwrap();
        assert_eq!(health.status, HealthState::Degraded);
        assert_eq!(health.errors, ["cache: broken cache: it is broken"]);
    })
    .await;
}

/// A sink that cannot send anything.
#[derive(Debug)]
struct Stuck;

impl TelemetrySink for Stuck {
    fn record(&self, _: CallEvent) {}

    fn flush(&self, _: Duration) -> Flushing<'_> {
        Box::pin(std::future::ready(Err(TelemetryFailure::new(3, "the collector is gone"))))
    }

    fn last_failure(&self) -> Option<String> {
        Some("the collector is gone".to_owned())
    }
}

#[tokio::test]
async fn telemetry_error() {
    both(async |builder| {
        let client = with_greeting(builder.telemetry_sink(Stuck)).await;
        let error = client.flush_telemetry().await.unwrap_err();
        whole(&error, ErrorKind::Telemetry, "TELEMETRY_ERROR", true);
        let told = "3 telemetry events could not be sent: the collector is gone";
        assert_eq!(error.message(), told);
        assert_eq!(client.shutdown().await.unwrap_err().message(), told);
        let health = client.health_check().await.unwrap();
        assert_eq!(health.status, HealthState::Degraded);
        assert_eq!(health.errors, ["telemetry: the collector is gone"]);
    })
    .await;
}
