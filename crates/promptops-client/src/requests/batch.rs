use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use promptops_cache::CacheKey;
use promptops_types::{BatchEntry, BatchRequest, BatchResponse, Error};

use super::{awaitable, project, project_setter};
use crate::PromptOpsClient;
use crate::cache::{Tickets, Tiers};
use crate::call::Call;
use crate::observer::Call as Observed;
use crate::operation::{GET_PROMPT, GET_PROMPTS};

/// So many entries are asked for at the same time in a shared cache.
const TICKETS: usize = 32;

/// A request for many prompts at once.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct GetPrompts {
    client: PromptOpsClient,
    entries: Vec<BatchEntry>,
    project: Option<String>,
    include_versions: bool,
}

impl GetPrompts {
    pub(crate) fn new(client: &PromptOpsClient, entries: Vec<BatchEntry>) -> Self {
        Self { client: client.clone(), entries, project: None, include_versions: false }
    }

    project_setter!();

    /// Lists each prompt's version numbers too; false.
    pub fn include_versions(mut self, include: bool) -> Self {
        self.include_versions = include;
        self
    }

    /// The keys under which what is found is kept, as if it had been fetched one by one, and what
    /// each tier had been told to forget before.
    async fn expected(
        &self,
        tiers: &Tiers,
        entries: &[BatchEntry],
        project: Option<&String>,
    ) -> Vec<(String, CacheKey, Tickets)> {
        if tiers.is_none() {
            return Vec::new();
        }
        let cache = self.client.cache();
        let keys = entries.iter().map(|entry| {
            let mut key = cache.key(GET_PROMPT.name);
            key.prompt = Some(entry.id().to_owned());
            key.selector = entry.version().map(str::to_owned);
            key.project = project.cloned();
            (entry.asked(), key)
        });
        let keys: Vec<_> = keys.collect();
        let tickets = stream::iter(keys).map(|(asked, key)| async move {
            let tickets = cache.tickets(tiers, &key).await;
            (asked, key, tickets)
        });
        tickets.buffered(TICKETS).collect().await
    }

    /// One request for each 500 prompts, one after the other, under one deadline.
    async fn send(self) -> Result<BatchResponse, Error> {
        let observer = self.client.observer();
        let began = observer.begin();
        let project = project(&self.client, self.project.clone());
        let mut attempts = 0;
        let outcome = self.all(project.as_ref(), &mut attempts).await;
        let call = Observed {
            project: project.as_deref(),
            error: outcome.as_ref().err(),
            attempts,
            ..Observed::new(GET_PROMPTS.name)
        };
        observer.ended(began, &call);
        outcome
    }

    async fn all(
        &self,
        project: Option<&String>,
        attempts: &mut u32,
    ) -> Result<BatchResponse, Error> {
        let deadline = self.client.deadline();
        let mut whole = BatchResponse::default();
        for entries in self.entries.chunks(BatchRequest::MAX) {
            let mut batch = BatchRequest::new(entries.to_vec(), project.cloned());
            batch.include_versions = self.include_versions;
            let mut call =
                Call::new(&GET_PROMPTS).segment("prompts").segment("batch").json(&batch)?;
            let tiers = Arc::clone(&self.client.cache().tiers());
            let expected = self.expected(&tiers, entries, project).await;
            let part = call.send_unobserved::<BatchResponse>(&self.client, deadline).await;
            *attempts += call.attempts();
            let part = part?.data;
            for (asked, key, tickets) in expected {
                if let Some(prompt) = part.prompts.get(&asked) {
                    self.client.cache().keep_prompt(&tiers, &key, prompt, tickets).await;
                }
            }
            whole.prompts.extend(part.prompts);
            whole.errors.extend(part.errors);
            whole.versions.extend(part.versions);
            whole.total_requested = whole.total_requested.saturating_add(part.total_requested);
            whole.total_found = whole.total_found.saturating_add(part.total_found);
        }
        Ok(whole)
    }
}

awaitable!(GetPrompts => BatchResponse);
