//! What every command prints and how it ends: once with a registry in the process, once with a server; both
//! print the same.
//!
//! Each folder of `cmd` is a case: `script.sh` has a command a line, which begins in a copy of `in`.
//! `INSTA_UPDATE=always cargo test -p promptops-cli --test commands` writes down what is printed; read the
//! difference before it is committed.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use support::Server;

/// What differs from run to run, and what is shown for it.
const FILTERS: [(&str, &str); 13] = [
    (r"key [0-9a-f-]{36} \(first admin key\)|\bembedded\b", "[ACTOR]"),
    (r"PROMPTOPS_BASE_URL=[^\]]*", "PROMPTOPS_BASE_URL=[URL]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "[TIME]"),
    ("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[UUID]"),
    (r"\b[0-9a-f]{64}\b", "[HASH]"),
    ("po_[A-Za-z0-9]{30}", "[KEY]"),
    (r"po_[A-Za-z0-9]{5}\b", "[PREFIX]"),
    (r"\d+\.\d+ ms", "[MS]"),
    (r#""processing_time_ms": \d+\.\d+"#, r#""processing_time_ms": [MS]"#),
    (r"\bc\d+\b", "[CURSOR]"),
    (r#""seq":\d+"#, r#""seq":[SEQ]"#),
    // A file with spaces at the ends of its lines is not wanted here.
    (r"(?m)[ \t]+$", ""),
    (r"promptops \d+\.\d+\.\d+", "promptops [VERSION]"),
];

/// Runs a case, and compares what it prints with what it printed before.
fn check(name: &str, environment: &[(&str, &str)]) {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd").join(name);
    let folder = tempfile::tempdir().unwrap();
    copy(&case.join("in"), folder.path());
    let program = Path::new(env!("CARGO_BIN_EXE_promptops"));
    let path =
        format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut told = String::new();
    for line in std::fs::read_to_string(case.join("script.sh")).unwrap().lines() {
        if line.is_empty() || line.starts_with('#') {
            let _ = writeln!(told, "{line}");
            continue;
        }
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {line}")])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", &path)
            .env("COLUMNS", "100")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let _ = write!(told, "$ {line}\n{printed}");
        if !printed.is_empty() && !printed.ends_with('\n') {
            told.push_str("⏎\n");
        }
        match output.status.code() {
            Some(0) => {}
            code => _ = writeln!(told, "? {}", code.unwrap_or(-1)),
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&case);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_filters(FILTERS);
    settings.bind(|| insta::assert_snapshot!("printed", told));
}

fn copy(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    std::fs::create_dir_all(to).unwrap();
    for entry in entries {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn in_process(name: &str) {
    // The key is not needed; usage lines tell of it.
    check(name, &[("PROMPTOPS_BASE_URL", "sqlite:prompts.db"), ("PROMPTOPS_API_KEY", "po_none")]);
}

fn with_server(name: &str) {
    let server = Server::start();
    check(name, &[("PROMPTOPS_BASE_URL", &server.base_url), ("PROMPTOPS_API_KEY", &server.key)]);
}

macro_rules! cases {
    ($($name:ident),*) => {
        $(mod $name {
            #[test]
            fn in_process() {
                super::in_process(stringify!($name));
            }

            #[test]
            fn with_server() {
                super::with_server(stringify!($name));
            }
        })*
    };
}

cases!(help, files, prompts, labels, render, registry, errors, imports);
