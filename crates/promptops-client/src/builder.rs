use std::sync::Arc;
use std::time::Duration;

use promptops_cache::{CacheBackend, CacheScope, SharedCache};
use promptops_telemetry::{Batcher, TelemetrySink};
use promptops_transport::{
    Bearer, Credential, Middleware, Pipeline, SharedMiddleware, SharedTransport, Signed, Transport,
};
use promptops_types::{
    CacheConfig, ClientConfig, DEFAULT_BASE_URL, Error, RetryConfig, Secret, SystemTime,
    TelemetryConfig, TimeSource,
};

use crate::PromptOpsClient;
use crate::base_url::BaseUrl;
use crate::cache::{Cache, Parts as CacheParts};
use crate::client::Parts;
use crate::observer::Observer;
use crate::usage_exporter::UsageExporter;

/// Builds a client. What is not set here is read from the environment
/// (`PROMPTOPS_BASE_URL`, `PROMPTOPS_API_KEY`, `PROMPTOPS_SECRET_KEY`, `PROMPTOPS_PROJECT`,
/// `PROMPTOPS_REDIS_URL` or `REDIS_URL`), then has its default.
///
/// ```
/// use promptops_client::PromptOpsClient;
///
/// let error = PromptOpsClient::builder().base_url("prompts.db").build().unwrap_err();
/// assert!(error.to_string().contains("sqlite:PATH"));
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    base_url: Option<String>,
    api_key: Option<Secret>,
    secret_key: Option<Secret>,
    project: Option<String>,
    config: ClientConfig,
    transport: Option<SharedTransport>,
    cache_backend: Option<SharedCache>,
    time: Option<Arc<dyn TimeSource>>,
    credential: Option<Arc<dyn Credential>>,
    per_call: Vec<SharedMiddleware>,
    per_attempt: Vec<SharedMiddleware>,
    telemetry_sink: Option<Arc<dyn TelemetrySink>>,
}

impl ClientBuilder {
    /// Where the registry is: `https://HOST/v1`, `http://HOST/v1`, `sqlite:PATH` or
    /// `sqlite::memory:`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// API key.
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Secret that signs requests, by [`Signed::new`]. For a registry that knows only the first form
    /// of signature, set a [`credential`](Self::credential).
    pub fn secret_key(mut self, key: impl Into<Secret>) -> Self {
        self.secret_key = Some(key.into());
        self
    }

