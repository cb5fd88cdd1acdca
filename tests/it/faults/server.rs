//! Rows 1, 2, 4, 5, 6, 9, 21, 26 and 28: who gets in, what is made once, and what outlives a crash.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use promptops_client::{HyperTransport, NewPrompt, Transport, TransportError, TransportErrorKind};
use promptops_server::{Access, MasterKey, NewKey, Registry};
use promptops_transport::{Clock, TokioClock};
use promptops_types::{Secret, SignedParts, SystemTime, TimeSource, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{row, runs, seed, since};
use crate::quiet;
use crate::server::matrix::{ROUTES, Route, Shows};
use crate::server::process::Process;
use crate::server::{Running, all, start, start_with};

fn bearer(key: &str) -> String {
    format!("authorization: Bearer {key}\r\n")
}

#[tokio::test]
async fn row_1_another_project_is_answered_as_nothing() {
    let server = start().await;
    let admin = server.client(&server.admin);
    for project in ["own", "other"] {
        let new = NewPrompt::new("Secret plan", "Hi {{ x }}").slug("plan");
        admin.create_prompt(new).project(project).await.unwrap();
        admin.set_label("plan", "prod", "1.0.0").project(project).await.unwrap();
    }
    let id = admin.get_prompt("plan").project("other").await.unwrap().id.clone();
    let new = NewKey { projects: Some(["own".to_owned()].into()), ..all() };
    let (_, key) = server.key(new).await;
    let of_other = NewKey { projects: Some(["other".to_owned()].into()), ..all() };
    server.key(NewKey { name: "every project".to_owned(), ..of_other }).await;
    let nothing = "01900000-0000-7000-8000-000000000000";
    let mut cases = 0;
    let ask = async |route: &Route, id: &str, project: &str| {
        let answer = server.send(&route.line(id, project), &bearer(key.expose()), route.body).await;
        let error = answer.body["error"].to_string().replace(id, "ID");
        (answer.status, error)
    };
    while cases < runs(2000) {
        for route in ROUTES.iter().filter(|route| route.shows == Shows::ThePrompt) {
            for (hidden, missing, project) in [
                (id.as_str(), nothing, ""),
                (id.as_str(), nothing, "own"),
                ("plan", "none", "other"),
            ] {
                let hidden = ask(route, hidden, project).await;
                let missing = ask(route, missing, project).await;
                assert_eq!(hidden, missing, "{} {project}", route.line("x", project));
                assert_eq!(hidden.0, 404, "{} {project}: {hidden:?}", route.line("x", project));
                cases += 1;
            }
        }
        for route in ROUTES.iter().filter(|route| route.shows == Shows::Prompts) {
            for project in ["", "other"] {
                let line = route.line("x", project);
                let body = route.body.replace("\"plan\"", &format!("\"plan\", \"{id}\""));
                let body = if project.is_empty() || body.is_empty() {
                    body
                } else {
                    body.replacen('{', "{\"project_id\": \"other\", ", 1)
                };
                let answer = server.send(&line, &bearer(key.expose()), &body).await;
                assert!(answer.status < 500, "{line}: {answer:?}");
                let text = answer.body["data"].to_string();
                // The id that was asked for may be said back, with the error of one that is missing.
                let shown = text.contains("\"other\"") || text.contains("every project");
                assert!(!shown, "{line}: {text}");
                cases += 1;
            }
        }
    }
    let search = server.get("/v1/client/prompts?query=plan", &key).await.body.to_string();
    assert!(!search.contains(&id), "{search}");
    let routes = ROUTES.len();
    let measured = format!("0 leaks in {cases} cases; all {routes} routes of the description");
    row(1, "another project, every route", "the same 404 as a missing id", measured, true);
}

/// A key of the right form that this server has never made.
async fn foreign() -> Secret {
    let elsewhere = Registry::in_memory().unwrap();
    elsewhere.create_key(&Access::full("x"), all()).await.unwrap().1
}

/// Headers of a request that is signed in the second form.
fn signed(parts: &SignedParts<'_>, signature: &str) -> String {
    format!(
        "authorization: Bearer {}\r\nx-promptops-timestamp: {}\r\nx-promptops-nonce: {}\r\n\
         x-promptops-signature-v2: {signature}\r\n",
        parts.api_key, parts.timestamp, parts.nonce
    )
}

#[tokio::test]
async fn row_2_what_is_forged_is_refused() {
    let server = start().await;
    let attempts = runs(10_000);
    let mut chance = Rng::with_seed(seed());
    let (known, key) = server.key(all()).await;
    let (revoked, revoked_key) = server.key(all()).await;
    server.registry.revoke_key(&Access::full("x"), &revoked.id).await.unwrap();
    let soon = Timestamp::from_unix_micros(SystemTime.now().unix_micros() + 50_000);
    let (_, expired) = server.key(NewKey { expires_at: Some(soon), ..all() }).await;
    let foreign = foreign().await;
    TokioClock.sleep(Duration::from_millis(60)).await;
    let timestamp = SystemTime.now().to_string();
    let host = server.address.to_string();
    // What somebody with the database has: the id, the prefix, the hash; and no master key.
    let stolen = MasterKey::random().unwrap().secret(&known.id);
    let mut answers = BTreeMap::new();
    for attempt in 0..attempts {
        let nonce = format!("n-{attempt}");
        let parts = SignedParts {
            api_key: key.expose(),
            timestamp: &timestamp,
            nonce: &nonce,
            method: "GET",
            host: &host,
            path: "/v1/client/prompts",
            query: "",
            body: b"",
        };
        let random: String = (0..30).map(|_| chance.alphanumeric()).collect();
        let headers = match chance.usize(..9) {
            0 => String::new(),
            1 => bearer(&format!("po_{random}")),
            2 => bearer(foreign.expose()),
            3 => bearer(revoked_key.expose()),
            4 => bearer(expired.expose()),
            5 => signed(&parts, &parts.second_form(&stolen)),
            6 => signed(&parts, &parts.second_form(&Secret::new(known.prefix.as_str()))),
            7 => bearer(&format!("{}{}", known.prefix, &random[..25])),
            _ => format!("{}{}", bearer(foreign.expose()), bearer(key.expose())),
        };
        let answer = server.send("GET /v1/client/prompts", &headers, "").await;
        let message = answer.body["error"]["message"].as_str().unwrap_or_default().to_owned();
        *answers.entry((answer.status, message)).or_insert(0_usize) += 1;
    }
    let accepted: usize =
        answers.iter().filter(|((status, _), _)| *status < 400).map(|(_, count)| count).sum();
    assert_eq!(accepted, 0, "{answers:?}");
    let bodies = answers.keys().filter(|(status, _)| *status == 401).count();
    assert_eq!(bodies, 1, "one constant body: {answers:?}");
    assert_eq!(server.get("/v1/client/prompts", &key).await.status, 200);
    let measured = format!("0 accepted of {attempts}, one body; those after 60 a minute are 429");
    row(2, "absent, forged, mixed, expired credentials", "401, one constant body", measured, true);
}

#[tokio::test]
async fn row_4_a_changed_bit_is_refused() {
    let server = start().await;
    let requests = runs(5000);
    let mut chance = Rng::with_seed(seed());
    let (known, key) = server.key(all()).await;
    let secret = server.master.secret(&known.id);
    let host = server.address.to_string();
    let mut refused = 0;
    for number in 0..requests {
        let (timestamp, nonce) = (SystemTime.now().to_string(), format!("n-{number}"));
        let body = format!(r#"{{"name": "Bit {number}", "content": "x"}}"#);
        let parts = SignedParts {
            api_key: key.expose(),
            timestamp: &timestamp,
            nonce: &nonce,
            method: "POST",
            host: &host,
            path: "/v1/client/prompts",
            query: "project_id=p",
            body: body.as_bytes(),
        };
        let signature = parts.second_form(&secret);
        let mut texts = [
            "POST".to_owned(),
            "/v1/client/prompts".to_owned(),
            "project_id=p".to_owned(),
            host.clone(),
            body.clone(),
            timestamp.clone(),
            nonce.clone(),
            key.expose().to_owned(),
        ];
        let part = number % texts.len();
        let mut bytes = texts[part].clone().into_bytes();
        let at = chance.usize(..bytes.len());
        // One of the bits that leave it ASCII; what ends a line would be another request.
        bytes[at] ^= 1 << chance.u8(..5);
        if bytes[at].is_ascii_control() || bytes[at] == b' ' || bytes[at] == b'#' {
            bytes[at] = b'~';
        }
        texts[part] = String::from_utf8(bytes).unwrap();
        let [method, path, query, host, body, timestamp, nonce, api_key] = &texts;
        let request = format!(
            "{method} {path}?{query} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\
             authorization: Bearer {api_key}\r\nx-promptops-timestamp: {timestamp}\r\n\
             x-promptops-nonce: {nonce}\r\nx-promptops-signature-v2: {signature}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status: u16 = answer[9..12].parse().unwrap();
        assert!(status >= 400, "part {part} changed at {at}: {request}\n{answer}");
        refused += 1;
    }
    let listed = server.get("/v1/client/prompts?project_id=p", &server.admin).await;
    assert_eq!(listed.body["data"]["total"], 0, "nothing was made");
    let measured = format!("{refused} of {requests} refused, and nothing made");
    row(4, "one bit changed in a signed request", "5 000 of 5 000 refused", measured, true);
}

#[tokio::test]
async fn row_5_what_is_sent_again_has_no_second_effect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let master = MasterKey::random().unwrap();
    let server = start_with(Registry::open(&path).unwrap(), master.clone()).await;
    let (known, key) = server.key(all()).await;
    let secret = master.secret(&known.id);
    let creates = runs(1000);
    // Any host does, as long as it is the one that is signed: the port changes with the restart.
    let host = "prompts.example";
    let send = async |server: &Running, request: &str| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer[9..12].parse::<u16>().unwrap()
    };
    let mut requests = Vec::new();
    for number in 0..creates {
        let (timestamp, nonce) = (SystemTime.now().to_string(), format!("n-{number}"));
        // No slug: a second effect would be a second prompt, and not a conflict.
        let body = r#"{"name": "!", "content": "x"}"#;
        let parts = SignedParts {
            api_key: key.expose(),
            timestamp: &timestamp,
            nonce: &nonce,
            method: "POST",
            host,
            path: "/v1/client/prompts",
            query: "",
            body: body.as_bytes(),
        };
        let headers = signed(&parts, &parts.second_form(&secret));
        let length = body.len();
        let request = format!(
            "POST /v1/client/prompts HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        assert_eq!(send(&server, &request).await, 201);
        if number % 2 == 0 {
            assert!(send(&server, &request).await >= 400);
        }
        requests.push(request);
    }
    server.stopper.stop();
    server.task.await.unwrap();
    drop(server.registry);
    let again = start_with(Registry::open(&path).unwrap(), master).await;
    let mut accepted = 0;
    for request in &requests {
        accepted += usize::from(send(&again, request).await < 400);
    }
    let total =
        again.get("/v1/client/prompts?limit=1", &again.admin).await.body["data"]["total"].clone();
    assert_eq!((accepted, total), (0, json!(creates)));
    let measured = format!("0 double effects in {creates}, across a restart too");
    row(5, "replay of signed writes", "one effect at most; 0 double in 1 000", measured, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_6_what_was_acknowledged_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let kills = runs(50);
    let mut chance = Rng::with_seed(seed());
    let mut process = Process::start(&path);
    let admin = process.admin.clone().unwrap();
    let (mut acknowledged, mut slowest) = (Vec::new(), Duration::ZERO);
    for kill in 0..kills {
        let client = process.client(&admin);
        let ends = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (client, ends) = (client.clone(), Arc::clone(&ends));
                tokio::spawn(async move {
                    let mut made = Vec::new();
                    for number in 0.. {
                        if ends.load(Ordering::SeqCst) {
                            break;
                        }
                        let slug = format!("k-{kill}-{writer}-{number}");
                        let content = format!("content of {slug} ").repeat(20);
                        let new = NewPrompt::new(&slug, content).slug(&slug);
                        if client.create_prompt(new).await.is_ok() {
                            made.push(slug);
                        }
                    }
                    made
                })
            })
            .collect();
        TokioClock.sleep(Duration::from_millis(chance.u64(20..150))).await;
        process.kill();
        ends.store(true, Ordering::SeqCst);
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        let started = TokioClock.monotonic();
        process = Process::start(&path);
        slowest = slowest.max(since(started));
    }
    let client = process.client(&admin);
    let mut lost = 0;
    for slug in &acknowledged {
        let expected = format!("content of {slug} ").repeat(20);
        let found = client.get_prompt(slug).await;
        lost += usize::from(found.is_err() || found.is_ok_and(|prompt| prompt.content != expected));
    }
    assert_eq!(lost, 0);
    assert!(acknowledged.len() > kills * 5, "{}", acknowledged.len());
    let measured = format!(
        "0 of {} acknowledged writes lost in {kills} kills; ready again in {:.2} s at most",
        acknowledged.len(),
        slowest.as_secs_f64()
    );
    let met = slowest < Duration::from_secs(2);
    row(
        6,
        "kill -9 while publishes are acknowledged",
        "0 lost in 50 kills; ready in 2 s",
        measured,
        met,
    );
}

/// A network that loses answers.
#[derive(Debug)]
pub(super) struct Losing {
    pub(super) inner: HyperTransport,
    pub(super) lost: Arc<AtomicUsize>,
    pub(super) chance: std::sync::Mutex<Rng>,
}

impl Transport for Losing {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let response = self.inner.send(request).await?;
        if self.chance.lock().unwrap().f64() < 0.3 {
            self.lost.fetch_add(1, Ordering::SeqCst);
            return Err(TransportError::new(
                TransportErrorKind::Interrupted,
                "the answer was lost",
            ));
        }
        Ok(response)
    }
}

