use std::sync::Arc;

use promptops_types::{Error, PromptPage, PromptResponse, SortBy, SortOrder};

use super::{awaitable, project, project_setter, use_cache_setter};
use crate::PromptOpsClient;
use crate::cache::Read;
use crate::call::Call;
use crate::operation::LIST_PROMPTS;

/// A request for a list of prompts, each at its latest version.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct ListPrompts {
    client: PromptOpsClient,
    project: Option<String>,
    module: Option<String>,
    query: Option<String>,
    tags: Vec<String>,
    skip: u64,
    cursor: Option<String>,
    limit: u64,
    sort_by: SortBy,
    sort_order: SortOrder,
    use_cache: bool,
}

impl ListPrompts {
    pub(crate) fn new(client: &PromptOpsClient) -> Self {
        Self {
            client: client.clone(),
            project: None,
            module: None,
            query: None,
            tags: Vec::new(),
            skip: 0,
            cursor: None,
            limit: 100,
            sort_by: SortBy::default(),
            sort_order: SortOrder::default(),
            use_cache: true,
        }
    }

    project_setter!();

    /// Only prompts of this module.
    pub fn module(mut self, module: impl Into<String>) -> Self {
        self.module = Some(module.into());
        self
    }

    /// Only prompts whose slug, name or description holds this text, without regard to case.
    pub fn query(mut self, text: impl Into<String>) -> Self {
        self.query = Some(text.into());
        self
    }

    /// Only prompts with all of these tags.
    pub fn tags<S: Into<String>>(mut self, tags: impl IntoIterator<Item = S>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Leaves out this many; 0.
    pub fn skip(mut self, prompts: u64) -> Self {
        self.skip = prompts;
        self
    }

    /// Gives the page after the one that named this [`next_cursor`](PromptPage::next_cursor), with the
    /// same filters. It is as quick however far the list has come, and skips and repeats nothing when
    /// prompts come and go.
    pub fn cursor(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// Gives at most this many, 1 to 1000; 100.
    pub fn limit(mut self, prompts: u64) -> Self {
        self.limit = prompts;
        self
    }

    /// Sorts by this; when the prompt was created.
    pub fn sort_by(mut self, sort_by: SortBy) -> Self {
        self.sort_by = sort_by;
        self
    }

    /// Sorts this way; newest first.
    pub fn sort_order(mut self, sort_order: SortOrder) -> Self {
        self.sort_order = sort_order;
        self
    }

    use_cache_setter!();

    /// Fetches the page with how many prompts there are in all.
    ///
    /// # Errors
    /// [`Error::Validation`] for a limit out of range, and whatever keeps the registry from
    /// answering.
    pub async fn page(self) -> Result<PromptPage, Error> {
        // A cursor says where the page begins.
        let offset = self.cursor.is_none().then(|| self.skip.to_string());
        let tags = (!self.tags.is_empty()).then(|| self.tags.join(","));
        let use_cache = self.use_cache;
        let call = Call::new(&LIST_PROMPTS)
            .segment("prompts")
            .in_project(project(&self.client, self.project).as_ref())
            .query("module_id", self.module)
            .query("query", self.query)
            .query("tags", tags)
            .query("cursor", self.cursor)
            .query("offset", offset)
            .query("limit", Some(self.limit.to_string()))
            .query("sort_by", Some(self.sort_by.as_str()))
            .query("sort_order", Some(self.sort_order.as_str()));
        let key = call.key_by_query(&self.client);
        let call = call.query("use_cache", (!use_cache).then_some("false"));
        let read = Read { key, call, use_cache, is_drawn: false };
        let page = read.run_observed::<PromptPage>(&self.client).await?.value;
        Ok(Arc::unwrap_or_clone(page))
    }

    async fn send(self) -> Result<Vec<Arc<PromptResponse>>, Error> {
        self.page().await.map(|page| page.prompts)
    }
}

awaitable!(ListPrompts => Vec<Arc<PromptResponse>>);
