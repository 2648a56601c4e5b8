//! The two halves of a WebSocket.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use madang_ws::{CloseCode, Closed};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

use super::engine::Engine;
use super::wakers::Side;
use super::{Error, Event, Message, Transport, WebSocket, poll_message};

/// The half that receives. It also writes pongs and the echo of a close frame, and so works
/// alone; keep polling it while the other half sends.
pub struct Reader<S = Transport>(Arc<Shared<S>>);

/// The half that sends. It may be idle, or dropped, while the other half receives.
pub struct Writer<S = Transport>(Arc<Shared<S>>);

struct Shared<S> {
    /// Held only while one of the halves is polled, never across an `await`.
    engine: Mutex<Engine<S>>,
    protocol: Option<Arc<str>>,
}

pub(super) fn split<S>(socket: WebSocket<S>) -> (Reader<S>, Writer<S>) {
    let WebSocket { engine, protocol } = socket;
    let shared = Arc::new(Shared { engine: Mutex::new(engine), protocol });
    (Reader(Arc::clone(&shared)), Writer(shared))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// Like [`WebSocket::recv`].
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| poll_message(&mut self.0.engine.lock(), cx)).await
    }

    /// Like [`WebSocket::recv_event`].
    pub async fn recv_event(&mut self) -> Option<Result<Event, Error>> {
        poll_fn(|cx| self.0.engine.lock().poll_event(Side::Read, cx)).await
    }

    /// How the connection ended, when it has.
    pub fn closed(&self) -> Option<Closed> {
        self.0.engine.lock().closed().cloned()
    }

    /// The subprotocol that was agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.0.protocol.as_deref()
    }

    /// The whole again. The halves of two different WebSockets come back as they are.
    pub fn reunite(self, writer: Writer<S>) -> Result<WebSocket<S>, (Self, Writer<S>)> {
        if !Arc::ptr_eq(&self.0, &writer.0) {
            return Err((self, writer));
        }
        drop(writer);
        // Two halves were all that there was.
        match Arc::try_unwrap(self.0) {
            Ok(Shared { engine, protocol }) => {
                Ok(WebSocket { engine: engine.into_inner(), protocol })
            }
            Err(shared) => Err((Self(Arc::clone(&shared)), Writer(shared))),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    /// Like [`WebSocket::send`].
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Like [`WebSocket::feed`]. What was taken also leaves when the other half has to wait.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        poll_fn(|cx| self.0.engine.lock().poll_ready(cx)).await?;
        self.0.engine.lock().take(&message.into())
    }

    /// Like [`WebSocket::flush`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.0.engine.lock().poll_flush(cx)).await
    }

    /// Like [`WebSocket::ping`].
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| self.0.engine.lock().poll_ready(cx)).await?;
        self.0.engine.lock().ping(payload)?;
        self.flush().await
    }

    /// Like [`WebSocket::close`]; the other half then comes to its end. Reads by itself, so that it
    /// works without the other half.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Closed, Error> {
        self.0.engine.lock().begin_close(code, reason)?;
        Ok(poll_fn(|cx| self.0.engine.lock().poll_closed(Side::Write, cx)).await)
    }

    /// How the connection ended, when it has.
    pub fn closed(&self) -> Option<Closed> {
        self.0.engine.lock().closed().cloned()
    }
}

/// Messages, like [`Reader::recv`].
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Reader<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_message(&mut self.0.engine.lock(), cx)
    }
}

/// `start_send` is [`Writer::feed`]; `close` closes with 1000.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for Writer<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.engine.lock().poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.0.engine.lock().take(&message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.engine.lock().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut engine = self.0.engine.lock();
        engine.begin_close(CloseCode::NORMAL, "")?;
        engine.poll_closed(Side::Write, cx).map(|_| Ok(()))
    }
}

impl<S> fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("protocol", &self.0.protocol).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("protocol", &self.0.protocol).finish_non_exhaustive()
    }
}
