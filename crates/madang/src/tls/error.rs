//! What can be wrong with certificates and keys.

use std::{io, path::PathBuf};

/// Why a server cannot speak TLS with what it was given, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no certificate in the file.
    #[error(
        "{} has no certificate; it should have -----BEGIN CERTIFICATE-----, the server's own first \
         and the intermediate ones after it", .0.display()
    )]
    NoCertificate(PathBuf),
    /// There is no private key in the file.
    #[error(
        "{} has no private key; it should have -----BEGIN PRIVATE KEY----- (without a pass phrase)",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The file is no PEM file.
    #[error("{} is no PEM file: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate is for another key.
    #[error(
        "the key in {} is not the one of the first certificate in {}; was one of them renewed \
         without the other, or does an intermediate certificate stand first?",
        key.display(), certificates.display()
    )]
    Mismatch {
        /// The file of the certificates.
        certificates: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Clones of the configuration are in use; it is to be completed before.
    #[error("client certificates are to be asked for before the configuration is shared")]
    InUse,
    /// Something else that rustls or rcgen refuses.
    #[error("TLS cannot be set up: {0}")]
    Other(String),
}
