//! Whether a chain of certificates is believed, and why not.

use std::{sync::Arc, time::Duration};

use tokio_rustls::rustls::{
    self, CertificateError,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::tls::Trusted;
use crate::doctor::{
    evidence::{Tls, Trust},
    target::Target,
};

/// Dates, name and signature are judged apart, so that one does not hide the others.
pub(super) fn judge(
    tls: &mut Tls,
    chain: &[CertificateDer<'static>],
    name: &ServerName<'_>,
    trust: &Trusted,
) {
    let (Some((leaf, rest)), Some(read)) = (chain.split_first(), tls.chain.first()) else { return };
    tls.name_matches = rustls::server::ParsedCertificate::try_from(leaf)
        .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok());
    // As of a time at which the certificate itself is good.
    let time = crate::doctor::clock().clamp(read.not_before, read.not_after);
    let is_own = read.subject == read.issuer && chain.len() == 1;
    tls.trust = Some(match verify(leaf, rest, name, time, is_own, trust) {
        _ if tls.failed.is_some() && read.weak.is_some() => {
            Trust::Weak(read.weak.clone().unwrap_or_default())
        }
        _ if trust.pinned.contains(leaf) => Trust::Trusted,
        trust @ (Trust::Trusted | Trust::OtherDates) => trust,
        trust => read.weak.clone().map_or(trust, Trust::Weak),
    });
}

fn verify(
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    time: i64,
    is_own: bool,
    trust: &Trusted,
) -> Trust {
    let unknown = if is_own { Trust::SelfSigned } else { Trust::Unknown };
    if trust.roots.is_empty() {
        return unknown;
    }
    let provider = Arc::clone(&trust.provider);
    let built = WebPkiServerVerifier::builder_with_provider(Arc::clone(&trust.roots), provider);
    let Ok(verifier) = built.build() else { return unknown };
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time).unwrap_or(0)));
    match verifier.verify_server_cert(leaf, rest, name, &[], time) {
        Ok(_) => Trust::Trusted,
        Err(rustls::Error::InvalidCertificate(why)) => match why {
            // The signature is checked before the name; the name is judged on its own.
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Trust::Trusted
            }
            // Somebody of the same name has another key: an authority that was made anew.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => unknown,
            // The server's own is good at that time: it is another one.
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Trust::OtherDates,
            other if is_own => {
                drop(other);
                Trust::SelfSigned
            }
            other => Trust::Other(reason(&other)),
        },
        Err(other) => Trust::Other(other.to_string()),
    }
}

/// Words for what rustls says in names of its own.
fn reason(why: &CertificateError) -> String {
    match why {
        CertificateError::Revoked => "it is revoked".into(),
        CertificateError::BadEncoding => "it cannot be read".into(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its extended key usage does not allow servers".into()
        }
        CertificateError::UnhandledCriticalExtension => {
            "it has a critical extension that is not known".into()
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is that of an authority (CA:TRUE)".into()
        }
        other => {
            let text = other.to_string();
            let (name, _) = text.split_once('{').unwrap_or((&text, ""));
            name.trim().to_owned()
        }
    }
}

/// Whether a client would go on.
pub(in crate::doctor) fn is_good(tls: &Tls, now: i64) -> bool {
    let dates =
        tls.chain.first().is_some_and(|leaf| (leaf.not_before..=leaf.not_after).contains(&now));
    dates && tls.name_matches && tls.trust == Some(Trust::Trusted)
}

/// Whether the chain is whole with a certificate that was fetched.
pub(in crate::doctor) fn completes(
    leaf_chain: &[Vec<u8>],
    fetched: &[u8],
    target: &Target,
    time: i64,
    trust: &Trusted,
) -> bool {
    let mut chain: Vec<_> =
        leaf_chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    chain.push(CertificateDer::from(fetched));
    let Ok(name) = ServerName::try_from(target.host.clone()) else { return false };
    let Some((leaf, rest)) = chain.split_first() else { return false };
    verify(leaf, rest, &name, time, false, trust) == Trust::Trusted
}
