//! From files to what rustls takes.

use std::{fs, path::Path, sync::Arc};

use tokio_rustls::rustls::{
    self, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

use super::{Clients, Source, TlsError};

/// Protocols over TLS (RFC 7301), the server's first choice first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

pub(super) fn load(
    source: &Source,
    clients: Option<&Clients>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = match source {
        Source::Files { certificates, key } => (read_certificates(certificates)?, read_key(key)?),
        Source::SelfSigned { certificates, key, .. } => {
            let memory = Path::new("(self-signed)");
            (
                parse_certificates(memory, certificates.as_bytes())?,
                parse_key(memory, key.as_bytes())?,
            )
        }
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(other)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let roots = Arc::new(read_authorities(&clients.authorities)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier =
                if clients.are_optional { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build().map_err(other)?)
        }
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| match (error, source) {
            (rustls::Error::InconsistentKeys(_), Source::Files { certificates, key }) => {
                TlsError::Mismatch { certificates: certificates.clone(), key: key.clone() }
            }
            (error, _) => other(error),
        })?;
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

fn other(error: impl std::fmt::Display) -> TlsError {
    TlsError::Other(error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn malformed(path: &Path, error: impl std::fmt::Display) -> TlsError {
    TlsError::Malformed { path: path.to_owned(), why: error.to_string() }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    parse_certificates(path, &read(path)?)
}

fn parse_certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| malformed(path, error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    parse_key(path, &read(path)?)
}

fn parse_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey(path.to_owned()),
        error => malformed(path, error),
    })
}

fn read_authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|error| malformed(path, error))?;
    }
    Ok(roots)
}
