//! `promptops stats`.

use clap::{Args, ValueEnum};
use promptops_client::{Granularity, UsageTotals};

use crate::block_on;
use crate::failure::Failure;
use crate::output::{STRONG, moment};
use crate::settings::{Global, Registry};

/// Tells what was used, as far as clients told it
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Only this prompt, as it was asked for
    #[arg(long)]
    prompt: Option<String>,

    /// From this day or moment on, such as 2026-11-25 [default: 30 days before the end]
    #[arg(long, value_name = "DATE")]
    start: Option<String>,

    /// Until then [default: now]
    #[arg(long, value_name = "DATE")]
    end: Option<String>,

    /// How long the periods are
    #[arg(long, value_enum, default_value = "day", value_name = "PERIOD")]
    granularity: Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Period {
    Hour,
    Day,
    Week,
    Month,
}

impl From<Period> for Granularity {
    fn from(period: Period) -> Self {
        match period {
            Period::Hour => Self::Hour,
            Period::Day => Self::Day,
            Period::Week => Self::Week,
            Period::Month => Self::Month,
        }
    }
}

const HEADINGS: [&str; 8] = ["", "USES", "ERRORS", "CACHE HITS", "MEAN MS", "P50", "P95", "P99"];

impl Stats {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        let mut request = session.client.get_usage_stats().granularity(self.granularity.into());
        if let Some(prompt) = self.prompt {
            request = request.prompt(prompt);
        }
        if let Some(start) = self.start {
            request = request.start(start);
        }
        if let Some(end) = self.end {
            request = request.end(end);
        }
        let stats = block_on(async { Ok(request.await?) })?;
        let output = session.output;
        if output.json {
            return output.data(&stats);
        }
        output.line(&format!(
            "{STRONG}{} to {}{STRONG:#}",
            moment(stats.start_date),
            moment(stats.end_date)
        ))?;
        let mut rows = vec![row("all".to_owned(), &stats.totals)];
        rows.extend(stats.by_endpoint.iter().map(|(name, totals)| row(name.clone(), totals)));
        rows.extend(stats.by_period.iter().map(|it| row(moment(it.start), &it.totals)));
        output.table(&HEADINGS, rows)?;
        let prompts = stats.top_prompts.iter().map(|prompt| {
            let counts = [prompt.requests, prompt.errors].map(|count| count.to_string());
            [vec![prompt.prompt_id.clone(), prompt.project_id.clone()], counts.to_vec()].concat()
        });
        output.table(&["PROMPT", "PROJECT", "USES", "ERRORS"], prompts.collect())
    }
}

fn row(name: String, totals: &UsageTotals) -> Vec<String> {
    let counts = [totals.requests, totals.errors, totals.cache_hits].map(|n| n.to_string());
    let times = [
        totals.avg_duration_ms,
        totals.p50_duration_ms,
        totals.p95_duration_ms,
        totals.p99_duration_ms,
    ];
    let times = times.map(|ms| format!("{ms:.1}"));
    [vec![name], counts.to_vec(), times.to_vec()].concat()
}
