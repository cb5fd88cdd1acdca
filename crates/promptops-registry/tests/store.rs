//! The SQLite store: the contract of every store, and what is special about a file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use promptops_registry::{
    Access, PromptRef, Registry, RegistryError, SharedStore, SqliteStore, StoreError,
    store_contract,
};
use promptops_types::{NewPrompt, Selector};

#[tokio::test]
async fn memory_keeps_the_contract() {
    store_contract::check(async || SharedStore::new(SqliteStore::in_memory().unwrap())).await;
}

#[tokio::test]
async fn a_file_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    store_contract::check(async || {
        count.set(count.get() + 1);
        let path = folder.path().join(format!("{}.db", count.get()));
        SharedStore::new(SqliteStore::open(path).unwrap())
    })
    .await;
}

fn open_error(path: &Path) -> StoreError {
    SqliteStore::open(path).unwrap_err()
}

#[test]
fn a_path_that_cannot_be_opened_says_which_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/folder/prompts.db");
    for path in [missing.as_path(), folder.path()] {
        let error = open_error(path);
        assert!(matches!(error, StoreError::CannotOpen { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains("check the path"), "{text}");
    }
}

#[test]
fn files_of_others_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "these are my notes, not a database, and quite long at that").unwrap();
    let before = std::fs::read(&text).unwrap();
    let error = open_error(&text);
    assert!(matches!(error, StoreError::NotARegistry { .. }), "{error:?}");
    assert_eq!(std::fs::read(&text).unwrap(), before);

    let other = folder.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE mine (x)").unwrap();
    drop(connection);
    let error = open_error(&other);
    assert!(error.to_string().contains("another program"), "{error}");
}

#[test]
fn a_newer_schema_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    drop(connection);
    let error = open_error(&path);
    assert!(matches!(error, StoreError::NewerSchema { found: 7, .. }), "{error:?}");
    assert!(error.to_string().contains("update this program"), "{error}");
}

#[test]
fn a_damaged_file_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    drop(SqliteStore::open(&path).unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    // Behind the header, where the schema is.
    bytes[100..4096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let error = open_error(&path);
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("restore a backup"), "{error}");
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let access = Access::full("test");
    let registry = Registry::open(&path).unwrap();
    let created =
        registry.create(&access, None, NewPrompt::new("Kept", "Hello {{ name }}")).await.unwrap();
    drop(registry);
    let registry = Registry::open(&path).unwrap();
    let found = registry.get(&access, &PromptRef::new("kept"), &Selector::Latest, None).await;
    assert_eq!(found.unwrap(), created);
    drop(registry);
    assert!(!path.with_extension("db-wal").exists(), "closing checkpoints the log");
}

/// Set in the process of the test below: the file to open.
const UNREADABLE: &str = "PROMPTOPS_TEST_UNREADABLE";

/// Not a test by itself: what a process without privileges runs.
#[test]
fn open_without_privileges() {
    if let Ok(path) = std::env::var(UNREADABLE) {
        let error = open_error(Path::new(&path)).to_string();
        assert!(error.contains(&path) && error.contains("permissions"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_says_so() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    /// `nobody` on the systems we know: root reads every file, so the test needs someone else.
    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    drop(SqliteStore::open(&path).unwrap());
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(folder.path(), 0o755);
    mode(&path, 0o000);
    // A copy that others may run, wherever the build folder is.
    let program = folder.path().join("open");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    mode(&program, 0o755);
    let mut child = std::process::Command::new(&program);
    child.args(["--exact", "open_without_privileges"]).env(UNREADABLE, &path);
    if std::fs::File::open(&path).is_ok() {
        child.uid(NOBODY).gid(NOBODY);
    }
    assert!(child.current_dir("/").status().unwrap().success());
}

/// Set in the other processes of the test below: the file to write to, and their number.
const SECOND: &str = "PROMPTOPS_TEST_SECOND_PROCESS";
const WHO: &str = "PROMPTOPS_TEST_WHO";

/// Not a test by itself: what the other processes run.
#[tokio::test]
async fn second_process() {
    if let Ok(path) = std::env::var(SECOND) {
        publish(Path::new(&path), &std::env::var(WHO).unwrap()).await;
    }
}

async fn publish(path: &Path, who: &str) {
    let registry = Arc::new(Registry::open(path).unwrap());
    let access = Access::full(who);
    for number in 0..10 {
        let new = NewPrompt::new(format!("by {who} {number}"), "x");
        registry.create(&access, None, new).await.unwrap();
    }
}

#[tokio::test]
async fn many_processes_open_one_new_file_at_once_and_share_it() {
    const OTHERS: usize = 7;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let start = |number: usize| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "second_process"])
            .env(SECOND, &path)
            .env(WHO, number.to_string())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut others: Vec<_> = (0..OTHERS).map(start).collect();
    publish(&path, "first").await;
    for other in &mut others {
        assert!(other.wait().unwrap().success());
    }
    let registry = Registry::open(&path).unwrap();
    let query = promptops_registry::ListQuery { limit: 1, ..Default::default() };
    let page = registry.list(&Access::full("test"), query, None).await.unwrap();
    assert_eq!(page.total, 10 * (1 + OTHERS as u64));
}

#[tokio::test]
async fn a_locked_file_is_busy_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let registry = Registry::open(&path).unwrap();
    let blocker = rusqlite::Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    drop(SqliteStore::open(&path).unwrap()); // Opening takes no lock.
    let access = Access::full("test");
    let error = registry.create(&access, None, NewPrompt::new("A", "x")).await.unwrap_err();
    assert_eq!(error, RegistryError::Store(StoreError::Busy));
    blocker.execute_batch("ROLLBACK").unwrap();
    registry.create(&access, None, NewPrompt::new("A", "x")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_of_one_moment_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let registry = Registry::open(&path).unwrap();
    let access = Access::full("test");
    let writing = tokio::spawn({
        let (registry, access) = (registry.clone(), access.clone());
        async move {
            for number in 0..300 {
                let name = format!("n-{number}");
                let new = NewPrompt::new(&name, "x".repeat(2000)).slug(&name);
                registry.create(&access, None, new).await.unwrap();
            }
        }
    });
    let mut made = Vec::new();
    for number in 0..5 {
        let to = folder.path().join(format!("copy-{number}"));
        let (from, target) = (path.clone(), to.clone());
        let copied =
            tokio::task::spawn_blocking(move || promptops_registry::copy_sqlite(&from, &target));
        copied.await.unwrap().unwrap();
        made.push(to);
    }
    writing.await.unwrap();
    for copy in made {
        let copy = Registry::open(&copy).unwrap();
        let query = promptops_registry::ListQuery { limit: 1000, ..Default::default() };
        let total = copy.list(&access, query, None).await.unwrap().total;
        // The first so many, none left out.
        for number in 0..total {
            let prompt = PromptRef::new(format!("n-{number}"));
            copy.get(&access, &prompt, &Selector::default(), None).await.unwrap();
        }
    }
}
