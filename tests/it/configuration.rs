//! Settings: from a file, from code, and each wrong one with its name and the reason.

use std::time::Duration;

use promptops_client::{CacheLevel, ClientConfig, PromptOpsClient};
use serde_json::json;

const FILE: &str = r#"
base_url = "https://registry.example/v1"
api_key = "po_file"
project = "support"
timeout = 12.5

[cache]
level = "memory"
ttl = 60
max_size = 50
max_bytes = 1_000_000
stale_while_revalidate = 5
stale_if_error = 3600
negative_ttl = 0.5
redis_prefix = "support:"

[retry]
max_attempts = 2
base_delay = 0.1
throttle_delay = 2
max_delay = 3
attempt_timeout = 1.5
budget = 100

[telemetry]
enabled = true
sample_rate = 0.5
batch_size = 10
queue_size = 200
flush_interval = 1
endpoint = "https://collector.example/usage"
"#;

#[tokio::test]
async fn a_file_sets_everything_and_code_changes_it() {
    let config: ClientConfig = toml::from_str(FILE).unwrap();
    let builder = PromptOpsClient::builder().config(config.clone());
    let client = builder.timeout(Duration::from_secs(3)).project("sales").build().unwrap();
    let effective = client.config();
    assert_eq!((effective.timeout.as_secs(), effective.project.as_deref()), (3, Some("sales")));
    assert_eq!(effective.api_key, Some("po_file".into()));
    assert_eq!(effective.cache.stale_while_revalidate, Duration::from_secs(5));
    assert_eq!(effective.retry.attempt_timeout, Some(Duration::from_millis(1500)));
    assert_eq!((effective.cache.level, effective.cache.max_size), (CacheLevel::Memory, 50));
    let endpoint = effective.telemetry.endpoint.as_deref();
    assert_eq!(endpoint, Some("https://collector.example/usage"));
    // The same in JSON, as it is written out again: without the key.
    let written = serde_json::to_value(&config).unwrap();
    assert!(written.get("api_key").is_none(), "{written}");
    let mut read: ClientConfig = serde_json::from_value(written).unwrap();
    read.api_key.clone_from(&config.api_key);
    assert_eq!(read, config);
}

#[test]
fn each_wrong_setting_is_refused_with_its_name_and_the_reason() {
    for (wrong, expected) in [
        (json!({"base_url": "registry.example"}), "`base_url`: has no scheme"),
        (json!({"base_url": "https://ann:pw@h/v1"}), "`base_url`: holds a user name"),
        (json!({"api_key": ""}), "`api_key`: is empty"),
        (json!({"api_key": "po_x\n"}), "`api_key`: is empty or has characters"),
        (json!({"secret_key": "s"}), "`secret_key`: signs nothing without the API key"),
        (json!({"project": " "}), "`project`: is empty"),
        (json!({"timeout": 0}), "`timeout`: must be more than 0"),
        (json!({"timeout": 1e10}), "`timeout`: must be at most"),
        (json!({"cache": {"ttl": 1e11}}), "`cache.ttl`: must be at most"),
        (json!({"cache": {"max_size": 0}}), "`cache.max_size`: must be at least 1"),
        (json!({"cache": {"level": "redis"}}), "`cache.redis_url`: is needed"),
        (json!({"cache": {"level": "redis", "redis_url": "http://h"}}), "`cache.redis_url`: "),
        (json!({"retry": {"max_attempts": 0}}), "`retry.max_attempts`: must be 1 to 10"),
        (json!({"retry": {"attempt_timeout": 0}}), "`retry.attempt_timeout`: must be more"),
        (json!({"telemetry": {"sample_rate": 1.5}}), "`telemetry.sample_rate`: must be 0.0 to 1.0"),
        (json!({"telemetry": {"batch_size": 0}}), "`telemetry.batch_size`: must be 1 to 1000"),
        (json!({"telemetry": {"queue_size": 1}}), "`telemetry.queue_size`: must be at least"),
        (json!({"telemetry": {"flush_interval": 0}}), "`telemetry.flush_interval`: must be more"),
        (json!({"telemetry": {"endpoint": "h"}}), "`telemetry.endpoint`: must be a URL"),
    ] {
        let config: ClientConfig = serde_json::from_value(wrong.clone()).unwrap();
        let error = PromptOpsClient::builder().config(config).build().unwrap_err();
        assert!(error.message().starts_with(expected), "{wrong}: {error}");
        assert_eq!(error.code(), "CONFIG_ERROR");
    }
    // What has no meaning is refused where it is read.
    for wrong in [
        json!({"timeuot": 1}),
        json!({"timeout": -1}),
        json!({"timeout": "30s"}),
        json!({"cache": {"level": "disk"}}),
        json!({"telemetry": {"sample_rte": 1.0}}),
    ] {
        let error = serde_json::from_value::<ClientConfig>(wrong.clone()).unwrap_err().to_string();
        assert!(!error.is_empty(), "{wrong}");
    }
}
