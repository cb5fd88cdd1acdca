//! Several tenants in one process: a client each, with its own key and project. What one has cached
//! another never sees, though both use the same memory or the same Redis.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::HashMap;
use std::sync::Arc;

use promptops_cache::MemoryCache;
use promptops_client::{Error, NewPrompt, PromptOpsClient, SharedCache, Source, vars};
use promptops_types::SystemTime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("prompts.db").display());
    // One cache behind all of them: here memory, in production more likely Redis.
    let shared = SharedCache::new(MemoryCache::new(10_000, 64 << 20, Arc::new(SystemTime)));

    let mut tenants = HashMap::new();
    for tenant in ["acme", "globex"] {
        let client = PromptOpsClient::builder()
            .base_url(&url)
            .project(tenant)
            .cache_backend(shared.clone())
            .build()?;
        let greeting = format!("Welcome to {tenant}, {{{{ name }}}}!");
        client.create_prompt(NewPrompt::new("Greeting", greeting)).await?;
        tenants.insert(tenant, client);
    }
    for tenant in ["acme", "globex", "acme"] {
        println!("{}", greet(&tenants[tenant], "Ann").await?);
    }
    // The same slug, in each tenant's project: an entry of its own.
    let fetched = tenants["globex"].get_prompt("greeting").fetch().await?;
    assert_eq!(fetched.source, Source::Near);
    assert!(fetched.value.content.contains("globex"));
    Ok(())
}

async fn greet(tenant: &PromptOpsClient, name: &str) -> Result<String, Error> {
    let render = tenant.render_prompt("greeting", vars! { "name" => name }).await?;
    Ok(render.rendered_content)
}
