//! An attacker: bytes over TCP, and no more manners than that.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Peer(pub(crate) TcpStream);

impl Peer {
    pub(crate) fn connect(server: SocketAddr) -> Self {
        Self::over(TcpStream::connect(server).unwrap())
    }

    /// Comes from an address of its own.
    pub(crate) fn from(source: IpAddr, server: SocketAddr) -> Self {
        let fd: OwnedFd = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&fd, &SocketAddr::new(source, 0)).unwrap();
        connect(&fd, &server).unwrap();
        Self::over(fd.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// An open WebSocket.
    pub(crate) fn upgraded(server: SocketAddr, path: &str, more: &str) -> Self {
        let mut peer = Self::connect(server);
        peer.send(upgrade(path, more).as_bytes());
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        peer
    }

    /// Sends as much as the server takes; whether it took everything.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        match self.0.write_all(bytes) {
            Ok(()) => true,
            Err(error) if is_end(error.kind()) => false,
            Err(error) => panic!("the server does not take the bytes: {error}"),
        }
    }

    /// The head of an answer, empty if there is none.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.read(1) {
                Some(byte) => head.extend(byte),
                None => break,
            }
        }
        String::from_utf8(head).unwrap()
    }

    /// The head of an answer, whose body is read and dropped.
    pub(crate) fn answer(&mut self) -> String {
        let head = self.head();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        self.read(length.map_or(0, |length| length.parse().unwrap()));
        head
    }

    /// Everything until the server ends the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut some = [0; 4096];
        loop {
            match self.0.read(&mut some) {
                Ok(0) => return all,
                Ok(count) => all.extend_from_slice(&some[..count]),
                Err(error) if is_end(error.kind()) => return all,
                Err(error) => panic!("the server does not end it: {error}"),
            }
        }
    }

    /// `None` at the end of the connection.
    pub(crate) fn read(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        match self.0.read_exact(&mut bytes) {
            Ok(()) => Some(bytes),
            Err(error) if is_end(error.kind()) => None,
            Err(error) => panic!("the server says nothing: {error}"),
        }
    }

    /// The next frame's first byte and payload.
    pub(crate) fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.read(2)?;
        let length = match head[1] {
            126 => self.read(2)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            127 => self.read(8)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            short => usize::from(short),
        };
        Some((head[0], self.read(length)?))
    }

    /// The code that the server closes with, after whatever else it says.
    pub(crate) fn code(&mut self) -> Option<u16> {
        loop {
            let (first, payload) = self.frame()?;
            if first == 0x88 {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
    }
}

fn is_end(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

pub(crate) fn upgrade(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: yard.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWFkYW5nIGlzIGEgeWFyZA==\r\n{more}\r\n"
    )
}

/// The head of a client's frame, with a mask of zeros.
pub(crate) fn frame_head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..0x1_0000 => {
            bytes.push(0xfe);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0xff);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame_head(first, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}
