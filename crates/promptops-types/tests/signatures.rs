//! The vectors of signed requests, which Python's hmac and openssl made.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use promptops_types::{Secret, SignedParts};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    secret: String,
    api_key: String,
    timestamp: String,
    nonce: String,
    method: String,
    host: String,
    path: String,
    query: String,
    body: String,
    first_form: String,
    second_form: String,
}

#[test]
fn every_vector_is_reproduced() {
    let text = include_str!("../../../tests/vectors/signatures.json");
    let vectors: Vectors = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.cases.len(), 50);
    for case in vectors.cases {
        let parts = SignedParts {
            api_key: &case.api_key,
            timestamp: &case.timestamp,
            nonce: &case.nonce,
            method: &case.method,
            host: &case.host,
            path: &case.path,
            query: &case.query,
            body: case.body.as_bytes(),
        };
        let secret = Secret::new(case.secret);
        assert_eq!(parts.first_form(&secret), case.first_form, "{parts:?}");
        assert_eq!(parts.second_form(&secret), case.second_form, "{parts:?}");
    }
}
