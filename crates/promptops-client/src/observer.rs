//! What the client tells of its calls: counters, events, log lines. One place counts a call, whatever
//! it was.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use promptops_telemetry::{CallEvent, Sampler, TelemetrySink};
use promptops_types::{
    ClientStats, Error, ErrorKind, ModelProvider, Source, TelemetryConfig, TelemetrySummary,
    TimeSource, Timestamp,
};

/// Longest time without another warning that stale prompts are served.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(30);

/// Where answers come from.
#[cfg(feature = "otel")]
const SOURCES: [Source; 5] =
    [Source::Network, Source::Near, Source::Far, Source::Stale, Source::Fallback];

/// No call yet.
const NEVER: i64 = i64::MIN;

/// Counts calls and tells of them.
pub(crate) struct Observer {
    sampler: Sampler,
    sink: Arc<dyn TelemetrySink>,
    time: Arc<dyn TimeSource>,
    /// Calls that the memory of the process did not answer at once: those are counted there.
    succeeded: AtomicU64,
    failed: AtomicU64,
    micros: AtomicU64,
    /// Answers among them, by where they came from.
    #[cfg(feature = "otel")]
    answers: [AtomicU64; SOURCES.len()],
    /// When the last call began, in microseconds since the Unix epoch.
    last: AtomicI64,
    /// Whether the last answer of the registry was that the key is no good.
    is_refused: std::sync::Mutex<Option<String>>,
    /// Milliseconds on the monotonic clock; the next warning comes after it.
    quiet_until: AtomicU64,
    #[cfg(feature = "otel")]
    instruments: promptops_telemetry::otel::Instruments,
}

/// A call that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    is_sampled: bool,
    at: Duration,
    timestamp: Timestamp,
}

/// What a call was, and how it ended.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static str,
    pub(crate) prompt: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
    pub(crate) model: Option<(&'a ModelProvider, Option<&'a str>)>,
    pub(crate) error: Option<&'a Error>,
    pub(crate) source: Option<Source>,
    pub(crate) attempts: u32,
}

impl<'a> Call<'a> {
    pub(crate) fn new(operation: &'static str) -> Self {
        Self {
            operation,
            prompt: None,
            version: None,
            project: None,
            model: None,
            error: None,
            source: None,
            attempts: 0,
        }
    }

    #[inline]
    fn event(&self, timestamp: Timestamp) -> CallEvent {
        let mut event = CallEvent::new(self.operation, timestamp).with_attempts(self.attempts);
        if let Some(prompt) = self.prompt {
            event = event.with_prompt(prompt);
        }
        if let Some(version) = self.version {
            event = event.with_version(version);
        }
        if let Some(project) = self.project {
            event = event.with_project(project);
        }
        if let Some((provider, name)) = self.model {
            event = event.with_model(provider, name);
        }
        if let Some(error) = self.error {
            event = event.with_error(error.context().code().clone());
        }
        if let Some(source) = self.source {
            event = event.with_source(source);
        }
        event
    }

    pub(crate) fn error(mut self, error: Option<&'a Error>) -> Self {
        self.error = error;
        self
    }
}

impl Observer {
    pub(crate) fn new(
        config: &TelemetryConfig,
        sink: Arc<dyn TelemetrySink>,
        time: Arc<dyn TimeSource>,
    ) -> Self {
        Self {
            sampler: Sampler::new(rate(config)),
            sink,
            time,
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            micros: AtomicU64::new(0),
            #[cfg(feature = "otel")]
            answers: Default::default(),
            last: AtomicI64::new(NEVER),
            is_refused: std::sync::Mutex::default(),
            quiet_until: AtomicU64::new(0),
            #[cfg(feature = "otel")]
            instruments: promptops_telemetry::otel::Instruments::new(),
        }
    }

    /// # Errors
    /// [`Error::Config`] that names the setting; nothing is changed then.
    pub(crate) fn configure(&self, config: &TelemetryConfig) -> Result<(), Error> {
        self.sink.configure(config)?;
        self.sampler.set_rate(rate(config));
        Ok(())
    }

    pub(crate) fn sink(&self) -> &Arc<dyn TelemetrySink> {
        &self.sink
    }

    /// Whether the call that begins now is recorded: asked once a call.
    #[inline]
    pub(crate) fn draw(&self) -> bool {
        self.sampler.draw()
    }

    /// A call begins that takes its time.
    pub(crate) fn begin(&self) -> Began {
        self.begin_drawn(self.draw())
    }

    /// The same, where it has been decided whether it is recorded.
    pub(crate) fn begin_drawn(&self, is_sampled: bool) -> Began {
        Began { is_sampled, at: self.time.monotonic(), timestamp: self.time.coarse_now() }
    }

