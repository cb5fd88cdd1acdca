//! Whom a connection trusts, over real handshakes.

use std::sync::Arc;

use promptops_transport::test_util::ScriptedTransport;
use promptops_transport::{
    HyperTransport, HyperTransportBuilder, Pipeline, Roots, Transport, TransportErrorKind,
};
use promptops_types::RetryConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};

use crate::{error, get};

/// A certificate made for this test, and the key to it.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pub(crate) pem: String,
}

impl Identity {
    pub(crate) fn of(name: &str) -> Self {
        Self::valid_until(name, 2100)
    }

    fn valid_until(name: &str, year: i32) -> Self {
        let mut parameters = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let pem = certificate.pem();
        Self { certificate: certificate.der().clone(), key: private, pem }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.certificate.to_vec()
    }

    /// Serves each connection over TLS; gives the port.
    pub(crate) async fn serve<F>(
        &self,
        protocols: &[&str],
        serve: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static,
    ) -> u16
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    tokio::spawn(serve(stream));
                }
            }
        });
        port
    }
}

/// Answers one request.
pub(crate) async fn answer(mut stream: TlsStream<TcpStream>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    let _ = stream.shutdown().await;
}

fn trusting(authority: impl Into<Vec<u8>>) -> HyperTransport {
    let builder: HyperTransportBuilder = HyperTransport::builder();
    builder.roots(Roots::None).certificate_authority(authority).build().unwrap()
}

#[tokio::test]
async fn certificates_are_checked() {
    let identity = Identity::of("localhost");
    let url = format!("https://localhost:{}/", identity.serve(&[], answer).await);
    for authority in [identity.der(), identity.pem.clone().into_bytes()] {
        assert_eq!(trusting(authority).send(get(&url)).await.unwrap().status(), 200);
    }
    let bundle = Identity::of("other.example").pem + "\n" + &identity.pem;
    assert_eq!(trusting(bundle).send(get(&url)).await.unwrap().status(), 200);
    let also = HyperTransport::builder().certificate_authority(identity.der()).build().unwrap();
    assert_eq!(also.send(get(&url)).await.unwrap().status(), 200, "besides those of the web");

    let unknown = error(&HyperTransport::new().unwrap(), &url).await;
    assert_eq!(unknown.kind(), TransportErrorKind::UntrustedPeer);
    let message = unknown.to_string();
    assert!(
        message.starts_with("localhost:") && message.contains("is not to be trusted"),
        "{message}"
    );

    let other = Identity::of("other.example");
    let url = format!("https://localhost:{}/", other.serve(&[], answer).await);
    let wrong = error(&trusting(other.der()), &url).await;
    assert_eq!(wrong.kind(), TransportErrorKind::UntrustedPeer);
    assert!(wrong.to_string().contains("not valid for name"), "{wrong}");

    let old = Identity::valid_until("localhost", 2020);
    let url = format!("https://localhost:{}/", old.serve(&[], answer).await);
    let expired = error(&trusting(old.der()), &url).await;
    assert_eq!(expired.kind(), TransportErrorKind::UntrustedPeer);
    assert!(expired.to_string().contains("expired"), "{expired}");
}

#[tokio::test]
async fn a_certificate_that_is_refused_is_not_asked_for_again() {
    let identity = Identity::of("localhost");
    let url = format!("https://localhost:{}/", identity.serve(&[], answer).await);
    let stages = Pipeline::new(HyperTransport::new().unwrap(), &RetryConfig::default());
    assert_eq!(error(&stages, &url).await.attempts(), 1);
    // The same pipeline does retry where that can help.
    let stages = Pipeline::new(ScriptedTransport::new(), &RetryConfig::default());
    assert_eq!(error(&stages, &url).await.attempts(), 3);
}

#[test]
fn an_authority_that_is_none_is_refused() {
    let built = |authority: &[u8]| {
        let builder = HyperTransport::builder().certificate_authority(authority.to_vec());
        builder.build().unwrap_err().to_string()
    };
    assert!(built(b"nonsense").contains("is no certificate"));
    let empty = b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
    assert!(built(empty).contains("holds no certificate"), "{}", built(empty));
    let broken = b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n";
    assert!(built(broken).contains("is not PEM"), "{}", built(broken));
    let none = HyperTransport::builder().roots(Roots::None).build().unwrap_err();
    assert!(none.to_string().contains("add one"), "{none}");
}

#[cfg(feature = "platform-roots")]
#[test]
fn the_machine_has_authorities_or_the_error_says_what_to_install() {
    match HyperTransport::builder().roots(Roots::Platform).build() {
        Ok(_) => {}
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error}"),
    }
}
