//! From an answer to a value or an error. Tolerant of what is documented in the wild: a bare body
//! in place of the envelope, an `error` that is a plain string, fields left out.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use promptops_transport::{Attempts, excerpt, retry_after};
use promptops_types::{Error, ErrorBody, ErrorCode, ErrorContext, Timestamp, ValidationIssue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Largest body that is looked into for an error, in bytes. As values it takes many times the room.
const MOST_ERROR_BYTES: usize = 256 * 1024;

/// Most characters of a registry's own words in an error.
const MOST_MESSAGE_CHARS: usize = 2000;

/// Most faults of a request that an error holds: as many as our own registry names.
const MOST_ISSUES: usize = 500;

/// Most suggestions that an error holds.
const MOST_SUGGESTIONS: usize = 5;

/// Longest wait that is told: a year. What a server sends beyond it is a mistake.
const LONGEST_WAIT: Duration = Duration::from_hours(365 * 24);

/// The wait of a 429 that names none.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// Any object that may be an envelope. Each part is looked at by itself, so that one which is not
/// what the contract says does not take the others with it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'b> {
    success: Option<Value>,
    #[serde(borrow, deserialize_with = "present")]
    data: Option<&'b RawValue>,
    error: Option<Value>,
    metadata: Option<Value>,
}

/// Data that is there and `null` is not the same as none.
fn present<'de: 'b, 'b, D: Deserializer<'de>>(from: D) -> Result<Option<&'b RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'b> Envelope<'b> {
    /// Reads an object; anything else is no envelope. (A list would fill the fields in order.)
    fn read(body: &'b [u8]) -> Self {
        if body.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice(body).unwrap_or_default()
        } else {
            Self::default()
        }
    }

    /// Whether this is an envelope, and not a bare body.
    fn is_one(&self) -> bool {
        self.success.is_some() || self.data.is_some() || self.error.is_some()
    }

    fn request_id(&self) -> Option<String> {
        request_id(self.metadata.as_ref()?.get("request_id")?.as_str()?)
    }
}

/// The id under which the registry says it logged a request, by its header.
pub(crate) fn told_request_id(headers: &HeaderMap) -> Option<String> {
    request_id(headers.get("x-request-id")?.to_str().ok()?)
}

/// An id as one could have been sent.
fn request_id(text: &str) -> Option<String> {
    let is_one = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    is_one.then(|| text.to_owned())
}

/// The envelope of a success; what else is in it is passed over.
#[derive(Deserialize)]
struct Answered<T> {
    success: bool,
    /// It may be `null`, but it has to be there.
    #[serde(bound(deserialize = "T: Deserialize<'de>"), deserialize_with = "T::deserialize")]
    data: T,
}

/// What an answer belongs to.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    /// The request's id, where the answer tells none.
    pub(crate) request_id: &'a str,
    /// The prompt that was asked for.
    pub(crate) prompt_id: Option<&'a str>,
    /// When the answer came, for what it says in dates.
    pub(crate) now: Timestamp,
}

/// The value of a 2xx answer, or the error that any other status means.
pub(crate) fn decode<T: DeserializeOwned>(
    response: &Response<Bytes>,
    origin: &Origin<'_>,
) -> Result<T, Error> {
    let (status, body) = (response.status(), response.body());
    if !status.is_success() {
        return Err(failed(response, origin));
    }
    if status == StatusCode::NO_CONTENT && body.is_empty() {
        let nothing = serde_json::from_str("null").or_else(|_| serde_json::from_str("{}"));
        return nothing.map_err(|error| undecodable(response, origin.request_id, &error));
    }
    // The usual case in one pass. Text that is known to be UTF-8 is not looked at string by string.
    let usual = std::str::from_utf8(body).ok().map(serde_json::from_str::<Answered<T>>);
    if let Some(Ok(Answered { success: true, data })) = usual {
        return Ok(data);
    }
    let envelope = Envelope::read(body);
    let has_failed = envelope.error.is_some() && envelope.data.is_none();
    if has_failed || envelope.success == Some(Value::Bool(false)) {
        return Err(failed(response, origin));
    }
    let decoded = match envelope.data {
        Some(data) => serde_json::from_str(data.get()),
        // An envelope without data holds nothing, and must not be taken for the thing itself.
        None if envelope.is_one() => Err(serde::de::Error::missing_field("data")),
        None => serde_json::from_slice(body),
    };
    decoded.map_err(|error| undecodable(response, origin.request_id, &error))
}

