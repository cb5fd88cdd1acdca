//! Prompts while the registry is away: from the cache, then from what the program was built with.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use promptops_client::test_util::FakeRegistry;
use promptops_client::{Error, PromptResponse, RetryConfig, Source, vars};

/// What the program was built with.
const GREETING: &str = "Hello {{ name }}.";

fn built_in() -> PromptResponse {
    let mut prompt = PromptResponse::default();
    GREETING.clone_into(&mut prompt.content);
    prompt
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let registry = FakeRegistry::new().prompt("greeting", "Dear {{ name }}, welcome back!");
    let retry = RetryConfig::default().base_delay(Duration::from_millis(1));
    let client = registry.builder().retry(retry).build()?;

    // Nothing cached yet, and nobody there: the fallback, and why.
    registry.disconnect();
    let fetched = client.get_prompt("greeting").fallback(built_in()).fetch().await?;
    println!("{:?}: {}", fetched.source, fetched.value.content);
    assert_eq!(fetched.source, Source::Fallback);

    // One that is made only when it is needed, and knows the error.
    let fallback = |error: &Error| {
        println!("falling back: {error}");
        Arc::new(built_in())
    };
    client.get_prompt("greeting").fallback_with(fallback).await?;

    // It comes back, and goes away again: now the cache has it.
    registry.fail(200);
    client.get_prompt("greeting").await?;
    registry.fail(500);
    let variables = vars! { "name" => "Ann" };
    let render = client.render_prompt("greeting", variables).fallback(built_in()).await?;
    println!("cache: {}", render.rendered_content);
    assert!(render.cache_hit);
    Ok(())
}
