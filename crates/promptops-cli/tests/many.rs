//! Thousands of prompts as files: pushed and pulled back byte for byte, in memory that does not grow with them.
//! The times are printed: `cargo test --release -p promptops-cli --test many -- --nocapture`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the times are what is wanted")]
#![allow(clippy::disallowed_methods, reason = "what other processes do takes the machine's time")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::Server;

const FEW: usize = 500;
const MANY: usize = 5000;

/// What a command may need more for the many than for the few: keys of 4500 prompts, not their texts, which are
/// 13 MB.
const MORE_KIB: u64 = 6 * 1024;

fn write_prompts(folder: &Path, from: usize, to: usize) {
    for n in from..to {
        let team = folder.join(format!("prompts/team-{}", n % 20));
        fs::create_dir_all(&team).unwrap();
        let text = format!(
            "---\nname: Prompt {n}\ntags: [t{}] # as it is\n---\nHello {{{{ name }}}}, {n}.\n{}",
            n % 7,
            "Be brief, and answer in the customer's language. ".repeat(60),
        );
        fs::write(team.join(format!("prompt-{n}.prompt.md")), text).unwrap();
    }
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for team in fs::read_dir(folder.join("prompts")).unwrap() {
        for file in fs::read_dir(team.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Runs a command to its end; gives what it printed and the most memory it had.
fn run(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (String, u64) {
    let started = std::time::Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_promptops"))
        .args(arguments)
        .current_dir(folder)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    // The high water mark only rises: what is missed is what comes in the last milliseconds.
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {printed}");
    println!("{arguments:?}: {:.2} s, {most} KiB", started.elapsed().as_secs_f64());
    (printed, most)
}

fn check(environment: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = |arguments: &[&str]| run(folder, environment, arguments);
    fs::write(folder.join("promptops.toml"), "project = 'many'").unwrap();
    write_prompts(folder, 0, FEW);
    let (printed, few_pushed) = run(&["push", "--quiet"]);
    assert_eq!(printed, "500 created, 0 published, 0 unchanged\n");
    let (_, few_pulled) = run(&["pull", "--quiet"]);
    write_prompts(folder, FEW, MANY);
    let (printed, many_pushed) = run(&["push", "--quiet"]);
    assert_eq!(printed, "4500 created, 0 published, 500 unchanged\n");
    assert_eq!(run(&["push", "--check"]).0, "");
    let before = contents(folder);
    fs::remove_dir_all(folder.join("prompts")).unwrap();
    let (printed, many_pulled) = run(&["pull", "--quiet"]);
    assert_eq!(printed, "5000 written, 0 unchanged\n");
    assert!(contents(folder) == before, "a file came back changed");
    let (printed, _) = run(&["export", "--quiet", "all.jsonl"]);
    assert!(printed.starts_with("exported 15001 records"), "{printed}");
    let (printed, _) = run(&["import", "--quiet", "all.jsonl", "--project", "copy"]);
    assert_eq!(
        printed,
        "5000 prompts created, 5000 versions added, 0 labels set, 0 there already\n"
    );
    for (few, many) in [(few_pushed, many_pushed), (few_pulled, many_pulled)] {
        assert!(many < few + MORE_KIB, "{few} KiB for {FEW}, {many} KiB for {MANY}");
    }
}

#[test]
fn in_process() {
    check(&[("PROMPTOPS_BASE_URL", "sqlite:prompts.db")]);
}

#[test]
fn with_server() {
    let server = Server::start();
    let environment =
        [("PROMPTOPS_BASE_URL", &*server.base_url), ("PROMPTOPS_API_KEY", &server.key)];
    check(&environment);
}
