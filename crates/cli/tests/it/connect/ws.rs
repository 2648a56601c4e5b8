//! The server's end of a WebSocket, played by hand.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use madang_ws::handshake::{request, server};

use crate::peer::Peer;

/// Opcodes of RFC 6455 §5.2.
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// An open WebSocket.
pub(super) struct Ws {
    stream: TcpStream,
    pub(super) request: http::Request<()>,
    /// Frames that were read.
    pub(super) count: usize,
}

impl Ws {
    /// The next connection, whose handshake is answered.
    pub(super) fn accept(peer: &Peer, protocol: Option<&str>) -> Self {
        let mut stream = peer.connection();
        let request = head(&mut stream);
        let response = server::check(&request).unwrap().response(protocol, None).unwrap();
        let mut bytes = Vec::new();
        request::write_response(&response, &mut bytes);
        stream.write_all(&bytes).unwrap();
        Self { stream, request, count: 0 }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    pub(super) fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode];
        if let Ok(short @ ..126) = u8::try_from(payload.len()) {
            frame.push(short);
        } else {
            frame.push(126);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
        frame.extend_from_slice(payload);
        self.bytes(&frame);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a close frame, and reads the answer.
    pub(super) fn close(&mut self, code: u16, reason: &str) {
        self.send(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat());
        assert_eq!(self.read().0, CLOSE);
    }

    /// The next frame, without its mask.
    pub(super) fn read(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        assert_eq!(head[1] & 0x80, 0x80, "a client masks");
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length).unwrap();
                usize::from(u16::from_be_bytes(length))
            }
            short => usize::from(short),
        };
        let (mut mask, mut payload) = ([0; 4], vec![0; length]);
        self.stream.read_exact(&mut mask).unwrap();
        self.stream.read_exact(&mut payload).unwrap();
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        self.count += 1;
        (head[0] & 0x0f, payload)
    }

    /// The next frame, which is a text.
    pub(super) fn text(&mut self) -> String {
        let (opcode, payload) = self.read();
        assert_eq!(opcode, TEXT);
        String::from_utf8(payload).unwrap()
    }

    /// Reads a close frame with this code, and answers it.
    pub(super) fn closed(&mut self, code: u16) {
        let (opcode, payload) = self.read();
        assert_eq!((opcode, &payload[..2]), (CLOSE, &code.to_be_bytes()[..]), "{payload:?}");
        self.send(CLOSE, &payload);
    }
}

/// A request, read to its empty line.
pub(super) fn head(stream: &mut TcpStream) -> http::Request<()> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    request::read_request(&bytes, 100).unwrap().0
}
