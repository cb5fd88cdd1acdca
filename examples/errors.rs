//! What can go wrong, and what to do about each: one `match` for it all.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use promptops_client::test_util::FakeRegistry;
use promptops_client::{Error, NewPrompt, PromptOpsClient, RetryConfig, vars};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = PromptOpsClient::builder().base_url("sqlite::memory:").build()?;
    client.create_prompt(NewPrompt::new("Greeting", "Hello {{ name }}!")).await?;

    explain(client.get_prompt("greting").await);
    explain(client.render_prompt("greeting", vars! { "nmae" => "Ann" }).await);
    explain(client.get_prompt("greeting").version("staging").await);

    // A registry that fails: the client has retried by itself before it says so.
    let registry = FakeRegistry::new();
    let retry = RetryConfig::default().base_delay(Duration::from_millis(1));
    let client = registry.builder().retry(retry).build()?;
    registry.fail(503);
    explain(client.get_prompt("greeting").await);
    registry.disconnect();
    explain(client.get_prompt("greeting").await);
    Ok(())
}

fn explain<T>(outcome: Result<T, Error>) {
    let Err(error) = outcome else { return println!("no error\n") };
    println!("{error}");
    let advice = match &error {
        Error::PromptNotFound { suggested_prompts, .. } if !suggested_prompts.is_empty() => {
            format!("take `{}`, or a fallback", suggested_prompts[0])
        }
        Error::PromptNotFound { .. } => "take a fallback".to_owned(),
        Error::Validation { validation_errors, .. } => {
            let fields: Vec<_> = validation_errors.iter().map(|issue| &*issue.field).collect();
            format!("give {}", fields.join(", "))
        }
        Error::Authentication { .. } => "check the API key".to_owned(),
        Error::RateLimit { retry_after, .. } => format!("come back in {retry_after:?}"),
        // Whatever it is: did the client try more than once, and may it help to call again?
        error if error.is_retryable() => {
            format!("tried {} times; call again later", error.attempts())
        }
        error => format!("report it, with request {}", error.request_id().unwrap_or("-")),
    };
    println!("  -> {advice}\n");
}
