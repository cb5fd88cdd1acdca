//! A Redis of a test's own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use deadpool_redis::redis::{self, Client, Connection, FromRedisValue};
use promptops_transport::{Clock, TokioClock};
use tempfile::TempDir;

/// Which programs do; the first that there is.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// A server process; it ends with this.
#[derive(Debug)]
pub(crate) struct Server {
    process: Option<Child>,
    arguments: Vec<String>,
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
}

impl Server {
    /// A server on a free port of the loopback, and on a Unix socket.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same, with more of its settings.
    pub(crate) async fn with(settings: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::on(port, settings).await
    }

    pub(crate) async fn on(port: u16, settings: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("socket").display().to_string();
        let (dir, port_text) = (folder.path().display().to_string(), port.to_string());
        let own = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port_text,
            "--unixsocket",
            &socket,
            "--dir",
            &dir,
            "--save",
            "",
            "--appendonly",
            "no",
            "--loglevel",
            "warning",
        ];
        let arguments = own.iter().chain(settings).map(|text| (*text).to_owned()).collect();
        let mut server = Self { process: None, arguments, port, folder };
        server.restart().await;
        server
    }

    /// Starts the process, which must not run, and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        let program = PROGRAMS.iter().find(|program| {
            let version = Command::new(program).arg("--version").stdout(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        });
        let Some(program) = program else {
            panic!("no Redis: `cargo xtask test` says how to install it, or put it on PATH");
        };
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let process = Command::new(program).args(&self.arguments).stdout(log).spawn().unwrap();
        self.process = Some(process);
        let socket = self.folder.path().join("socket");
        for _ in 0..500 {
            // A socket file may be of a process before.
            if let Ok(client) = Client::open(format!("unix://{}", socket.display()))
                && let Ok(mut connection) = client.get_connection()
            {
                let alive = redis::cmd("PING").query::<redis::Value>(&mut connection);
                // Refused for want of a password, it is there too.
                if alive.is_ok() || alive.is_err_and(|error| error.code() == Some("NOAUTH")) {
                    return;
                }
            }
            TokioClock.sleep(Duration::from_millis(10)).await;
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        panic!("{program} does not answer: {log}");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn connection(&self) -> Connection {
        let client = Client::open(format!("unix://{}", self.socket().display())).unwrap();
        client.get_connection().unwrap()
    }

    /// What a command gives.
    pub(crate) fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut sent = redis::Cmd::new();
        sent.arg(command);
        sent.query(&mut self.connection()).unwrap()
    }

    /// The names of all that is there.
    pub(crate) fn names(&self, pattern: &str) -> Vec<String> {
        let mut names: Vec<String> = self.ask(&["KEYS", pattern]);
        names.sort();
        names
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Stops the process where it is: its sockets stay open, and nobody answers.
    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
