use promptops_types::{Error, Granularity, Timestamp, UsageStats};

use super::{awaitable, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::USAGE_STATS;

/// A request for what was used, in sum and over time.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct GetUsageStats {
    client: PromptOpsClient,
    project: Option<String>,
    prompt: Option<String>,
    start: Option<String>,
    end: Option<String>,
    granularity: Granularity,
}

impl GetUsageStats {
    pub(crate) fn new(client: &PromptOpsClient) -> Self {
        let (project, prompt, start, end) = (None, None, None, None);
        let granularity = Granularity::default();
        Self { client: client.clone(), project, prompt, start, end, granularity }
    }

    project_setter!();

    /// Only this prompt, as it was asked for: by UUID or by slug.
    pub fn prompt(mut self, id: impl Into<String>) -> Self {
        self.prompt = Some(id.into());
        self
    }

    /// From this date (`2026-11-25`, midnight UTC) or moment (RFC 3339) on; 30 days before the end.
    pub fn start(mut self, date: impl Into<String>) -> Self {
        self.start = Some(date.into());
        self
    }

    /// Until then; now.
    pub fn end(mut self, date: impl Into<String>) -> Self {
        self.end = Some(date.into());
        self
    }

    /// How long the periods are; a day.
    pub fn granularity(mut self, granularity: Granularity) -> Self {
        self.granularity = granularity;
        self
    }

    async fn send(self) -> Result<UsageStats, Error> {
        let call = Call::new(&USAGE_STATS)
            .segment("usage")
            .segment("stats")
            .in_project(project(&self.client, self.project).as_ref())
            .query("prompt_id", self.prompt)
            .query("start_date", self.start)
            .query("end_date", self.end)
            .query("granularity", Some(self.granularity.as_str()));
        let answer = call.send::<UsageStats>(&self.client).await?;
        if answer.data.end_date == Timestamp::default() {
            return Err(answer.refuse("it does not say of which time it tells"));
        }
        Ok(answer.data)
    }
}

awaitable!(GetUsageStats => UsageStats);
