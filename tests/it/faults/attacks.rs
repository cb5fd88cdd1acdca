//! Rows 20, 22, 23, 25, 27 and 33: what is slow, too large, secret or too wide, and disks that fail.

use std::collections::BTreeSet;
use std::time::Duration;

use promptops_client::{NewPrompt, TemplateFormat};
use promptops_server::{NewKey, Scope};
use promptops_transport::{Clock, TokioClock};
use promptops_types::{Secret, TimeSource};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::strace::Strace;
use super::{row, runs, since};
use crate::server::process::Process;
use crate::server::{Answer, Running, all, ask, start};

/// The time that most of some requests take, the slowest of a hundred left out.
async fn p99(process: &Process, key: &Secret, count: usize) -> Duration {
    let mut times = Vec::new();
    for _ in 0..count {
        let started = TokioClock.monotonic();
        let header = format!("authorization: Bearer {}\r\n", key.expose());
        let answer = ask(process.address, "GET /v1/client/models?provider=x", &header, "").await;
        assert_eq!(answer.status, 200);
        times.push(since(started));
    }
    times.sort();
    times[times.len() * 99 / 100 - 1]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_20_who_is_slow_is_closed_and_others_are_not_held_up() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&folder.path().join("prompts.db"));
    let key = process.admin.clone().unwrap();
    let count = runs(1000);
    let usual = p99(&process, &key, 300).await;
    let address = process.address;
    let started = TokioClock.monotonic();
    let slow: Vec<_> = (0..count)
        .map(|number| {
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let part: &[u8] = match number % 3 {
                    0 => b"",
                    1 => b"GET /livez HTTP/1.1\r\nhost:",
                    _ => {
                        b"POST /v1/client/auth/validate HTTP/1.1\r\nhost: h\r\n\
                           content-length: 9\r\n\r\n{"
                    }
                };
                stream.write_all(part).await.unwrap();
                let mut rest = Vec::new();
                tokio::select! {
                    // A reset is an end too.
                    _ = stream.read_to_end(&mut rest) => {}
                    () = TokioClock.sleep(Duration::from_secs(30)) => {}
                }
                since(started)
            })
        })
        .collect();
    TokioClock.sleep(Duration::from_secs(1)).await;
    let meanwhile = p99(&process, &key, 300).await;
    let mut last = Duration::ZERO;
    for stream in slow {
        last = last.max(stream.await.unwrap());
    }
    let ratio = meanwhile.as_secs_f64() / usual.as_secs_f64();
    let is_met = last < Duration::from_secs(11) && ratio <= 3.0;
    let measured = format!(
        "{count} half-open closed within {:.1} s; p99 of others {ratio:.1} times the usual",
        last.as_secs_f64()
    );
    let promised = "closed within 11 s; normal p99 at most 3 times";
    row(20, "slow heads, slow bodies, connection flood", promised, measured, is_met);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_22_what_is_too_large_is_refused_early() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&folder.path().join("prompts.db"));
    let key = process.admin.clone().unwrap();
    let header = format!("authorization: Bearer {}\r\n", key.expose());
    let send = async |line: &str, more: &str, body: &str| {
        ask(process.address, line, &format!("{header}{more}"), body).await
    };
    send("POST /v1/client/prompts", "", &json!({"name": "A", "content": "x"}).to_string()).await;
    let before = process.peak_memory();
    let started = TokioClock.monotonic();
    let long = "x".repeat(100_000);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = json!({ "prompt_ids": vec!["a"; 501] }).to_string();
    let large = json!({ "name": "A", "content": "x".repeat(1024 * 1024 + 1) }).to_string();
    let body =
        |text: &str| format!("{{\"name\": \"A\", \"content\": \"x\", \"metadata\": {text}}}");
    let cases: [(&str, String, String, String, &[u16]); 6] = [
        ("URI", format!("GET /{long}"), String::new(), String::new(), &[414, 431]),
        (
            "head",
            "GET /livez".into(),
            format!("x-long: {}\r\n", long.repeat(10)),
            String::new(),
            &[431],
        ),
        ("JSON depth", "POST /v1/client/prompts".into(), String::new(), body(&deep), &[400]),
        ("batch", "POST /v1/client/prompts/batch".into(), String::new(), many, &[422]),
        ("template", "POST /v1/client/prompts".into(), String::new(), large, &[413]),
        (
            "key",
            "GET /v1/client/prompts".into(),
            "idempotency-key: x\r\n".into(),
            String::new(),
            &[200],
        ),
    ];
    for (what, line, more, body, expected) in &cases {
        let status = send(line, more, body).await.status;
        assert!(expected.contains(&status), "{what}: {status}");
    }
    // A body that is told to be too large is refused before any of it is sent.
    for length in [9_000_000_u64, u64::MAX] {
        let mut stream = TcpStream::connect(process.address).await.unwrap();
        let head = format!(
            "POST /v1/client/prompts HTTP/1.1\r\nhost: h\r\n{header}content-type: \
             application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let (took, more) = (since(started), process.peak_memory().saturating_sub(before));
    assert!(more < 32 * 1024, "{more} KiB more");
    let measured =
        format!("413, 414, 431, 400, 422 in {:.2} s; {} MiB more", took.as_secs_f64(), more / 1024);
    let is_met = took < Duration::from_secs(1);
    row(
        22,
        "oversized body, head, URI, depth, batch",
        "early, at most 32 MB more",
        measured,
        is_met,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_23_a_template_bomb_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&folder.path().join("prompts.db"));
    let key = process.admin.clone().unwrap();
    let client = process.client(&key);
    let bombs = [
        (
            "loops",
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
        ),
        (
            "doubling",
            "{% set t = 'x' %}{% for i in range(40) %}{% set t = t ~ t %}{% endfor %}{{ t }}",
        ),
        ("recursion", "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}"),
        ("repeat", "{{ 'x' * 1000000000 }}"),
        ("replace", "{{ ('a' * 1000)|replace('', x) }}"),
        ("membership", "{% for a in n %}{{ a in n }}{% endfor %}"),
        ("compare", "{% for a in x %}{% for b in x %}{{ a == b }}{% endfor %}{% endfor %}"),
    ];
    let numbers: Vec<u32> = (0..100_000).collect();
    let before = process.peak_memory();
    let mut slowest = (Duration::ZERO, "");
    for (name, bomb) in bombs {
        let mut new = NewPrompt::new(name, bomb).slug(name);
        new.template_format = TemplateFormat::Jinja;
        if let Err(error) = client.create_prompt(new).await {
            assert_eq!(error.status(), Some(422), "{name}: {error}");
            continue;
        }
        let header = format!("authorization: Bearer {}\r\n", key.expose());
        let body = json!({ "variables": { "x": "x".repeat(100_000), "n": numbers } }).to_string();
        let started = TokioClock.monotonic();
        let line = format!("POST /v1/client/prompts/{name}/render");
        let answer = ask(process.address, &line, &header, &body).await;
        let took = since(started);
        slowest = slowest.max((took, name));
        assert!(matches!(answer.status, 200 | 422 | 503), "{name}: {answer:?}");
        let is_there = !answer.body.to_string().contains("this build has no");
        assert!(is_there, "{name}: {answer:?}");
        assert_eq!(ask(process.address, "GET /livez", "", "").await.status, 200);
    }
    let more = process.peak_memory().saturating_sub(before) / 1024;
    let is_met = slowest.0 <= Duration::from_millis(50) && more <= 16;
    let measured = format!(
        "slowest `{}` {:.0} ms; {more} MiB more for all; the server answers others meanwhile",
        slowest.1,
        slowest.0.as_secs_f64() * 1e3
    );
    row(23, "template bomb", "at most 50 ms and 16 MiB each", measured, is_met);
}

/// Whatever of a process's output, or of its files, has one of some secrets in it.
fn leaks(texts: &[(String, Vec<u8>)], secrets: &[String]) -> Vec<String> {
    let has = |bytes: &[u8], secret: &str| {
        bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
    };
    let found = texts.iter().filter(|(_, bytes)| secrets.iter().any(|secret| has(bytes, secret)));
    found.map(|(name, _)| name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_25_no_secret_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let log = folder.path().join("log");
    let process = Process::start_logging(&path, std::fs::File::create(&log).unwrap(), "trace");
    let key = process.admin.clone().unwrap();
    let header = format!("authorization: Bearer {}\r\n", key.expose());
    let send =
        async |line: &str, header: &str, body: &str| ask(process.address, line, header, body).await;
    let mut secrets = vec![key.expose().to_owned()];
    let mut answers: Vec<Answer> = Vec::new();
    for number in 0..runs(200) {
        let body = json!({ "name": format!("key {number}") }).to_string();
        let made = send("POST /v1/client/auth/api-keys", &header, &body).await;
        for field in ["api_key", "secret_key"] {
            secrets.push(made.body["data"][field].as_str().unwrap().to_owned());
        }
        let made = secrets[secrets.len() - 2].clone();
        let wrong = format!("{header}x-promptops-signature: {}\r\n", secrets[secrets.len() - 1]);
        let as_made = format!("authorization: Bearer {made}\r\n");
        let in_body =
            json!({ "api_key": made, "signature": secrets[secrets.len() - 1] }).to_string();
        for (line, header, body) in [
            ("GET /v1/client/prompts".to_owned(), wrong.as_str(), ""),
            ("GET /v1/client/prompts/none".to_owned(), as_made.as_str(), ""),
            (format!("GET /v1/client/prompts?query={made}"), as_made.as_str(), ""),
            ("POST /v1/client/auth/validate".to_owned(), "", in_body.as_str()),
            ("GET /v1/client/auth/api-keys".to_owned(), header.as_str(), ""),
            ("GET /v1/client/changes".to_owned(), as_made.as_str(), ""),
        ] {
            answers.push(send(&line, header, body).await);
        }
    }
    let master = std::fs::read_to_string(folder.path().join("prompts.db.key")).unwrap();
    secrets.push(master.trim().to_owned());
    let metrics = ask(process.address, "GET /metrics", "", "").await;
    drop(process);
    let mut texts: Vec<_> = answers
        .into_iter()
        .chain([metrics])
        .enumerate()
        .map(|(at, answer)| (format!("answer {at}"), format!("{answer:?}").into_bytes()))
        .collect();
    for name in ["prompts.db", "prompts.db-wal", "log"] {
        if let Ok(bytes) = std::fs::read(folder.path().join(name)) {
            texts.push((name.to_owned(), bytes));
        }
    }
    assert!(texts.iter().any(|(name, bytes)| name == "log" && bytes.len() > 10_000), "it logs");
    let found = leaks(&texts, &secrets);
    assert!(found.is_empty(), "{found:?}");
    let measured = format!(
        "0 of {} secrets in {} answers, metrics, the log at trace, the database's files",
        secrets.len(),
        texts.len()
    );
    row(25, "secrets in answers, log, metrics, database", "redacted: 0 hits", measured, true);
}

/// Every key that a maker may wish for, and whether it is no wider than its maker's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_27_no_key_makes_a_wider_one() {
    let server = start().await;
    let scopes = [vec![Scope::Read], vec![Scope::Write], vec![Scope::Admin], Scope::ALL.to_vec()];
    let projects: [Option<&[&str]>; 4] = [None, Some(&["a"]), Some(&["b"]), Some(&["a", "b"])];
    let limits = [None, Some(10_u32), Some(1000)];
    let ends = [None, Some("2030-01-01T00:00:00Z"), Some("2040-01-01T00:00:00Z")];
    let (mut cases, mut made) = (0, 0);
    for own_scopes in &scopes {
        for own_projects in projects {
            for (own_limit, own_end) in [(None, None), (Some(100), Some("2035-01-01T00:00:00Z"))] {
                let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
                let new = NewKey {
                    scopes: Some(own_scopes.iter().copied().collect()),
                    projects: own_projects.map(set),
                    per_minute: own_limit,
                    expires_at: own_end.map(|end: &str| end.parse().unwrap()),
                    ..all()
                };
                let maker = server.key(new).await.1;
                // Counted for the server, so that the maker's own limit does not end this.
                for wanted_scopes in &scopes {
                    for wanted_projects in projects {
                        for (limit, end) in limits.iter().zip(&ends) {
                            cases += 1;
                            let mut wish =
                                json!({ "name": "wish", "allowed_scopes": wanted_scopes });
                            let mut set = |name: &str, value: Value| wish[name] = value;
                            if let Some(projects) = wanted_projects {
                                set("allowed_projects", json!(projects));
                            }
                            if let Some(limit) = limit {
                                set("rate_limit_per_minute", json!(limit));
                            }
                            if let Some(end) = end {
                                set("expires_at", json!(end));
                            }
                            let new: NewKey = serde_json::from_value(wish.clone()).unwrap();
                            let known = server.registry.authenticate(maker.expose()).await.unwrap();
                            let access = promptops_server::Access::of_key(&known.unwrap());
                            let Ok((child, _)) = server.registry.create_key(&access, new).await
                            else {
                                continue;
                            };
                            made += 1;
                            let may = |scope: &Scope| {
                                own_scopes.contains(scope)
                                    || (*scope == Scope::Read && own_scopes.contains(&Scope::Write))
                            };
                            assert!(own_scopes.contains(&Scope::Admin), "{wish}");
                            assert!(child.scopes.iter().all(may), "{wish}: {child:?}");
                            if let Some(own) = own_projects {
                                let own: BTreeSet<String> = set_of(own);
                                assert!(child.projects.unwrap().is_subset(&own), "{wish}");
                            }
                            if let Some(own) = own_limit {
                                assert!(child.limits.per_minute.unwrap() <= own, "{wish}");
                            }
                            if let Some(own) = own_end {
                                assert!(
                                    child.expires_at.unwrap() <= own.parse().unwrap(),
                                    "{wish}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
    for unknown in ["scopes", "role", "is_admin", "allowed_scope", "__proto__"] {
        let body = json!({ "name": "x", unknown: ["admin"] }).to_string();
        assert_eq!(post_key(&server, &body).await, 422, "{unknown}");
    }
    for confused in [r#"["ADMIN"]"#, r#"["read,admin"]"#, r#"["*"]"#, r#""admin""#, "[[]]", "[]"] {
        let body = format!(r#"{{"name": "x", "allowed_scopes": {confused}}}"#);
        assert!(matches!(post_key(&server, &body).await, 400 | 422), "{confused}");
    }
    let measured =
        format!("0 wider in {cases} wishes of 32 makers ({made} granted); 11 odd bodies refused");
    row(27, "a key that mints a broader key; scope confusion", "refused", measured, true);
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn post_key(server: &Running, body: &str) -> u16 {
    let header = format!("authorization: Bearer {}\r\n", server.admin.expose());
    server.send("POST /v1/client/auth/api-keys", &header, body).await.status
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_33_a_disk_that_fails_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let mut process = Process::start(&path);
    let key = process.admin.clone().unwrap();
    let header = format!("authorization: Bearer {}\r\n", key.expose());
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    let mut slowest = Duration::ZERO;
    let rounds = runs(20).max(2);
    for round in 0..rounds {
        for (fault, rule) in [
            ("full", "pwrite64:error=ENOSPC"),
            ("broken", "pwrite64:error=EIO"),
            ("unsynced", "fdatasync:error=EIO"),
            ("read-only", "pwrite64:error=EROFS"),
        ] {
            let post = async |number: usize| {
                let slug = format!("{fault}-{round}-{number}");
                let body = json!({ "name": slug, "slug": slug, "content": slug }).to_string();
                let answer = ask(process.address, "POST /v1/client/prompts", &header, &body).await;
                (slug, answer)
            };
            let (slug, answer) = post(0).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            acknowledged.push(slug);
            let trace = format!("trace={}", rule.split(':').next().unwrap());
            let inject = format!("inject={rule}");
            let failing = Strace::attach(&process, &["-e", &trace, "-e", &inject]);
            for number in 1..4 {
                let (slug, answer) = post(number).await;
                match answer.status {
                    201 => acknowledged.push(slug),
                    503 | 507 => refused += 1,
                    _ => panic!("{fault}: {answer:?}"),
                }
                let line = format!("GET /v1/client/prompts/{}", acknowledged[0]);
                let read = ask(process.address, &line, &header, "").await;
                assert_eq!(read.status, 200, "{fault}: reads go on: {read:?}");
            }
            failing.end();
            let started = TokioClock.monotonic();
            for number in 4.. {
                let (slug, answer) = post(number).await;
                if answer.status == 201 {
                    acknowledged.push(slug);
                    break;
                }
                assert!(since(started) < Duration::from_secs(30), "{fault}: {answer:?}");
                TokioClock.sleep(Duration::from_millis(50)).await;
            }
            slowest = slowest.max(since(started));
        }
    }
    process.kill();
    let process = Process::start(&path);
    for slug in &acknowledged {
        let line = format!("GET /v1/client/prompts/{slug}");
        let found = ask(process.address, &line, &header, "").await;
        assert_eq!(found.body["data"]["content"], *slug, "{found:?}");
    }
    assert!(refused > rounds * 4, "{refused}: the faults were there");
    let measured = format!(
        "0 of {} acknowledged lost, {refused} refused with 503, reads went on; writes again after {:.2} s",
        acknowledged.len(),
        slowest.as_secs_f64()
    );
    let is_met = slowest < Duration::from_secs(5);
    row(33, "disk full, I/O error, read-only", "507 or 503; 0 acknowledged lost", measured, is_met);
}
