//! A connection that is cut in the middle of what is read, and what HTTP looks like on it.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// How long a connection may say nothing.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// When a cut is due, how long its byte may take to come.
const GRACE: Duration = Duration::from_millis(100);
const PIECE: usize = 16 * 1024;

/// Why nothing more comes from a connection.
#[derive(Debug)]
pub(crate) enum End {
    /// We cut it.
    Cut,
    /// The server ended it.
    Server,
    /// What came is wrong.
    Wrong(String),
}

/// A cut: so many bytes after a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) at: Instant,
    pub(crate) bytes: usize,
}

pub(crate) struct Wire {
    stream: TcpStream,
    cut: Option<Cut>,
    bytes: Vec<u8>,
    start: usize,
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr, cut: Option<Cut>) -> Result<Self, End> {
        let stream = TcpStream::connect(address).map_err(|error| wrong("connecting", &error))?;
        stream.set_nodelay(true).map_err(|error| wrong("connecting", &error))?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(|error| wrong("connecting", &error))?;
        Ok(Self { stream, cut, bytes: Vec::new(), start: 0 })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.stream.write_all(bytes).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => End::Server,
            _ => wrong("sending", &error),
        })
    }

    /// A second handle, to send while this one reads.
    pub(crate) fn sender(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Bytes that have come, at least one and at most `most`.
    pub(crate) fn some(&mut self, most: usize) -> Result<Vec<u8>, End> {
        if self.start == self.bytes.len() {
            self.fill()?;
        }
        let end = self.bytes.len().min(self.start.saturating_add(most));
        let some = self.bytes[self.start..end].to_vec();
        self.start = end;
        Ok(some)
    }

    /// A line without its end.
    pub(crate) fn line(&mut self) -> Result<String, End> {
        let mut seen = 0;
        loop {
            let rest = &self.bytes[self.start..];
            if let Some(at) = rest[seen..].iter().position(|byte| *byte == b'\n') {
                let line = &rest[..seen + at];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let line = String::from_utf8_lossy(line).into_owned();
                self.start += seen + at + 1;
                return Ok(line);
            }
            seen = rest.len();
            self.fill()?;
        }
    }

    /// Reads once.
    fn fill(&mut self) -> Result<(), End> {
        self.bytes.drain(..self.start);
        self.start = 0;
        loop {
            let left = self.cut.map(|cut| cut.at.saturating_duration_since(Instant::now()));
            let is_due = left.is_some_and(|left| left.is_zero());
            let (wait, most) = match (&self.cut, left) {
                (Some(cut), _) if is_due => (GRACE, cut.bytes.min(PIECE)),
                (_, Some(left)) => (left, PIECE),
                (_, None) => (PATIENCE, PIECE),
            };
            if most == 0 {
                return Err(End::Cut);
            }
            let wait = wait.max(Duration::from_millis(1));
            let set = self.stream.set_read_timeout(Some(wait));
            set.map_err(|error| wrong("reading", &error))?;
            let mut piece = [0; PIECE];
            match self.stream.read(&mut piece[..most]) {
                Ok(0) => return Err(End::Server),
                Ok(count) => {
                    if let Some(cut) = self.cut.as_mut().filter(|_| is_due) {
                        cut.bytes -= count;
                    }
                    self.bytes.extend_from_slice(&piece[..count]);
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut if is_due => return Err(End::Cut),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut if self.cut.is_some() => {}
                    ErrorKind::ConnectionReset => return Err(End::Server),
                    _ => return Err(wrong("reading", &error)),
                },
            }
        }
    }
}

fn wrong(what: &str, error: &io::Error) -> End {
    End::Wrong(format!("{what}: {error}"))
}

/// The body of an answer, as it comes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Length(usize),
    /// What is left of a chunk; whether its end has not been read.
    Chunked(usize, bool),
    /// There is no more.
    Done,
}

impl Body {
    /// The head of an answer with this status.
    pub(crate) fn begin(wire: &mut Wire, status: u16) -> Result<Self, End> {
        let first = wire.line()?;
        let mut body = Self::Done;
        let mut head = first.clone();
        loop {
            let line = wire.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => body = Self::Length(value.parse().unwrap_or_default()),
                "transfer-encoding" if value == "chunked" => body = Self::Chunked(0, false),
                _ => {}
            }
            head.push_str("; ");
            head.push_str(&line);
        }
        if first.starts_with(&format!("HTTP/1.1 {status} ")) {
            Ok(body)
        } else {
            Err(End::Wrong(format!("not {status}, but {head}")))
        }
    }

    /// Appends some of it; false at its end.
    pub(crate) fn more(&mut self, wire: &mut Wire, out: &mut Vec<u8>) -> Result<bool, End> {
        match self {
            Self::Done | Self::Length(0) => return Ok(false),
            Self::Length(left) => {
                let some = wire.some(*left)?;
                *left -= some.len();
                out.extend(some);
            }
            Self::Chunked(left, is_open) => {
                if *left == 0 {
                    if std::mem::take(is_open) && !wire.line()?.is_empty() {
                        return Err(End::Wrong("a chunk is longer than its length".into()));
                    }
                    let size = wire.line()?;
                    *left = usize::from_str_radix(&size, 16)
                        .map_err(|_| End::Wrong(format!("{size:?} is no length of a chunk")))?;
                    if *left == 0 {
                        wire.line()?;
                        *self = Self::Done;
                        return Ok(false);
                    }
                    *is_open = true;
                }
                let some = wire.some(*left)?;
                *left -= some.len();
                out.extend(some);
            }
        }
        Ok(true)
    }

    /// All of it.
    pub(crate) fn whole(mut self, wire: &mut Wire) -> Result<Vec<u8>, End> {
        let mut out = Vec::new();
        while self.more(wire, &mut out)? {}
        Ok(out)
    }
}
