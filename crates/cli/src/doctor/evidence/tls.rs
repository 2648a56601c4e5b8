//! What TLS showed.

use serde::Serialize;

use super::Bytes;

/// What TLS showed.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tls {
    /// The first is the server's own.
    pub(crate) chain: Vec<Certificate>,
    pub(crate) name_matches: bool,
    pub(crate) trust: Option<Trust>,
    pub(crate) client_certificate_asked: bool,
    pub(crate) client_certificate_sent: bool,
    pub(crate) version: Option<String>,
    pub(crate) alpn: Option<String>,
    pub(crate) failed: Option<TlsFault>,
    /// What the server chose when `h2` was offered as well, after it would not have `http/1.1`.
    pub(crate) alpn_when_free: Option<String>,
}

/// Whether somebody trusted has signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Trust {
    Trusted,
    SelfSigned,
    /// The server's own is good, and another one of the chain is out of its dates.
    OtherDates,
    /// The certificate that was missing was fetched from here, and with it the chain is whole.
    MissingIntermediate(String),
    Unknown,
    /// A short key, an old signature.
    Weak(String),
    /// Revoked, a bad signature, a key usage that forbids servers.
    Other(String),
}

/// How a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum TlsFault {
    /// The server's alert.
    Alert(String),
    /// The first bytes are no TLS record.
    NotTls(Bytes),
    Silence,
    Closed,
    Reset,
    /// The server speaks only what is too old.
    OldVersion(String),
    Other(String),
}

/// A certificate, as far as it is of interest.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) names: Vec<String>,
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// Where its issuer's certificate can be had.
    pub(crate) issuer_url: Option<String>,
    /// What is too weak about it.
    pub(crate) weak: Option<String>,
}
