//! Which registry: `--db`.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_server::Registry;
use promptops_types::Secret;
use serde::Deserialize;

const DEFAULT: &str = "sqlite:prompts.db";

/// Where the registry is.
#[derive(Debug, Args, Default, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Location {
    /// The registry: `sqlite:PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/DATABASE`
    /// [default: sqlite:prompts.db]
    #[arg(long, env = "PROMPTOPS_DB", value_name = "URL", hide_env_values = true)]
    db: Option<Secret>,

    /// The authority that the certificate of PostgreSQL is from, in PEM [default: the machine's]
    #[arg(long, env = "PROMPTOPS_DB_CA_CERTIFICATE", value_name = "FILE")]
    db_ca_certificate: Option<PathBuf>,

    /// Most connections to PostgreSQL [default: 16]
    #[arg(long, env = "PROMPTOPS_DB_CONNECTIONS", value_name = "COUNT")]
    db_connections: Option<usize>,
}

impl Location {
    /// These settings, and others where they say nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            db: self.db.or(other.db),
            db_ca_certificate: self.db_ca_certificate.or(other.db_ca_certificate),
            db_connections: self.db_connections.or(other.db_connections),
        }
    }

    /// Whether it is said which.
    pub(crate) fn is_given(&self) -> bool {
        self.db.is_some()
    }

    fn url(&self) -> &str {
        self.db.as_ref().map_or(DEFAULT, Secret::expose)
    }

    /// The file of a SQLite registry.
    pub(crate) fn file(&self) -> Option<&Path> {
        let path = self.url().strip_prefix("sqlite:")?;
        (!path.is_empty() && path != ":memory:").then(|| Path::new(path))
    }

    /// Where the master key is kept unless said otherwise: beside the file. In memory there is no place;
    /// several servers that share a database need the same.
    pub(crate) fn master_key_file(&self) -> Result<Option<PathBuf>, String> {
        if self.is_postgres() {
            return Err(
                "give --master-key-file: with PostgreSQL every server needs the same master \
                        key, which is not in the database; the first one makes the file"
                    .to_owned(),
            );
        }
        Ok(self.file().map(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push(".key");
            name.into()
        }))
    }

    fn is_postgres(&self) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| self.url().starts_with(scheme))
    }

    /// What may be said of it in a log.
    pub(crate) fn name(&self) -> String {
        match self.file() {
            Some(path) => format!("sqlite:{}", path.display()),
            None if self.is_postgres() => "postgres".to_owned(),
            None => "memory".to_owned(),
        }
    }

    /// Opens the registry, which is made if it is not there.
    pub(crate) async fn open(&self) -> Result<Registry, String> {
        if let Some(path) = self.file() {
            return Registry::open(path).map_err(|error| error.to_string());
        }
        if self.url() == "sqlite::memory:" {
            return Registry::in_memory().map_err(|error| error.to_string());
        }
        if self.is_postgres() {
            return self.open_postgres().await;
        }
        // What it is may have a password in it.
        Err("--db: give sqlite:PATH, sqlite::memory: or postgres://USER:PASSWORD@HOST/DATABASE"
            .into())
    }

    #[cfg(feature = "postgres")]
    async fn open_postgres(&self) -> Result<Registry, String> {
        let mut options = promptops_server::PostgresOptions::default();
        options.max_connections = self.db_connections.unwrap_or(options.max_connections);
        options.ca_certificate = match &self.db_ca_certificate {
            Some(path) => {
                let pem = std::fs::read(path);
                Some(pem.map_err(|error| format!("{}: {error}", path.display()))?)
            }
            None => None,
        };
        let store = promptops_server::PostgresStore::open(&Secret::new(self.url()), &options).await;
        store.map(Registry::new).map_err(|error| error.to_string())
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_async, reason = "as with the feature")]
    async fn open_postgres(&self) -> Result<Registry, String> {
        Err("--db: this build has no PostgreSQL; build it with the feature `postgres`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn db(url: &str) -> Location {
        Location { db: Some(Secret::new(url)), ..Location::default() }
    }

    #[tokio::test]
    async fn a_wrong_url_is_told_without_its_password() {
        for wrong in ["prompts.db", "mysql://u:canary@h/d", "postgres://u:canary@h:port/d"] {
            let error = db(wrong).open().await.unwrap_err();
            assert!(!error.contains("canary") && !error.is_empty(), "{error}");
        }
        assert_eq!(db("sqlite:a/b").master_key_file().unwrap(), Some("a/b.key".into()));
        let error = db("postgres://u@h/d").master_key_file().unwrap_err();
        assert!(error.contains("--master-key-file"), "{error}");
        assert!(!format!("{:?}", db("postgres://u:canary@h/d")).contains("canary"));
    }
}
