//! The contract of every backend, kept by the one in memory.
#![cfg(feature = "memory")]

use std::sync::Arc;

use promptops_cache::{MemoryCache, SharedCache, contract};
use promptops_types::SystemTime;

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract::check(&MemoryCache::new(1000, 1 << 24, Arc::new(SystemTime))).await;
    let one_part = MemoryCache::new(100, 1 << 24, Arc::new(SystemTime));
    contract::check(&SharedCache::new(one_part)).await;
}
