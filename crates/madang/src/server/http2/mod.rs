//! HTTP/2 (RFC 9113): pages, and WebSockets by extended CONNECT (RFC 8441).
//!
//! A connection of HTTP/2 is a task beside the worker's loop, and so is each of its streams. A
//! stream that becomes a WebSocket is carried over a pair of sockets ([`pump`]) of which the worker
//! has one end: for it that is a client like any other, with the same outbox and the same limits.
//!
//! What a peer may make the server hold or do is bounded at four places: the streams that are open
//! at once, the windows and buffers of each, the frames that cost and carry nothing ([`wire`]), and
//! the time without a request.

mod answer;
mod pump;
mod wire;

pub(super) use pump::pair;

use std::{
    future::poll_fn,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{Ping, PingPong, Reason, server::Connection};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    sync::{Notify, watch},
    time::{sleep, timeout_at},
};

use crate::codes::Code;

use super::{
    http::{Visit, stopped},
    rewind::Rewind,
};
use wire::{Calm, Wire};

/// RFC 9113 §3.4: what every client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// RFC 9113 §6.9.1: no window is larger.
const MAX_WINDOW: u32 = 0x7fff_ffff;

/// How often a connection is pinged, and how long the answer may take.
const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may take to end that was told to.
const GOODBYE: Duration = Duration::from_secs(2);

/// Whether a connection begins with HTTP/2's preface ("prior knowledge", RFC 9113 §3.3). What was
/// read for that is read again by whoever goes on.
pub(super) async fn sniff<S>(stream: Rewind<S>) -> io::Result<(Rewind<S>, bool)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut stream, early) = stream.into_parts();
    if early.len() >= PREFACE.len() || !PREFACE.starts_with(&early) {
        let is_preface = early.starts_with(PREFACE);
        return Ok((Rewind::new(stream, early), is_preface));
    }
    let mut read = early.to_vec();
    while read.len() < PREFACE.len() && PREFACE.starts_with(&read) {
        let mut more = [0; PREFACE.len()];
        let room = PREFACE.len() - read.len();
        let count = stream.read(&mut more[..room]).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&more[..count]);
    }
    let is_preface = read == PREFACE;
    Ok((Rewind::new(stream, read), is_preface))
}

/// Serves HTTP/2 on a connection that has begun at a time, until it ends.
pub(super) async fn converse<S>(
    stream: Rewind<S>,
    visit: Visit,
    stop: watch::Receiver<bool>,
    begun: Instant,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = visit.site.http;
    let (wire, calm) = Wire::new(stream, &limits);
    let handshake = h2::server::Builder::new()
        .enable_connect_protocol()
        .max_concurrent_streams(limits.max_streams.max(1))
        .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
        .initial_window_size(limits.stream_window.min(MAX_WINDOW))
        .initial_connection_window_size(limits.connection_window.min(MAX_WINDOW))
        .max_send_buffer_size(limits.send_buffer.min(MAX_WINDOW as usize))
        .max_pending_accept_reset_streams(limits.max_resets)
        .max_local_error_reset_streams(Some(limits.max_error_resets))
        .handshake::<_, Bytes>(wire);
    let by = begun + limits.head_timeout;
    match timeout_at(by.into(), handshake).await {
        Ok(Ok(mut connection)) => {
            let pings = connection.ping_pong();
            let keep = Keep {
                visit,
                streams: Arc::default(),
                is_new: true,
                leaving: false,
                idle_until: Some(by),
                end_by: None,
                pings: pings.map(|line| Pings {
                    line,
                    is_sent: false,
                    next: begun + PING_INTERVAL,
                }),
            };
            keep.serve(connection, &calm, stop).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP/2 connection failed at its start"),
        Err(_) => tracing::debug!("an HTTP/2 connection did not begin in time"),
    }
}

/// The streams that a connection serves.
#[derive(Default)]
struct Streams {
    open: AtomicUsize,
    last_ended: Notify,
}

/// One stream that is served; dropping it says that it is done.
struct Serving(Arc<Streams>);

impl Drop for Serving {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.last_ended.notify_one();
        }
    }
}

/// Whether the peer is still there.
struct Pings {
    line: PingPong,
    is_sent: bool,
    next: Instant,
}

/// What a connection is kept by, beside its streams.
struct Keep {
    visit: Visit,
    streams: Arc<Streams>,
    /// It has asked for nothing yet.
    is_new: bool,
    /// It was told that no more streams are taken.
    leaving: bool,
    /// When it is told so, if it has no stream until then.
    idle_until: Option<Instant>,
    /// When it is cut.
    end_by: Option<Instant>,
    pings: Option<Pings>,
}