/// The error of a 404 whose body was kept.
pub(crate) fn missing(body: &Bytes, prompt_id: Option<&str>, now: Timestamp) -> Error {
    let mut response = Response::new(body.clone());
    *response.status_mut() = StatusCode::NOT_FOUND;
    failed(&response, &Origin { request_id: "", prompt_id, now })
}

/// The error for an answer that is not what the contract says.
pub(crate) fn undecodable(
    response: &Response<Bytes>,
    request_id: &str,
    reason: &dyn std::fmt::Display,
) -> Error {
    let message = format!(
        "the answer is not what the contract says: {}; it begins `{}`",
        // It may quote the answer.
        excerpt(reason.to_string().as_bytes()),
        excerpt(response.body())
    );
    let told = told_request_id(response.headers());
    let context = ErrorContext::new(ErrorCode::Decode, message)
        .request_id(told.or_else(|| Some(request_id.to_owned())))
        .status(response.status().as_u16())
        .attempts(attempts(response));
    Error::Decode { context: context.into() }
}

/// The error that an answer means.
fn failed(response: &Response<Bytes>, origin: &Origin<'_>) -> Error {
    let (status, body) = (response.status(), response.body());
    let looked_at = if body.len() > MOST_ERROR_BYTES { &[][..] } else { body };
    let mut envelope = Envelope::read(looked_at);
    // The error in its envelope, or bare.
    let told = envelope.error.take().or_else(|| serde_json::from_slice(looked_at).ok());
    let ErrorBody { code, message, details } = told.unwrap_or_default().into();
    let code = if code.as_str().is_empty() {
        default_code(status)
    } else if code.is_known() {
        code
    } else {
        ErrorCode::from(readable(code.as_str()))
    };
    // A failure under a status of success: the code says more.
    let status_code = match code.status() {
        Some(told) if status.is_success() => told,
        _ => status.as_u16(),
    };
    let message = match (readable(&message), excerpt(body)) {
        (message, _) if !message.is_empty() => message,
        (_, excerpt) if !excerpt.is_empty() => format!("the registry answered {status}: {excerpt}"),
        _ => format!("the registry answered {status}"),
    };
    let request_id = envelope.request_id().or_else(|| told_request_id(response.headers()));
    let context = ErrorContext::new(code, message)
        .request_id(request_id.or_else(|| Some(origin.request_id.to_owned())))
        .status(status.as_u16())
        .attempts(attempts(response))
        .retry_after(retry_after(response.headers(), origin.now))
        .retryable(matches!(status_code, 408 | 429 | 500 | 502 | 503 | 504));
    variant(status_code, context, details, origin)
}

/// How many attempts the answer took.
pub(crate) fn attempts(response: &Response<Bytes>) -> u32 {
    response.extensions().get::<Attempts>().map_or(1, |attempts| attempts.0)
}

