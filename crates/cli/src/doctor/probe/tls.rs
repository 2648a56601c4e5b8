//! TLS: everything that a handshake shows, also where a client would refuse it.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::{
            ResolvesClientCert,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{self, CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, ServerName, UnixTime},
        sign::CertifiedKey,
        version,
    },
};

use super::{cert, is_reset, tap::Tap, verify::judge};
use crate::{
    client::tls::{certificates_of, roots_of, roots_of_system},
    doctor::{
        ask::Ask,
        evidence::{Bytes, Tls, TlsFault},
        target::Target,
    },
};

/// Whom to trust, and who we are.
pub(in crate::doctor) struct Trusted {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) roots: Arc<RootCertStore>,
    /// Those of `--ca`, byte by byte: one that has signed itself is good by that alone.
    pub(super) pinned: Vec<CertificateDer<'static>>,
    identity: Option<Arc<CertifiedKey>>,
}

impl Trusted {
    /// Reads the files that the flags name; the system's own certificates otherwise.
    pub(in crate::doctor) fn new(ask: &Ask) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let needed = ask.target.secure || ask.direct.as_ref().is_some_and(|direct| direct.secure);
        let roots = match &ask.ca {
            Some(file) => roots_of(file)?,
            // A system without certificates is only told where that decides.
            None if needed => roots_of_system().unwrap_or_else(|_| RootCertStore::empty()),
            None => RootCertStore::empty(),
        };
        let identity = match &ask.identity {
            Some((certificate, key)) => Some(cert::identity(certificate, key, &provider)?),
            None => None,
        };
        let pinned = ask.ca.as_deref().map(certificates_of).transpose()?.unwrap_or_default();
        Ok(Self { provider, roots: Arc::new(roots), pinned, identity })
    }
}

impl Trusted {
    /// Nobody is trusted, so that no certificate can be good.
    pub(in crate::doctor) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }
}

/// What the handshake showed to the verifier and the resolver.
#[derive(Debug, Default)]
struct Notes {
    chain: Vec<CertificateDer<'static>>,
    asked: bool,
    sent: bool,
}

type Shared = Arc<Mutex<Notes>>;

fn note(shared: &Shared, write: impl FnOnce(&mut Notes)) {
    // Poisoned only by a panic, which has been told.
    if let Ok(mut notes) = shared.lock() {
        write(&mut notes);
    }
}

/// One handshake. The stream is there when it went through, whatever the certificate is.
pub(in crate::doctor) async fn shake(
    tcp: TcpStream,
    target: &Target,
    trust: &Trusted,
    alpn: &[&[u8]],
    patience: Duration,
) -> (Tls, Option<TlsStream<Tap>>) {
    let shared = Shared::default();
    let tap = Tap { tcp, seen: Arc::default() };
    let seen = Arc::clone(&tap.seen);
    let mut tls = Tls::default();
    let connector = match connector(trust, &shared, alpn) {
        Ok(connector) => connector,
        Err(error) => {
            tls.failed = Some(TlsFault::Other(error.to_string()));
            return (tls, None);
        }
    };
    let Ok(name) = ServerName::try_from(target.host.clone()) else {
        tls.failed = Some(TlsFault::Other(format!("{} is no name for TLS", target.host)));
        return (tls, None);
    };
    let shaken = timeout(patience, connector.connect(name.clone(), tap)).await;
    let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    let stream = match shaken {
        Ok(Ok(stream)) => {
            let (_, session) = stream.get_ref();
            tls.version = session.protocol_version().map(|version| format!("{version:?}"));
            tls.alpn =
                session.alpn_protocol().map(|name| cert::shown(&String::from_utf8_lossy(name)));
            Some(stream)
        }
        Ok(Err(error)) => {
            tls.failed = Some(fault(&error, &seen));
            None
        }
        Err(_) if seen.is_empty() => {
            tls.failed = Some(TlsFault::Silence);
            None
        }
        Err(_) => {
            tls.failed = Some(TlsFault::Other("the handshake was not finished in time".into()));
            None
        }
    };
    if let Ok(notes) = shared.lock() {
        tls.client_certificate_asked = notes.asked;
        tls.client_certificate_sent = notes.sent;
        tls.chain = notes.chain.iter().filter_map(|der| cert::read(der)).collect();
        judge(&mut tls, &notes.chain, &name, trust);
    }
    (tls, stream)
}

