//! A client's stream: a TCP or a unix socket, with TLS over it or without.

use std::{
    io::{self, IoSlice},
    net::TcpStream,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair,
    sockopt::set_socket_send_buffer_size,
};

#[cfg(feature = "tls")]
pub(super) use secure::Tls;

#[cfg(not(feature = "tls"))]
pub(super) use never::Tls;

/// A connected stream of bytes that does not block.
pub(crate) struct Stream {
    pub(super) socket: OwnedFd,
    pub(super) tls: Option<Box<Tls>>,
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self { socket: stream.into(), tls: None }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self { socket: stream.into(), tls: None }
    }
}

impl From<OwnedFd> for Stream {
    fn from(socket: OwnedFd) -> Self {
        Self { socket, tls: None }
    }
}

/// What the kernel holds of a stream between two ends in this process, in each direction.
const SOCKET_BUFFER: usize = 32 * 1024;

/// Two sockets that are each other's peer: an end for a worker, and one for who carries its stream
/// on.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (near, far) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    for socket in [&near, &far] {
        set_socket_send_buffer_size(socket, SOCKET_BUFFER)?;
    }
    Ok((near, far))
}

/// Receives what there is, without waiting.
#[inline]
pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    rustix::net::recv(socket, buffer, RecvFlags::empty()).map(|(count, _)| count)
}

/// Sends what the socket takes, without waiting.
pub(super) fn send(socket: &OwnedFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    if let [slice] = slices {
        return Ok(rustix::net::send(socket, slice, SendFlags::NOSIGNAL)?);
    }
    let mut control = rustix::net::SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(socket, slices, &mut control, SendFlags::NOSIGNAL)?)
}

/// Ends our half of the stream.
pub(super) fn shut(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?)
}

#[cfg(feature = "tls")]
mod secure {
    use std::{
        io::{self, IoSlice, Write},
        os::fd::OwnedFd,
    };

    use tokio_rustls::rustls::ServerConnection;

    use super::{Stream, send};

    /// The TLS of one client, after its handshake.
    pub(crate) struct Tls {
        connection: ServerConnection,
    }

    /// So much plaintext is encrypted before the socket has to take it. What a blocked socket leaves
    /// in rustls is no more than this, the records' heads, and what TLS itself has to say.
    const CHUNK: usize = 64 * 1024;

    /// What came of reading.
    pub(crate) struct Read {
        /// The peer said that it sends no more.
        pub(crate) is_closed: bool,
    }

    impl Stream {
        /// A stream with TLS over it, whose handshake is done.
        pub(crate) fn secure(self, connection: ServerConnection) -> Self {
            Self { tls: Some(Box::new(Tls { connection })), ..self }
        }
    }

    impl Tls {
        /// Decrypts `received` and appends the plaintext to `plain`: what came before and had not
        /// been read goes first. An error ends the connection; what TLS says of it is for
        /// [`Tls::flush`].
        pub(crate) fn decrypt(
            &mut self,
            mut received: &[u8],
            plain: &mut Vec<u8>,
        ) -> io::Result<Read> {
            let mut is_closed = self.drain(plain)?;
            // rustls takes some KiB at a time.
            while !received.is_empty() && !is_closed {
                if self.connection.read_tls(&mut received)? == 0 {
                    break;
                }
                let state = self.connection.process_new_packets().map_err(io::Error::other)?;
                is_closed |= state.peer_has_closed();
                is_closed |= self.drain(plain)?;
            }
            Ok(Read { is_closed })
        }

        /// Takes all plaintext that is there; true when the peer's end has come behind it.
        fn drain(&mut self, plain: &mut Vec<u8>) -> io::Result<bool> {
            loop {
                let start = plain.len();
                let mut reader = self.connection.reader();
                let held = match io::BufRead::fill_buf(&mut reader) {
                    Ok(held) => held,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                };
                if held.is_empty() {
                    return Ok(true);
                }
                plain.extend_from_slice(held);
                io::BufRead::consume(&mut reader, plain.len() - start);
            }
        }

        /// Encrypts and sends; how much of the plaintext was taken. What the socket does not take of
        /// the records waits in rustls, and nothing more is taken until it is gone.
        pub(crate) fn send(
            &mut self,
            socket: &OwnedFd,
            slices: &[IoSlice<'_>],
        ) -> io::Result<usize> {
            let mut taken = 0;
            let all: usize = slices.iter().map(|slice| slice.len()).sum();
            while taken < all {
                if !self.flush(socket)? {
                    break;
                }
                taken += self.encrypt(slices, taken)?;
            }
            if taken == 0 && all > 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.flush(socket)?;
            Ok(taken)
        }

        /// Encrypts up to [`CHUNK`] bytes from `skip` on, small pieces into one record.
        fn encrypt(&mut self, slices: &[IoSlice<'_>], mut skip: usize) -> io::Result<usize> {
            let mut left = CHUNK;
            let mut parts = smallvec::SmallVec::<[IoSlice<'_>; 16]>::new();
            for slice in slices {
                if skip >= slice.len() {
                    skip -= slice.len();
                    continue;
                }
                let rest = &slice[std::mem::take(&mut skip)..];
                let part = &rest[..rest.len().min(left)];
                left -= part.len();
                parts.push(IoSlice::new(part));
                if left == 0 {
                    break;
                }
            }
            match &parts[..] {
                [one] => self.connection.writer().write(one),
                several => self.connection.writer().write_vectored(several),
            }
        }

        /// Sends the records that wait; false when the socket does not take them all.
        pub(crate) fn flush(&mut self, socket: &OwnedFd) -> io::Result<bool> {
            while self.connection.wants_write() {
                match self.connection.write_tls(&mut Socket(socket)) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            Ok(true)
        }

        /// Whether TLS has something to send.
        pub(crate) fn wants_write(&self) -> bool {
            self.connection.wants_write()
        }

        /// Says that nothing more will come (RFC 8446 §6.1).
        pub(crate) fn close(&mut self, socket: &OwnedFd) {
            self.connection.send_close_notify();
            drop(self.flush(socket));
        }
    }

    struct Socket<'a>(&'a OwnedFd);

    impl Write for Socket<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            send(self.0, &[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            send(self.0, slices)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

/// What never is, as the feature `tls` is off.
#[cfg(not(feature = "tls"))]
mod never {
    use std::{
        io::{self, IoSlice},
        os::fd::OwnedFd,
    };

    pub(crate) enum Tls {}

    pub(crate) struct Read {
        pub(crate) is_closed: bool,
    }

    impl Tls {
        pub(crate) fn decrypt(&mut self, _: &[u8], _: &mut Vec<u8>) -> io::Result<Read> {
            match *self {}
        }

        pub(crate) fn send(&mut self, _: &OwnedFd, _: &[IoSlice<'_>]) -> io::Result<usize> {
            match *self {}
        }

        pub(crate) fn flush(&mut self, _: &OwnedFd) -> io::Result<bool> {
            match *self {}
        }

        pub(crate) fn wants_write(&self) -> bool {
            match *self {}
        }

        pub(crate) fn close(&mut self, _: &OwnedFd) {
            match *self {}
        }
    }
}
