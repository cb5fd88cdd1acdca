//! What the cache does by itself, and what it can be told.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use promptops_client::{
    CacheConfig, ConfigPatch, Error, NewPrompt, PromptOpsClient, PromptUpdate, Source,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // `CacheConfig::hybrid("redis://…")` keeps entries in Redis too, for all processes.
    let cache = CacheConfig::memory().ttl(Duration::from_mins(5)).max_size(1000);
    let client = PromptOpsClient::builder().base_url("sqlite::memory:").cache(cache).build()?;
    client.create_prompt(NewPrompt::new("Greeting", "Hello")).await?;

    let source = async || client.get_prompt("greeting").fetch().await.map(|it| it.source);
    assert_eq!((source().await?, source().await?), (Source::Network, Source::Near));

    // A write through this client forgets what it changes, before it returns.
    client.update_prompt("greeting", PromptUpdate::new().content("Dear")).await?;
    assert_eq!(source().await?, Source::Network);

    // Past the cache; what comes is kept for those who do use it.
    client.get_prompt("greeting").use_cache(false).await?;
    // Several at once, before they are wanted.
    println!("prefetched: {}", client.prefetch(["greeting", "farewell"]).await?);
    // Forgotten on demand: one version, one prompt, or everything.
    client.clear_cache().prompt("greeting").await?;
    assert_eq!(source().await?, Source::Network);

    let stats = client.cache_stats();
    println!("{} hits, {} misses, {:.0}% hits", stats.hits, stats.misses, 100.0 * stats.hit_rate);
    println!("{} of {} entries, {} bytes", stats.size, stats.max_size, stats.memory_usage);

    // Off, while the client runs.
    client.update_config(&ConfigPatch::new().cache(CacheConfig::none()))?;
    assert_eq!((source().await?, source().await?), (Source::Network, Source::Network));
    Ok(())
}
