//! Reading certificates that were refused.

use std::{path::Path, sync::Arc};

use tokio_rustls::rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer as _, X509Certificate},
    public_key::PublicKey,
};

use crate::doctor::evidence::Certificate;

/// Most names of a certificate that are kept.
const MAX_NAMES: usize = 100;

/// What is of interest; `None` when it is no certificate.
pub(in crate::doctor) fn read(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut names = Vec::new();
    if let Ok(Some(alternatives)) = certificate.subject_alternative_name() {
        for name in alternatives.value.general_names.iter().take(MAX_NAMES) {
            match name {
                GeneralName::DNSName(name) => names.push(shown(name)),
                GeneralName::IPAddress(bytes) => names.extend(address(bytes)),
                _ => {}
            }
        }
    }
    Some(Certificate {
        subject: shown(&certificate.subject().to_string()),
        issuer: shown(&certificate.issuer().to_string()),
        names,
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        issuer_url: issuer_url(&certificate),
        weak: weak(&certificate),
    })
}

/// CA/Browser Forum, Baseline Requirements §6.1.5 and §7.1.3.2: RSA of 2048 bits, and no SHA-1.
fn weak(certificate: &X509Certificate<'_>) -> Option<String> {
    if let Ok(PublicKey::RSA(key)) = certificate.public_key().parsed()
        && key.key_size() < 2048
    {
        return Some(format!("an RSA key of {} bits", key.key_size()));
    }
    let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
    match algorithm.as_str() {
        "1.2.840.113549.1.1.4" => Some("signed with MD5".into()),
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => Some("signed with SHA-1".into()),
        _ => None,
    }
}

/// RFC 5280 §4.2.2.1: where the issuer's own certificate is.
fn issuer_url(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            return None;
        };
        access.accessdescs.iter().find_map(|description| {
            let is_issuer = description.access_method.to_id_string() == "1.3.6.1.5.5.7.48.2";
            match &description.access_location {
                GeneralName::URI(url) if is_issuer && url.starts_with("http://") => {
                    Some(shown(url))
                }
                _ => None,
            }
        })
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(std::net::Ipv6Addr::from(sixteen).to_string())
}

pub(super) fn shown(name: &str) -> String {
    crate::client::escaped(name, crate::client::Keep::None).chars().take(200).collect()
}

/// A certificate chain and its key, from PEM files.
pub(super) fn identity(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, String> {
    let bad = |file: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let pem = std::fs::read(certificate).map_err(|error| bad(certificate, &error))?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| bad(certificate, &error))?;
    let pem = std::fs::read(key).map_err(|error| bad(key, &error))?;
    let secret = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| bad(key, &error))?;
    let both = CertifiedKey::from_der(chain, secret, provider);
    both.map(Arc::new).map_err(|error| bad(key, &error))
}
