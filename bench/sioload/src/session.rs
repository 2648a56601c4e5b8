//! One session over WebSocket.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    os::fd::AsFd,
    time::Duration,
};

use memchr::memmem;
use rustix::event::epoll;

use crate::{
    frames::{self, Frames},
    options::Options,
    packets,
};

/// What an answer's head may have.
const LONGEST_HEAD: usize = 16 * 1024;
/// How long a server may take for each step of the opening.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Session {
    pub socket: TcpStream,
    frames: Frames,
    /// What has yet to be sent, from `sent` on.
    pub out: Vec<u8>,
    sent: usize,
    waits_to_write: bool,
}

/// What of the opening has come.
#[derive(Default)]
struct Opening {
    open: bool,
    connected: bool,
    greeted: bool,
    fault: Option<String>,
}

impl Opening {
    fn is_over(&self) -> bool {
        self.connected && self.greeted
    }

    /// Takes a packet; says whether the session is to be connected to its namespace now.
    fn packet(&mut self, packet: &[u8]) -> bool {
        if packet.starts_with(b"0{") && !self.open {
            self.open = true;
            return true;
        }
        if packet.starts_with(packets::CONNECT) && self.open {
            self.connected = true;
        } else if packet.starts_with(&packets::head("auth")) {
            self.greeted = true;
        } else {
            self.fault = Some(format!("at the opening came {}", String::from_utf8_lossy(packet)));
        }
        false
    }
}

