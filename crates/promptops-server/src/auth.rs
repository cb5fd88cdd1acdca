//! Who asks: API keys as bearer tokens, and signatures in both forms.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hkdf::Hkdf;
use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use lru::LruCache;
use promptops_registry::{Access, ApiKey, KeyHash, RegistryError, key_hash};
use promptops_types::{ErrorCode, Secret, SignedParts, Timestamp};
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::{App, Peer};

pub(crate) const TIMESTAMP: HeaderName = HeaderName::from_static("x-promptops-timestamp");
const NONCE: HeaderName = HeaderName::from_static("x-promptops-nonce");
const FIRST_FORM: HeaderName = HeaderName::from_static("x-promptops-signature");
const SECOND_FORM: HeaderName = HeaderName::from_static("x-promptops-signature-v2");

/// How far the clock of who signs may be off.
pub(crate) const WINDOW: Duration = Duration::from_mins(5);

/// Longest nonce.
const MAX_NONCE: usize = 128;

/// Failed attempts of one source that are answered as such within [`FAILURES_WITHIN`]; those after it
/// are told to wait. Valid credentials are never held up by those of others.
const MOST_FAILURES: u32 = 60;
const FAILURES_WITHIN: Duration = Duration::from_mins(1);

/// Sources whose failures are counted; the one that failed longest ago is forgotten first.
const SOURCES: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What the secrets that sign requests are derived from: the one thing that verifies them is never in
/// the store, so whoever holds the store cannot sign.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// A new one, for as long as the process lasts.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }

    /// The one in a file, which is made, readable by its owner alone, if it is not there. Blocks.
    ///
    /// # Errors
    /// When it cannot be read or made, or is not 32 bytes in hexadecimal.
    pub fn open(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).ok_or_else(|| {
                let message = format!("{} is no master key: 64 hexadecimal digits", path.display());
                io::Error::new(io::ErrorKind::InvalidData, message)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let new = Self::random()?;
                create_private(path, HEXLOWER.encode(&new.0).as_bytes())?;
                Ok(new)
            }
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The secret of a key: HKDF-SHA256 (RFC 5869) of the master key and the key's id.
    pub fn secret(&self, key_id: &str) -> Secret {
        let mut bytes = [0_u8; 32];
        let info = [b"promptops signing secret 1:", key_id.as_bytes()];
        // It fails only beyond 8160 bytes.
        let _ = Hkdf::<Sha256>::new(None, &self.0).expand_multi_info(&info, &mut bytes);
        Secret::new(HEXLOWER.encode(&bytes))
    }
}

/// Makes a file that nobody but its owner can read; one that is there already is not touched.
fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;

    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([redacted])")
    }
}

/// Failed attempts by where they come from.
#[derive(Debug)]
pub(crate) struct Failures(Mutex<LruCache<IpAddr, (u32, Duration)>>);

impl Default for Failures {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(SOURCES)))
    }
}

impl Failures {
    /// Counts one; gives how long to wait where there have been too many.
    fn count(&self, source: IpAddr, now: Duration) -> Option<Duration> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, since) = sources.get_or_insert_mut(source, || (0, now));
        if now.saturating_sub(*since) >= FAILURES_WITHIN {
            (*count, *since) = (0, now);
        }
        *count = count.saturating_add(1);
        let left = FAILURES_WITHIN.saturating_sub(now.saturating_sub(*since));
        (*count > MOST_FAILURES).then_some(left)
    }
}

/// The key that a request was made with, and the hash that it is found by.
#[derive(Debug, Clone)]
pub(crate) struct UsedKey(pub(crate) Arc<ApiKey>, pub(crate) KeyHash);

/// The one thing that is said to everybody whose credentials do not do.
pub(crate) fn refused() -> ApiError {
    ApiError::new(ErrorCode::Authentication, "no valid credentials; send an API key")
}

/// Lets requests through that prove who they are from.
pub(crate) async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let body = request.extensions().get::<Bytes>().cloned().unwrap_or_default();
    let (parts, rest) = request.into_parts();
    let (key, hash) = match verify(&app, &parts, &body).await {
        Ok(Some(key)) => key,
        Ok(None) => return failed(&app, &parts),
        Err(error) => return ApiError::from(error).into_response(),
    };
    request = Request::from_parts(parts, rest);
    request.extensions_mut().insert(Access::of_key(&key));
    request.extensions_mut().insert(UsedKey(Arc::new(key), hash));
    next.run(request).await
}

pub(crate) fn failed(app: &App, parts: &Parts) -> Response {
    let source = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let wait = source.and_then(|source| app.failures.count(source, app.time.monotonic()));
    let Some(wait) = wait else { return refused().into_response() };
    let seconds = wait.as_secs().max(1);
    let message = "too many requests without valid credentials from this address; try again later";
    let error = ApiError::new(ErrorCode::RateLimit, message).detail("retry_after", seconds);
    error.into_response()
}

