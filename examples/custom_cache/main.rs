//! A cache of your own behind the one in memory: here on disk, so that a program which starts again has
//! its prompts, though the registry is away.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

mod disk;

use promptops_client::{
    CacheConfig, PromptOpsClient, RetryConfig, TransportError, TransportErrorKind, from_fn,
};

use crate::disk::DiskCache;

/// A client of a registry that answers, or is away.
fn client(
    folder: &std::path::Path,
    is_away: bool,
) -> Result<PromptOpsClient, Box<dyn std::error::Error>> {
    let prompt = r#"{"id": "p-1", "slug": "greeting", "content": "Hello {{ name }}!"}"#;
    let registry = from_fn(move |_| async move {
        if is_away {
            return Err(TransportError::new(TransportErrorKind::Connect, "nobody is there"));
        }
        Ok(http::Response::new(bytes::Bytes::from_static(prompt.as_bytes())))
    });
    let client = PromptOpsClient::builder()
        .base_url("https://prompts.example.com/v1")
        .transport(registry)
        .retry(RetryConfig::none())
        .cache(CacheConfig::memory())
        .cache_backend(DiskCache::open(folder)?);
    Ok(client.build()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    // Whoever writes a backend runs the suite that ours pass.
    promptops_cache::contract::check(&DiskCache::open(folder.path().join("suite"))?).await;
    println!("the disk cache keeps the contract");

    for is_away in [false, true] {
        let client = client(folder.path(), is_away)?;
        for _ in 0..2 {
            let fetched = client.get_prompt("greeting").fetch().await?;
            let registry = if is_away { "away" } else { "there" };
            println!("registry {registry}: from {:?}: {}", fetched.source, fetched.value.content);
        }
    }
    Ok(())
}