fn connector(
    trust: &Trusted,
    shared: &Shared,
    alpn: &[&[u8]],
) -> Result<TlsConnector, rustls::Error> {
    let verifier =
        Arc::new(Everything { provider: Arc::clone(&trust.provider), notes: Arc::clone(shared) });
    let identity = Arc::new(Identity { key: trust.identity.clone(), notes: Arc::clone(shared) });
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&trust.provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(identity);
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    // Every handshake is to show everything.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Only the chain, as bytes.
pub(in crate::doctor) async fn chain_of(
    tcp: TcpStream,
    target: &Target,
    trust: &Trusted,
    patience: Duration,
) -> Vec<Vec<u8>> {
    let shared = Shared::default();
    let Ok(connector) = connector(trust, &shared, &[]) else { return Vec::new() };
    let Ok(name) = ServerName::try_from(target.host.clone()) else { return Vec::new() };
    // What came of it is in the notes.
    drop(timeout(patience, connector.connect(name, tcp)).await);
    shared
        .lock()
        .map(|notes| notes.chain.iter().map(|der| der.to_vec()).collect())
        .unwrap_or_default()
}

/// What went wrong, from rustls' words and from the bytes themselves.
fn fault(error: &io::Error, seen: &[u8]) -> TlsFault {
    // RFC 8446 §5.1: records begin with 20 to 24, and 3 as the high byte of the version.
    let is_record = |bytes: &[u8]| {
        matches!(bytes.first(), Some(20..=24)) && bytes.get(1).is_none_or(|&version| version == 3)
    };
    if !seen.is_empty() && !is_record(seen) {
        return TlsFault::NotTls(Bytes(seen.to_vec()));
    }
    if let Some(cause) = rustls_error(error) {
        return match cause {
            rustls::Error::AlertReceived(rustls::AlertDescription::ProtocolVersion) => {
                TlsFault::OldVersion("alert protocol_version".into())
            }
            rustls::Error::AlertReceived(alert) => TlsFault::Alert(format!("{alert:?}")),
            rustls::Error::PeerIncompatible(why)
                if format!("{why:?}").contains("Tls12")
                    || format!("{why:?}").contains("Version") =>
            {
                TlsFault::OldVersion(format!("{why:?}"))
            }
            other => TlsFault::Other(other.to_string()),
        };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => TlsFault::Closed,
        _ if is_reset(error) => TlsFault::Reset,
        _ => TlsFault::Other(error.to_string()),
    }
}

/// rustls' own error inside one of the system's.
pub(in crate::doctor) fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>())
}

/// Takes and notes every certificate; that the server has its key is still checked.
#[derive(Debug)]
struct Everything {
    provider: Arc<CryptoProvider>,
    notes: Shared,
}

impl ServerCertVerifier for Everything {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        note(&self.notes, |notes| {
            let chain = std::iter::once(leaf).chain(rest);
            notes.chain = chain.map(|der| der.clone().into_owned()).collect();
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Notes that the server asks who we are.
#[derive(Debug)]
struct Identity {
    key: Option<Arc<CertifiedKey>>,
    notes: Shared,
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let key = self.key.clone().filter(|key| key.key.choose_scheme(schemes).is_some());
        note(&self.notes, |notes| {
            notes.asked = true;
            notes.sent = key.is_some();
        });
        key
    }

    fn has_certs(&self) -> bool {
        // Else rustls would not ask.
        true
    }
}

/// An alert that came after the handshake, as TLS 1.3 has it for a client's certificate.
pub(super) fn alert(error: &io::Error) -> Option<TlsFault> {
    match rustls_error(error)? {
        rustls::Error::AlertReceived(alert) => Some(TlsFault::Alert(format!("{alert:?}"))),
        _ => None,
    }
}