    /// Project of calls that name none.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Deadline of a whole call; 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self
    }

    /// What is cached, where and how long.
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.config.cache = cache;
        self
    }

    /// How failed requests are retried; three attempts in all.
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.config.retry = retry;
        self
    }

    /// What the client reports.
    pub fn telemetry(mut self, telemetry: TelemetryConfig) -> Self {
        self.config.telemetry = telemetry;
        self
    }

    /// Takes every setting from a configuration, whatever the environment says; setters called
    /// afterwards change it. What it leaves out is read from the environment: keys, a project, and a
    /// `base_url`, which it does if that is the default.
    pub fn config(mut self, config: ClientConfig) -> Self {
        // A key of the environment goes to the registry of the environment.
        self.base_url = (config.base_url != DEFAULT_BASE_URL).then(|| config.base_url.clone());
        self.api_key.clone_from(&config.api_key);
        self.secret_key.clone_from(&config.secret_key);
        self.project.clone_from(&config.project);
        self.config = config;
        self
    }

    /// Sends requests through a transport of your own. It gets absolute URIs below `base_url`.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(SharedTransport::new(transport));
        self
    }

    /// Keeps entries in a cache of your own too: it becomes the far tier, behind the one in memory,
    /// or alone with the level `redis`.
    pub fn cache_backend(mut self, backend: impl CacheBackend) -> Self {
        self.cache_backend = Some(SharedCache::new(backend));
        self
    }

    /// Tells a sink of your own of the calls that are sampled, in the place of the registry. It is asked
    /// to end by [`PromptOpsClient::shutdown`] alone.
    pub fn telemetry_sink(mut self, sink: impl TelemetrySink) -> Self {
        self.telemetry_sink = Some(Arc::new(sink));
        self
    }

    /// Reads the time elsewhere, for the ages of what is cached and for dates in answers; deadlines are
    /// kept by tokio's clock. For tests.
    pub fn time_source(mut self, time: impl TimeSource) -> Self {
        self.time = Some(Arc::new(time));
        self
    }

    /// Proves who asks in a way of your own, in the place of `api_key` and `secret_key`.
    pub fn credential(mut self, credential: impl Credential) -> Self {
        self.credential = Some(Arc::new(credential));
        self
    }

    /// Adds a middleware that runs once a call; where, is told at [`Pipeline`].
    pub fn per_call(mut self, middleware: impl Middleware) -> Self {
        self.per_call.push(SharedMiddleware::new(middleware));
        self
    }

    /// Adds a middleware that runs once an attempt; where, is told at [`Pipeline`].
    pub fn per_attempt(mut self, middleware: impl Middleware) -> Self {
        self.per_attempt.push(SharedMiddleware::new(middleware));
        self
    }

    /// Checks every setting and builds the client. Opens no socket; an embedded registry's file is
    /// opened here, which blocks while it lasts.
    ///
    /// # Errors
    /// [`Error::Config`] that names the wrong setting, or the file and why it cannot be opened.
    pub fn build(self) -> Result<PromptOpsClient, Error> {
        self.build_with(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The same for a client whose calls block.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    #[cfg(feature = "blocking")]
    pub fn build_blocking(self) -> Result<crate::blocking::PromptOpsClient, Error> {
        self.build().map(Into::into)
    }

    fn build_with(
        self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<PromptOpsClient, Error> {
        let secret = |name: &str| environment(name).map(Secret::from);
        let mut config = self.config;
        if let Some(url) = self.base_url.or_else(|| environment("PROMPTOPS_BASE_URL")) {
            config.base_url = url;
        }
        config.api_key = self.api_key.or_else(|| secret("PROMPTOPS_API_KEY"));
        config.secret_key = self.secret_key.or_else(|| secret("PROMPTOPS_SECRET_KEY"));
        config.project = self.project.or_else(|| environment("PROMPTOPS_PROJECT"));
        if config.cache.redis_url.is_none() {
            config.cache.redis_url = secret("PROMPTOPS_REDIS_URL").or_else(|| secret("REDIS_URL"));
        }
        config.validate()?;
        let url = BaseUrl::parse(&config.base_url)?;
        let transport = match (&url, self.transport) {
            (BaseUrl::Http(_), Some(transport)) => transport,
            (BaseUrl::Http(url), None) => http("base_url", url)?,
            (_, Some(_)) => {
                return Err(Error::config(
                    "transport",
                    "a `sqlite:` registry is called inside the process; leave the transport out, \
                     or use an http or https `base_url`",
                ));
            }
            (url, None) => embedded(url)?,
        };
        if self.credential.is_some() && !matches!(url, BaseUrl::Http(_)) {
            return Err(Error::config(
                "credential",
                "a `sqlite:` registry asks nobody who they are; leave the credential out",
            ));
        }
        let identity = match &self.credential {
            None => config.api_key.clone(),
            // One that does not say who it is shares with nobody.
            Some(own) => own.identity().or_else(|| Some(uuid::Uuid::new_v4().to_string().into())),
        };
        let credential = match (&url, self.credential) {
            // A registry in this process asks for no key.
            (BaseUrl::SqliteFile(_) | BaseUrl::SqliteMemory, _) => None,
            (BaseUrl::Http(_), Some(own)) => Some(own),
            (BaseUrl::Http(_), None) => of_keys(&config)?,
        };
        let around = |mut pipeline: Pipeline| {
            if let Some(credential) = &credential {
                pipeline = pipeline.credential(Arc::clone(credential));
            }
            let pipeline = self.per_call.iter().cloned().fold(pipeline, Pipeline::per_call);
            self.per_attempt.iter().cloned().fold(pipeline, Pipeline::per_attempt)
        };
        let pipeline = Pipeline::new(transport.clone(), &config.retry);
        #[cfg(feature = "otel")]
        let pipeline = pipeline.per_attempt(crate::span::Traced);
        let mut pipeline = around(pipeline);
        if let BaseUrl::Http(url) = &url {
            warn_of_plain_http(url);
            // A registry in this process has no outages to be spared from.
            pipeline = pipeline.circuit_breaker();
        }
        let time = self.time.unwrap_or_else(|| Arc::new(SystemTime));
        // Whether the registry is well is asked past the circuit breaker, once.
        let direct = around(Pipeline::new(transport.clone(), &RetryConfig::none()));
        let sink = self
            .telemetry_sink
            .map_or_else(|| sink(direct.clone(), &url, &config.telemetry), Ok)?;
        let observer = Observer::new(&config.telemetry, sink, Arc::clone(&time));
        let scope = CacheScope::new(registry(&url), identity.as_ref());
        let parts = CacheParts { scope, own: self.cache_backend, time: Arc::clone(&time) };
        let cache = Cache::new(&config.cache, parts)?;
        let parts = Parts { config, pipeline, direct, cache, observer, time };
        Ok(PromptOpsClient::assemble(&url, parts))
    }
}

/// Where events go unless the caller has a sink: to the registry, or where the settings say.
fn sink(
    pipeline: Pipeline,
    url: &BaseUrl,
    config: &TelemetryConfig,
) -> Result<Arc<dyn TelemetrySink>, Error> {
    let batcher = Batcher::new(config, UsageExporter::new(pipeline, &url.base(), config)?);
    #[cfg(feature = "blocking")]
    batcher.driver(crate::blocking::BlockingRuntime);
    Ok(Arc::new(batcher))
}

/// The registry that entries are of. What is in this process is nobody else's, unless it is a file.
fn registry(url: &BaseUrl) -> String {
    let nobody_elses = || format!("sqlite#{}", uuid::Uuid::new_v4());
    match url {
        BaseUrl::Http(url) => url.clone(),
        BaseUrl::SqliteMemory => nobody_elses(),
        BaseUrl::SqliteFile(path) => file_identity(path).unwrap_or_else(nobody_elses),
    }
}

/// Which file it is. Its path does not tell: that is the same in many folders, machines and containers,
/// which may share a Redis.
#[cfg(unix)]
fn file_identity(path: &std::path::Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let path = std::fs::canonicalize(path).ok()?;
    let file = std::fs::metadata(&path).ok()?;
    let born = file.created().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
    let (machine, path) = (machine.trim(), path.display());
    Some(format!("sqlite:{machine}:{path}#{}.{}.{born}", file.dev(), file.ino()))
}

/// Which file it is: not told here, so it is shared with nobody.
#[cfg(not(unix))]
fn file_identity(_path: &std::path::Path) -> Option<String> {
    None
}

/// The credential that the keys give.
fn of_keys(config: &ClientConfig) -> Result<Option<Arc<dyn Credential>>, Error> {
    let refused = |error| Error::config("api_key", error);
    Ok(match (&config.api_key, &config.secret_key) {
        (Some(key), Some(secret)) => Some(Arc::new(Signed::new(key, secret).map_err(refused)?)),
        (Some(key), None) => Some(Arc::new(Bearer::new(key).map_err(refused)?)),
        (None, Some(_)) => {
            let reason = "signs nothing without the API key that it belongs to; set `api_key`";
            return Err(Error::config("secret_key", reason));
        }
        (None, None) => None,
    })
}

/// Prompts over plain HTTP to another machine are read, and changed, by whoever is between.
fn warn_of_plain_http(url: &str) {
    let Ok(uri) = url.parse::<http::Uri>() else { return };
    if uri.scheme_str() == Some("http") && !promptops_transport::is_loopback(&uri) {
        tracing::warn!(%url, "this registry is talked to over plain HTTP; use https");
    }
}

/// The transport to a URL that a setting names.
#[cfg(feature = "hyper")]
pub(crate) fn http(setting: &str, url: &str) -> Result<SharedTransport, Error> {
    if url.starts_with("https:") && !cfg!(feature = "rustls") {
        return Err(Error::config(setting, "`https:` needs the cargo feature `rustls`; enable it"));
    }
    let builder = promptops_transport::HyperTransport::builder();
    #[cfg(feature = "blocking")]
    let builder = builder.driver(crate::blocking::BlockingRuntime);
    let transport = builder.build();
    transport.map(SharedTransport::new).map_err(|error| Error::config(setting, error))
}

#[cfg(not(feature = "hyper"))]
pub(crate) fn http(setting: &str, _: &str) -> Result<SharedTransport, Error> {
    Err(Error::config(
        setting,
        "http and https need the cargo features `hyper` and `rustls`; enable them, or pass a \
         transport with `.transport(…)`",
    ))
}

#[cfg(feature = "embedded")]
fn embedded(url: &BaseUrl) -> Result<SharedTransport, Error> {
    crate::embedded::EmbeddedTransport::open_parsed(url).map(SharedTransport::new)
}

#[cfg(not(feature = "embedded"))]
fn embedded(_: &BaseUrl) -> Result<SharedTransport, Error> {
    Err(Error::config("base_url", "`sqlite:` needs the cargo feature `embedded`; enable it"))
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(unix)]
    fn a_registry_is_told_apart_by_what_it_is_and_not_by_its_name() {
        use super::{BaseUrl, registry};

        let http = |url| registry(&BaseUrl::parse(url).unwrap());
        assert_eq!(http("https://api.example.com/v1/"), http("https://api.example.com/v1"));
        assert_ne!(registry(&BaseUrl::SqliteMemory), registry(&BaseUrl::SqliteMemory));
        let file = |folder: &tempfile::TempDir| {
            let path = folder.path().join("prompts.db");
            std::fs::write(&path, "").unwrap();
            registry(&BaseUrl::SqliteFile(path))
        };
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_ne!(file(&one), file(&other));
        let by_another_name = one.path().join(".").join("prompts.db");
        let first = registry(&BaseUrl::SqliteFile(one.path().join("prompts.db")));
        assert_eq!(first, registry(&BaseUrl::SqliteFile(by_another_name)));
    }

    use promptops_transport::{TransportError, TransportErrorKind, from_fn};

    use super::*;

    fn builder() -> ClientBuilder {
        PromptOpsClient::builder().transport(from_fn(|_| async {
            Err(TransportError::new(TransportErrorKind::Connect, "no network here"))
        }))
    }

    #[test]
    fn code_beats_environment_beats_default() {
        let environment = |name: &str| match name {
            "PROMPTOPS_BASE_URL" => Some("https://from.env/v1".to_owned()),
            "PROMPTOPS_PROJECT" => Some("env".to_owned()),
            "PROMPTOPS_API_KEY" => Some("po_env".to_owned()),
            _ => None,
        };
        let client = builder().project("code").build_with(environment).unwrap();
        let config = client.config();
        assert_eq!(config.base_url, "https://from.env/v1");
        assert_eq!(config.project.as_deref(), Some("code"));
        assert_eq!(config.api_key, Some("po_env".into()));
        let whole = builder().project("old").config(ClientConfig::default());
        let client = whole.build_with(environment).unwrap();
        assert_eq!(client.config().base_url, "https://from.env/v1");
        assert_eq!(client.config().project.as_deref(), Some("env"));
        let mut file = ClientConfig::default();
        file.base_url = "https://from.file/v1".to_owned();
        let client = builder().config(file).build_with(environment).unwrap();
        assert_eq!(client.config().base_url, "https://from.file/v1");
        let client = builder().build_with(|_| None).unwrap();
        assert_eq!(client.config().base_url, DEFAULT_BASE_URL);
        assert!(!format!("{client:?}").contains("po_"));
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_to_do() {
        let none = |_: &str| None;
        #[cfg(not(feature = "hyper"))]
        {
            let error = PromptOpsClient::builder().build_with(none).unwrap_err();
            assert!(error.message().contains("feature"), "{error}");
        }
        let error = builder().base_url("sqlite::memory:").build_with(none).unwrap_err();
        assert!(error.message().starts_with("`transport`"), "{error}");
        let error = builder().timeout(Duration::ZERO).build_with(none).unwrap_err();
        assert!(error.message().starts_with("`timeout`"), "{error}");
        let error = builder().api_key("po_\nsecret").build_with(none).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[cfg(not(feature = "embedded"))]
    #[test]
    fn a_missing_feature_is_named() {
        let error = PromptOpsClient::embedded("prompts.db").unwrap_err();
        assert!(error.message().contains("feature `embedded`"), "{error}");
    }
}
