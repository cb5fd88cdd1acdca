//! `promptops serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use promptops_server::{
    Access, MasterKey, NewKey, Registry, Scope, Server, ServerConfig, TlsFiles,
};
use promptops_types::Secret;
use serde::Deserialize;
use tokio::signal;
use tracing_subscriber::EnvFilter;

use crate::block_on;
use crate::db::Location;
use crate::failure::Failure;
use crate::settings::Global;

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// Serves a registry over HTTP
///
/// Every setting may be a flag, a variable, or a line of the file that `--config` names; a flag counts
/// more than a variable, and that more than the file.
#[derive(Debug, Args, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Serve {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, env = "PROMPTOPS_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    #[serde(skip)]
    db: Location,

    /// The file with the master key that signing secrets are derived from; made if it is not there
    /// [default: the database's path and `.key`]
    #[arg(long, env = "PROMPTOPS_MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: Option<PathBuf>,

    /// The certificates to serve with, in PEM; read again on SIGHUP
    #[arg(long, env = "PROMPTOPS_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The key of the first certificate, in PEM
    #[arg(long, env = "PROMPTOPS_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Most connections at a time [default: 10000]
    #[arg(long, env = "PROMPTOPS_MAX_CONNECTIONS", value_name = "COUNT")]
    max_connections: Option<usize>,

    /// Most requests that are answered at a time [default: 1000]
    #[arg(long, env = "PROMPTOPS_MAX_IN_FLIGHT", value_name = "COUNT")]
    max_in_flight: Option<usize>,

    /// The Redis that servers share their counts of requests through: `redis://HOST:PORT`; each counts
    /// by itself without
    #[arg(long, env = "PROMPTOPS_REDIS_URL", value_name = "URL", hide_env_values = true)]
    redis_url: Option<Secret>,

    /// Days that usage is kept [default: 90]
    #[arg(long, env = "PROMPTOPS_USAGE_DAYS", value_name = "DAYS")]
    usage_days: Option<u64>,

    /// Seconds that what is under way may take when the server stops [default: 10]
    #[arg(long, env = "PROMPTOPS_GRACE", value_name = "SECONDS")]
    grace: Option<u64>,

    /// How the log is written, to standard error [default: json]
    #[arg(long, env = "PROMPTOPS_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// A TOML file with settings, named as these flags are
    #[arg(long, env = "PROMPTOPS_SERVER_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LogFormat {
    Json,
    Text,
}

impl Serve {
    pub(crate) fn run(self, _: &Global) -> Result<(), Failure> {
        let settings = self.with_file()?;
        settings.start_log();
        block_on(async { Ok(settings.serve().await?) })
    }

    /// What is not set here is set by the file.
    fn with_file(self) -> Result<Self, String> {
        let Some(path) = &self.config else { return Ok(self) };
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        let wrong = |error: toml::de::Error| format!("{name}: {error}");
        let lines: toml::Table = toml::from_str(&text).map_err(wrong)?;
        // What says which registry is read by itself: unknown lines are refused in both.
        let (db, others): (toml::Table, toml::Table) =
            lines.into_iter().partition(|(name, _)| name.starts_with("db"));
        let file = Self { db: db.try_into().map_err(wrong)?, ..others.try_into().map_err(wrong)? };
        Ok(Self {
            listen: self.listen.or(file.listen),
            db: self.db.or(file.db),
            master_key_file: self.master_key_file.or(file.master_key_file),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            max_connections: self.max_connections.or(file.max_connections),
            max_in_flight: self.max_in_flight.or(file.max_in_flight),
            redis_url: self.redis_url.or(file.redis_url),
            usage_days: self.usage_days.or(file.usage_days),
            grace: self.grace.or(file.grace),
            log_format: self.log_format.or(file.log_format),
            config: self.config,
        })
    }