impl Session {
    /// Connects, and waits until the server has said `auth`.
    pub fn open(options: &Options) -> io::Result<Self> {
        let mut socket = TcpStream::connect(options.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        // The key is RFC 6455's example (§1.3).
        let request = format!(
            "GET {}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n",
            options.path, options.address
        );
        socket.write_all(request.as_bytes())?;
        let begun = after_head(&mut socket)?;
        let (out, frames) = (Vec::new(), Frames::default());
        let mut session = Self { socket, frames, out, sent: 0, waits_to_write: false };
        let mut opening = Opening::default();
        let mut connect = false;
        session.take(&begun, |packet| connect |= opening.packet(packet))?;
        let mut buffer = [0; 4096];
        loop {
            if let Some(fault) = opening.fault {
                return Err(io::Error::other(fault));
            }
            if std::mem::take(&mut connect) {
                frames::write(&mut session.out, frames::TEXT, packets::CONNECT);
            }
            session.send()?;
            if opening.is_over() {
                break;
            }
            if !session.receive(&mut buffer, |packet| connect |= opening.packet(packet))? {
                return Err(io::Error::other("the server leaves a session waiting at its opening"));
            }
        }
        session.socket.set_nonblocking(true)?;
        Ok(session)
    }

    /// Receives once, and says whether anything came; `each` is given each packet that is not a
    /// ping. What is to be answered is in [`Session::out`].
    pub fn receive(&mut self, buffer: &mut [u8], each: impl FnMut(&[u8])) -> io::Result<bool> {
        match self.socket.read(buffer) {
            Ok(0) => Err(io::Error::other("a session's connection was closed")),
            Ok(count) => self.take(&buffer[..count], each).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let Self { frames, out, .. } = self;
        let mut over = None;
        frames.take(bytes, |opcode, payload| match opcode {
            frames::TEXT if payload == packets::PING => {
                frames::write(out, frames::TEXT, packets::PONG);
            }
            frames::PING => frames::write(out, frames::PONG, payload),
            frames::PONG => {}
            frames::CLOSE => {
                // Behind the status code (RFC 6455 §5.5.1).
                let reason = payload.get(2..).unwrap_or_default();
                over = Some(String::from_utf8_lossy(reason).into_owned());
            }
            _ => each(payload),
        })?;
        match over {
            Some(why) => Err(io::Error::other(format!("a session was closed: {why:?}"))),
            None => Ok(()),
        }
    }

    /// Sends what the socket takes; the rest when it can be written.
    pub fn flush(&mut self, epoll: &impl AsFd, token: u64) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.send()?;
        let waits = !self.out.is_empty();
        if waits != self.waits_to_write {
            self.waits_to_write = waits;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, waits);
            epoll::modify(epoll, &self.socket, epoll::EventData::new_u64(token), flags)?;
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.socket.write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }
}

/// Reads the answer's head, which must agree to the upgrade: what came behind it.
fn after_head(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let end = loop {
        let mut buffer = [0; 1024];
        let count = socket.read(&mut buffer)?;
        head.extend_from_slice(&buffer[..count]);
        if let Some(end) = memmem::find(&head, b"\r\n\r\n") {
            break end + 4;
        }
        if count == 0 || head.len() > LONGEST_HEAD {
            return Err(io::Error::other("an answer's head does not end"));
        }
    };
    let rest = head.split_off(end);
    let text = String::from_utf8_lossy(&head);
    if !text.starts_with("HTTP/1.1 101 ") || !text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
        return Err(io::Error::other(format!("no WebSocket: {text}")));
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::tests::of_server;
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    fn options(listener: &TcpListener) -> Options {
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else {
            unreachable!("it was bound so")
        };
        let args = ["echo".to_owned(), "--url".into(), format!("http://{address}/socket.io/")];
        Options::parse(args.into_iter()).unwrap()
    }

    /// A server that says `first` with its handshake, reads `count` bytes of frames, and says `then`.
    fn opened(first: &[&[u8]], count: usize, then: &[&[u8]]) -> (io::Result<Session>, Vec<u8>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let options = options(&listener);
        let frames = |packets: &[&[u8]]| -> Vec<u8> {
            packets.iter().flat_map(|packet| of_server(frames::TEXT, packet)).collect()
        };
        let (first, then) = ([ANSWER.to_vec(), frames(first)].concat(), frames(then));
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            assert!(request.starts_with(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"));
            socket.write_all(&first).unwrap();
            let mut heard = vec![0; count];
            socket.read_exact(&mut heard).unwrap();
            socket.write_all(&then).unwrap();
            heard
        });
        let session = Session::open(&options);
        (session, server.join().unwrap())
    }

    #[test]
    fn a_session_is_open_when_it_was_greeted() {
        let mut connect = Vec::new();
        frames::write(&mut connect, frames::TEXT, b"40");
        let hello: &[u8] = b"0{\"sid\":\"a\"}";
        let (session, heard) =
            opened(&[hello], 8, &[b"2", b"40{\"sid\":\"b\"}", b"42[\"auth\",{}]"]);
        session.unwrap();
        assert_eq!(heard, connect);
        let (refused, _) = opened(&[hello], 8, &[b"44{\"message\":\"no\"}"]);
        assert!(refused.is_err_and(|why| why.to_string().contains("44{")));
        // The server leaves before it has greeted.
        assert!(opened(&[hello], 8, &[b"40{\"sid\":\"b\"}"]).0.is_err());
        assert!(opened(&[b"40{}"], 0, &[]).0.is_err());
    }

    #[test]
    fn pings_are_answered_and_everything_else_is_handed_on() {
        let greeting: &[&[u8]] = &[b"40{}", b"42[\"auth\",{}]"];
        let mut session = opened(&[b"0{}"], 8, greeting).0.unwrap();
        let wire = [of_server(frames::TEXT, b"2"), of_server(frames::PING, b"hm")].concat();
        let mut got = Vec::new();
        session.take(&wire, |packet| got.push(packet.to_vec())).unwrap();
        session
            .take(&of_server(frames::TEXT, b"42[]"), |packet| got.push(packet.to_vec()))
            .unwrap();
        assert_eq!(got, [b"42[]"]);
        let mut expected = Vec::new();
        frames::write(&mut expected, frames::TEXT, b"3");
        frames::write(&mut expected, frames::PONG, b"hm");
        assert_eq!(session.out, expected);
        assert!(session.take(&of_server(frames::CLOSE, &[3, 232]), |_| ()).is_err());
    }
}
