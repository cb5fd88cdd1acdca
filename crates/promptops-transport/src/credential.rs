use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderName, HeaderValue, Request};
use promptops_types::{Secret, SignedParts, Timestamp};

use crate::host::host_and_port;
use crate::{TransportError, TransportErrorKind};

const TIMESTAMP: HeaderName = HeaderName::from_static("x-promptops-timestamp");
const NONCE: HeaderName = HeaderName::from_static("x-promptops-nonce");
const SIGNATURE: HeaderName = HeaderName::from_static("x-promptops-signature");
const SIGNATURE_V2: HeaderName = HeaderName::from_static("x-promptops-signature-v2");

/// Proves to a registry who asks, by headers of each attempt.
pub trait Credential: fmt::Debug + Send + Sync + 'static {
    /// Adds the headers. `now` is the registry's time as far as it is known.
    ///
    /// # Errors
    /// [`TransportErrorKind::InvalidRequest`] for a request that it cannot vouch for.
    fn authorize(&self, request: &mut Request<Bytes>, now: Timestamp)
    -> Result<(), TransportError>;

    /// Whether the registry compares the time it is told with its own clock; false. Where it does,
    /// the pipeline answers a 401 from a registry whose `Date` is far off with one more attempt, by
    /// that clock.
    fn tells_time(&self) -> bool {
        false
    }

    /// Who it proves to be, such as an API key, so that what was fetched for one is never given to
    /// another; none. Where there is none, nobody shares what was fetched.
    fn identity(&self) -> Option<Secret> {
        None
    }
}

impl Credential for Arc<dyn Credential> {
    fn authorize(
        &self,
        request: &mut Request<Bytes>,
        now: Timestamp,
    ) -> Result<(), TransportError> {
        (**self).authorize(request, now)
    }

    fn tells_time(&self) -> bool {
        (**self).tells_time()
    }

    fn identity(&self) -> Option<Secret> {
        (**self).identity()
    }
}

/// An API key as a bearer token.
#[derive(Debug, Clone)]
pub struct Bearer {
    api_key: Secret,
    header: HeaderValue,
}

impl Bearer {
    /// A key of visible ASCII.
    ///
    /// # Errors
    /// [`TransportErrorKind::InvalidRequest`] for a key that no header can hold. It is not quoted.
    pub fn new(api_key: &Secret) -> Result<Self, TransportError> {
        let value = HeaderValue::try_from(format!("Bearer {}", api_key.expose()));
        let mut value = value.map_err(|_| {
            let message = "the API key has characters that no header holds; check for a newline";
            TransportError::new(TransportErrorKind::InvalidRequest, message)
        })?;
        // No log of headers shows it.
        value.set_sensitive(true);
        Ok(Self { api_key: api_key.clone(), header: value })
    }
}

impl Credential for Bearer {
    fn authorize(&self, request: &mut Request<Bytes>, _: Timestamp) -> Result<(), TransportError> {
        request.headers_mut().insert(AUTHORIZATION, self.header.clone());
        Ok(())
    }

    fn identity(&self) -> Option<Secret> {
        Some(self.api_key.clone())
    }
}

/// An API key as a bearer token, and a signature by its secret, so that whoever reads the key on its
/// way cannot make requests of their own. What is signed is told by [`SignedParts`].
#[derive(Debug, Clone)]
pub struct Signed {
    bearer: Bearer,
    api_key: Secret,
    secret_key: Secret,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    First,
    Second,
}

impl Signed {
    /// Signs `X-PromptOps-Signature-V2`, over everything of the request that matters and a number
    /// used once: what our own registry prefers.
    ///
    /// # Errors
    /// As [`Bearer::new`].
    pub fn new(api_key: &Secret, secret_key: &Secret) -> Result<Self, TransportError> {
        let bearer = Bearer::new(api_key)?;
        let (api_key, secret_key) = (api_key.clone(), secret_key.clone());
        Ok(Self { bearer, api_key, secret_key, form: Form::Second })
    }

    /// Signs `X-PromptOps-Signature`, over method and path alone, for a registry that knows no
    /// other form. Whoever sees such a request can send it again within the registry's window,
    /// with another query and body.
    ///
    /// # Errors
    /// As [`Bearer::new`].
    pub fn first_form(api_key: &Secret, secret_key: &Secret) -> Result<Self, TransportError> {
        Self::new(api_key, secret_key).map(|signed| Self { form: Form::First, ..signed })
    }
}

