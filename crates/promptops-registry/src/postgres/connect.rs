//! Connections: where they go, with which certificates, and what the database must be.

use std::time::Duration;

use deadpool_postgres::{Hook, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use deadpool_postgres::{Runtime, Timeouts};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StoreError;

/// The schema, one script a version. A script never changes once it has been released.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_registry.sql")];

/// How long a connection may take, and how long one is waited for while all are in use.
const CONNECT: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_secs(5);

/// What every connection is told first: no statement may go on for ever.
const FIRST: &str =
    "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'";

/// How a [`PostgresStore`](super::PostgresStore) reaches its database.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// Most connections; 16. One more listens for changes.
    pub max_connections: usize,
    /// The authority that the server's certificate is from, in PEM, in the place of the machine's own.
    pub ca_certificate: Option<Vec<u8>>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { max_connections: 16, ca_certificate: None }
    }
}

/// A database that may be connected to.
pub(super) struct Database {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    pub(super) pool: Pool,
    /// The database without its password.
    name: String,
}

impl Database {
    pub(super) fn new(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        let cannot = |reason: String| StoreError::CannotOpen { path: "postgres".into(), reason };
        let mut config = parse(url).map_err(cannot)?;
        config.connect_timeout(CONNECT);
        if config.get_application_name().is_none() {
            config.application_name("promptops");
        }
        let tls = MakeRustlsConnect::new(tls(options).map_err(cannot)?);
        let recycling_method = RecyclingMethod::Fast;
        let manager =
            Manager::from_config(config.clone(), tls.clone(), ManagerConfig { recycling_method });
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(CONNECT), recycle: Some(CONNECT) };
        let first = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move {
                client.batch_execute(FIRST).await.map_err(deadpool_postgres::HookError::Backend)
            })
        });
        let pool = Pool::builder(manager)
            .max_size(options.max_connections.max(1))
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(first)
            .build()
            .map_err(|error| cannot(error.to_string()))?;
        let name = format!(
            "postgres database `{}`",
            config.get_dbname().or(config.get_user()).unwrap_or("postgres")
        );
        Ok(Self { config, tls, pool, name })
    }

    pub(super) async fn get(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => failed(&error),
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => StoreError::Busy,
            other => StoreError::Unreachable(other.to_string()),
        })
    }

    /// Brings the schema up to date, once however many processes begin at the same time.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let mut client = self.get().await.map_err(|error| match error {
            StoreError::Unreachable(reason) => {
                StoreError::CannotOpen { path: self.name.clone(), reason }
            }
            other => other,
        })?;
        let told = |error: tokio_postgres::Error| failed(&error);
        client
            .batch_execute(
                "CREATE SCHEMA IF NOT EXISTS promptops; \
                 CREATE TABLE IF NOT EXISTS promptops.schema_version \
                 (one boolean PRIMARY KEY, version bigint NOT NULL); \
                 INSERT INTO promptops.schema_version VALUES (true, 0) ON CONFLICT DO NOTHING",
            )
            .await
            // Two that make the same thing at the same time may both find that it is not there.
            .or_else(|error| if is_raced(&error) { Ok(()) } else { Err(told(error)) })?;
        let transaction = client.transaction().await.map_err(told)?;
        let row = transaction
            .query_one("SELECT version FROM promptops.schema_version WHERE one FOR UPDATE", &[])
            .await
            .map_err(told)?;
        let found: i64 = row.try_get(0).map_err(told)?;
        let (found, known) = (usize::try_from(found).unwrap_or(usize::MAX), MIGRATIONS.len());
        if found > known {
            let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
            let (path, found, known) = (self.name.clone(), number(found), number(known));
            return Err(StoreError::NewerSchema { path, found, known });
        }
        for script in MIGRATIONS.iter().skip(found) {
            transaction.batch_execute(script).await.map_err(told)?;
        }
        let known = i64::try_from(known).unwrap_or(i64::MAX);
        transaction
            .execute("UPDATE promptops.schema_version SET version = $1 WHERE one", &[&known])
            .await
            .map_err(told)?;
        transaction.commit().await.map_err(told)
    }
}

/// Reads a URL. Certificates are always checked, so `verify-full` is what `require` is here.
fn parse(url: &str) -> Result<Config, String> {
    let url = ["verify-full", "verify-ca"].iter().fold(url.to_owned(), |url, mode| {
        url.replace(&format!("sslmode={mode}"), "sslmode=require")
    });
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        // What it says does not have the URL in it, which has the password.
        format!("the URL cannot be used: {error}")
    })?;
    if config.get_hosts().is_empty() {
        return Err("the URL names no host; give postgres://USER@HOST/DATABASE".to_owned());
    }
    if config.get_ssl_mode() == SslMode::Prefer && !url.contains("sslmode=") && is_remote(&config) {
        // A password does not travel in the clear because of somebody in the middle.
        config.ssl_mode(SslMode::Require);
    }
    Ok(config)
}

fn is_remote(config: &Config) -> bool {
    config.get_hosts().iter().any(|host| match host {
        tokio_postgres::config::Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name != "localhost" && !address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        tokio_postgres::config::Host::Unix(_) => false,
    })
}

fn tls(options: &PostgresOptions) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match &options.ca_certificate {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate =
                    certificate.map_err(|error| format!("the CA certificate: {error}"))?;
                roots.add(certificate).map_err(|error| format!("the CA certificate: {error}"))?;
            }
            if roots.is_empty() {
                return Err("the CA certificate has no certificate in it".to_owned());
            }
        }
        // None there may be all right: the connection may need none.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Whether a statement failed since another process did the same at the same time.
fn is_raced(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [&SqlState::UNIQUE_VIOLATION, &SqlState::DUPLICATE_TABLE, &SqlState::DUPLICATE_SCHEMA]
            .contains(&code)
    })
}

/// What an error of the database means to a user.
pub(super) fn failed(error: &tokio_postgres::Error) -> StoreError {
    let Some(database) = error.as_db_error() else {
        let reason = std::error::Error::source(error)
            .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        let is_ours = error.to_string().contains("deserializing");
        return if is_ours { StoreError::Corrupt(reason) } else { StoreError::Unreachable(reason) };
    };
    let reason = database.message().to_owned();
    let code = database.code();
    if *code == SqlState::DISK_FULL {
        StoreError::Full(reason)
    } else if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        StoreError::ReadOnly(reason)
    } else if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
        StoreError::Corrupt(reason)
    } else if [
        SqlState::QUERY_CANCELED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
    ]
    .contains(code)
    {
        StoreError::Busy
    } else if code.code().starts_with("08") || code.code().starts_with("57P") {
        StoreError::Unreachable(reason)
    } else if code.code().starts_with("28") || code.code().starts_with("3D") {
        StoreError::CannotOpen { path: "the postgres database".to_owned(), reason }
    } else {
        StoreError::Other(format!("{reason} ({})", code.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_to_another_machine_by_tls_alone() {
        let mode = |url: &str| parse(url).unwrap().get_ssl_mode();
        assert_eq!(mode("postgres://u:p@db.example/d"), SslMode::Require);
        assert_eq!(mode("postgres://u:p@db.example/d?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://u:p@db.example/d?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://u:p@127.0.0.1/d"), SslMode::Prefer);
        assert_eq!(mode("postgres://u:p@localhost/d"), SslMode::Prefer);
        for wrong in ["postgres://u:canary@h:port/d", "postgres://", "u:canary"] {
            let error = Database::new(wrong, &PostgresOptions::default()).err().unwrap();
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
