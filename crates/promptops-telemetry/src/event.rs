use std::time::Duration;

use compact_str::CompactString;
use promptops_types::{ErrorCode, ModelProvider, Source, Timestamp, UsageEvent};

/// One call of a client: which, about what, how it ended. Never a text, a variable or a key; there is
/// no field that could hold one.
#[derive(Debug, Clone, PartialEq)]
pub struct CallEvent {
    operation: &'static str,
    prompt: Option<CompactString>,
    version: Option<CompactString>,
    project: Option<CompactString>,
    model: Option<Box<(ModelProvider, Option<CompactString>)>>,
    timestamp: Timestamp,
    /// Nanoseconds.
    duration: u64,
    error: Option<Box<ErrorCode>>,
    source: Option<Source>,
    attempts: u32,
}

impl CallEvent {
    /// A call of `operation` that began then and has succeeded so far.
    #[inline]
    pub fn new(operation: &'static str, began: Timestamp) -> Self {
        Self {
            operation,
            prompt: None,
            version: None,
            project: None,
            model: None,
            timestamp: began,
            duration: 0,
            error: None,
            source: None,
            attempts: 0,
        }
    }

    /// The prompt as it was asked for: UUID or slug.
    #[inline]
    pub fn with_prompt(mut self, id: &str) -> Self {
        self.prompt = Some(CompactString::new(id));
        self
    }

    /// The version that the answer was.
    #[inline]
    pub fn with_version(mut self, version: &str) -> Self {
        self.version = Some(CompactString::new(version));
        self
    }

    /// The project.
    #[inline]
    pub fn with_project(mut self, project: &str) -> Self {
        self.project = Some(CompactString::new(project));
        self
    }

    /// The model that the prompt was for, or any of a provider.
    #[inline]
    pub fn with_model(mut self, provider: &ModelProvider, name: Option<&str>) -> Self {
        self.model = Some(Box::new((provider.clone(), name.map(CompactString::new))));
        self
    }

    /// How long it took.
    #[inline]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// That it failed, and how.
    #[inline]
    pub fn with_error(mut self, code: ErrorCode) -> Self {
        self.error = Some(Box::new(code));
        self
    }

    /// Where the answer came from.
    #[inline]
    pub fn with_source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// How many requests were sent.
    #[inline]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The operation: `get_prompt`, `render_prompt` and so on.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The prompt as it was asked for, where it was about one.
    pub fn prompt(&self) -> Option<&str> {
        self.prompt.as_deref()
    }

    /// The version that the answer was, where that is known.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The project; `None` is the registry's default.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The provider of the model that the prompt was for.
    pub fn model_provider(&self) -> Option<&ModelProvider> {
        self.model.as_ref().map(|model| &model.0)
    }

    /// The name of that model.
    pub fn model_name(&self) -> Option<&str> {
        self.model.as_ref().and_then(|model| model.1.as_deref())
    }

    /// When it began, to some milliseconds.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// How long it took; zero for what the memory of the process answered, which is not measured.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.duration)
    }

    /// Why it failed; `None` if it succeeded. With a fallback there is both an error and an answer.
    pub fn error(&self) -> Option<&ErrorCode> {
        self.error.as_deref()
    }

    /// Where the answer came from, for the calls that may be answered by a cache.
    pub fn source(&self) -> Option<Source> {
        self.source
    }

    /// How many requests this call sent; 0 for what a cache answered, or another call's request.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The event as the REST contract has it.
    pub fn to_usage(&self) -> UsageEvent {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let mut usage = UsageEvent::new(self.operation);
        usage.prompt_id = owned(self.prompt());
        usage.version = owned(self.version());
        usage.project_id = owned(self.project());
        usage.model_provider = self.model_provider().cloned();
        usage.model_name = owned(self.model_name());
        usage.timestamp = Some(self.timestamp);
        usage.duration_ms = self.duration().as_secs_f64() * 1e3;
        usage.success = self.error.is_none();
        usage.error_code = self.error().map(|code| code.as_str().to_owned());
        usage.cache_hit = self.source.is_some_and(Source::is_cache);
        usage
    }

    /// Bytes held, in place and elsewhere.
    #[inline]
    pub(crate) fn weight(&self) -> usize {
        let elsewhere = |text: &Option<CompactString>| match text {
            Some(text) if text.is_heap_allocated() => text.capacity(),
            _ => 0,
        };
        let model = self.model.as_ref().map_or(0, |model| {
            size_of_val(&**model) + model.1.as_ref().map_or(0, CompactString::len)
        });
        let texts = elsewhere(&self.prompt) + elsewhere(&self.version) + elsewhere(&self.project);
        size_of::<Self>() + texts + model
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_has_what_happened_and_nothing_else() {
        let event = CallEvent::new("render_prompt", Timestamp::from_unix_micros(1_000_000))
            .with_prompt("greeting")
            .with_version("1.2.0")
            .with_project("support")
            .with_model(&ModelProvider::OpenAi, Some("gpt-4"))
            .with_duration(Duration::from_micros(2500))
            .with_source(Source::Far)
            .with_attempts(2);
        let usage = event.to_usage();
        assert_eq!(usage.operation, "render_prompt");
        assert_eq!(usage.prompt_id.as_deref(), Some("greeting"));
        assert_eq!(usage.version.as_deref(), Some("1.2.0"));
        assert_eq!(usage.project_id.as_deref(), Some("support"));
        assert_eq!(usage.model_name.as_deref(), Some("gpt-4"));
        assert!((usage.duration_ms - 2.5).abs() < 1e-9);
        assert!(usage.success && usage.cache_hit && usage.error_code.is_none());
        let failed = event.with_error(ErrorCode::Timeout).with_source(Source::Fallback).to_usage();
        assert!(!failed.success && !failed.cache_hit);
        assert_eq!(failed.error_code.as_deref(), Some("TIMEOUT_ERROR"));
    }

    #[test]
    fn a_long_name_weighs_more() {
        let event = |id: &str| CallEvent::new("get_prompt", Timestamp::default()).with_prompt(id);
        assert_eq!(event("short").weight(), size_of::<CallEvent>());
        assert!(event(&"x".repeat(1000)).weight() >= size_of::<CallEvent>() + 1000);
    }
}
