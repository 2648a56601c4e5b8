//! TLS for `wss://`: whom to trust, and who we are.

use std::{path::Path, sync::Arc};

use madang::websocket::rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::flags::Connect;
use crate::client::trusting;

/// What the flags say.
pub(crate) fn config(flags: &Connect) -> Result<Arc<ClientConfig>, String> {
    let builder = trusting(flags.ca.as_deref(), flags.insecure)?;
    let mut config =
        match (&flags.cert, &flags.key) {
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(chain(cert)?, private_key(key)?)
                .map_err(|error| format!("--cert and --key do not work together: {error}"))?,
            _ => builder.with_no_client_auth(),
        };
    // RFC 7301: a server that also speaks HTTP/2 must not choose it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What to do about a failure of TLS.
pub(crate) fn hint(why: &str) -> &'static str {
    if !missing(why).is_empty() {
        missing(why)
    } else if why.contains("certificate") {
        "; --ca FILE trusts the authority that signed it, --insecure any certificate"
    } else if why.contains("corrupt message") {
        "; a server without TLS is ws://"
    } else {
        ""
    }
}

/// What to do where the server wants to see a certificate of ours.
pub(crate) fn missing(why: &str) -> &'static str {
    if why.contains("CertificateRequired") {
        "; --cert FILE and --key FILE are the client's certificate that is asked for"
    } else {
        ""
    }
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

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| format!("--key {}: no private key in PEM: {error}", file.display()))
}
