//! TLS for `wss://`, by rustls.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// RFC 7301: a server that also speaks HTTP/2 must not choose it; the handshake is HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// Opens TLS on `tcp` for `host`, which may be an IP address. Without a configuration, the
/// certificates that the operating system trusts are trusted.
pub(super) async fn connect(
    tcp: TcpStream,
    host: &str,
    config: Option<Arc<ClientConfig>>,
) -> io::Result<TlsStream<TcpStream>> {
    let config = match config {
        Some(config) if config.alpn_protocols.is_empty() => Arc::new(with_alpn((*config).clone())),
        Some(config) => config,
        // Reads files.
        None => spawn_blocking(system_config).await.map_err(io::Error::other)??,
    };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, tcp).await
}

fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

/// Read once: a system has over a hundred certificates.
fn system_config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let why = found.errors.first().map_or(String::new(), |error| format!(": {error}"));
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "this system has no certificates to trust{why}; install ca-certificates, or set \
                 SSL_CERT_FILE"
            ),
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(with_alpn(config)))))
}
