//! How a request is signed: what a client writes, and what a server recomputes.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::Secret;

/// First line of what the second form signs.
const SECOND_FORM: &str = "v2";

/// The parts of a request that its signature covers, each as it goes over the wire.
///
/// Both forms are HMAC-SHA256 (RFC 2104) keyed by the secret, in lower-case hexadecimal.
#[derive(Clone, Copy)]
pub struct SignedParts<'r> {
    /// API key: it names the secret.
    pub api_key: &'r str,
    /// Value of `X-PromptOps-Timestamp`: RFC 3339, UTC.
    pub timestamp: &'r str,
    /// Value of `X-PromptOps-Nonce`, never used twice. Only the second form signs it.
    pub nonce: &'r str,
    /// Method, in upper case.
    pub method: &'r str,
    /// Value of `Host`. Only the second form signs it; without the default ports 80 and 443, which
    /// some clients write and some do not.
    pub host: &'r str,
    /// Path with its `/v1/client` prefix, percent-encoded as it is sent.
    pub path: &'r str,
    /// Query without the `?`, percent-encoded as it is sent; empty where there is none. Only the
    /// second form signs it.
    pub query: &'r str,
    /// Body. Only the second form signs it.
    pub body: &'r [u8],
}

impl fmt::Debug for SignedParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedParts")
            .field("timestamp", &self.timestamp)
            .field("nonce", &self.nonce)
            .field("method", &self.method)
            .field("host", &self.host)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SignedParts<'_> {
    /// The signature of the first form, `X-PromptOps-Signature`: over
    /// `{api_key}:{timestamp}:{METHOD}:{path}`. It leaves the host, the query and the body open, and
    /// can be sent again; prefer [`second_form`](Self::second_form) wherever the registry knows it.
    pub fn first_form(&self, secret: &Secret) -> String {
        let Self { api_key, timestamp, method, path, .. } = self;
        hmac(secret, &format!("{api_key}:{timestamp}:{method}:{path}"))
    }

    /// The signature of the second form, `X-PromptOps-Signature-V2`: over nine lines, joined by a
    /// line feed. They are `v2`, the API key, the timestamp, the nonce, the method, the host, the
    /// path, the query with its `&`-separated parts sorted by their bytes, and the SHA-256 of the
    /// body in hexadecimal.
    ///
    /// ```
    /// use promptops_types::{Secret, SignedParts};
    ///
    /// let mut parts = SignedParts {
    ///     api_key: "po_key",
    ///     timestamp: "2026-11-25T12:00:00Z",
    ///     nonce: "n-1",
    ///     method: "GET",
    ///     host: "prompts.example",
    ///     path: "/v1/client/prompts",
    ///     query: "skip=0&limit=5",
    ///     body: b"",
    /// };
    /// let secret = Secret::new("s3cret");
    /// let signature = parts.second_form(&secret);
    /// parts.query = "limit=5&skip=0";
    /// assert_eq!(parts.second_form(&secret), signature, "the order of parameters is free");
    /// parts.host = "staging.example";
    /// assert_ne!(parts.second_form(&secret), signature);
    /// ```
    pub fn second_form(&self, secret: &Secret) -> String {
        let host = [":443", ":80"].iter().find_map(|port| self.host.strip_suffix(port));
        let mut query: Vec<&str> = self.query.split('&').collect();
        query.sort_unstable();
        let lines = [
            SECOND_FORM,
            self.api_key,
            self.timestamp,
            self.nonce,
            self.method,
            host.unwrap_or(self.host),
            self.path,
            &query.join("&"),
            &HEXLOWER.encode(&Sha256::digest(self.body)),
        ];
        hmac(secret, &lines.join("\n"))
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104, 2)")]
fn hmac(secret: &Secret, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'r>() -> SignedParts<'r> {
        SignedParts {
            api_key: "po_key",
            timestamp: "2026-11-25T12:00:00Z",
            nonce: "n-1",
            method: "PUT",
            host: "prompts.example:8080",
            path: "/v1/client/prompts/a%2Fb",
            query: "b=2&a=1",
            body: b"{}",
        }
    }

    #[test]
    fn every_part_of_the_second_form_counts() {
        let secret = Secret::new("s3cret");
        let signature = parts().second_form(&secret);
        let changes: [fn(&mut SignedParts<'_>); 8] = [
            |parts| parts.api_key = "po_kez",
            |parts| parts.timestamp = "2026-11-25T12:00:01Z",
            |parts| parts.nonce = "n-2",
            |parts| parts.method = "GET",
            |parts| parts.host = "prompts.example:8081",
            |parts| parts.path = "/v1/client/prompts/a/b",
            |parts| parts.query = "b=2&a=2",
            |parts| parts.body = b"{ }",
        ];
        for change in changes {
            let mut other = parts();
            change(&mut other);
            assert_ne!(other.second_form(&secret), signature, "{other:?}");
        }
        assert_ne!(parts().second_form(&Secret::new("s3creu")), signature);
    }

    #[test]
    fn a_default_port_is_the_same_as_none() {
        let secret = Secret::new("s");
        let signed = |host| SignedParts { host, ..parts() }.second_form(&secret);
        assert_eq!(signed("h:443"), signed("h"));
        assert_eq!(signed("[::1]:80"), signed("[::1]"));
        assert_ne!(signed("h:8443"), signed("h"));
    }

    #[test]
    fn the_key_is_not_printed() {
        assert!(!format!("{:?}", parts()).contains("po_key"));
    }
}
