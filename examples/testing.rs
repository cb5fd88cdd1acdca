//! Testing an application that uses prompts: no network, no database, no sleeping. What would be tests
//! in a program of yours are functions here.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use promptops_client::test_util::{FakeRegistry, ManualTime};
use promptops_client::{Error, PromptOpsClient, RetryConfig, Source, Timestamp, vars};

/// The application under test.
async fn greet(prompts: &PromptOpsClient, name: &str) -> String {
    match prompts.render_prompt("greeting", vars! { "name" => name }).await {
        Ok(render) => render.rendered_content,
        Err(_) => format!("Hello {name}"),
    }
}

async fn it_greets_by_the_prompt() {
    let registry = FakeRegistry::new().prompt("greeting", "Welcome, {{ name }}!");
    assert_eq!(greet(&registry.client(), "Ann").await, "Welcome, Ann!");
}

async fn it_greets_without_a_registry() -> Result<(), Error> {
    let registry = FakeRegistry::new();
    registry.disconnect();
    let client = registry.builder().retry(RetryConfig::none()).build()?;
    assert_eq!(greet(&client, "Ann").await, "Hello Ann");
    assert_eq!(registry.requests(), 1);
    Ok(())
}

async fn an_hour_passes_at_once() -> Result<(), Error> {
    let time = Arc::new(ManualTime::new(Timestamp::default()));
    let registry = FakeRegistry::new().prompt("greeting", "Welcome, {{ name }}!");
    let client =
        registry.builder().time_source(Arc::clone(&time)).retry(RetryConfig::none()).build()?;
    client.get_prompt("greeting").await?;
    time.advance(Duration::from_hours(1));
    registry.fail(503);
    let fetched = client.get_prompt("greeting").fetch().await?;
    assert_eq!((fetched.source, fetched.age), (Source::Stale, Duration::from_hours(1)));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    it_greets_by_the_prompt().await;
    it_greets_without_a_registry().await?;
    an_hour_passes_at_once().await?;
    println!("3 tests passed");
    Ok(())
}
