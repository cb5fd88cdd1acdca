//! `Authorization` and the headers of signatures, over a socket: who sends no key, or a signature that is
//! not of the request, is refused; who sends what the contract says is let in; nothing is used twice.
#![no_main]

use std::sync::{LazyLock, Mutex, PoisonError};

use libfuzzer_sys::fuzz_target;
use promptops_server::{Access, MasterKey, NewKey, Registry, Scope, Server, ServerConfig};
use promptops_types::{Secret, SignedParts, SystemTime, TimeSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

/// Headers by the letter that an input names them by.
const HEADERS: [(u8, &str); 6] = [
    (b'a', "Authorization"),
    (b't', "X-PromptOps-Timestamp"),
    (b'n', "X-PromptOps-Nonce"),
    (b'1', "X-PromptOps-Signature"),
    (b'2', "X-PromptOps-Signature-V2"),
    (b'h', "Host"),
];

/// Longest nonce.
const MAX_NONCE: usize = 128;

struct Served {
    runtime: Runtime,
    api_key: String,
    secret: Secret,
    address: std::net::SocketAddr,
    connection: Mutex<Option<TcpStream>>,
}

static SERVED: LazyLock<Served> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (api_key, secret, address) = runtime.block_on(async {
        let registry = Registry::in_memory().expect("a registry");
        let mut new = NewKey { name: "fuzz".to_owned(), ..NewKey::default() };
        new.scopes = Some(Scope::ALL.into());
        // What is let in is looked at, not how often.
        (new.per_minute, new.per_hour, new.per_day) = (Some(u32::MAX), Some(u32::MAX), Some(u32::MAX));
        let (key, text) = registry.create_key(&Access::full("fuzz"), new).await.expect("a key");
        let master = MasterKey::random().expect("random bytes");
        let secret = master.secret(&key.id);
        let here = ([127, 0, 0, 1], 0).into();
        let server = Server::bind(here, registry, master, ServerConfig::default()).await;
        let server = server.expect("a server");
        let address = server.local_addr().expect("an address");
        tokio::spawn(server.run());
        (text.expose().to_owned(), secret, address)
    });
    Served { runtime, api_key, secret, address, connection: Mutex::new(None) }
});

