//! A PostgreSQL of a test's own.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use promptops_registry::{PostgresOptions, PostgresStore, SharedStore};
use promptops_transport::{Clock, TokioClock};
use promptops_types::Secret;
use tempfile::TempDir;

/// A server process; it ends with this.
#[derive(Debug)]
pub(crate) struct Server {
    process: Option<Child>,
    bin: PathBuf,
    /// Whom it runs as: it refuses to be root.
    owner: Option<u32>,
    port: u16,
    databases: AtomicUsize,
    settings: Vec<String>,
    pub(crate) folder: TempDir,
}

/// Where its programs are: Debian keeps them off PATH.
fn programs() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = folders.map(|folder| folder.path().join("bin")).collect();
    found.sort();
    let found = found.into_iter().rev().find(|bin| bin.join("initdb").is_file());
    found.unwrap_or_default()
}

/// A number of `id`.
fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

impl Server {
    pub(crate) async fn start() -> Self {
        // Nothing of a test outlives it, so nothing has to be on the disk.
        Self::with(&["fsync=off"]).await
    }

    pub(crate) async fn with(settings: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let is_root = id(&["-u"]) == Some(0);
        let owner = is_root.then(|| id(&["-u", "postgres"]).or(id(&["-u", "nobody"])).unwrap());
        if owner.is_some() {
            std::os::unix::fs::chown(folder.path(), owner, None).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = settings.iter().map(|text| (*text).to_owned()).collect();
        let (bin, databases) = (programs(), AtomicUsize::new(0));
        let mut server = Self { process: None, bin, owner, port, databases, settings, folder };
        let password = server.folder.path().join("password");
        std::fs::write(&password, "test").unwrap();
        let made = server
            .command("initdb")
            .args(["--auth=scram-sha-256", "--username=test", "--no-sync", "--encoding=UTF8"])
            .arg("--pwfile")
            .arg(&password)
            .arg("--pgdata")
            .arg(server.data())
            .output();
        let made = made.unwrap_or_else(|error| {
            panic!("no PostgreSQL ({error}): `cargo xtask test` says how to install it")
        });
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.restart().await;
        server
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let path = if self.bin == Path::new("") { program.into() } else { self.bin.join(program) };
        let mut command = Command::new(path);
        command.current_dir(self.folder.path());
        if let Some(owner) = self.owner {
            command.uid(owner);
        }
        command
    }

    /// Starts the process, which must not run, and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p"])
            .arg(self.port.to_string());
        command.arg("-k").arg(self.folder.path());
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let process = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.process = Some(process);
        for _ in 0..1000 {
            if self.sql("postgres", "SELECT 1").is_some() {
                return;
            }
            TokioClock.sleep(Duration::from_millis(20)).await;
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        panic!("PostgreSQL does not answer: {log}");
    }

    /// What a statement prints, if it succeeds.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> Option<String> {
        let output = self
            .command("psql")
            .args(["-X", "-A", "-t", "-q", "-d", &self.url(database), "-c", statement])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.trim().to_owned())
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://test:test@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a new database.
    pub(crate) fn database(&self) -> Secret {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        Secret::new(self.url(&name))
    }

    pub(crate) async fn store(&self) -> SharedStore {
        self.open(&self.database()).await
    }

    pub(crate) async fn open(&self, url: &Secret) -> SharedStore {
        let options = PostgresOptions::default();
        SharedStore::new(PostgresStore::open(url, &options).await.unwrap())
    }

    /// Ends it as a power cut would, its processes at least.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // SIGQUIT: at once, with all of its processes.
            let id = process.id().to_string();
            assert!(Command::new("kill").args(["-QUIT", &id]).status().unwrap().success());
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
