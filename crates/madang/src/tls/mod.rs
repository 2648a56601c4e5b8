//! Certificates and keys of a server.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use madang::{Server, tls::TlsConfig};
//!
//! let tls = TlsConfig::from_files("fullchain.pem", "privkey.pem")?;
//! Server::new().tls(tls).run().await?;
//! # Ok(())
//! # }
//! ```

mod error;
mod load;
mod self_signed;
#[cfg(test)]
mod tests;
mod watch;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use tokio_rustls::rustls::ServerConfig;

pub use error::TlsError;
pub(crate) use watch::watch;

/// What a server shows and asks in a TLS handshake. Cloning counts a reference; all clones change
/// together when the files are read again.
#[derive(Clone)]
pub struct TlsConfig(Arc<Shared>);

struct Shared {
    source: Source,
    /// Which certificates of clients are asked for.
    clients: Option<Clients>,
    current: RwLock<Current>,
}

enum Source {
    Files { certificates: PathBuf, key: PathBuf },
    SelfSigned { fingerprint: String, certificates: String, key: String },
}

#[derive(Clone)]
struct Clients {
    authorities: PathBuf,
    are_optional: bool,
}

struct Current {
    config: Arc<ServerConfig>,
    /// What the files were when they were read.
    stamps: Vec<Option<watch::Stamp>>,
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConfig").field("files", &self.0.files()).finish_non_exhaustive()
    }
}

impl TlsConfig {
    /// A certificate chain and its private key, both as PEM files: the server's certificate first,
    /// then the intermediate ones. While a server runs, it looks every two seconds whether the files
    /// have changed, and shows the new certificate to whoever comes then; who is connected stays.
    pub fn from_files(
        certificates: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        Self::new(Source::Files { certificates: certificates.into(), key: key.into() }, None)
    }

    /// A certificate made now and kept in memory, for a first try: browsers and other clients warn
    /// of it, or have to be told not to check. It is for `localhost`, the loopback addresses and
    /// `addresses`.
    pub fn self_signed(addresses: impl IntoIterator<Item = IpAddr>) -> Result<Self, TlsError> {
        let made = self_signed::make(addresses)?;
        let self_signed::Made { certificates, key, fingerprint } = made;
        Self::new(Source::SelfSigned { fingerprint, certificates, key }, None)
    }

    /// Asks clients for a certificate that one of the authorities in a PEM file has signed. Where
    /// they `are_optional`, a client without any may connect too.
    pub fn client_certificates(
        self,
        authorities: impl Into<PathBuf>,
        are_optional: bool,
    ) -> Result<Self, TlsError> {
        let clients = Clients { authorities: authorities.into(), are_optional };
        match Arc::try_unwrap(self.0) {
            Ok(shared) => Self::new(shared.source, Some(clients)),
            Err(_) => Err(TlsError::InUse),
        }
    }

    fn new(source: Source, clients: Option<Clients>) -> Result<Self, TlsError> {
        let files = files(&source, clients.as_ref());
        // Before the files are read: a change meanwhile is found later.
        let stamps = watch::stamps(&files);
        let config = load::load(&source, clients.as_ref())?;
        let current = RwLock::new(Current { config, stamps });
        Ok(Self(Arc::new(Shared { source, clients, current })))
    }

    /// The configuration that new connections get.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.read().config)
    }

    /// Reads the files again, whether they have changed or not. On an error what was there before
    /// stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let stamps = watch::stamps(&self.0.files());
        let loaded = load::load(&self.0.source, self.0.clients.as_ref());
        let mut current = self.0.current.write();
        // Files that cannot be used are not tried again before they change.
        current.stamps = stamps;
        current.config = loaded?;
        Ok(())
    }

    /// Reads the files again if they have changed; whether they had.
    fn reload_if_changed(&self) -> Result<bool, TlsError> {
        if watch::stamps(&self.0.files()) == self.0.current.read().stamps {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// The SHA-256 fingerprint of a certificate from [`TlsConfig::self_signed`], in hexadecimal.
    pub fn fingerprint(&self) -> Option<&str> {
        match &self.0.source {
            Source::SelfSigned { fingerprint, .. } => Some(fingerprint),
            Source::Files { .. } => None,
        }
    }
}

impl Shared {
    fn files(&self) -> Vec<&Path> {
        files(&self.source, self.clients.as_ref())
    }
}

fn files<'a>(source: &'a Source, clients: Option<&'a Clients>) -> Vec<&'a Path> {
    let mut files: Vec<&Path> = match source {
        Source::Files { certificates, key } => vec![certificates, key],
        Source::SelfSigned { .. } => Vec::new(),
    };
    files.extend(clients.map(|clients| clients.authorities.as_path()));
    files
}
