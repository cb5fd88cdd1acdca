use std::sync::Arc;

use promptops_types::{Error, ModelCatalogue, ModelInfo, ModelProvider};

use super::{awaitable, use_cache_setter};
use crate::PromptOpsClient;
use crate::cache::Read;
use crate::call::Call;
use crate::operation::LIST_MODELS;

/// A request for the models a registry knows.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct ListModels {
    client: PromptOpsClient,
    provider: Option<ModelProvider>,
    capability: Option<String>,
    use_cache: bool,
}

impl ListModels {
    pub(crate) fn new(client: &PromptOpsClient) -> Self {
        Self { client: client.clone(), provider: None, capability: None, use_cache: true }
    }

    /// Only models of this provider.
    pub fn provider(mut self, provider: impl Into<ModelProvider>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Only models with this capability, such as `vision`.
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.capability = Some(capability.into());
        self
    }

    use_cache_setter!();

    async fn send(self) -> Result<Vec<ModelInfo>, Error> {
        let use_cache = self.use_cache;
        let call = Call::new(&LIST_MODELS)
            .segment("models")
            .query("provider", self.provider.as_ref().map(ModelProvider::as_str))
            .query("capability", self.capability);
        let key = call.key_by_query(&self.client);
        let call = call.query("use_cache", (!use_cache).then_some("false"));
        let read = Read { key, call, use_cache, is_drawn: false };
        let catalogue = read.run_observed::<ModelCatalogue>(&self.client).await?.value;
        Ok(Arc::unwrap_or_clone(catalogue).models)
    }
}

awaitable!(ListModels => Vec<ModelInfo>);