impl Credential for Signed {
    fn authorize(
        &self,
        request: &mut Request<Bytes>,
        now: Timestamp,
    ) -> Result<(), TransportError> {
        let (timestamp, nonce) = (now.to_string(), uuid::Uuid::new_v4().simple().to_string());
        let own = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let uri = request.uri();
        let parts = SignedParts {
            api_key: self.api_key.expose(),
            timestamp: &timestamp,
            nonce: &nonce,
            method: request.method().as_str(),
            host: own.unwrap_or_else(|| host_and_port(uri)),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            body: request.body(),
        };
        let (name, signature) = match self.form {
            Form::First => (SIGNATURE, parts.first_form(&self.secret_key)),
            Form::Second => (SIGNATURE_V2, parts.second_form(&self.secret_key)),
        };
        let is_second = self.form == Form::Second;
        let headers = [(TIMESTAMP, timestamp), (name, signature)];
        for (name, text) in headers.into_iter().chain(is_second.then_some((NONCE, nonce))) {
            let mut value = HeaderValue::try_from(text).map_err(|error| {
                let message = format!("`{name}` cannot be sent");
                TransportError::new(TransportErrorKind::InvalidRequest, message).with_source(error)
            })?;
            // Whoever reads a signature of the first form can send it again.
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        self.bearer.authorize(request, now)
    }

    fn tells_time(&self) -> bool {
        true
    }

    fn identity(&self) -> Option<Secret> {
        Some(self.api_key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-25T12:00:00Z";

    fn authorized(credential: &dyn Credential) -> Request<Bytes> {
        let mut request = Request::put("https://h.example:443/v1/client/prompts/a%2Fb?b=2&a=1")
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        credential.authorize(&mut request, NOW.parse().unwrap()).unwrap();
        request
    }

    fn keys() -> (Secret, Secret) {
        ("po_key".into(), "s3cret".into())
    }

    #[test]
    fn a_bearer_token_is_marked_as_secret() {
        let request = authorized(&Bearer::new(&keys().0).unwrap());
        assert_eq!(request.headers()["authorization"], "Bearer po_key");
        assert!(!format!("{request:?}").contains("po_key"));
        let error = Bearer::new(&"po_\nkey".into()).unwrap_err();
        assert!(error.to_string().contains("newline") && !error.to_string().contains("key\""));
    }

    #[test]
    fn both_forms_are_what_their_parts_give() {
        let (api_key, secret) = keys();
        let signed = Signed::new(&api_key, &secret).unwrap();
        let (one, other) = (authorized(&signed), authorized(&signed));
        let header = |request: &Request<Bytes>, name: &str| {
            request.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        let nonce = header(&one, "x-promptops-nonce").unwrap();
        assert_ne!(Some(&nonce), header(&other, "x-promptops-nonce").as_ref(), "used once");
        let parts = SignedParts {
            api_key: "po_key",
            timestamp: NOW,
            nonce: &nonce,
            method: "PUT",
            host: "h.example",
            path: "/v1/client/prompts/a%2Fb",
            query: "a=1&b=2",
            body: b"{}",
        };
        assert_eq!(header(&one, "x-promptops-timestamp").unwrap(), NOW);
        assert_eq!(header(&one, "x-promptops-signature-v2"), Some(parts.second_form(&secret)));
        assert_eq!(header(&one, "x-promptops-signature"), None, "nothing weaker beside it");

        let first = authorized(&Signed::first_form(&api_key, &secret).unwrap());
        assert_eq!(header(&first, "x-promptops-signature"), Some(parts.first_form(&secret)));
        assert_eq!(header(&first, "x-promptops-signature-v2"), None);
        assert_eq!(header(&first, "x-promptops-nonce"), None);
        assert_eq!(header(&first, "authorization").unwrap(), "Bearer po_key");
    }

    #[test]
    fn a_host_of_its_own_is_what_is_signed() {
        let (api_key, secret) = keys();
        let signed = Signed::first_form(&api_key, &secret).unwrap();
        assert!(signed.tells_time() && !format!("{signed:?}").contains("s3cret"));
        let signed = Signed::new(&api_key, &secret).unwrap();
        let mut request = Request::get("https://h.example/v1").header("host", "virtual.example");
        request = request.header("x-promptops-nonce", "old");
        let mut request = request.body(Bytes::new()).unwrap();
        signed.authorize(&mut request, NOW.parse().unwrap()).unwrap();
        assert_eq!(request.headers().get_all("x-promptops-nonce").iter().count(), 1);
        let nonce = request.headers()["x-promptops-nonce"].to_str().unwrap();
        let parts = SignedParts {
            api_key: "po_key",
            timestamp: NOW,
            nonce,
            method: "GET",
            host: "virtual.example",
            path: "/v1",
            query: "",
            body: b"",
        };
        let expected = parts.second_form(&secret);
        assert_eq!(request.headers()["x-promptops-signature-v2"], expected);
    }
}