fn variant(
    status_code: u16,
    context: ErrorContext,
    details: Map<String, Value>,
    origin: &Origin<'_>,
) -> Error {
    let text = |name: &str| details.get(name).and_then(Value::as_str).map(readable);
    let list = |name: &str| details.get(name).and_then(Value::as_array).map_or(&[][..], |all| all);
    match status_code {
        401 => Error::Authentication { context: context.details(details).into() },
        403 => Error::Authorization { context: context.details(details).into() },
        404 | 410 => {
            let about_prompt = *context.code() == ErrorCode::PromptNotFound
                || (!context.code().is_known() && origin.prompt_id.is_some());
            if !about_prompt {
                return Error::NotFound { context: context.details(details).into() };
            }
            let asked = || origin.prompt_id.map(str::to_owned);
            let suggested = list("suggested_prompts").iter().filter_map(Value::as_str);
            Error::PromptNotFound {
                prompt_id: text("prompt_id").or_else(asked).unwrap_or_default(),
                suggested_prompts: suggested.take(MOST_SUGGESTIONS).map(readable).collect(),
                context: context.details(details).into(),
            }
        }
        409 | 412 => Error::Conflict { context: context.details(details).into() },
        400 | 405 | 413 | 414 | 415 | 422 | 431 => {
            let issues = list("errors").iter().take(MOST_ISSUES);
            let validation_errors = issues.map(issue).collect();
            Error::Validation { validation_errors, context: context.details(details).into() }
        }
        429 => {
            let told = details.get("retry_after").and_then(Value::as_f64);
            let told = told.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let told = told.map(|wait| wait.min(LONGEST_WAIT));
            let context = Box::new(context.details(details));
            let asked = Error::Decode { context: context.clone() }.retry_after();
            Error::RateLimit { retry_after: asked.or(told).unwrap_or(DEFAULT_WAIT), context }
        }
        status_code => Error::Server { status_code, context: context.details(details).into() },
    }
}

/// One fault of a request, as far as it can be read.
fn issue(value: &Value) -> ValidationIssue {
    let mut value = value.clone();
    for text in value.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        if let Value::String(text) = text {
            *text = readable(text);
        }
    }
    serde_json::from_value(value.clone()).unwrap_or_else(|_| {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let message = text("message").map_or_else(|| readable(&value.to_string()), str::to_owned);
        let (field, code) = (text("field"), text("code"));
        ValidationIssue::new(field.unwrap_or_default(), code.unwrap_or_default(), message)
    })
}

/// A registry's own words, for people: no control character rules the terminal they are shown on.
fn readable(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MOST_MESSAGE_CHARS).map(clean).collect()
}

