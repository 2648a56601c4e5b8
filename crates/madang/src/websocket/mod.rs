#![doc = include_str!("README.md")]

mod accept;
#[cfg(feature = "axum")]
mod axum;
mod body;
mod buffer;
mod connect;
mod connect_error;
mod engine;
mod error;
mod message;
mod options;
mod proxy;
mod split;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod url;
mod wakers;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

pub use accept::{Accept, Accepting, Refusal, upgrade};
#[cfg(feature = "axum")]
pub use axum::Upgrade;
pub use bytestring::ByteString;
pub use connect::{Connect, connect};
pub use connect_error::{ConnectError, Phase};
#[doc(inline)]
pub use error::{Error, IoError};
pub use madang_ws::deflate::{Agreement, Settings as DeflateSettings};
pub use madang_ws::{CloseCode, Closed, ClosedBy, Limits, Role};
pub use message::{Event, Message};
pub use options::{Keepalive, Options};
pub use proxy::Proxy;
pub use split::{Reader, Writer};
pub use transport::Transport;

use engine::Engine;
use wakers::Side;

#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;

/// A WebSocket that is open.
///
/// It works while it is polled: pings are answered, keepalive pings sent and the close handshake
/// done by [`recv`](Self::recv), so keep receiving, even where only sending matters. [`split`] it to
/// do both at once.
///
/// **Cancel safety.** Every method may be dropped at any `await`, as the losing branches of
/// `tokio::select!` are. No message that came is lost or given twice, and no frame is torn. A `send`
/// that was dropped has either not taken its message, or the message leaves whole with what is done
/// next.
///
/// Dropping a WebSocket drops the byte stream; the peer sees code 1006. [`close`](Self::close) is
/// the polite way.
///
/// [`split`]: Self::split
pub struct WebSocket<S = Transport> {
    engine: Engine<S>,
    protocol: Option<Arc<str>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A WebSocket on a byte stream whose opening handshake is done, with the compression that it
    /// agreed on. `early` are bytes that came after the handshake and were read with it.
    ///
    /// It needs a tokio runtime with time enabled.
    pub fn new(
        io: S,
        role: Role,
        deflate: Option<Agreement>,
        options: &Options,
        early: BytesMut,
    ) -> Self {
        Self { engine: Engine::new(io, role, deflate, options, early), protocol: None }
    }

    /// The next message. `None` when the connection was closed in the regular way; [`closed`] has the
    /// code and the reason. An error is the last but `None`.
    ///
    /// What waits to be written is written before this waits. Before it gives the end, it closes
    /// the byte stream: the server first, the client when the server has, both within
    /// [`Limits::close_timeout`] (RFC 6455 §7.1.1).
    ///
    /// Cancel-safe: a message is given out or kept.
    ///
    /// [`closed`]: Self::closed
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| poll_message(&mut self.engine, cx)).await
    }

    /// The next message, ping or pong; otherwise like [`recv`](Self::recv).
    pub async fn recv_event(&mut self) -> Option<Result<Event, Error>> {
        poll_fn(|cx| self.engine.poll_event(Side::Read, cx)).await
    }

    /// Sends a message, and waits until the operating system has it: as long as the peer takes. Where
    /// that may be too long, put a `tokio::time::timeout` around it.
    ///
    /// Cancel-safe: the message is taken whole or not at all. To know which, [`feed`](Self::feed) it
    /// and then [`flush`](Self::flush).
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Takes a message, which leaves with the next [`flush`](Self::flush), or when
    /// [`recv`](Self::recv) has to wait: many messages leave in one write. Waits only when more than
    /// 64 KiB are unwritten.
    ///
    /// Cancel-safe: when it is dropped before it is done, the message was not taken.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        poll_fn(|cx| self.engine.poll_ready(cx)).await?;
        self.engine.take(&message.into())
    }

    /// Writes all that was taken. Cancel-safe.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.engine.poll_flush(cx)).await
    }

    /// Sends a ping with a payload of at most 125 bytes. The pong comes as
    /// [`Event::Pong`] of [`recv_event`](Self::recv_event). Cancel-safe like [`send`](Self::send).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.engine.poll_ready(cx)).await?;
        self.engine.ping(payload)?;
        self.flush().await
    }

    /// Closes the connection and waits for the peer's answer within [`Limits::close_timeout`] and for
    /// the end of the byte stream. Messages that still come are dropped. The reason is cut to 123
    /// bytes. Says how it ended, also when it was over already.
    ///
    /// Cancel-safe: the close frame is queued at the first poll; [`recv`](Self::recv) then goes on with
    /// the close handshake.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a code that may not be sent.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        self.engine.begin_close(code, reason)?;
        Ok(poll_fn(|cx| self.engine.poll_closed(Side::Read, cx)).await)
    }

    /// Two halves, for two tasks.
    pub fn split(self) -> (Reader<S>, Writer<S>) {
        split::split(self)
    }

    /// How the connection ended, when it has.
    pub fn closed(&self) -> Option<&Closed> {
        self.engine.closed()
    }

    /// The subprotocol that was agreed on (RFC 6455 §1.9).
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// The compression that was agreed on (RFC 7692).
    pub fn deflate(&self) -> Option<&Agreement> {
        self.engine.connection().deflate()
    }

    /// The side that this is.
    pub fn role(&self) -> Role {
        self.engine.connection().role()
    }

    /// The byte stream below. To read or write it would break the connection.
    pub fn get_ref(&self) -> &S {
        &self.engine.io
    }

    fn with_protocol(mut self, protocol: Option<Arc<str>>) -> Self {
        self.protocol = protocol;
        self
    }
}

/// The next message of `engine`, without control frames.
fn poll_message<S: AsyncRead + AsyncWrite + Unpin>(
    engine: &mut Engine<S>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Message, Error>>> {
    loop {
        match ready!(engine.poll_event(Side::Read, cx)) {
            Some(Ok(Event::Message(message))) => return Poll::Ready(Some(Ok(message))),
            Some(Ok(Event::Ping(_) | Event::Pong(_))) => {}
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        }
    }
}

/// Messages, like [`recv`](WebSocket::recv).
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_message(&mut self.engine, cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for WebSocket<S> {
    fn is_terminated(&self) -> bool {
        self.engine.is_done()
    }
}

/// `start_send` is [`feed`](WebSocket::feed); `close` closes with 1000.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.engine.poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.engine.take(&message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.engine.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.engine.begin_close(CloseCode::NORMAL, "")?;
        self.engine.poll_closed(Side::Write, cx).map(|_| Ok(()))
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("protocol", &self.protocol)
            .field("closed", &self.engine.closed())
            .finish_non_exhaustive()
    }
}
