//! Usage: events in, sums by the hour kept, statistics out.

mod histogram;

use std::collections::BTreeMap;

pub use histogram::Histogram;
use promptops_types::{
    DEFAULT_PROJECT, Granularity, PromptUsage, Timestamp, UsageEvent, UsagePeriod, UsageStats,
    UsageTotals, ValidationIssue,
};
use sha2::{Digest, Sha256};

use crate::limits::MAX_NAME_CHARS;
use crate::{Access, Registry, RegistryError, Scope, Store};

/// An hour, in microseconds.
const HOUR: i64 = 3600 * 1_000_000;

/// How long usage is kept unless said otherwise: 90 days, in microseconds.
pub const USAGE_KEPT: i64 = 90 * 24 * HOUR;

/// How far from now the time of an event may be: a client that was cut off tells late.
const LATEST: i64 = HOUR;
const OLDEST: i64 = 7 * 24 * HOUR;

/// Longest span of a statistic.
const LONGEST: i64 = 400 * 24 * HOUR;

/// Prompts that a statistic names.
const TOP: u64 = 10;

/// Most periods of a statistic.
const MAX_PERIODS: i64 = 10_000;

/// What was used in one hour, of one prompt or of a whole project.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageRow {
    /// When the hour begins.
    pub hour: Timestamp,
    /// The project.
    pub project: String,
    /// The prompt as it was asked for; empty for the whole project.
    pub prompt: String,
    /// The operation.
    pub operation: String,
    /// What was used.
    pub usage: Usage,
}

/// What was used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Uses.
    pub requests: u64,
    /// Uses that failed.
    pub errors: u64,
    /// Uses that a cache answered.
    pub cache_hits: u64,
    /// Tokens into models.
    pub input_tokens: u64,
    /// Tokens out of them.
    pub output_tokens: u64,
    /// How long all of them took, in microseconds.
    pub micros: u64,
    /// How long each took.
    pub durations: Histogram,
}

impl Usage {
    fn of(event: &UsageEvent) -> Self {
        let mut durations = Histogram::default();
        let milliseconds = event.duration_ms;
        durations.count(milliseconds);
        Self {
            requests: 1,
            errors: u64::from(!event.success),
            cache_hits: u64::from(event.cache_hit),
            input_tokens: event.input_tokens,
            output_tokens: event.output_tokens,
            micros: std::time::Duration::try_from_secs_f64(milliseconds / 1e3)
                .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
            durations,
        }
    }

    /// Adds what else was used.
    pub fn add(&mut self, other: &Self) {
        let sum = |to: &mut u64, more: u64| *to = to.saturating_add(more);
        sum(&mut self.requests, other.requests);
        sum(&mut self.errors, other.errors);
        sum(&mut self.cache_hits, other.cache_hits);
        sum(&mut self.input_tokens, other.input_tokens);
        sum(&mut self.output_tokens, other.output_tokens);
        sum(&mut self.micros, other.micros);
        self.durations.add(&other.durations);
    }

    fn totals(&self) -> UsageTotals {
        let mut totals = UsageTotals::default();
        totals.requests = self.requests;
        totals.errors = self.errors;
        totals.cache_hits = self.cache_hits;
        totals.input_tokens = self.input_tokens;
        totals.output_tokens = self.output_tokens;
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let mean = self.micros as f64 / 1e3 / self.requests.max(1) as f64;
        totals.avg_duration_ms = mean;
        totals.p50_duration_ms = self.durations.quantile(0.5);
        totals.p95_duration_ms = self.durations.quantile(0.95);
        totals.p99_duration_ms = self.durations.quantile(0.99);
        totals
    }
}

/// What is added to the usage at once.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageBatch {
    /// What tells a batch that is sent again from another.
    pub id: Option<[u8; 32]>,
    /// When it arrived.
    pub at: Timestamp,
    /// What is added; each hour, project, prompt and operation once, in that order.
    pub rows: Vec<UsageRow>,
}

/// Which usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// Only these projects; `None` means every project.
    pub projects: Option<Vec<String>>,
    /// Of this prompt; empty for that of whole projects.
    pub prompt: String,
    /// From this hour on.
    pub from: Timestamp,
    /// Until before this hour.
    pub to: Timestamp,
}

