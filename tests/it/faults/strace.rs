//! strace, attached to a server.
#![cfg(target_os = "linux")]

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::wait;
use crate::server::process::Process;

/// Watches a process, or lets its system calls fail, until it is ended.
pub(super) struct Strace(Child);

impl Strace {
    pub(super) fn attach(process: &Process, arguments: &[&str]) -> Self {
        let mut child = Command::new("strace")
            .args(["-f", "-p", &process.id().to_string()])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("no strace ({error}): `cargo xtask test` installs it"));
        // What it says first is that it is there; then it goes from thread to thread.
        let mut said = [0; 1];
        child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
        let mut rest = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut rest, &mut std::io::sink()));
        wait(Duration::from_millis(300));
        Self(child)
    }

    pub(super) fn end(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.0.wait().unwrap();
    }
}
