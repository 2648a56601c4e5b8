//! TLS for `wss://`: whom to trust, and who we are.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use madang::websocket::{
    IoError,
    rustls::{
        self, CertificateError, ClientConfig, InvalidMessage, SignatureScheme,
        client::ResolvesClientCert,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        sign::CertifiedKey,
    },
};

use super::flags::Connect;
use crate::client::trusting;

/// So many names of a certificate are shown.
const MAX_NAMES: usize = 5;

/// How to open TLS, and what is known when that fails.
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    asked: Arc<Asked>,
}

/// Whether the server asked for a certificate where we have none.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

impl Tls {
    /// What the flags say.
    pub(crate) fn new(flags: &Connect) -> Result<Self, String> {
        let builder = trusting(flags.ca.as_deref(), flags.insecure)?;
        let asked = Arc::new(Asked::default());
        let mut config = match &flags.cert {
            Some(cert) => builder
                .with_client_auth_cert(chain(cert)?, private_key(cert, flags.key.as_deref())?)
                .map_err(|error| no_pair(&error))?,
            None => builder.with_client_cert_resolver(Arc::clone(&asked) as _),
        };
        // RFC 7301: a server that also speaks HTTP/2 must not choose it.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), asked })
    }

    /// Why the handshake failed, and what to do.
    pub(crate) fn fault(&self, why: &IoError) -> String {
        match why.get_ref().and_then(|cause| cause.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(error)) => certificate(error),
            Some(rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge,
            )) => "what answers there speaks no TLS; a server without TLS is ws://".into(),
            _ => self.without_certificate(why).unwrap_or_else(|| why.to_string()),
        }
    }

    /// What is told where the server asked for a certificate of ours and got none. With TLS 1.3 it
    /// refuses when we believe that all is done.
    pub(crate) fn without_certificate(&self, why: &IoError) -> Option<String> {
        if !self.asked.0.load(Ordering::Relaxed) {
            return None;
        }
        let told =
            "the server asks for a client certificate, which --cert FILE and --key FILE name";
        let cause = why.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        Some(match cause {
            Some(cause) => format!("{told} ({cause})"),
            None => format!("{told}, and closed the connection without one"),
        })
    }
}

/// What is wrong with the server's certificate.
fn certificate(error: &CertificateError) -> String {
    let any = "--insecure takes any certificate";
    match error {
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().take(MAX_NAMES).map(|name| bare(name)).collect();
            let more = if presented.len() > MAX_NAMES { ", …" } else { "" };
            let names = if names.is_empty() { "no name".into() } else { names.join(", ") };
            let expected = expected.to_str();
            format!("the server's certificate is for {names}{more}, and not for {expected}; {any}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the server's certificate has expired; {any}")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
            "the server's certificate is not valid yet, if this machine's clock is right; {any}"
        ),
        CertificateError::UnknownIssuer => format!(
            "nobody who is trusted signed the server's certificate; --ca FILE trusts the authority \
             that signed it, {any}"
        ),
        error if error.to_string().contains("CaUsedAsEndEntity") => format!(
            "the server's certificate is an authority's own (CA:TRUE), as one is that has signed \
             itself (`openssl req -x509`); --ca FILE trusts it if it is in that file, {any}"
        ),
        error => format!(
            "invalid peer certificate: {error}; --ca FILE trusts the authority that signed it, {any}"
        ),
    }
}

/// A name without what stands around it, such as `DnsName("a.example")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn no_pair(error: &rustls::Error) -> String {
    let why = match error {
        rustls::Error::InconsistentKeys(_) => "the key is not that of the certificate".to_owned(),
        error => error.to_string(),
    };
    format!("--cert and --key do not work together: {why}")
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |why: String| format!("--cert {}: {why}", file.display());
    let pem = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| bad(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad("it has no certificate (-----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(chain)
}

/// The key, which may stand in the same file as the certificate.
fn private_key(cert: &Path, key: Option<&Path>) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(key.unwrap_or(cert)).map_err(|error| match key {
        Some(key) => format!("--key {}: no private key in PEM: {error}", key.display()),
        None => format!("--cert {}: there is no key in it; --key FILE names it", cert.display()),
    })
}

#[cfg(test)]
mod tests {
    use madang::websocket::rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn the_names_of_a_certificate_are_told() {
        let expected = ServerName::try_from("127.0.0.1").unwrap();
        let told = |presented: &[&str]| {
            certificate(&CertificateError::NotValidForNameContext {
                expected: expected.clone(),
                presented: presented.iter().map(|&name| name.to_owned()).collect(),
            })
        };
        assert_eq!(
            told(&["DnsName(\"a.example\")", "IpAddress(10.0.0.1)"]),
            "the server's certificate is for a.example, 10.0.0.1, and not for 127.0.0.1; \
             --insecure takes any certificate"
        );
        assert!(told(&[]).contains("is for no name, and"));
        assert!(told(&["DnsName(\"a\")"; 6]).contains("a, a, a, a, a, …, and"));
    }
}
