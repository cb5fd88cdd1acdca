use promptops_types::Error;

use super::{GetPrompts, awaitable};

/// A request for prompts that will be wanted soon.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Prefetch {
    prompts: GetPrompts,
}

impl Prefetch {
    pub(crate) fn new(prompts: GetPrompts) -> Self {
        Self { prompts }
    }

    /// Looks in this project, and not in the client's.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.prompts = self.prompts.project(project);
        self
    }

    async fn send(self) -> Result<u64, Error> {
        self.prompts.await.map(|found| found.total_found)
    }
}

awaitable!(Prefetch => u64);