#[tokio::test]
async fn row_9_an_answer_that_is_lost_is_given_again() {
    let server = start().await;
    let creates = runs(1000);
    let lost = Arc::new(AtomicUsize::new(0));
    let losing = Losing {
        inner: HyperTransport::new().unwrap(),
        lost: Arc::clone(&lost),
        chance: std::sync::Mutex::new(Rng::with_seed(seed())),
    };
    let mut retry = promptops_client::RetryConfig::default();
    (retry.max_attempts, retry.base_delay, retry.budget) =
        (10, Duration::from_micros(1), 1_000_000);
    let client = quiet()
        .base_url(format!("http://{}/v1", server.address))
        .api_key(server.admin.clone())
        .retry(retry)
        .transport(losing)
        .build()
        .unwrap();
    for _ in 0..creates {
        let made = client.create_prompt(NewPrompt::new("!", "x")).await.unwrap();
        let found = server.get(&format!("/v1/client/prompts/{}", made.id), &server.admin).await;
        assert_eq!(found.body["data"]["created_at"], json!(made.created_at), "the same answer");
    }
    let total: Value = server.get("/v1/client/prompts?limit=1", &server.admin).await.body;
    assert_eq!(total["data"]["total"], creates);
    let lost = lost.load(Ordering::SeqCst);
    assert!(lost > creates / 5, "{lost}");
    let measured = format!("{creates} creates, {lost} answers lost: {creates} rows");
    row(9, "answer lost after commit, sent again", "one effect, the same answer", measured, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_21_a_server_that_is_told_to_stop_stops() {
    let restarts = runs(100);
    let mut slowest = Duration::ZERO;
    for group in (0..restarts).collect::<Vec<_>>().chunks(20) {
        let mut running = Vec::new();
        for _ in group {
            let folder = tempfile::tempdir().unwrap();
            let process = Process::start(&folder.path().join("prompts.db"));
            let admin = process.admin.clone().unwrap();
            let idle = TcpStream::connect(process.address).await.unwrap();
            let mut half = TcpStream::connect(process.address).await.unwrap();
            half.write_all(b"GET /livez HTTP/1.1\r\nhos").await.unwrap();
            let mut waiting = TcpStream::connect(process.address).await.unwrap();
            let request = format!(
                "GET /v1/client/changes?wait=60 HTTP/1.1\r\nhost: h\r\n{}\r\n",
                bearer(admin.expose())
            );
            waiting.write_all(request.as_bytes()).await.unwrap();
            running.push((process, folder, idle, half, waiting));
        }
        TokioClock.sleep(Duration::from_millis(200)).await;
        let started = TokioClock.monotonic();
        for (process, ..) in &running {
            process.terminate();
        }
        for (process, _, _, _, waiting) in &mut running {
            let mut answer = String::new();
            waiting.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "it could be answered: {answer}");
            loop {
                if let Some(is_well) = process.ended() {
                    assert!(is_well, "it ends well");
                    break;
                }
                assert!(since(started) < Duration::from_mins(1), "it does not end");
                TokioClock.sleep(Duration::from_millis(10)).await;
            }
            slowest = slowest.max(since(started));
        }
    }
    let measured =
        format!("{restarts} restarts, {:.1} s at most, none lost", slowest.as_secs_f64());
    let met = slowest <= Duration::from_millis(10_500);
    row(
        21,
        "SIGTERM with idle, half-sent and waiting connections",
        "within 10.5 s in 100 restarts; no finishable request lost",
        measured,
        met,
    );
}

#[tokio::test]
async fn row_26_a_revoked_key_is_refused_from_then_on() {
    let server = start().await;
    let keys = runs(1000);
    let mut later = 0;
    for _ in 0..keys {
        let (known, key) = server.key(all()).await;
        assert_eq!(server.get("/v1/client/models", &key).await.status, 200);
        server.registry.revoke_key(&Access::full("x"), &known.id).await.unwrap();
        later += usize::from(server.get("/v1/client/prompts", &key).await.status < 400);
    }
    let end = SystemTime.now().unix_micros() + 1_000_000;
    let ends = NewKey { expires_at: Some(Timestamp::from_unix_micros(end)), ..all() };
    let (_, key) = server.key(ends).await;
    let (mut before, mut after) = (0, 0);
    while after < keys {
        let is_over = SystemTime.now().unix_micros() >= end;
        let is_let_in = server.get("/v1/client/models", &key).await.status == 200;
        before += usize::from(!is_over && is_let_in);
        after += usize::from(is_over);
        later += usize::from(is_over && is_let_in);
    }
    assert!(later == 0 && before > 0, "{later} later accepts, {before} before the end");
    let measured =
        format!("0 later accepts of {keys} revoked keys, 0 in {after} of one that ended");
    row(26, "revoked or expired key", "refused from the next request", measured, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_28_a_limit_holds_against_many_at_once() {
    const STEADY: usize = 10;
    let server = Arc::new(start().await);
    let limit = 120_u32;
    let new = NewKey { per_minute: Some(limit), ..all() };
    let (_, key) = server.key(new).await;
    let started = TokioClock.monotonic();
    let accepted = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (server, key, accepted) = (Arc::clone(&server), key.clone(), Arc::clone(&accepted));
            tokio::spawn(async move {
                for _ in 0..40 {
                    let answer = server.get("/v1/client/usage/limits", &key).await;
                    assert!(matches!(answer.status, 200 | 429), "{answer:?}");
                    accepted.fetch_add(usize::from(answer.status == 200), Ordering::SeqCst);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let (accepted, seconds) = (accepted.load(Ordering::SeqCst), since(started).as_secs_f64());
    // So many at once, and two more each second.
    let most = f64::from(limit) + 2.0 * seconds + 1.0;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let is_exact = accepted as f64 <= most && accepted >= limit as usize;
    assert!(is_exact, "{accepted} of at most {most}");
    // Two a second are due: who asks a little less often is never refused, though all others took all.
    let mut steady = 0;
    for _ in 0..STEADY {
        TokioClock.sleep(Duration::from_millis(550)).await;
        steady += usize::from(server.get("/v1/client/usage/limits", &key).await.status == 200);
    }
    assert_eq!(steady, STEADY, "of a client that asks less often than it may");
    let measured = format!(
        "{accepted} of 640 by 16 callers in {seconds:.1} s, at most {most:.0}; then {steady} of {STEADY} of \
         a steady client"
    );
    let promised = "at most limit + burst; at least 99 % for a steady client";
    row(28, "rate-limit evasion by concurrency", promised, measured, true);
}
