//! What a registry answers, whatever it is: a value that means the same in its envelope and without, or
//! an error that is bounded, fit for a terminal, and says no more than its status.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use promptops_client::test_util::ScriptedTransport;
use promptops_client::{
    CacheConfig, Error, PromptOpsClient, PromptResponse, RetryConfig, TelemetryConfig,
};
use tokio::runtime::{Builder, Runtime};

const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 206, 301, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 418,
    422, 429, 500, 503, 599,
];

/// A year.
const LONGEST_WAIT: Duration = Duration::from_hours(365 * 24);

/// Most characters of each part of an error that the registry said.
const MOST_CHARS: usize = 2100;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
});

// A line of the status, one of `Retry-After`, one of the request id, then the body.
fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (status, retry_after, request_id, body) = (line(), line(), line(), line());
    let status = str::from_utf8(status).ok().and_then(|status| status.parse().ok());
    let status: u16 = status.filter(|status| STATUSES.contains(status)).unwrap_or(200);
    let answer = |body: &[u8]| {
        let mut response = Response::new(Bytes::copy_from_slice(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in [("retry-after", retry_after), ("x-request-id", request_id)] {
            if let Ok(value) = value.try_into() {
                response.headers_mut().insert(name, value);
            }
        }
        fetched(response)
    };
    match answer(body) {
        Ok(prompt) => {
            assert!((200..300).contains(&status), "{status} is no success");
            let written = serde_json::to_vec(&prompt).expect("JSON");
            let read: PromptResponse = serde_json::from_slice(&written).expect("the same");
            assert_eq!(read, prompt, "what was read is written and read again");
            let envelope = [br#"{"success":true,"data":"#, &*written, b"}"].concat();
            for body in [&written, &envelope] {
                assert_eq!(answer(body).expect("the same"), prompt);
            }
        }
        Err(error) => refused(&error, status),
    }
});

fn fetched(response: Response<Bytes>) -> Result<PromptResponse, Error> {
    let client = PromptOpsClient::builder()
        .base_url("https://registry.test/v1")
        .transport(ScriptedTransport::new().then(response))
        .cache(CacheConfig::none())
        .retry(RetryConfig::none())
        .telemetry(TelemetryConfig::disabled())
        .build()
        .expect("these settings are good");
    let fetched = RUNTIME.block_on(client.get_prompt("asked").fetch())?;
    Ok(PromptResponse::clone(&fetched.value))
}

fn refused(error: &Error, status: u16) {
    assert_eq!((error.status(), error.attempts()), (Some(status), 1), "{error:?}");
    let is_word =
        |id: &str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(error.request_id().is_some_and(is_word), "{error:?}");
    assert!(error.retry_after().is_none_or(|wait| wait <= LONGEST_WAIT), "{error:?}");
    if status >= 300 {
        assert_eq!(error.is_retryable(), matches!(status, 408 | 429 | 500 | 503), "{error:?}");
    }
    is_readable(error.message());
    is_readable(error.code());
    assert!(!error.message().is_empty() && !error.code().is_empty());
    match error {
        Error::Validation { validation_errors, .. } => {
            assert!(validation_errors.len() <= 500);
            for issue in validation_errors {
                is_readable(&issue.field);
                is_readable(&issue.code);
                is_readable(&issue.message);
                is_readable(issue.suggestion.as_deref().unwrap_or_default());
            }
        }
        Error::PromptNotFound { prompt_id, suggested_prompts, .. } => {
            assert!(suggested_prompts.len() <= 5);
            suggested_prompts.iter().chain([prompt_id]).for_each(|text| is_readable(text));
        }
        _ => {}
    }
    let shown = error.to_string();
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
}

/// Short, and without anything that rules a terminal.
fn is_readable(text: &str) {
    assert!(text.chars().count() <= MOST_CHARS, "{} bytes", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
