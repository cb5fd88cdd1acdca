//! What a client tells: to the registry, to whoever asks it, and to its own program.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use promptops_client::{Error, NewPrompt, PromptOpsClient, TelemetryConfig, vars};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Every call, sent to the registry's usage log each minute; by default one in ten, each 30 s.
    let telemetry =
        TelemetryConfig::default().sample_rate(1.0).flush_interval(Duration::from_mins(1));
    let client =
        PromptOpsClient::builder().base_url("sqlite::memory:").telemetry(telemetry).build()?;
    client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).await?;
    for name in ["Ann", "Ben", "Cleo"] {
        client.render_prompt("greeting", vars! { "name" => name }).await?;
    }
    let missing = client.get_prompt("gone").await;
    assert!(missing.is_err());

    let stats = client.stats();
    println!("{} calls, {:.0}% succeeded", stats.total_requests, 100.0 * stats.success_rate);
    println!("{} hits, {} misses", stats.cache_hits, stats.cache_misses);
    let summary = client.telemetry_summary();
    println!("{} of {} events wait", summary.pending_events, summary.emitted_events);

    client.flush_telemetry().await?;
    println!("{} events sent", client.telemetry_summary().exported_events);

    // Off and on again, while the client runs.
    client.disable_telemetry();
    client.enable_telemetry(0.1);

    let health = client.health_check().await?;
    println!("{}:", health.status);
    for (name, dependency) in &health.dependencies {
        println!("  {name}: {}", dependency.status);
    }
    // What was not sent yet is sent now, within 5 s.
    client.shutdown().await
}
