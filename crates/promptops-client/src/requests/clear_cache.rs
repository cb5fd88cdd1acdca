use promptops_types::Error;

use super::awaitable;
use crate::PromptOpsClient;

/// A request that forgets what is cached.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct ClearCache {
    client: PromptOpsClient,
    prompt: Option<String>,
    version: Option<String>,
}

impl ClearCache {
    pub(crate) fn new(client: &PromptOpsClient) -> Self {
        Self { client: client.clone(), prompt: None, version: None }
    }

    /// Forgets every version of this prompt, by slug or id, and nothing of others.
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.prompt = Some(prompt.into());
        self
    }

    /// Forgets only this version: what was asked for by it, and where it was what another selector
    /// gave. Without a prompt it says nothing.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    async fn send(self) -> Result<(), Error> {
        self.client.cache().clear(self.prompt, self.version).await
    }
}

awaitable!(ClearCache => ());
