//! Connections that begin with a PROXY header.

use std::{net::SocketAddr, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

use super::proxy_protocol::{MAX_HEADER, Parsed, parse};

/// Why a connection is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Nobody {
    #[error("no PROXY header came in time")]
    Late,
    #[error("no PROXY header: {0}")]
    Bad(&'static str),
    #[error("the connection ended within its PROXY header")]
    Cut,
}

/// Reads the header: whose connection it is, and what was read behind it.
pub(super) async fn introduce<S: AsyncRead + Unpin>(
    stream: &mut S,
    patience: Duration,
) -> Result<(Option<SocketAddr>, BytesMut), Nobody> {
    timeout(patience, read(stream)).await.unwrap_or(Err(Nobody::Late))
}

async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<(Option<SocketAddr>, BytesMut), Nobody> {
    let mut bytes = BytesMut::with_capacity(256);
    loop {
        match parse(&bytes) {
            Parsed::Done { source, consumed } => {
                return Ok((source, bytes.split_off(consumed)));
            }
            Parsed::Bad(why) => return Err(Nobody::Bad(why)),
            // `parse` decides within `MAX_HEADER` bytes, so this ends.
            Parsed::NeedMore => {}
        }
        bytes.reserve(256.min(MAX_HEADER));
        if stream.read_buf(&mut bytes).await.map_err(|_| Nobody::Cut)? == 0 {
            return Err(Nobody::Cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rewind::Rewind;
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    const PATIENCE: Duration = Duration::from_secs(5);
    const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n";

    #[tokio::test]
    async fn what_follows_the_header_is_not_lost() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        near.write_all(LINE).await.unwrap();
        near.write_all(b"GET / ").await.unwrap();
        let (source, rest) = introduce(&mut far, PATIENCE).await.unwrap();
        let mut stream = Rewind::new(far, rest);
        assert_eq!(source, Some("192.0.2.1:4711".parse().unwrap()));
        near.write_all(b"HTTP/1.1").await.unwrap();
        drop(near);
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "GET / HTTP/1.1");
    }

    #[tokio::test]
    async fn a_header_may_come_byte_by_byte_and_must_come_whole() {
        let (mut near, mut far) = tokio::io::duplex(1);
        let write = async {
            near.write_all(LINE).await.unwrap();
            near
        };
        let (read, near) = tokio::join!(introduce(&mut far, PATIENCE), write);
        assert!(read.is_ok());
        drop(near);
        let why = introduce(&mut &LINE[..20], PATIENCE).await.unwrap_err();
        assert_eq!(why, Nobody::Cut);
        let why = introduce(&mut &b"GET / HTTP/1.1\r\n\r\n"[..], PATIENCE).await.unwrap_err();
        assert!(matches!(why, Nobody::Bad(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_header_for_ever() {
        let (_near, mut far) = tokio::io::duplex(1);
        assert_eq!(introduce(&mut far, PATIENCE).await.unwrap_err(), Nobody::Late);
    }
}
