//! The connection that publishes. Requests are pipelined (RFC 9112 §9.3.2) as far as the options
//! allow.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use memchr::memmem;
use rustix::event::epoll;

use crate::{chunked::Framing, events, options::Options};

/// An answer's head may be so long.
const LONGEST_HEAD: usize = 16 * 1024;

pub struct Publisher {
    pub socket: TcpStream,
    /// A request whose payload is filled in.
    request: Vec<u8>,
    payload: usize,
    /// What has yet to be sent, from `sent` on.
    out: Vec<u8>,
    sent: usize,
    waits_to_write: bool,
    /// What was received and is not used yet.
    pending: Vec<u8>,
    body: Option<Body>,
    unanswered: usize,
}

/// The body of the answer under way.
enum Body {
    Counted(usize),
    /// With the bytes of the trailer section's line that has begun.
    Chunked(Framing, usize),
}

impl Publisher {
    pub fn connect(options: &Options, size: usize) -> io::Result<Self> {
        let socket = TcpStream::connect(options.address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut request = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n",
            options.method, options.target, options.address
        )
        .into_bytes();
        let payload = request.len();
        request.resize(payload + size, events::FILL);
        Ok(Self {
            socket,
            request,
            payload,
            out: Vec::new(),
            sent: 0,
            waits_to_write: false,
            pending: Vec::new(),
            body: None,
            unanswered: 0,
        })
    }

    /// How many requests have no answer yet.
    pub fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Makes a request of message `number`; [`Publisher::flush`] sends it.
    pub fn queue(&mut self, number: u64) {
        events::write(number, &mut self.request[self.payload..]);
        self.out.extend_from_slice(&self.request);
        self.unanswered += 1;
    }

    /// Sends what the socket takes; the rest when it can be written.
    pub fn flush(&mut self, epoll: &impl std::os::fd::AsFd, token: u64) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.socket.write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let waits = self.sent < self.out.len();
        if !waits {
            self.out.clear();
            self.sent = 0;
        }
        if waits != self.waits_to_write {
            self.waits_to_write = waits;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, waits);
            epoll::modify(epoll, &self.socket, epoll::EventData::new_u64(token), flags)?;
        }
        Ok(())
    }

    /// Receives once, and counts answers. One that is not of the class 2xx is an error.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self.socket.read(buffer) {
            Ok(0) => return Err(io::Error::other("the connection that publishes was closed")),
            Ok(count) => self.pending.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut at = 0;
        while at < self.pending.len() {
            let Some(used) = self.step(at)? else { break };
            at += used;
        }
        self.pending.drain(..at);
        Ok(())
    }

    /// Uses some of what is pending from `at` on: how much, or nothing when more must come first.
    fn step(&mut self, at: usize) -> io::Result<Option<usize>> {
        let pending = &self.pending[at..];
        let Some(body) = &mut self.body else {
            let Some(end) = memmem::find(pending, b"\r\n\r\n") else {
                let too_long = pending.len() > LONGEST_HEAD;
                return if too_long { Err(io::Error::other("no answer's head")) } else { Ok(None) };
            };
            self.body = Some(Body::of(&pending[..end])?);
            self.finish_if_empty();
            return Ok(Some(end + 4));
        };
        let before = pending.len();
        let (rest, over) = match body {
            Body::Counted(left) => {
                let used = before.min(*left);
                *left -= used;
                (&pending[used..], *left == 0)
            }
            Body::Chunked(framing, _) if !framing.is_over() => {
                (framing.unwrap(pending, |_| ())?, false)
            }
            // "trailer-section CRLF"
            Body::Chunked(_, begun) => match pending.split_first() {
                Some((b'\n', rest)) => {
                    let over = *begun == 0;
                    *begun = 0;
                    (rest, over)
                }
                Some((byte, rest)) => {
                    *begun += usize::from(*byte != b'\r');
                    (rest, false)
                }
                None => (pending, false),
            },
        };
        let used = before - rest.len();
        if over {
            self.finish();
        }
        Ok(Some(used))
    }

    fn finish_if_empty(&mut self) {
        if matches!(self.body, Some(Body::Counted(0))) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.body = None;
        self.unanswered = self.unanswered.saturating_sub(1);
    }
}

impl Body {
    /// The body that follows a head.
    fn of(head: &[u8]) -> io::Result<Self> {
        let text = String::from_utf8_lossy(head);
        let fault = || io::Error::other(format!("not published: {text}"));
        let status = text.strip_prefix("HTTP/1.1 ").ok_or_else(fault)?;
        if !status.starts_with('2') {
            return Err(fault());
        }
        let value = |name: &str| {
            let mut fields = text.lines().skip(1).filter_map(|line| line.split_once(':'));
            fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
        };
        if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Ok(Self::Chunked(Framing::of(true), 0));
        }
        match value("content-length") {
            Some(length) => length.parse().map(Self::Counted).map_err(|_| fault()),
            None if status.starts_with("204") => Ok(Self::Counted(0)),
            None => Err(fault()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: &[u8] = b"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n\
        HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTrailer: y\r\n\r\n\
        HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn answers_are_counted_however_they_are_cut() {
        for at in 0..ANSWERS.len() {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let std::net::SocketAddr::V4(address) = listener.local_addr().unwrap() else {
                unreachable!("it was bound so")
            };
            let url = format!("http://{address}/");
            let args = ["fanout", "--url", &url].map(str::to_owned);
            let options = Options::parse(args.into_iter()).unwrap();
            let mut publisher = Publisher::connect(&options, 32).unwrap();
            publisher.socket.set_nonblocking(false).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            (0..5).for_each(|number| publisher.queue(number));
            let mut buffer = [0; 1024];
            for piece in [&ANSWERS[..at], &ANSWERS[at..]].into_iter().filter(|p| !p.is_empty()) {
                server.write_all(piece).unwrap();
                publisher.receive(&mut buffer[..piece.len()]).unwrap();
            }
            assert_eq!(publisher.unanswered(), 1);
            assert!(publisher.pending.is_empty());
        }
    }

    #[test]
    fn a_refusal_is_an_error() {
        assert!(Body::of(b"HTTP/1.1 503 No\r\ncontent-length: 0").is_err());
        assert!(Body::of(b"HTTP/1.1 200 OK").is_err());
    }
}