/// How much a prompt was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopPrompt {
    /// The project.
    pub project: String,
    /// The prompt as it was asked for.
    pub prompt: String,
    /// Uses.
    pub requests: u64,
    /// Uses that failed.
    pub errors: u64,
}

/// Which statistic.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StatsQuery {
    /// The first hour; 30 days before the end unless given.
    pub start: Option<Timestamp>,
    /// The end; now unless given.
    pub end: Option<Timestamp>,
    /// One prompt, as it was asked for.
    pub prompt: Option<String>,
    /// One project.
    pub project: Option<String>,
    /// How long the periods are.
    pub granularity: Granularity,
}

/// What became of events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logged {
    /// Events that are counted, or were already.
    pub accepted: usize,
    /// Whether the batch was counted already.
    pub duplicate: bool,
    /// Events that are not counted, by their place, and why.
    pub refused: Vec<(usize, ValidationIssue)>,
}

impl Registry {
    /// Counts events of projects that the caller may see. A batch that has an id is counted once,
    /// though the same caller sends it again; that is known for a day at least.
    ///
    /// # Errors
    /// [`RegistryError::ScopeMissing`], [`RegistryError::Store`]. A wrong event is told in
    /// [`Logged::refused`], and leaves the others alone.
    pub async fn log_usage(
        &self,
        access: &Access,
        batch: Option<&str>,
        events: &[UsageEvent],
    ) -> Result<Logged, RegistryError> {
        access.require(Scope::Read)?;
        let at = self.now();
        let mut logged = Logged::default();
        let mut rows: BTreeMap<(i64, &str, &str, &str), Usage> = BTreeMap::new();
        for (index, event) in events.iter().enumerate() {
            match check(access, event, at) {
                Ok((hour, project)) => {
                    let usage = Usage::of(event);
                    let prompt = event.prompt_id.as_deref().unwrap_or_default();
                    let whole = (!prompt.is_empty()).then_some("");
                    for prompt in [Some(prompt), whole].into_iter().flatten() {
                        let key = (hour, project, prompt, event.operation.as_str());
                        rows.entry(key).or_default().add(&usage);
                    }
                    logged.accepted += 1;
                }
                Err(issue) => logged.refused.push((index, *issue)),
            }
        }
        let id = batch.map(|id| {
            let actor = access.actor().as_bytes();
            Sha256::new().chain_update(actor).chain_update([0]).chain_update(id).finalize().into()
        });
        let rows = rows.into_iter().map(|((hour, project, prompt, operation), usage)| UsageRow {
            hour: Timestamp::from_unix_micros(hour),
            project: project.to_owned(),
            prompt: prompt.to_owned(),
            operation: operation.to_owned(),
            usage,
        });
        let batch = UsageBatch { id, at, rows: rows.collect() };
        if !batch.rows.is_empty() {
            logged.duplicate = !self.store.log_usage(&batch).await?;
        }
        Ok(logged)
    }

    /// What was used in the projects that the caller may see.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] for a span that is empty or too long; [`RegistryError::Store`].
    pub async fn usage_stats(
        &self,
        access: &Access,
        query: &StatsQuery,
    ) -> Result<UsageStats, RegistryError> {
        access.require(Scope::Read)?;
        let (from, to) = span(query, self.now())?;
        let granularity = query.granularity;
        let wanted = UsageQuery {
            projects: access.narrow(query.project.clone().map(|project| vec![project])),
            prompt: query.prompt.clone().unwrap_or_default(),
            from,
            to,
        };
        let mut all = Usage::default();
        let mut by_endpoint: BTreeMap<String, Usage> = BTreeMap::new();
        let mut by_period: BTreeMap<Timestamp, Usage> = BTreeMap::new();
        let mut each = |row: UsageRow| {
            all.add(&row.usage);
            by_endpoint.entry(row.operation).or_default().add(&row.usage);
            by_period.entry(row.hour.start_of(granularity)).or_default().add(&row.usage);
            Ok(())
        };
        self.store.usage(&wanted, &mut each).await?;
        let top = match query.prompt {
            None => self.store.top_prompts(&wanted, TOP).await?,
            Some(_) => Vec::new(),
        };
        let mut stats = UsageStats::default();
        stats.start_date = from;
        stats.end_date = to;
        stats.granularity = granularity;
        stats.totals = all.totals();
        stats.by_endpoint =
            by_endpoint.into_iter().map(|(name, usage)| (name, usage.totals())).collect();
        stats.by_period =
            by_period.into_iter().map(|(start, usage)| period(start, &usage)).collect();
        stats.top_prompts = top.into_iter().map(top_prompt).collect();
        Ok(stats)
    }

