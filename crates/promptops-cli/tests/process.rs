//! The command as it is run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use support::Server;

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

#[test]
fn everything_moves_from_one_store_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (from, to) = (format!("sqlite:{}", at("a.db")), format!("sqlite:{}", at("b.db")));
    let (code, told) = promptops(&["create", "A", "--content", "x", "--base-url", &from]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(promptops(&["keys", "create", "ci", "--base-url", &from]).0, Some(0));
    let (code, exported) = promptops(&["export", "--db", &from, &at("all.jsonl")]);
    assert!(code == Some(0) && exported.starts_with("exported 5 records"), "{exported}");
    let (code, imported) = promptops(&["import", "--db", &to, &at("all.jsonl")]);
    assert_eq!((code, imported), (Some(0), exported.replace("exported", "imported")));
    let (_, keys) = promptops(&["keys", "list", "--base-url", &to]);
    assert!(keys.contains("ci"), "{keys}");
    let (code, told) = promptops(&["import", "--db", &to, &at("all.jsonl")]);
    assert!(code == Some(1) && told.contains("import into an empty registry"), "{told}");
}

#[test]
fn a_key_that_may_not_ends_with_4_and_what_to_do() {
    let server = Server::start();
    let (url, key) = (["--base-url", &server.base_url], server.key.as_str());
    let with = |key: &str, arguments: &[&str]| {
        promptops(&[arguments, &url[..], &["--api-key", key]].concat())
    };
    let (code, told) = with("po_none", &["list"]);
    assert!(code == Some(4) && told.contains("help: give a key that works"), "{told}");
    assert!(told.contains(", request "), "{told}");
    let (code, made) = with(key, &["keys", "create", "reader", "--json"]);
    assert_eq!(code, Some(0), "{made}");
    let made: serde_json::Value =
        serde_json::from_str(&made[made.find('{').unwrap()..=made.rfind('}').unwrap()]).unwrap();
    let reader = made["api_key"].as_str().unwrap();
    assert_eq!(with(reader, &["list"]).0, Some(0));
    let (code, told) = with(reader, &["create", "A", "--content", "x"]);
    assert!(code == Some(4) && told.contains("promptops keys create"), "{told}");
    let (code, told) = with(reader, &["create", "A", "--content", "x", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, told["error"]["code"].as_str()), (Some(4), Some("AUTHORIZATION_ERROR")));
}

#[test]
fn watching_goes_on_with_what_comes_later() {
    let server = Server::start();
    let with = |arguments: &[&'static str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_promptops"));
        command.args(arguments).args(["--base-url", &server.base_url, "--api-key", &server.key]);
        command
    };
    let create =
        |name| assert!(with(&["create", name, "--content", "x"]).status().unwrap().success());
    create("first");
    let mut watch = with(&["watch", "--since", "start", "--count", "2", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let slug =
        |line: String| serde_json::from_str::<serde_json::Value>(&line).unwrap()["slug"].clone();
    assert_eq!(slug(lines.next().unwrap().unwrap()), "first");
    create("second");
    assert_eq!(slug(lines.next().unwrap().unwrap()), "second");
    assert!(watch.wait().unwrap().success());
}

#[test]
fn variables_may_come_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.prompt.md");
    std::fs::write(&file, "Hello {{ name }}").unwrap();
    let mut render = Command::new(env!("CARGO_BIN_EXE_promptops"))
        .args(["render", file.to_str().unwrap(), "--vars", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    render.stdin.take().unwrap().write_all(br#"{"name": "Ann"}"#).unwrap();
    assert_eq!(render.wait_with_output().unwrap().stdout, b"Hello Ann\n");
}
