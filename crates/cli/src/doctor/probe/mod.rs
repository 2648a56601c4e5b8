//! The steps on the wire, one at a time. Nothing here judges what is seen.

pub(super) mod cert;
pub(super) mod hold;
pub(super) mod http;
pub(super) mod login;
pub(super) mod net;
pub(super) mod size;
pub(super) mod socket;
pub(super) mod stream;
pub(super) mod tap;
pub(super) mod tls;
pub(super) mod tunnel;
pub(super) mod verify;

use std::{io, net::SocketAddr, time::Duration};

use madang::websocket::Proxy;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{
    ask::Ask,
    evidence::{Came, TlsFault},
    target::Target,
};

/// A byte stream, with or without TLS.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Where requests go, and by which way.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) target: &'a Target,
    /// The target's, or the proxy's.
    pub(super) address: SocketAddr,
    /// What stands at that address, and leads to the target.
    pub(super) proxy: Option<&'a Proxy>,
    pub(super) timeout: Duration,
    pub(super) trust: &'a tls::Trusted,
    /// A line that a balancer would send first.
    pub(super) proxy_header: bool,
    /// TLS or not, whatever the URL says.
    pub(super) secure: bool,
    /// Also with a certificate that is bad: for requests without secrets.
    pub(super) lenient: bool,
}

impl<'a> Way<'a> {
    pub(super) fn new(
        ask: &Ask,
        target: &'a Target,
        address: SocketAddr,
        trust: &'a tls::Trusted,
    ) -> Self {
        let secure = target.secure;
        Self {
            target,
            address,
            proxy: None,
            timeout: ask.timeout,
            trust,
            proxy_header: false,
            secure,
            lenient: ask.insecure,
        }
    }

    pub(super) fn to(self, target: &'a Target) -> Self {
        Self { target, ..self }
    }

    /// A new connection, with TLS where that is wanted.
    pub(super) async fn open(self) -> Result<Box<dyn Io>, Came> {
        let mut tcp = tunnel::dial(self).await?;
        if self.proxy_header {
            let line = proxy_line(&tcp).unwrap_or_else(|_| "PROXY UNKNOWN\r\n".to_owned());
            let wrote = tokio::io::AsyncWriteExt::write_all(&mut tcp, line.as_bytes()).await;
            wrote.map_err(|_| Came::Reset)?;
        }
        if !self.secure {
            return Ok(Box::new(tcp));
        }
        let shaken = tls::shake(tcp, self.target, self.trust, &[b"http/1.1"], self.timeout).await;
        match shaken.1 {
            Some(_) if !self.lenient && !verify::is_good(&shaken.0, super::clock()) => {
                Err(Came::NoTls(TlsFault::Other("its certificate is not trusted".into())))
            }
            Some(stream) => Ok(Box::new(stream)),
            None => Err(Came::NoTls(shaken.0.failed.unwrap_or(TlsFault::Closed))),
        }
    }
}

/// The first version of the PROXY protocol, §2.1.
fn proxy_line(tcp: &TcpStream) -> io::Result<String> {
    let (from, to) = (tcp.local_addr()?, tcp.peer_addr()?);
    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    Ok(format!("PROXY {family} {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port()))
}

/// Whether the error says that the other side threw the connection away.
pub(super) fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe)
}
