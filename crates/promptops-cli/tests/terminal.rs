//! A person at a terminal: questions, a progress bar, Ctrl-C.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

/// Longest time that something is waited for, in milliseconds.
const PATIENCE: u64 = 120_000;

const MANY: usize = 600;

fn promptops(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_promptops"));
    command.args(arguments).current_dir(folder).env("TERM", "xterm").env_remove("NO_COLOR");
    command
}

fn at_terminal(folder: &Path, arguments: &[&str]) -> PtySession {
    spawn_command(promptops(folder, arguments), Some(PATIENCE)).unwrap()
}

fn assert_ended(session: &PtySession, code: i32) {
    // `Exited(Pid(1), 0)`: the type is of a package that this one does not name.
    let status = format!("{:?}", session.process().wait().unwrap());
    assert!(status.starts_with("Exited") && status.ends_with(&format!(", {code})")), "{status}");
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    String::from_utf8(promptops(folder, arguments).output().unwrap().stdout).unwrap()
}

#[test]
fn a_session() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut session = at_terminal(folder, &["init"]);
    session.exp_string("Registry").unwrap();
    session.send_line("").unwrap();
    session.exp_string("Project").unwrap();
    session.send_line("shop").unwrap();
    session.exp_string("Folder").unwrap();
    session.send_line("").unwrap();
    session.exp_string("wrote promptops.toml").unwrap();
    session.exp_eof().unwrap();
    assert_ended(&session, 0);
    let settings = fs::read_to_string(folder.join("promptops.toml")).unwrap();
    assert!(settings.contains("project = \"shop\""), "{settings}");

    for n in 0..MANY {
        fs::write(folder.join(format!("prompts/p{n}.prompt.md")), format!("Hello {n}")).unwrap();
    }
    // A bar with a rate and the time that is left; Ctrl-C lets what is under way be finished.
    let mut session = at_terminal(folder, &["push", "--label", "live"]);
    session.exp_regex("pushing .* [1-9][0-9]*/601 .*/s .*left").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("stopping when what is under way is done").unwrap();
    session.exp_string("push again to go on").unwrap();
    session.exp_eof().unwrap();
    assert_ended(&session, 1);
    let listed = printed(folder, &["list", "--all", "--json"]);
    let page: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let prompts = page["prompts"].as_array().unwrap();
    assert!(!prompts.is_empty() && prompts.len() < MANY, "{}", prompts.len());
    assert!(prompts.iter().all(|prompt| prompt["labels"][0] == "live"), "one is half done");

    let mut session = at_terminal(folder, &["push", "--label", "live"]);
    session.exp_regex("live set on [0-9]+").unwrap();
    session.exp_eof().unwrap();
    assert_ended(&session, 0);
    assert!(promptops(folder, &["push", "--check", "--label", "live"]).status().unwrap().success());

    // What is stopped leaves no file, and goes on where it was.
    let mut session = at_terminal(folder, &["export", "all.jsonl"]);
    session.exp_regex("exporting .*/601 .*left").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("stopped; nothing is written").unwrap();
    session.exp_eof().unwrap();
    assert_ended(&session, 1);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(files.filter(|name| name.to_string_lossy().contains("tmp")).count(), 0);
    assert!(!folder.join("all.jsonl").exists());

    // Lines where there is no terminal, and none with --quiet.
    let output = promptops(folder, &["export", "all.jsonl"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("exporting 60 of 601\nexporting 120 of 601\n"), "{told}");
    let output = promptops(folder, &["export", "quiet.jsonl", "--quiet"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");

    let import = ["import", "all.jsonl", "--project", "copy"];
    let mut session = at_terminal(folder, &import);
    session.exp_regex("importing .* [1-9][0-9]*/601 .*left").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("import again to go on").unwrap();
    session.exp_eof().unwrap();
    assert_ended(&session, 1);
    let rest = printed(folder, &import);
    assert!(!rest.contains(" 0 there already"), "{rest}");
    let again = printed(folder, &import);
    assert!(again.contains(" 601 there already"), "{again}");

    // It asks before it deletes.
    let mut session = at_terminal(folder, &["delete", "p1", "--force"]);
    session.exp_string("Delete p1 with all its versions?").unwrap();
    session.send("n").unwrap();
    session.flush().unwrap();
    session.exp_string("nothing is deleted").unwrap();
    session.exp_eof().unwrap();
    assert_ended(&session, 1);
}

#[test]
fn colours_are_for_terminals() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(promptops(folder, &["init", "--yes"]).status().unwrap().success());
    let mut session = at_terminal(folder, &["push", "--dry-run"]);
    let shown = session.exp_eof().unwrap();
    assert!(shown.contains("\u{1b}[32m+ greeting"), "{shown:?}");
    let mut command = promptops(folder, &["push", "--dry-run"]);
    command.env("NO_COLOR", "1");
    let shown = spawn_command(command, Some(PATIENCE)).unwrap().exp_eof().unwrap();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert!(!printed(folder, &["push", "--dry-run"]).contains('\u{1b}'));
}