// The first line is `G` or `D` and a query; each that follows names a header by its letter; after an empty
// one is the body. `{k}`, `{t}`, `{1}` and `{2}` stand for the key, the time, and what is to be signed.
fuzz_target!(|data: &[u8]| {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let (method, path) = match first.first() {
        // Nobody has such a prompt: whoever is let in is told so.
        Some(b'D') => ("DELETE", "/v1/client/prompts/none"),
        _ => ("GET", "/v1/client/prompts"),
    };
    let query = first.get(1..).unwrap_or_default().iter().filter(|byte| is_of_query(**byte));
    let query: String = query.map(|byte| char::from(*byte)).collect();
    let served = &*SERVED;
    let now = SystemTime.now().to_string();
    let filled = |text: &str| text.replace("{k}", &served.api_key).replace("{t}", &now);
    let mut headers: Vec<(&str, String)> = lines
        .filter_map(|line| {
            let (letter, value) = line.split_first()?;
            let (_, name) = HEADERS.iter().find(|(known, _)| known == letter)?;
            let value = value.iter().filter(|byte| matches!(byte, b'\t' | b' '..=b'~'));
            let value: String = value.map(|byte| char::from(*byte)).collect();
            Some((*name, filled(value.trim())))
        })
        .collect();
    // As the server sees them.
    let all = headers.clone();
    let only = |name: &str| {
        let mut values = all.iter().filter(|(known, _)| *known == name).map(|(_, value)| &**value);
        values.next().filter(|_| values.next().is_none())
    };
    let parts = SignedParts {
        api_key: &served.api_key,
        timestamp: only("X-PromptOps-Timestamp").unwrap_or_default(),
        nonce: only("X-PromptOps-Nonce").unwrap_or_default(),
        method,
        host: only("Host").unwrap_or_default(),
        path,
        query: &query,
        body,
    };
    let forms = [parts.first_form(&served.secret), parts.second_form(&served.secret)];
    let signatures = headers.iter_mut().filter(|(name, _)| name.starts_with("X-PromptOps-Sig"));
    for (_, value) in signatures {
        *value = value.replace("{1}", &forms[0]).replace("{2}", &forms[1]);
    }
    let mut request = format!("{method} {path}?{query} HTTP/1.1\r\n");
    for (name, value) in &headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let request = [request.as_bytes(), body].concat();

    // What is not HTTP is answered with a status alone, and never gets to who reads the headers.
    let (status, has_body) = served.send(&request);
    if !has_body {
        return assert!((400..500).contains(&status), "{status}");
    }
    assert!(status < 500, "{status}");
    let is_let_in = !matches!(status, 401 | 429);
    let all = headers;
    let count = |name: &str| all.iter().filter(|(known, _)| *known == name).count();
    let value = |name: &str| {
        let mut values = all.iter().filter(|(known, _)| *known == name);
        values.next().map(|(_, value)| &**value)
    };
    let scheme = value("Authorization").and_then(|value| value.split_once(' '));
    let is_key = count("Authorization") == 1
        && scheme.is_some_and(|(scheme, key)| {
            scheme.eq_ignore_ascii_case("bearer") && key.trim() == served.api_key
        });
    let signature_headers = [1, 2, 3, 4].map(|index| HEADERS[index].1);
    let is_signed = signature_headers.iter().any(|name| count(name) > 0);
    if !is_signed {
        return assert_eq!(is_let_in, is_key, "{status}");
    }
    let is_first = value("X-PromptOps-Signature") == Some(&*forms[0])
        && count("X-PromptOps-Signature") == 1
        && count("X-PromptOps-Signature-V2") + count("X-PromptOps-Nonce") == 0;
    let is_second = value("X-PromptOps-Signature-V2") == Some(&*forms[1])
        && ["X-PromptOps-Signature-V2", "X-PromptOps-Nonce"].map(count) == [1, 1]
        && (1..=MAX_NONCE).contains(&parts.nonce.len())
        && count("X-PromptOps-Signature") == 0;
    let is_right = is_key
        && (is_first || is_second)
        && [count("X-PromptOps-Timestamp"), count("Host")] == [1, 1];
    if is_let_in {
        assert!(is_right, "{:?}", String::from_utf8_lossy(&request));
        if method == "DELETE" {
            let (status, _) = served.send(&request);
            assert!(matches!(status, 401 | 429), "what was signed once was done twice");
        }
    } else if is_right && value("X-PromptOps-Timestamp") == Some(&*now) && method == "GET" {
        panic!("{status} for {:?}", String::from_utf8_lossy(&request));
    }
});

/// What a query is of as it goes over the wire.
fn is_of_query(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%&=+,:;/?@!$'()*".contains(&byte)
}

impl Served {
    /// The status of the answer, and whether it has a body; on the connection that there is.
    fn send(&self, request: &[u8]) -> (u16, bool) {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.runtime.block_on(async {
            // One that was closed meanwhile is made anew.
            for _ in 0..2 {
                let mut stream = match held.take() {
                    Some(stream) => stream,
                    None => TcpStream::connect(self.address).await.expect("a connection"),
                };
                stream.set_nodelay(true).expect("a socket");
                let _ = stream.write_all(request).await;
                if let Some((status, has_body, is_open)) = answer(&mut stream).await {
                    *held = is_open.then_some(stream);
                    return (status, has_body);
                }
            }
            panic!("no answer to {:?}", String::from_utf8_lossy(request));
        })
    }
}

/// Reads one answer: its status, whether it has a body, and whether the connection stays.
async fn answer(stream: &mut TcpStream) -> Option<(u16, bool, bool)> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    let head = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    };
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let length: usize = value("content-length: ").map_or(0, |text| text.parse().expect("one"));
    while read.len() < head.len() + 4 + length {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
    }
    assert!(value("transfer-encoding: ").is_none(), "{head}");
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, length > 0, value("connection: ") != Some("close")))
}
