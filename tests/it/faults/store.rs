//! Rows 3, 8 and 39: what is data and never syntax, who wins, and what moves whole.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use promptops_client::NewPrompt;
use promptops_registry::{ListQuery, UpdateOptions};
use promptops_server::{Access, MasterKey, Registry};
use promptops_types::{LabelTarget, PromptUpdate};
use rusqlite::Connection;
use serde_json::json;

use super::{row, runs, seed};
use crate::postgres;
use crate::server::process::program;
use crate::server::{Running, start, start_with};

/// What would be syntax, if it were not data.
const ATTACKS: [&str; 16] = [
    "'; DROP TABLE prompts; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "1; DELETE FROM promptops.prompts",
    "x' UNION SELECT hash FROM api_keys --",
    "%",
    "_",
    "100%' ESCAPE '\\",
    "name; DROP TABLE versions",
    "created_at, (SELECT 1/0)",
    "$1",
    ":projects",
    "\\",
    "a\u{0}b",
    "NEAR(a b) AND * OR NOT \"",
    "{\"$ne\": null}",
];

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

/// What a registry holds, in one number.
async fn digest(registry: &Registry) -> String {
    registry.export(&Access::full("test"), std::io::sink()).await.unwrap().digest
}

/// Asks with attacks in every place that takes text; none is a server error.
async fn attack(server: &Running, count: usize, chance: &mut Rng) {
    let bearer = format!("authorization: Bearer {}\r\n", server.admin.expose());
    for _ in 0..count {
        let attack = *chance.choice(&ATTACKS).unwrap();
        let text = encoded(attack);
        let (line, headers, body) = match chance.u8(..16) {
            0 => (format!("GET /v1/client/prompts/{text}"), bearer.clone(), String::new()),
            1 => (format!("GET /v1/client/prompts?query={text}"), bearer.clone(), String::new()),
            2 => (format!("GET /v1/client/prompts?sort_by={text}"), bearer.clone(), String::new()),
            3 => {
                (format!("GET /v1/client/prompts?sort_order={text}"), bearer.clone(), String::new())
            }
            4 => (format!("GET /v1/client/prompts?tags={text}"), bearer.clone(), String::new()),
            5 => {
                (format!("GET /v1/client/prompts?project_id={text}"), bearer.clone(), String::new())
            }
            6 => {
                (format!("GET /v1/client/prompts?module_id={text}"), bearer.clone(), String::new())
            }
            7 => (format!("GET /v1/client/prompts?cursor={text}"), bearer.clone(), String::new()),
            8 => {
                (format!("GET /v1/client/prompts/a?version={text}"), bearer.clone(), String::new())
            }
            9 => {
                (format!("GET /v1/client/changes?project_id={text}"), bearer.clone(), String::new())
            }
            10 => {
                (format!("DELETE /v1/client/auth/api-keys/{text}"), bearer.clone(), String::new())
            }
            11 => (
                format!("DELETE /v1/client/prompts/a/labels/{text}"),
                bearer.clone(),
                String::new(),
            ),
            12 => {
                let key = attack.replace(|c: char| c.is_control(), "");
                let header = format!("authorization: Bearer {key}\r\n");
                ("GET /v1/client/prompts".to_owned(), header, String::new())
            }
            13 => {
                let body = json!({ "prompt_ids": [attack], "project_id": attack }).to_string();
                ("POST /v1/client/prompts/batch".to_owned(), bearer.clone(), body)
            }
            14 => {
                let body = json!({ "variables": { attack: attack, "x": attack } }).to_string();
                ("POST /v1/client/prompts/a/render".to_owned(), bearer.clone(), body)
            }
            _ => {
                let path = format!("GET /v1/client/usage/stats?prompt_id={text}&project_id={text}");
                (path, bearer.clone(), String::new())
            }
        };
        let answer = server.send(&line, &headers, &body).await;
        assert!(answer.status < 500, "{line} {body}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_3_what_is_sent_is_data() {
    let count = runs(10_000);
    let mut chance = Rng::with_seed(seed());
    let database = postgres::server::Server::start().await;
    let on_postgres = Registry::new(database.store().await);
    for registry in [Registry::in_memory().unwrap(), on_postgres] {
        let server = start_with(registry, MasterKey::random().unwrap()).await;
        let client = server.client(&server.admin);
        client.create_prompt(NewPrompt::new("A", "{{ x }}")).await.unwrap();
        for (at, attack) in ATTACKS.iter().enumerate().filter(|(_, text)| !text.contains('\0')) {
            let new = NewPrompt::new(*attack, *attack)
                .slug(format!("p-{at}"))
                .tags([attack.replace(',', " ")]);
            client.create_prompt(new).await.unwrap();
            let found = client.get_prompt(format!("p-{at}")).await.unwrap();
            assert_eq!((&*found.name, &*found.content), (*attack, *attack));
        }
        let before = digest(&server.registry).await;
        attack(&server, count / 2, &mut chance).await;
        assert_eq!(digest(&server.registry).await, before, "nothing was changed");
    }
    let measured = format!("0 changes, 0 server errors in {count}, on SQLite and PostgreSQL");
    row(3, "SQL, LIKE and sort injection", "data, never syntax", measured, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_8_one_of_many_publishers_wins() {
    const PUBLISHERS: usize = 32;
    let rounds = runs(200);
    let database = postgres::server::Server::start().await;
    let on_postgres = Registry::new(database.store().await);
    let mut told = Vec::new();
    for (name, registry, rounds) in [
        ("SQLite", Registry::in_memory().unwrap(), rounds),
        ("PostgreSQL", on_postgres, rounds.div_ceil(10)),
    ] {
        let server = Arc::new(start_with(registry, MasterKey::random().unwrap()).await);
        let client = server.client(&server.admin);
        client.create_prompt(NewPrompt::new("A", "first")).await.unwrap();
        let refused = Arc::new(AtomicUsize::new(0));
        for round in 0..rounds {
            let answer = server.get("/v1/client/prompts/a", &server.admin).await;
            let etag = answer.header("etag").unwrap().to_owned();
            let publishing = (0..PUBLISHERS).map(|publisher| {
                let (server, etag, refused) = (server.clone(), etag.clone(), refused.clone());
                tokio::spawn(async move {
                    let headers = format!(
                        "authorization: Bearer {}\r\nif-match: {etag}\r\n",
                        server.admin.expose()
                    );
                    let content = format!("{round} by {publisher}");
                    let body = json!({ "content": content }).to_string();
                    let answer = server.send("PUT /v1/client/prompts/a", &headers, &body).await;
                    match answer.status {
                        200 => Some(content),
                        412 => {
                            refused.fetch_add(1, Ordering::SeqCst);
                            None
                        }
                        status => panic!("{status}: {answer:?}"),
                    }
                })
            });
            let publishing: Vec<_> = publishing.collect();
            let mut won = Vec::new();
            for publisher in publishing {
                won.extend(publisher.await.unwrap());
            }
            assert_eq!(won.len(), 1, "{name}, round {round}");
            let now = client.get_prompt("a").await.unwrap();
            assert_eq!(now.content, won[0], "what won is what is there");
        }
        assert_eq!(refused.load(Ordering::SeqCst), rounds * (PUBLISHERS - 1));
        told.push(format!("{rounds} on {name}"));
    }
    let measured =
        format!("one winner, {} refused, in each round: {}", PUBLISHERS - 1, told.join(", "));
    row(8, "32 publishers at once, If-Match", "one winner per revision", measured, true);
}

/// A file of the first schema with prompts in it.
fn old_file(path: &Path, prompts: i64) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/promptops-registry/src/sqlite/migrations/0001_registry.sql");
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let begin = "PRAGMA application_id = 0x50724F70; PRAGMA user_version = 1; \
                 PRAGMA journal_mode = WAL; BEGIN; \
                 INSERT INTO projects VALUES ('default', 1)";
    connection.execute_batch(begin).unwrap();
    for number in 0..prompts {
        connection
            .execute(
                "INSERT INTO prompts (id, project, slug, created_at) VALUES (?, 'default', ?, 1)",
                [format!("id-{number}"), format!("p-{number}")],
            )
            .unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

/// Kills the program while it brings an old file up to date; gives how often that was in time.
fn cut_migrations(cuts: usize, chance: &mut Rng) -> usize {
    const PROMPTS: i64 = 50_000;
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.db");
    old_file(&old, PROMPTS);
    let version = |path: &Path| -> i64 {
        let connection = Connection::open(path).unwrap();
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    };
    let mut in_time = 0;
    for cut in 0..cuts {
        let path = folder.path().join(format!("{cut}.db"));
        std::fs::copy(&old, &path).unwrap();
        let mut child = Command::new(program())
            .args(["serve", "--listen", "127.0.0.1:0", "--db"])
            .arg(format!("sqlite:{}", path.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Duration::from_micros(chance.u64(500..12_000));
        crate::faults::wait(end);
        child.kill().unwrap();
        child.wait().unwrap();
        let found = version(&path);
        in_time += usize::from(found == 1);
        let registry = Registry::open(&path).unwrap();
        assert!(version(&path) > 1, "it is finished by the next");
        drop(registry);
        let connection = Connection::open(&path).unwrap();
        let count = "SELECT (SELECT prompts FROM projects), (SELECT count(*) FROM prompts), \
                     (SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok')";
        let counted: (i64, i64, i64) = connection
            .query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        assert_eq!(counted, (PROMPTS, PROMPTS, 0), "cut {cut}");
        std::fs::remove_file(&path).unwrap();
    }
    in_time
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_39_a_registry_moves_whole() {
    let (cuts, prompts) = (runs(50), runs(10_000));
    let mut chance = Rng::with_seed(seed());
    let in_time = cut_migrations(cuts, &mut chance);

    let server = start().await;
    let (access, from) = (Access::full("test"), &server.registry);
    for number in 0..prompts {
        let content = format!("Prompt {number} of {{{{ x }}}} 🎉 ").repeat(chance.usize(1..20));
        let project = ["default", "sales"][number % 2];
        let new = NewPrompt::new(format!("P {number}"), content).tags([format!("t{}", number % 7)]);
        let made = from.create(&access, Some(project), new).await.unwrap();
        if number % 5 == 0 {
            let prompt = promptops_registry::PromptRef::new(&made.prompt.id);
            let changes = PromptUpdate::new().content(format!("again {number}"));
            from.update(&access, &prompt, changes, UpdateOptions::default()).await.unwrap();
            let target = LabelTarget::Version("1.0.0".parse().unwrap());
            let label = "production".parse().unwrap();
            from.set_label(&access, &prompt, &label, target, None).await.unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export");
    let exported = from.export(&access, std::fs::File::create(&file).unwrap()).await.unwrap();
    let database = postgres::server::Server::start().await;
    let to = Registry::new(database.store().await);
    let imported = to.import(&access, std::fs::File::open(&file).unwrap()).await.unwrap();
    assert_eq!(imported, exported);
    let again = to.export(&access, std::io::sink()).await.unwrap();
    assert_eq!(again, exported, "the same in the other store");
    for text in ["P 7", "again", "🎉"] {
        let list = |text: &str| ListQuery {
            text: Some(text.to_owned()),
            limit: 50,
            ..ListQuery::default()
        };
        let (one, other) =
            (from.list(&access, list(text), None), to.list(&access, list(text), None));
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        assert_eq!((one.total, &one.prompts), (other.total, &other.prompts), "{text}");
    }
    // A file that was cut or changed is refused, and nothing of it is taken.
    let text = std::fs::read(&file).unwrap();
    let empty = Registry::new(database.store().await);
    for _ in 0..20 {
        let mut wrong = text.clone();
        if chance.bool() {
            wrong.truncate(chance.usize(..text.len()));
        } else {
            wrong[chance.usize(..text.len())] ^= 1;
        }
        std::fs::write(&file, &wrong).unwrap();
        let refused = empty.import(&access, std::fs::File::open(&file).unwrap()).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    assert!(empty.projects(&access).await.unwrap().is_empty());
    let measured = format!(
        "{cuts} cuts ({in_time} before the end), all finished; checksums of {prompts} prompts equal, \
         20 broken files refused"
    );
    let promised = "resumes; refuses; the same answers";
    row(39, "migration cut; SQLite to PostgreSQL", promised, measured, true);
}
