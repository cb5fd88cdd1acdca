//! The command as it is run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

fn promptops(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_promptops")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn help_names_every_setting_and_a_wrong_one_is_told() {
    let (code, help) = promptops(&["serve", "--help"]);
    assert_eq!(code, Some(0));
    for name in ["--listen", "--db", "--tls-cert", "PROMPTOPS_MASTER_KEY_FILE", "--config"] {
        assert!(help.contains(name), "{name}: {help}");
    }
    assert_eq!(promptops(&["serve", "--listen", "nowhere"]).0, Some(2));
    let (code, told) = promptops(&["serve", "--db", "prompts.db"]);
    assert!(code == Some(1) && told.contains("sqlite:PATH"), "{told}");
    let (code, told) = promptops(&["serve", "--db", "sqlite:/no/such/folder/prompts.db"]);
    assert!(code == Some(1) && told.contains("/no/such/folder/prompts.db"), "{told}");
    let files = ["--tls-cert", "/no/such/cert", "--tls-key", "/no/such/key"];
    let line = [&["serve", "--db", "sqlite::memory:"][..], &files].concat();
    let (code, told) = promptops(&line);
    assert!(code == Some(1) && told.contains("/no/such/cert"), "{told}");
}
