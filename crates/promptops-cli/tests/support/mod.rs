//! A server of the test's own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

pub(crate) struct Server {
    child: Child,
    pub(crate) base_url: String,
    pub(crate) key: String,
}

impl Server {
    /// Serves a registry in memory, and waits until it does.
    pub(crate) fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_promptops"))
            .args(["serve", "--listen", "127.0.0.1:0", "--db", "sqlite::memory:"])
            .env_remove("PROMPTOPS_BASE_URL")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut key, mut base_url) = (String::new(), String::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(text) = line.strip_prefix("admin key, shown this once: ") {
                text.clone_into(&mut key);
            }
            if let Some(address) = line.strip_prefix("listening at ") {
                base_url = format!("http://{address}/v1");
                break;
            }
        }
        assert!(!key.is_empty() && !base_url.is_empty(), "the server did not start");
        Self { child, base_url, key }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