    fn start_log(&self) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        if self.log_format == Some(LogFormat::Text) {
            log.init();
        } else {
            log.json().flatten_event(true).init();
        }
    }

    async fn serve(self) -> Result<(), String> {
        let listen = match self.listen {
            Some(listen) => listen,
            None => DEFAULT_LISTEN.parse().map_err(|error| format!("{DEFAULT_LISTEN}: {error}"))?,
        };
        let master_key_file = match self.master_key_file {
            Some(path) => Some(path),
            None => self.db.master_key_file()?,
        };
        let (registry, db) = (self.db.open().await?, self.db.name());
        let master = master_key(master_key_file.as_deref())?;
        let mut config = ServerConfig::default();
        config.max_connections = self.max_connections.unwrap_or(config.max_connections);
        config.max_in_flight = self.max_in_flight.unwrap_or(config.max_in_flight);
        let days =
            |days| Duration::from_hours(24).saturating_mul(u32::try_from(days).unwrap_or(u32::MAX));
        config.usage_kept = self.usage_days.map_or(config.usage_kept, days);
        set_redis(&mut config, self.redis_url)?;
        config.grace = self.grace.map_or(config.grace, Duration::from_secs);
        config.tls = match (self.tls_cert, self.tls_key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            _ => return Err("give both --tls-cert and --tls-key, or neither".to_owned()),
        };
        let server = Server::bind(listen, registry.clone(), master, config).await;
        let server = server.map_err(|error| format!("cannot listen at {listen}: {error}"))?;
        let address = server.local_addr().map_err(|error| error.to_string())?;
        first_key(&registry).await?;
        let (stopper, reloader) = (server.stopper(), server.reloader());
        tokio::spawn(async move {
            stop_signal().await;
            tracing::info!("stopping");
            stopper.stop();
        });
        tokio::spawn(async move {
            while hang_up().await {
                match reloader.reload() {
                    Ok(()) => tracing::info!("the certificates were read again"),
                    Err(error) => tracing::error!(%error, "the certificates stay as they were"),
                }
            }
        });
        // A line that a program can wait for.
        println!("listening at {address}");
        tracing::info!(%address, db, "serving");
        server.run().await;
        Ok(())
    }
}

#[cfg(feature = "redis")]
#[expect(clippy::unnecessary_wraps, reason = "as without the feature")]
fn set_redis(config: &mut ServerConfig, url: Option<Secret>) -> Result<(), String> {
    config.redis = url;
    Ok(())
}

#[cfg(not(feature = "redis"))]
fn set_redis(_: &mut ServerConfig, url: Option<Secret>) -> Result<(), String> {
    match url {
        None => Ok(()),
        Some(_) => Err("--redis-url: this build has no Redis; use the feature `redis`".to_owned()),
    }
}

fn master_key(path: Option<&Path>) -> Result<MasterKey, String> {
    match path {
        Some(path) => MasterKey::open(path).map_err(|e| format!("{}: {e}", path.display())),
        None => MasterKey::random().map_err(|error| error.to_string()),
    }
}

/// A store without keys gets one for everything, which is printed this once.
async fn first_key(registry: &Registry) -> Result<(), String> {
    let has_keys = registry.has_keys().await.map_err(|error| error.to_string())?;
    if has_keys {
        return Ok(());
    }
    let new = NewKey {
        name: "first admin key".to_owned(),
        scopes: Some(Scope::ALL.into()),
        ..NewKey::default()
    };
    let made = registry.create_key(&Access::full("promptops serve"), new).await;
    let (_, text) = made.map_err(|error| error.to_string())?;
    println!("admin key, shown this once: {}", text.expose());
    Ok(())
}

#[cfg(unix)]
async fn stop_signal() {
    let Ok(mut terminate) = signal::unix::signal(signal::unix::SignalKind::terminate()) else {
        let _ = signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    let _ = signal::ctrl_c().await;
}

/// Waits for SIGHUP; false where there is none.
#[cfg(unix)]
async fn hang_up() -> bool {
    match signal::unix::signal(signal::unix::SignalKind::hangup()) {
        Ok(mut told) => told.recv().await.is_some(),
        Err(_) => false,
    }
}

#[cfg(not(unix))]
async fn hang_up() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_counts_more_than_the_file_and_a_wrong_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        let text = "listen = '127.0.0.1:1'\ndb = 'sqlite:a'\ngrace = 3\nredis-url = 'redis://h'";
        std::fs::write(&path, text).unwrap();
        let flags = || Serve { config: Some(path.clone()), ..Serve::default() };
        let listen = "127.0.0.1:2".parse().unwrap();
        let merged = Serve { listen: Some(listen), ..flags() }.with_file().unwrap();
        assert_eq!((merged.listen, merged.grace), (Some(listen), Some(3)));
        assert_eq!(merged.db.name(), "sqlite:a");
        assert_eq!(merged.redis_url, Some(Secret::new("redis://h")));
        std::fs::write(&path, "lisen = '127.0.0.1:1'").unwrap();
        let error = flags().with_file().unwrap_err();
        assert!(error.contains("server.toml") && error.contains("lisen"), "{error}");
    }
}
