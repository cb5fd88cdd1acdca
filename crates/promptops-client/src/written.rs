//! Writes under way, and what they may have changed in the caches.

use serde::Deserialize;

use crate::PromptOpsClient;

/// A write under way. However it ends, what it may have changed is forgotten.
pub(crate) struct Written {
    client: PromptOpsClient,
    /// What the prompt is called, as far as it is known.
    names: Vec<String>,
    is_forgotten: bool,
}

impl Written {
    /// A write about a prompt, or with this body.
    pub(crate) fn new(client: &PromptOpsClient, prompt: Option<&str>, body: Option<&[u8]>) -> Self {
        let mut names: Vec<String> = prompt.into_iter().map(str::to_owned).collect();
        names.extend(body.into_iter().flat_map(named));
        Self { client: client.clone(), names, is_forgotten: false }
    }

    /// What else the prompt is called.
    pub(crate) fn add(&mut self, names: impl IntoIterator<Item = String>) {
        self.names.extend(names);
    }

    pub(crate) async fn forget(mut self) {
        self.names.sort_unstable();
        self.names.dedup();
        self.client.cache().forget_written(&self.names).await;
        self.is_forgotten = true;
    }
}

impl Drop for Written {
    /// The call was dropped: nobody waits for the answer, but it may have been carried out.
    fn drop(&mut self) {
        if self.is_forgotten {
            return;
        }
        self.client.cache().forget_written_near(&self.names);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (client, names) = (self.client.clone(), std::mem::take(&mut self.names));
            runtime.spawn(async move { client.cache().forget_written(&names).await });
        }
    }
}

/// What a prompt is called in a request or an answer: its id and its slug.
pub(crate) fn named(body: &[u8]) -> Vec<String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named {
        id: Option<String>,
        slug: Option<String>,
        data: Option<Box<Named>>,
    }

    let mut names = Vec::new();
    let mut level = serde_json::from_slice::<Named>(body).ok();
    while let Some(Named { id, slug, data }) = level {
        names.extend(id.into_iter().chain(slug));
        level = data.map(|data| *data);
    }
    names
}