impl Keep {
    async fn serve<S>(
        mut self,
        mut connection: Connection<Wire<S>, Bytes>,
        calm: &Calm,
        mut stop: watch::Receiver<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let streams = Arc::clone(&self.streams);
        let timer = sleep(self.visit.site.http.head_timeout);
        tokio::pin!(timer);
        loop {
            timer.as_mut().reset(self.next_deadline().into());
            let was_stopped = self.leaving;
            tokio::select! {
                accepted = connection.accept() => match accepted {
                    Some(Ok((request, respond))) => {
                        let serving = self.begin_stream();
                        let answer = answer::answer(request, respond, self.visit.clone());
                        tokio::spawn(async move {
                            answer.await;
                            drop(serving);
                        });
                    }
                    Some(Err(error)) => {
                        self.log_end(&error);
                        return;
                    }
                    None => return,
                },
                () = calm.lost(), if self.end_by.is_none() => {
                    // RFC 9113 §10.5: "An endpoint MAY treat activity that is suspicious as a
                    // connection error of type ENHANCE_YOUR_CALM."
                    self.log_flood();
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    self.end_by = Some(Instant::now() + GOODBYE);
                }
                () = stopped(&mut stop), if !was_stopped => {
                    self.leaving = true;
                    connection.graceful_shutdown();
                }
                () = streams.last_ended.notified() => {
                    if self.is_idle() {
                        self.idle_until = Some(Instant::now() + self.visit.site.http.idle_timeout);
                    }
                }
                pong = pong(self.pings.as_mut()) => match pong {
                    Ok(()) => self.heard(),
                    Err(_) => self.pings = None,
                },
                () = &mut timer => {
                    if self.is_over(Instant::now(), &mut connection) {
                        return;
                    }
                }
            }
        }
    }

    fn begin_stream(&mut self) -> Serving {
        self.is_new = false;
        self.visit.pending.settle();
        self.idle_until = None;
        self.streams.open.fetch_add(1, Ordering::Relaxed);
        Serving(Arc::clone(&self.streams))
    }

    fn is_idle(&self) -> bool {
        self.streams.open.load(Ordering::Relaxed) == 0
    }

    fn next_deadline(&self) -> Instant {
        let ping = self.pings.as_ref().map(|pings| pings.next);
        let all = [self.idle_until, self.end_by, ping];
        all.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + PING_INTERVAL)
    }

    fn heard(&mut self) {
        if let Some(pings) = &mut self.pings {
            (pings.is_sent, pings.next) = (false, Instant::now() + PING_INTERVAL);
        }
    }

    /// Does what is due; true when the connection is to be cut.
    fn is_over<S>(&mut self, now: Instant, connection: &mut Connection<Wire<S>, Bytes>) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.end_by.is_some_and(|end| now >= end) {
            return true;
        }
        if self.idle_until.is_some_and(|until| now >= until) && self.is_idle() {
            self.idle_until = None;
            if self.is_new || self.leaving {
                // Nobody is to be told anything, or it was told and does not go.
                return true;
            }
            // It may have a stream under way, which is still served.
            self.leaving = true;
            self.idle_until = Some(now + GOODBYE);
            connection.graceful_shutdown();
        }
        if let Some(pings) = &mut self.pings
            && now >= pings.next
        {
            if pings.is_sent || pings.line.send_ping(Ping::opaque()).is_err() {
                return true;
            }
            (pings.is_sent, pings.next) = (true, now + PING_TIMEOUT);
        }
        false
    }

    fn log_end(&self, error: &h2::Error) {
        // The library counts too: resets before a stream is looked at, small frames, errors.
        if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) {
            self.log_flood();
        } else {
            tracing::debug!(%error, "an HTTP/2 connection failed");
        }
    }

    /// Notes, now and then, that a connection was ended that floods.
    fn log_flood(&self) {
        let peer = self.visit.peer.map(tracing::field::display);
        if self.visit.site.flooded.is_due(Instant::now()) {
            tracing::warn!(
                code = Code::M505.counted(),
                peer,
                "M505: an HTTP/2 connection floods, and was ended"
            );
        } else {
            tracing::debug!(
                code = Code::M505.counted(),
                peer,
                "an HTTP/2 connection floods, and was ended"
            );
        }
    }
}

/// The answer to a ping, if one is awaited.
async fn pong(pings: Option<&mut Pings>) -> Result<(), h2::Error> {
    match pings {
        Some(Pings { line, is_sent: true, .. }) => poll_fn(|cx| line.poll_pong(cx)).await.map(drop),
        _ => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_preface_tells_http_2_from_http_1() {
        for (early, rest, expected) in [
            (&PREFACE[..0], PREFACE, true),
            (&PREFACE[..1], &PREFACE[1..], true),
            (&PREFACE[..23], &PREFACE[23..], true),
            (PREFACE, &b"more"[..], true),
            (b"GET / HTTP/1.1\r\n\r\n", b"", false),
            (b"PRI * HTTP/1.1\r\n", b"", false),
            (b"P", b"OST / HTTP/1.1\r\n\r\n", false),
        ] {
            let (mut near, far) = tokio::io::duplex(64);
            tokio::io::AsyncWriteExt::write_all(&mut near, rest).await.unwrap();
            drop(near);
            let stream = Rewind::new(far, Bytes::from_static(early));
            let (mut stream, is_http2) = sniff(stream).await.unwrap();
            assert_eq!(is_http2, expected, "{early:?} {rest:?}");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, [early, rest].concat());
        }
        let mut empty = tokio::io::empty();
        let cut = Rewind::new(&mut empty, Bytes::from_static(b"PRI"));
        assert!(sniff(cut).await.is_err());
    }
}
