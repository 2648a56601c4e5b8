//! A certificate for a first try.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, SystemTime},
};

use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};
use tokio_rustls::rustls::{
    SupportedCipherSuite, crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
};

use super::TlsError;

pub(super) struct Made {
    pub(super) certificates: String,
    pub(super) key: String,
    pub(super) fingerprint: String,
}

const DAY: Duration = Duration::from_hours(24);

/// A certificate of its own authority, good for a year.
pub(super) fn make(addresses: impl IntoIterator<Item = IpAddr>) -> Result<Made, TlsError> {
    let other = |error: rcgen::Error| TlsError::Other(error.to_string());
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).map_err(other)?;
    let mut ips: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    ips.extend(addresses.into_iter().filter(|ip| !ip.is_unspecified()));
    ips.sort_unstable();
    ips.dedup();
    params.subject_alt_names.extend(ips.into_iter().map(SanType::IpAddress));
    params.distinguished_name.push(DnType::CommonName, "Madang, self-signed");
    // Clocks differ; and browsers refuse what is good for many years.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(DAY);
    params.not_after = date_time_ymd(1970, 1, 1) + now + 365 * DAY;
    let key = KeyPair::generate().map_err(other)?;
    let certificate = params.self_signed(&key).map_err(other)?;
    let fingerprint = fingerprint(certificate.der());
    Ok(Made { certificates: certificate.pem(), key: key.serialize_pem(), fingerprint })
}

/// SHA-256, written as browsers show it.
fn fingerprint(certificate: &[u8]) -> String {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else {
        return String::new();
    };
    let digest = suite.common.hash_provider.hash(certificate);
    let mut text = String::new();
    for (at, byte) in digest.as_ref().iter().enumerate() {
        let colon = if at > 0 { ":" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}
