//! Row 35: a registry that means harm gets a typed error, little memory, and no key.

use std::future::IntoFuture;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use promptops_client::{Error, ErrorKind, PromptOpsClient, RetryConfig, vars};
use promptops_transport::from_fn;
use promptops_transport::test_util::{RawServer, Step};
use serde_json::{Value, json};

use super::{row, runs, seed};

use crate::quiet;

fn client(url: &str) -> PromptOpsClient {
    quiet()
        .base_url(format!("{url}/v1"))
        .api_key("po_canary")
        .retry(RetryConfig::none())
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

fn gzip_bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b'0'; 1024 * 1024];
    for _ in 0..512 {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

/// Answers, each with what may be made of it.
fn attacks() -> Vec<(&'static str, Vec<Step>, &'static [ErrorKind])> {
    const DECODE: &[ErrorKind] = &[ErrorKind::Decode];
    const NETWORK: &[ErrorKind] = &[ErrorKind::Network];
    let chunked = |more: &str| {
        Step::write(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{more}\r\n"))
    };
    let chunk: Bytes =
        [b"10000\r\n".to_vec(), vec![b'['; 65_536], b"\r\n".to_vec()].concat().into();
    let bomb = gzip_bomb();
    let bomb_head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    let values = format!(r#"{{"error": [{}]}}"#, "0,".repeat(5_000_000) + "0");
    vec![
        ("a body without end", vec![chunked(""), Step::Endless(chunk.clone())], DECODE),
        (
            "a body of 10 GB",
            vec![
                Step::write("HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n"),
                Step::Endless(chunk),
            ],
            DECODE,
        ),
        (
            "a gzip bomb of 512 MiB",
            vec![Step::write(bomb_head), Step::Write(bomb.into()), Step::Stall],
            DECODE,
        ),
        (
            "headers without end",
            vec![Step::write("HTTP/1.1 200 OK\r\n"), Step::Endless("x: y\r\n".into())],
            NETWORK,
        ),
        (
            "one header without end",
            vec![Step::write("HTTP/1.1 200 OK\r\nx: "), Step::Endless("yyyyyyyyyyyyyyyy".into())],
            NETWORK,
        ),
        (
            "a chunk of a size that overflows",
            vec![chunked(""), Step::write("ffffffffffffffffff\r\n")],
            NETWORK,
        ),
        (
            "two lengths that differ",
            vec![Step::write(
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 9\r\n\r\n{}",
            )],
            NETWORK,
        ),
        (
            "half an answer",
            vec![Step::write("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"id\"")],
            NETWORK,
        ),
        ("arrays in arrays", vec![Step::answer("200 OK", &"[".repeat(100_000))], DECODE),
        ("objects in objects", vec![Step::answer("200 OK", &r#"{"a":"#.repeat(100_000))], DECODE),
        (
            "an error of 10 MB of values",
            vec![Step::answer("500 Internal Server Error", &values)],
            &[ErrorKind::Server],
        ),
        (
            "a wrong type",
            vec![Step::answer("200 OK", r#"{"success": true, "data": {"id": ["p"]}}"#)],
            DECODE,
        ),
        ("a login page", vec![Step::answer("200 OK", "<html>Sign in</html>")], DECODE),
        ("nothing", vec![Step::answer("200 OK", "")], DECODE),
        ("another protocol", vec![Step::write("SSH-2.0-OpenSSH_9.9\r\n")], NETWORK),
    ]
}

#[test]
fn row_35_a_hostile_answer_is_a_typed_error_in_little_memory() {
    // One thread for the client and the server: the allocator counts what it has given to this one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut answers, mut worst) = (0, (0, ""));
    for (name, steps, kinds) in attacks() {
        let script = move |_| [vec![Step::Read], steps.clone()].concat();
        let server = runtime.block_on(RawServer::start(script)).unwrap();
        let client = client(&server.url(""));
        let mut error = None;
        let held = allocation_counter::measure(|| {
            error = runtime.block_on(client.get_prompt("a").into_future()).err();
        });
        let error = error.unwrap();
        assert!(kinds.contains(&error.kind()), "{name}: {error}");
        assert!(error.to_string().len() < 3000, "{name}: {}", error.to_string().len());
        assert!(!format!("{error:?}").contains("po_canary"), "{name}: the key is in the error");
        worst = worst.max((held.bytes_max, name));
        answers += 1;
    }
    assert!(worst.0 <= 16_000_000, "{worst:?}");
    let kilobytes = worst.0 / 1000;
    let measured = format!("{answers} kinds, {kilobytes} kB more at most ({})", worst.1);
    row(35, "hostile answers", "typed errors, 0 panics, at most 16 MB more", measured, true);
}

#[tokio::test]
async fn row_35_a_redirect_elsewhere_gets_no_credential() {
    let elsewhere =
        RawServer::start(|_| vec![Step::Read, Step::answer("200 OK", "{}")]).await.unwrap();
    let mut answers = 0;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url("/v1/client/prompts/a");
        let redirect = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\nrefresh: 0; url={location}\r\n\
             alt-svc: h2=\"{}\"\r\ncontent-length: 0\r\n\r\n",
            elsewhere.address()
        );
        let server = RawServer::start(move |_| vec![Step::Read, Step::write(redirect.clone())]);
        let server = server.await.unwrap();
        for call in 0..2 {
            let client = client(&server.url(""));
            let outcome = match call {
                0 => client.get_prompt("a").await.map(|_| ()),
                _ => client.delete_prompt("a").await.map(|_| ()),
            };
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(status)));
            answers += 1;
        }
    }
    assert_eq!(elsewhere.connections(), 0);
    let measured = format!("0 requests, 0 credentials after {answers} redirects");
    row(35, "redirect elsewhere", "0 credentials seen by the second origin", measured, true);
}

/// What each operation expects, to be damaged.
fn answers() -> Vec<Value> {
    let prompt = json!({"id": "p", "slug": "a", "content": "Hi {{ n }}", "variables": ["n"],
        "version": "1.0.0", "created_at": "2026-11-01T12:00:00Z", "metadata": {"a": [1, 2.5, null]},
        "messages": [{"role": "user", "content": "x"}], "template_format": "simple",
        "model_specific_prompts": [{"model_provider": "openai", "content": "y"}]});
    let error = json!({"code": "PROMPT_NOT_FOUND", "message": "no", "details": {"retry_after": 3,
        "errors": [{"field": "f", "code": "c", "message": "m", "line": 1}], "suggested_prompts": ["b"]}});
    vec![
        json!({"success": true, "data": prompt, "metadata": {"request_id": "r"}}),
        json!({"success": false, "error": error, "metadata": {"request_id": "r"}}),
        json!({"success": true, "data": {"prompts": [prompt], "total": 1, "labels": [],
            "models": [{"provider": "openai", "name": "m", "compatible": true, "score": 1.0}]}}),
        json!({"success": true, "data": {"prompts": {"a": prompt}, "errors": {"b": error}}}),
        json!([prompt, prompt]),
    ]
}

/// Replaces something in a value by something else.
fn damage(value: &mut Value, chance: &mut Rng) {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    if children == 0 || chance.u32(..4) == 0 {
        let long = || "\u{1b}é".repeat(3000);
        *value = match chance.u32(..9) {
            0 => Value::Null,
            1 => json!(chance.i64(..)),
            2 => json!(u64::MAX),
            3 => json!(-1.5e300),
            4 => json!(long()),
            5 => json!([]),
            6 => json!({}),
            7 => json!([[{"a": null}]]),
            _ => json!(true),
        };
        return;
    }
    let at = chance.usize(..children);
    let child = match value {
        Value::Array(items) => &mut items[at],
        Value::Object(fields) => fields.values_mut().nth(at).unwrap(),
        _ => return,
    };
    damage(child, chance);
}

async fn any_call(client: &PromptOpsClient, number: u32) -> Result<(), Error> {
    match number {
        0 => client.get_prompt("a").await.map(|_| ()),
        1 => client.render_prompt("a", vars! { "n" => 1 }).await.map(|_| ()),
        2 => client.list_prompts().await.map(|_| ()),
        3 => client.get_prompts(["a"]).await.map(|_| ()),
        4 => client.prompt_versions("a").await.map(|_| ()),
        5 => client.labels("a").await.map(|_| ()),
        6 => client.list_models().await.map(|_| ()),
        7 => client.get_model_compatibility("a", "openai", "m").await.map(|_| ()),
        8 => client.set_label("a", "l", "1.0.0").await.map(|_| ()),
        9 => client.diff_prompt("a", "1", "2").await.map(|_| ()),
        _ => client.validate_prompt("a").await.map(|_| ()),
    }
}

#[tokio::test]
async fn row_35_no_damaged_answer_panics() {
    let mut chance = Rng::with_seed(seed());
    let answers = answers();
    let (mut read, mut refused) = (0, 0);
    let cases = runs(50_000);
    for _ in 0..cases {
        let mut answer = chance.choice(&answers).unwrap().clone();
        for _ in 0..chance.u32(..4) {
            damage(&mut answer, &mut chance);
        }
        let mut body = answer.to_string().into_bytes();
        match chance.u32(..4) {
            0 => body.truncate(chance.usize(..=body.len())),
            1 if !body.is_empty() => {
                let at = chance.usize(..body.len());
                body[at] = chance.u8(..);
            }
            _ => {}
        }
        let status = *chance.choice(&[200, 200, 200, 201, 204, 400, 404, 422, 429, 500]).unwrap();
        let transport = from_fn(move |_: Request<Bytes>| {
            let response = Response::builder().status(status).body(Bytes::from(body.clone()));
            async { Ok(response.unwrap()) }
        });
        let client = quiet()
            .base_url("https://h/v1")
            .transport(transport)
            .retry(RetryConfig::none())
            .build()
            .unwrap();
        match any_call(&client, chance.u32(..11)).await {
            Ok(()) => read += 1,
            Err(error) => {
                let text = error.to_string();
                let most = if matches!(error, Error::Validation { .. }) { 20_000 } else { 5000 };
                assert!(text.len() < most && !error.code().is_empty(), "{}", text.len());
                assert!(!text.contains('\u{1b}'), "{text}");
                refused += 1;
            }
        }
    }
    assert!(read > 0 && refused > 0);
    let measured = format!("0 panics in {cases}: {read} read, {refused} refused");
    row(35, "damaged answers, every operation", "typed errors, 0 panics", measured, true);
}
