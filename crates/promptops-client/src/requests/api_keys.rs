use promptops_types::{ApiKey, ApiKeyPage, CreatedKey, Error, NewKey};

use super::awaitable;
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::{API_KEYS, CREATE_API_KEY, REVOKE_API_KEY};

/// A call about keys.
fn call(operation: &'static crate::operation::Operation) -> Call {
    Call::new(operation).segment("auth").segment("api-keys")
}

/// A request for the keys that may do no more than the caller's, the newest first.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct ListApiKeys {
    client: PromptOpsClient,
    limit: Option<u64>,
    cursor: Option<String>,
}

impl ListApiKeys {
    pub(crate) fn new(client: &PromptOpsClient) -> Self {
        Self { client: client.clone(), limit: None, cursor: None }
    }

    /// Gives at most this many, 1 to 1000; 100.
    pub fn limit(mut self, keys: u64) -> Self {
        self.limit = Some(keys);
        self
    }

    /// Gives the page after the one that named this [`next_cursor`](ApiKeyPage::next_cursor).
    pub fn cursor(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    async fn send(self) -> Result<ApiKeyPage, Error> {
        let call = call(&API_KEYS)
            .query("limit", self.limit.map(|limit| limit.to_string()))
            .query("cursor", self.cursor);
        call.send(&self.client).await.map(|answer| answer.data)
    }
}

awaitable!(ListApiKeys => ApiKeyPage);

/// A request that makes a key.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct CreateApiKey {
    client: PromptOpsClient,
    key: NewKey,
}

impl CreateApiKey {
    pub(crate) fn new(client: &PromptOpsClient, key: NewKey) -> Self {
        Self { client: client.clone(), key }
    }

    async fn send(self) -> Result<CreatedKey, Error> {
        let call = call(&CREATE_API_KEY).json(&self.key)?;
        call.send(&self.client).await.map(|answer| answer.data)
    }
}

awaitable!(CreateApiKey => CreatedKey);

/// A request that ends a key.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct RevokeApiKey {
    client: PromptOpsClient,
    id: String,
}

impl RevokeApiKey {
    pub(crate) fn new(client: &PromptOpsClient, id: String) -> Self {
        Self { client: client.clone(), id }
    }

    async fn send(self) -> Result<ApiKey, Error> {
        let call = call(&REVOKE_API_KEY).segment(&self.id);
        call.send(&self.client).await.map(|answer| answer.data)
    }
}

awaitable!(RevokeApiKey => ApiKey);