    /// A call was answered by the memory of the process, at once; `describe` is asked if it is
    /// recorded. How many those are is counted by that memory.
    #[inline]
    pub(crate) fn hit<'a>(&self, is_sampled: bool, describe: impl FnOnce() -> Call<'a>) {
        let now = self.time.coarse_now();
        let micros = now.unix_micros();
        // Written some times a second and no oftener: it is every thread's.
        if self.last.load(Relaxed) != micros {
            self.last.store(micros, Relaxed);
        }
        if is_sampled {
            self.sink.record(describe().event(now));
        }
    }

    /// A call has ended.
    pub(crate) fn ended(&self, began: Began, call: &Call<'_>) {
        let took = self.time.monotonic().saturating_sub(began.at);
        let counter = if call.error.is_none() { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        self.last.fetch_max(began.timestamp.unix_micros(), Relaxed);
        self.note_refusal(call);
        log(call, took);
        #[cfg(feature = "otel")]
        if let Some(at) = SOURCES.iter().position(|source| call.source == Some(*source)) {
            self.answers[at].fetch_add(1, Relaxed);
        }
        #[cfg(feature = "otel")]
        self.instruments.call(&call.event(began.timestamp).with_duration(took));
        if began.is_sampled {
            self.sink.record(call.event(began.timestamp).with_duration(took));
        }
    }

    /// Answers to reads, by where they came from; `hits` as for [`stats`](Self::stats).
    #[cfg(feature = "otel")]
    pub(crate) fn answers(&self, hits: u64) -> Vec<(&'static str, u64)> {
        let counted = SOURCES.iter().zip(&self.answers).map(|(source, count)| {
            let quick = if *source == Source::Near { hits } else { 0 };
            (source.as_str(), quick.saturating_add(count.load(Relaxed)))
        });
        counted.collect()
    }

    /// A call was refused before it began: it counts as one that failed.
    pub(crate) fn refused(&self, operation: &'static str, error: &Error) {
        self.ended(self.begin(), &Call::new(operation).error(Some(error)));
    }

    /// Remembers whether the registry refuses the key, for the health of the client.
    fn note_refusal(&self, call: &Call<'_>) {
        // No answer says nothing about the key.
        let is_answer = match call.error {
            None => call.attempts > 0,
            Some(error) => error.status().is_some() && call.attempts > 0,
        };
        let refusal = call.error.filter(|error| error.kind() == ErrorKind::Authentication);
        if let (true, Ok(mut refused)) = (is_answer, self.is_refused.lock())
            && (refusal.is_some() || refused.is_some())
        {
            *refused = refusal.map(ToString::to_string);
        }
    }

    /// What the registry said when it refused the key, if that was its last answer.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.is_refused.lock().ok().and_then(|refused| refused.clone())
    }

    /// A stale answer was given since the registry failed: told from time to time.
    pub(crate) fn served_stale(&self, prompt: Option<&str>, age: Duration, error: &Error) {
        let now = millis(self.time.coarse());
        let until = self.quiet_until.load(Relaxed);
        let next = now.saturating_add(millis(BETWEEN_WARNINGS));
        if now >= until && self.quiet_until.compare_exchange(until, next, Relaxed, Relaxed).is_ok()
        {
            tracing::warn!(
                prompt,
                age_seconds = age.as_secs(),
                %error,
                "the registry fails; stale prompts are served from the cache",
            );
        }
    }

    /// The statistics of the client; `hits` are the calls that the memory of the process answered at
    /// once.
    pub(crate) fn stats(&self, hits: u64) -> ClientStats {
        let mut stats = ClientStats::default();
        stats.successful_requests = hits.saturating_add(self.succeeded.load(Relaxed));
        stats.failed_requests = self.failed.load(Relaxed);
        stats.total_requests = stats.successful_requests.saturating_add(stats.failed_requests);
        if stats.total_requests > 0 {
            #[expect(clippy::cast_precision_loss, reason = "shares and means")]
            let of_all = |part: u64| part as f64 / stats.total_requests as f64;
            stats.success_rate = of_all(stats.successful_requests);
            stats.avg_response_time_ms = of_all(self.micros.load(Relaxed)) / 1e3;
        }
        let last = self.last.load(Relaxed);
        stats.last_request_time = (last != NEVER).then(|| Timestamp::from_unix_micros(last));
        stats
    }

    pub(crate) fn summary(&self, config: &TelemetryConfig) -> TelemetrySummary {
        let ledger = self.sink.ledger();
        let mut summary = TelemetrySummary::default();
        summary.pending_events = ledger.pending;
        summary.enabled = config.enabled;
        summary.sample_rate = config.sample_rate;
        summary.batch_size = config.batch_size as u64;
        summary.emitted_events = ledger.emitted;
        summary.exported_events = ledger.exported;
        summary.dropped_events = ledger.dropped;
        summary
    }
}

fn rate(config: &TelemetryConfig) -> f64 {
    if config.enabled { config.sample_rate } else { 0.0 }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Names, numbers and codes alone: a log is read by more people than a prompt.
fn log(call: &Call<'_>, took: Duration) {
    tracing::debug!(
        operation = call.operation,
        prompt = call.prompt,
        version = call.version,
        source = call.source.map(Source::as_str),
        attempts = call.attempts,
        duration_ms = took.as_secs_f64() * 1e3,
        error = call.error.map(Error::code),
        request_id = call.error.and_then(Error::request_id),
        "call ended",
    );
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("sampler", &self.sampler)
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}