fn default_code(status: StatusCode) -> ErrorCode {
    match status.as_u16() {
        400 => ErrorCode::BadRequest,
        401 => ErrorCode::Authentication,
        403 => ErrorCode::Authorization,
        405 => ErrorCode::MethodNotAllowed,
        412 => ErrorCode::PreconditionFailed,
        413 => ErrorCode::PayloadTooLarge,
        415 => ErrorCode::UnsupportedMediaType,
        422 => ErrorCode::Validation,
        429 => ErrorCode::RateLimit,
        503 => ErrorCode::Unavailable,
        status => ErrorCode::Other(format!("HTTP_{status}")),
    }
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;
    use promptops_types::{ErrorKind, PromptResponse};

    use super::*;

    fn answer(status: u16, body: &str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(body.to_owned()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    fn origin() -> Origin<'static> {
        Origin { request_id: "r-1", prompt_id: Some("asked"), now: Timestamp::default() }
    }

    fn error(status: u16, body: &str) -> Error {
        decode::<PromptResponse>(&answer(status, body), &origin()).unwrap_err()
    }

    #[test]
    fn an_envelope_and_a_bare_body_are_both_read() {
        for body in [
            r#"{"success": true, "data": {"id": "p"}, "metadata": {"request_id": "r"}}"#,
            r#"{"success": true, "data": {"id": "p"}}"#,
            r#"{"id": "p", "unknown": 1}"#,
        ] {
            let prompt: PromptResponse = decode(&answer(200, body), &origin()).unwrap();
            assert_eq!(prompt.id, "p");
        }
        let list: Vec<PromptResponse> =
            decode(&answer(200, r#"[{"id": "p"}]"#), &origin()).unwrap();
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn an_envelope_with_odd_metadata_is_read_and_one_without_data_is_refused() {
        let odd = r#"{"success": true, "data": {"id": "p"}, "metadata": {"timestamp": "noon"}}"#;
        let prompt: PromptResponse = decode(&answer(200, odd), &origin()).unwrap();
        assert_eq!(prompt.id, "p");
        for body in [r#"{"success": true}"#, r#"{"success": true, "data": null}"#, "null", ""] {
            assert_eq!(error(200, body).kind(), ErrorKind::Decode, "{body}");
        }
    }

    #[test]
    fn an_odd_error_keeps_what_can_be_read() {
        let body = r#"{"error": {"code": "NOT_FOUND", "message": "no label", "details": null},
            "metadata": {"request_id": "r-7", "timestamp": "noon"}}"#;
        let told = error(404, body);
        assert_eq!((told.kind(), told.message()), (ErrorKind::NotFound, "no label"));
        assert_eq!(told.request_id(), Some("r-7"));
        let bare = error(422, r#"{"message": "bad", "details": {"errors": [{"field": "f"}]}}"#);
        let Error::Validation { validation_errors, .. } = &bare else { panic!("{bare:?}") };
        assert_eq!((bare.message(), validation_errors[0].field.as_str()), ("bad", "f"));
    }

    #[test]
    fn every_status_is_its_variant() {
        for (status, kind, retryable) in [
            (400, ErrorKind::Validation, false),
            (401, ErrorKind::Authentication, false),
            (403, ErrorKind::Authorization, false),
            (404, ErrorKind::PromptNotFound, false),
            (408, ErrorKind::Server, true),
            (409, ErrorKind::Conflict, false),
            (412, ErrorKind::Conflict, false),
            (413, ErrorKind::Validation, false),
            (418, ErrorKind::Server, false),
            (422, ErrorKind::Validation, false),
            (429, ErrorKind::RateLimit, true),
            (500, ErrorKind::Server, true),
            (503, ErrorKind::Server, true),
        ] {
            for body in ["", "<html>no</html>", r#"{"error": "no"}"#, r#"{"success": false}"#, "[]"]
            {
                let error = error(status, body);
                assert_eq!(error.kind(), kind, "{status} {body}");
                assert_eq!(error.is_retryable(), retryable, "{status}");
                assert_eq!(error.status(), Some(status));
                assert_eq!(error.request_id(), Some("r-1"));
            }
        }
    }

    #[test]
    fn code_details_and_request_id_come_through() {
        let error = error(
            404,
            r#"{"success": false, "error": {"code": "PROMPT_NOT_FOUND", "message": "no prompt",
                "details": {"prompt_id": "greetng", "suggested_prompts": ["greeting"]}},
                "metadata": {"request_id": "r-9", "timestamp": "2026-01-01T00:00:00Z"}}"#,
        );
        let Error::PromptNotFound { prompt_id, suggested_prompts, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((prompt_id.as_str(), suggested_prompts[0].as_str()), ("greetng", "greeting"));
        assert_eq!(error.request_id(), Some("r-9"));
        assert_eq!(
            error.to_string(),
            "no prompt; did you mean `greeting`? [PROMPT_NOT_FOUND, request r-9]"
        );
        let other = self::error(404, r#"{"error": {"code": "NOT_FOUND", "message": "no label"}}"#);
        assert_eq!(other.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn retry_after_is_read_and_capped() {
        let wait = |header: &str| {
            let mut response = answer(429, "");
            response.headers_mut().insert(RETRY_AFTER, header.parse().unwrap());
            decode::<Value>(&response, &origin()).unwrap_err().retry_after().unwrap().as_secs()
        };
        assert_eq!(wait("7"), 7);
        assert_eq!(wait("Thu, 01 Jan 1970 00:02:00 GMT"), 120);
        assert_eq!(wait("99999999999999999"), LONGEST_WAIT.as_secs());
        assert_eq!(wait("soon"), DEFAULT_WAIT.as_secs());
    }

    #[test]
    fn an_answer_of_another_shape_shows_how_it_begins() {
        let error = error(200, "<html>\n  <b>Login</b>");
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("begins `<html> <b>Login</b>`"), "{error}");
        let long = self::error(200, &"x".repeat(10_000));
        assert!(long.to_string().len() < 500);
        let failed = self::error(200, r#"{"success": false, "error": {"code": "NOT_FOUND"}}"#);
        assert_eq!(failed.code(), "NOT_FOUND");
    }
}
