//! The server as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use promptops_client::{PromptOpsClient, RetryConfig};
use promptops_types::Secret;

/// The program that was built with these tests.
pub(crate) fn program() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let program = here.ancestors().nth(2).unwrap().join("promptops");
    assert!(program.is_file(), "build it first: `cargo build -p promptops-cli`");
    program
}

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Told by a store that was empty.
    pub(crate) admin: Option<Secret>,
}

impl Process {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(db: &Path) -> Self {
        Self::start_logging(db, Stdio::null(), "warn")
    }

    /// The same on a port that is known before, so that it can be started there again.
    pub(crate) fn start_on(db: &Path, port: u16) -> Self {
        Self::start_at(db, port, Stdio::null(), "warn")
    }

    /// The same, with its log at a level.
    pub(crate) fn start_logging(db: &Path, log: impl Into<Stdio>, level: &str) -> Self {
        Self::start_at(db, 0, log, level)
    }

    fn start_at(db: &Path, port: u16, log: impl Into<Stdio>, level: &str) -> Self {
        let mut child = Command::new(program())
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--db"])
            .arg(format!("sqlite:{}", db.display()))
            .env("RUST_LOG", level)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut admin = None;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            if let Some(key) = line.strip_prefix("admin key, shown this once: ") {
                admin = Some(Secret::new(key));
            }
            if let Some(address) = line.strip_prefix("listening at ") {
                break address.parse().unwrap();
            }
        };
        Self { child, address, admin }
    }

    pub(crate) fn client(&self, key: &Secret) -> PromptOpsClient {
        PromptOpsClient::builder()
            .base_url(format!("http://{}/v1", self.address))
            .api_key(key.clone())
            .retry(RetryConfig::none())
            .cache(promptops_client::CacheConfig::none())
            .build()
            .unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has had, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Whether it has ended, and well.
    pub(crate) fn ended(&mut self) -> Option<bool> {
        self.child.try_wait().unwrap().map(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