    /// Forgets what was used longer ago than so many microseconds; gives how many rows that were.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn forget_usage(&self, older_than: i64) -> Result<u64, RegistryError> {
        let before = self.now().unix_micros().saturating_sub(older_than);
        Ok(self.store.forget_usage(Timestamp::from_unix_micros(before)).await?)
    }
}

fn period(start: Timestamp, usage: &Usage) -> UsagePeriod {
    let mut period = UsagePeriod::default();
    (period.start, period.totals) = (start, usage.totals());
    period
}

fn top_prompt(top: TopPrompt) -> PromptUsage {
    let mut prompt = PromptUsage::default();
    (prompt.prompt_id, prompt.project_id) = (top.prompt, top.project);
    (prompt.requests, prompt.errors) = (top.requests, top.errors);
    prompt
}

/// The hour and the project of an event, if it can be counted.
fn check<'e>(
    access: &Access,
    event: &'e UsageEvent,
    now: Timestamp,
) -> Result<(i64, &'e str), Box<ValidationIssue>> {
    let wrong = |field: &str, code: &str, message: String| {
        Err(Box::new(ValidationIssue::new(field, code, message)))
    };
    let project = event.project_id.as_deref().unwrap_or(DEFAULT_PROJECT);
    let texts = [
        ("operation", Some(event.operation.as_str())),
        ("project_id", Some(project)),
        ("prompt_id", event.prompt_id.as_deref()),
    ];
    for (field, text) in texts {
        let is_good = text.is_none_or(|text| {
            (1..=MAX_NAME_CHARS).contains(&text.chars().count()) && !text.contains(char::is_control)
        });
        if !is_good {
            let message = format!("must have 1 to {MAX_NAME_CHARS} characters, none for control");
            return wrong(field, "invalid", message);
        }
    }
    if !access.allows(project) {
        return wrong("project_id", "not_allowed", "is not one that you may see".to_owned());
    }
    if !(event.duration_ms.is_finite() && event.duration_ms >= 0.0) {
        return wrong("duration_ms", "invalid", "must be 0 or more".to_owned());
    }
    let (now, at) = (now.unix_micros(), event.timestamp.unwrap_or(now).unix_micros());
    if at > now.saturating_add(LATEST) || at < now.saturating_sub(OLDEST) {
        let message = "must not be more than an hour ahead or a week ago".to_owned();
        return wrong("timestamp", "out_of_range", message);
    }
    Ok((at.div_euclid(HOUR) * HOUR, project))
}

/// The hours of a statistic.
fn span(query: &StatsQuery, now: Timestamp) -> Result<(Timestamp, Timestamp), RegistryError> {
    let end = query.end.unwrap_or(now).unix_micros();
    // The hour that has begun is in it.
    let end = end.div_euclid(HOUR).saturating_add(1).saturating_mul(HOUR);
    let start = query.start.map_or(end.saturating_sub(30 * 24 * HOUR), Timestamp::unix_micros);
    let start = start.div_euclid(HOUR) * HOUR;
    let invalid =
        |message: &str| Err(RegistryError::invalid("start_date", "out_of_range", message));
    if start >= end {
        return invalid("must be before `end_date`");
    }
    if end.saturating_sub(start) > LONGEST {
        return invalid("must not be more than 400 days before `end_date`");
    }
    let hours = (end - start) / HOUR;
    if query.granularity == Granularity::Hour && hours > MAX_PERIODS {
        return invalid("makes too many periods; choose a longer `granularity`");
    }
    Ok((Timestamp::from_unix_micros(start), Timestamp::from_unix_micros(end)))
}
