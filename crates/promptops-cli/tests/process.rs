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

#[test]
fn a_backup_is_a_registry_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (db, copy) = (format!("sqlite:{}", at("a.db")), at("copy"));
    let (code, told) = promptops(&["backup", "--db", &db, &copy]);
    assert!(code == Some(3) && told.contains("there is no registry"), "{told}");
    drop(promptops_server::Registry::open(at("a.db")).unwrap());
    let (code, told) = promptops(&["backup", "--db", &db, &copy]);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = promptops(&["backup", "--db", &db, &copy]);
    assert!(code == Some(1) && told.contains("is there already"), "{told}");
    let restored = format!("sqlite:{}", at("b.db"));
    assert_eq!(promptops(&["restore", "--db", &restored, &copy]).0, Some(0));
    promptops_server::Registry::open(at("b.db")).unwrap();
    std::fs::write(at("text"), "not a database").unwrap();
    let (code, told) =
        promptops(&["restore", "--db", &format!("sqlite:{}", at("c.db")), &at("text")]);
    assert!(code == Some(1) && told.contains("not a PromptOps registry"), "{told}");
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains("-wal") && !name.contains("-shm"))
        .collect();
    left.sort();
    assert_eq!(left, ["a.db", "b.db", "copy", "text"], "nothing half made");
}
