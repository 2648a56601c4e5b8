//! A stream of HTTP/2 and a socket, joined: what comes out of one goes into the other.
//!
//! The worker has the socket's other end, and everything that it does with a client over TCP works
//! there too. What waits between the two is a few buffers of fixed size, so that a client that does
//! not read is seen by its outbox. RFC 8441 §5: `END_STREAM` is TCP's FIN, and
//! `RST_STREAM` with `CANCEL` its reset.

use std::{future::poll_fn, io, os::fd::OwnedFd, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::{net::UnixStream, time::timeout};

use crate::drive;

/// What is taken from the socket at once; also the largest frame that every peer takes (RFC 9113
/// §4.2).
const PIECE: usize = 16 * 1024;
/// After so long without room in the stream, somebody looks whether the worker has given up.
const STALL: Duration = Duration::from_secs(2);
/// How long a peer may take to end its half of a stream after we have ended ours.
const LINGER: Duration = Duration::from_secs(3);

/// A pair of sockets: the pump's end, and the worker's.
pub(in super::super) fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (near, far) = drive::pair()?;
    Ok((UnixStream::from_std(near.into())?, far))
}

/// Why a stream ends before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the stream: {0}")]
    Stream(#[from] h2::Error),
    #[error("the worker's socket: {0}")]
    Socket(#[from] io::Error),
    #[error("reset by the peer: {0}")]
    Reset(Reason),
    #[error("the peer takes nothing")]
    Stalled,
}

/// Carries bytes both ways until both ends have ended, or one breaks.
pub(super) async fn run(mut from: RecvStream, mut to: SendStream<Bytes>, socket: UnixStream) {
    let ended = {
        let (inward, outward) = (inward(&mut from, &socket), outward(&mut to, &socket));
        tokio::pin!(inward, outward);
        tokio::select! {
            ended = &mut inward => match ended {
                // The worker hears that its client has ended, and ends too.
                Ok(()) => outward.await,
                Err(error) => Err(error),
            },
            ended = &mut outward => match ended {
                Ok(()) => timeout(LINGER, inward).await.unwrap_or(Err(Broken::Stalled)),
                Err(error) => Err(error),
            },
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a WebSocket's stream broke");
        to.send_reset(Reason::CANCEL);
    }
}

/// From the stream to the worker. The peer's window grows by what the worker has taken.
async fn inward(from: &mut RecvStream, socket: &UnixStream) -> Result<(), Broken> {
    while let Some(data) = from.data().await {
        let mut data = data?;
        let count = data.len();
        while !data.is_empty() {
            socket.writable().await?;
            match socket.try_write(&data) {
                Ok(written) => drop(data.split_to(written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        from.flow_control().release_capacity(count)?;
    }
    SockRef::from(socket).shutdown(std::net::Shutdown::Write)?;
    Ok(())
}

/// From the worker to the stream.
async fn outward(to: &mut SendStream<Bytes>, socket: &UnixStream) -> Result<(), Broken> {
    loop {
        tokio::select! {
            ready = socket.readable() => ready?,
            reset = poll_fn(|cx| to.poll_reset(cx)) => return Err(Broken::Reset(reset?)),
        }
        match take(socket) {
            Ok(piece) if piece.is_empty() => {
                to.send_data(piece, true)?;
                return Ok(());
            }
            Ok(mut piece) => {
                while !piece.is_empty() {
                    match timeout(STALL, push(to, &mut piece)).await {
                        Ok(pushed) => pushed?,
                        Err(_) if is_gone(socket) => return Err(Broken::Stalled),
                        Err(_) => {}
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the socket has, up to a piece. A stream with nothing to carry owns no buffer.
fn take(socket: &UnixStream) -> io::Result<Bytes> {
    let mut buffer = [0; PIECE];
    let count = socket.try_read(&mut buffer)?;
    Ok(Bytes::copy_from_slice(&buffer[..count]))
}

/// Sends as much of `data` as there is room for, once there is some.
pub(super) async fn push(to: &mut SendStream<Bytes>, data: &mut Bytes) -> Result<(), Broken> {
    // What is asked for is kept from the connection's other streams, so it is no more than a piece.
    to.reserve_capacity(data.len().min(PIECE));
    while to.capacity() == 0 {
        match poll_fn(|cx| to.poll_capacity(cx)).await {
            Some(room) => drop(room?),
            // The stream has ended.
            None => {
                return Err(poll_fn(|cx| to.poll_reset(cx))
                    .await
                    .map_or_else(Into::into, Broken::Reset));
            }
        }
    }
    let room = to.capacity().min(data.len());
    to.send_data(data.split_to(room), false)?;
    Ok(())
}

/// Whether the worker has closed its end altogether, and not only said that it sends no more.
fn is_gone(socket: &UnixStream) -> bool {
    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut poll_fd = [PollFd::new(socket, PollFlags::empty())];
    // On an error nothing is known, and the next look will tell.
    let _ = poll(&mut poll_fd, Some(&NOW));
    poll_fd[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_has_closed_is_told_from_one_that_has_said_all() {
        let (near, far) = pair().unwrap();
        assert!(!is_gone(&near));
        let far = socket2::Socket::from(far);
        far.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(!is_gone(&near));
        drop(far);
        assert!(is_gone(&near));
    }

    #[tokio::test]
    async fn little_hides_between_pump_and_worker() {
        let (near, _far) = pair().unwrap();
        let mut hidden = 0;
        near.writable().await.unwrap();
        while let Ok(count) = near.try_write(&[0; 1024]) {
            hidden += count;
        }
        assert!((8 * 1024..=128 * 1024).contains(&hidden), "{hidden}");
    }
}
