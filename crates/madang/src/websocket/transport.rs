//! The byte streams under a WebSocket.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The byte stream under the WebSockets that [`connect`](super::connect) opens and
/// [`upgrade`](super::upgrade) accepts: TCP, TLS, or what an HTTP server handed over.
pub struct Transport(Kind);

enum Kind {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    Upgraded(TokioIo<Upgraded>),
}

impl Transport {
    /// The TCP socket, which is unknown when an HTTP server handed the stream over.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            Kind::Tcp(tcp) => Some(tcp),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => Some(tls.get_ref().0),
            Kind::Upgraded(_) => None,
        }
    }

    /// What hyper handed over: the TCP socket itself where that is what hyper served, and the bytes
    /// that it has read already.
    pub(super) fn recover(upgraded: Upgraded) -> (Self, BytesMut) {
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let tcp = parts.io.into_inner();
                // Messages are written when they are to leave; only speed is lost if it fails.
                let _ = tcp.set_nodelay(true);
                (tcp.into(), parts.read_buf.into())
            }
            Err(upgraded) => (Self(Kind::Upgraded(TokioIo::new(upgraded))), BytesMut::new()),
        }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut (dyn Stream + Unpin + '_)> {
        match &mut self.get_mut().0 {
            Kind::Tcp(tcp) => Pin::new(tcp),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => Pin::new(tls.as_mut()),
            Kind::Upgraded(upgraded) => Pin::new(upgraded),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite {}

impl<S: AsyncRead + AsyncWrite> Stream for S {}

impl From<TcpStream> for Transport {
    fn from(tcp: TcpStream) -> Self {
        Self(Kind::Tcp(tcp))
    }
}

#[cfg(feature = "tls")]
impl From<tokio_rustls::client::TlsStream<TcpStream>> for Transport {
    fn from(tls: tokio_rustls::client::TlsStream<TcpStream>) -> Self {
        Self(Kind::Tls(Box::new(tls)))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Tcp(_) => "Transport(TCP)",
            #[cfg(feature = "tls")]
            Kind::Tls(_) => "Transport(TLS)",
            Kind::Upgraded(_) => "Transport(HTTP upgrade)",
        })
    }
}
