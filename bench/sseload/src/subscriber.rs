//! One client that reads events.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use crate::{chunked::Framing, events::Events, options::Options};

/// What an answer's head may have.
const LONGEST_HEAD: usize = 16 * 1024;

pub struct Subscriber {
    pub socket: TcpStream,
    framing: Framing,
    events: Events,
}

impl Subscriber {
    /// Connects and asks, waiting for the answer's head.
    pub fn connect(options: &Options) -> io::Result<Self> {
        let mut socket = TcpStream::connect(options.address)?;
        socket.set_nodelay(true)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
            options.path, options.address
        );
        socket.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte)?;
            head.push(byte[0]);
            if head.len() > LONGEST_HEAD {
                return Err(io::Error::other("an answer's head does not end"));
            }
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let is = |name: &str, value: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines.any(|(field, text)| field == name && text.contains(value))
        };
        if !head.starts_with("http/1.1 200 ") || !is("content-type", "text/event-stream") {
            return Err(io::Error::other(format!("no stream of events: {head}")));
        }
        socket.set_nonblocking(true)?;
        let framing = Framing::of(is("transfer-encoding", "chunked"));
        Ok(Self { socket, framing, events: Events::default() })
    }

    /// Receives once; `each` is given the number of each event that is whole, or nothing for one
    /// that is not ours.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        size: usize,
        mut each: impl FnMut(Option<u64>),
    ) -> io::Result<()> {
        let count = match self.socket.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let Self { framing, events, .. } = self;
        if count > 0 {
            framing.unwrap(&buffer[..count], |data| events.take(data, size, &mut each))?;
        }
        if count == 0 || framing.is_over() {
            return Err(io::Error::other("a stream ended"));
        }
        Ok(())
    }
}