/// The key of a request, if all that it says of itself is true.
async fn verify(
    app: &App,
    parts: &Parts,
    body: &[u8],
) -> Result<Option<(ApiKey, KeyHash)>, RegistryError> {
    let headers = &parts.headers;
    let Some(text) = one(headers, &AUTHORIZATION).and_then(bearer) else { return Ok(None) };
    let Some(hash) = key_hash(text) else { return Ok(None) };
    let signatures = [FIRST_FORM, SECOND_FORM, TIMESTAMP, NONCE];
    let is_signed = signatures.iter().any(|name| headers.contains_key(name));
    let Some(key) = app.registry.authenticate(text).await? else { return Ok(None) };
    if !is_signed {
        return Ok(Some((key, hash)));
    }
    let secret = app.master.secret(&key.id);
    let Some(token) = signed(app.time.now(), &secret, text, parts, body) else { return Ok(None) };
    // What reads may be read again; a write that was sent twice was not sent twice by who signed it.
    if parts.method.is_safe() {
        return Ok(Some((key, hash)));
    }
    let now = app.time.now();
    let window = i64::try_from(2 * WINDOW.as_micros()).unwrap_or(i64::MAX);
    let until = Timestamp::from_unix_micros(now.unix_micros().saturating_add(window));
    let is_new = app.registry.use_once(&token, until).await?;
    Ok(is_new.then_some((key, hash)))
}

/// Whether the key of a request, before anything else of it is read, is one that may be used.
pub(crate) async fn has_key(app: &App, headers: &HeaderMap) -> Result<bool, RegistryError> {
    match one(headers, &AUTHORIZATION).and_then(bearer) {
        Some(text) => Ok(app.registry.authenticate(text).await?.is_some()),
        None => Ok(false),
    }
}

/// A header that is there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Checks the signature of a request; gives what may be used only once.
fn signed(
    now: Timestamp,
    secret: &Secret,
    api_key: &str,
    parts: &Parts,
    body: &[u8],
) -> Option<[u8; 32]> {
    let headers = &parts.headers;
    // As it was sent: inside, the beginning of the path is taken off.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
    let timestamp = one(headers, &TIMESTAMP)?;
    let told: Timestamp = timestamp.parse().ok()?;
    let off = now.unix_micros().abs_diff(told.unix_micros());
    if u128::from(off) > WINDOW.as_micros() {
        return None;
    }
    let own = one(headers, &HOST).or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let mut signed = SignedParts {
        api_key,
        timestamp,
        nonce: "",
        method: parts.method.as_str(),
        host: own?,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        body,
    };
    let has = |name: &HeaderName| headers.contains_key(name);
    let (form, told, expected) = match (has(&FIRST_FORM), has(&SECOND_FORM)) {
        (true, false) if !has(&NONCE) => {
            ("first", one(headers, &FIRST_FORM)?, signed.first_form(secret))
        }
        (false, true) => {
            let nonce = one(headers, &NONCE)?;
            let is_one = (1..=MAX_NONCE).contains(&nonce.len());
            signed.nonce = Some(nonce).filter(|_| is_one)?;
            ("second", one(headers, &SECOND_FORM)?, signed.second_form(secret))
        }
        // Both, or neither: what is meant is not known.
        _ => return None,
    };
    if Secret::new(told) != Secret::new(expected) {
        return None;
    }
    // A nonce may not come twice, whatever it came with; the first form has none but itself.
    let once = if signed.nonce.is_empty() { told } else { signed.nonce };
    let token = Sha256::new()
        .chain_update(form)
        .chain_update([0])
        .chain_update(api_key)
        .chain_update([0])
        .chain_update(once);
    Some(token.finalize().into())
}

/// Whether a signature of the first form is right, for `POST /auth/validate`.
pub(crate) fn is_first_form(app: &App, key: &ApiKey, api_key: &str, told: &FirstForm<'_>) -> bool {
    let parts = SignedParts {
        api_key,
        timestamp: told.timestamp,
        nonce: "",
        method: told.method,
        host: "",
        path: told.path,
        query: "",
        body: b"",
    };
    let at = told.timestamp.parse::<Timestamp>();
    let off = at.map(|at| app.time.now().unix_micros().abs_diff(at.unix_micros()));
    off.is_ok_and(|off| u128::from(off) <= WINDOW.as_micros())
        && Secret::new(told.signature) == Secret::new(parts.first_form(&app.master.secret(&key.id)))
}

/// What a signature of the first form is told to be of.
pub(crate) struct FirstForm<'t> {
    pub(crate) signature: &'t str,
    pub(crate) timestamp: &'t str,
    pub(crate) method: &'t str,
    pub(crate) path: &'t str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_is_kept_in_a_file_of_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master");
        let made = MasterKey::open(&path).unwrap();
        assert_eq!(made.0, MasterKey::open(&path).unwrap().0);
        assert!(!format!("{made:?}").contains(&format!("{:02x}", made.0[0])) || made.0[0] == 0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&path, "short").unwrap();
        let error = MasterKey::open(&path).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
        assert_ne!(made.secret("a"), made.secret("b"));
        assert_eq!(made.secret("a").expose().len(), 64);
    }

    #[test]
    fn failures_of_a_source_are_counted_by_the_minute() {
        let (failures, source) = (Failures::default(), IpAddr::from([127, 0, 0, 1]));
        let at = Duration::from_secs;
        for _ in 0..MOST_FAILURES {
            assert_eq!(failures.count(source, at(10)), None);
        }
        assert_eq!(failures.count(source, at(30)), Some(at(40)));
        assert_eq!(failures.count(IpAddr::from([127, 0, 0, 2]), at(30)), None);
        assert_eq!(failures.count(source, at(70)), None);
    }
}
