//! TLS on a connection that has said its first bytes.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{io::AsyncWriteExt as _, time::timeout};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::{
    http::sentence,
    io::{Io, Socket},
    rewind::Rewind,
};

use crate::codes::Code;
/// The content type of a record that begins a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;

/// The handshake, which has to be done by the `deadline`; `None` when it failed, which was told to the peer as far as TLS can.
pub(super) async fn accept(
    mut stream: Rewind<Socket>,
    config: Arc<ServerConfig>,
    deadline: Duration,
    peer: Option<SocketAddr>,
) -> Option<Io> {
    let peer = peer.map(tracing::field::display);
    if stream.early().first().is_some_and(|first| *first != HANDSHAKE) {
        tracing::debug!(
            code = Code::M103.counted(),
            peer,
            "something else than TLS on a port that speaks TLS"
        );
        drop(timeout(deadline, refuse_plain(&mut stream)).await);
        return None;
    }
    let handshake = async {
        // The alert of a handshake that fails is written at once or never. A socket that has just come
        // to its runtime is not known to be writable before it has waited for it.
        stream.get_ref().writable().await?;
        TlsAcceptor::from(config).accept(stream).await
    };
    match timeout(deadline, handshake).await {
        Ok(Ok(stream)) => Some(Io::Secure(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(code = Code::M104.counted(), %error, peer, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(code = Code::M104.counted(), peer, "a TLS handshake took too long");
            None
        }
    }
}

async fn refuse_plain(stream: &mut Rewind<Socket>) -> io::Result<()> {
    let text = sentence(Code::M103);
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nMadang-Code: M103\r\nConnection: close\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing on unread bytes would reset the connection before the answer is read.
    tokio::io::copy(stream, &mut tokio::io::sink()).await?;
    Ok(())
}
