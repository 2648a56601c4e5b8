//! Frames, written and read.

use bytes::{Buf as _, Bytes, BytesMut};

/// Longest head of a frame.
const MAX_HEAD: usize = 64 << 10;
/// Most headers of a frame.
const MAX_HEADERS: usize = 200;

/// A frame: a command, headers and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) command: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Frame {
    pub(crate) fn new(command: &str, headers: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(owned).collect();
        Self { command: command.to_owned(), headers, body: Bytes::new() }
    }

    /// The first header of this name: "If a client or a server receives repeated frame header
    /// entries, only the first header entry SHOULD be used".
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The frame as it is sent.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.body.len());
        out.extend_from_slice(self.command.as_bytes());
        out.push(b'\n');
        for (name, value) in &self.headers {
            // "C style string literal escapes are used to encode any CR, LF or colon that are found
            // within the UTF-8 encoded headers", except in CONNECT and CONNECTED.
            let is_escaped = self.command != "CONNECT";
            escape(name, is_escaped, &mut out);
            out.push(b':');
            escape(value, is_escaped, &mut out);
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(&self.body);
        out.push(0);
        out
    }
}

fn escape(text: &str, is_escaped: bool, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' if is_escaped => out.extend_from_slice(b"\\\\"),
            b'\n' if is_escaped => out.extend_from_slice(b"\\n"),
            b'\r' if is_escaped => out.extend_from_slice(b"\\r"),
            b':' if is_escaped => out.extend_from_slice(b"\\c"),
            byte => out.push(byte),
        }
    }
}

/// What is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame's head is longer than {} KiB", MAX_HEAD >> 10)]
    LongHead,
    #[error("a frame has over {MAX_HEADERS} headers")]
    ManyHeaders,
    #[error("a frame is over --max-message BYTES")]
    LongFrame,
    #[error("a frame's head is no UTF-8")]
    Utf8,
    #[error("a header has no colon")]
    NoColon,
    #[error("a header has a backslash before what is no escape")]
    Escape,
    #[error("a content-length is no number")]
    Length,
    #[error("a body is longer than its content-length")]
    NoEnd,
}

/// Frames out of bytes, in whatever pieces they come.
#[derive(Debug)]
pub(crate) struct Parser {
    bytes: BytesMut,
    /// Longest frame.
    max_frame: usize,
    /// A frame whose body has not all come.
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    frame: Frame,
    /// `content-length`.
    length: Option<usize>,
    /// So much of the body is known to have no NUL.
    looked: usize,
}

impl Parser {
    pub(crate) fn new(max_frame: usize) -> Self {
        Self { bytes: BytesMut::new(), max_frame, begun: None }
    }

    /// Takes what came. Between frames only line ends may stand: heart-beats.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut begun = match self.begun.take() {
            Some(begun) => begun,
            None => match self.begin()? {
                Some(begun) => begun,
                None => return Ok(None),
            },
        };
        let end = if let Some(length) = begun.length {
            let end = self.bytes.get(length);
            if end.is_some_and(|&byte| byte != 0) {
                return Err(FrameError::NoEnd);
            }
            end.map(|_| length)
        } else {
            let mut new = self.bytes.iter().skip(begun.looked);
            new.position(|&byte| byte == 0).map(|at| begun.looked + at)
        };
        let Some(end) = end else {
            begun.looked = self.bytes.len();
            self.begun = Some(begun);
            let is_long = self.bytes.len() > self.max_frame;
            return if is_long { Err(FrameError::LongFrame) } else { Ok(None) };
        };
        let mut frame = begun.frame;
        frame.body = self.bytes.split_to(end).freeze();
        self.bytes.advance(1);
        Ok(Some(frame))
    }

    /// Reads the head of a frame, when it is there.
    fn begin(&mut self) -> Result<Option<Begun>, FrameError> {
        let ends = self.bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.bytes.advance(ends);
        let Some(end) = end_of_head(&self.bytes)? else { return Ok(None) };
        let head = self.bytes.split_to(end);
        let (command, headers) = read_head(&head)?;
        let frame = Frame { command, headers, body: Bytes::new() };
        let length = match frame.header("content-length") {
            Some(text) => Some(text.trim().parse().map_err(|_| FrameError::Length)?),
            None => None,
        };
        if length.is_some_and(|length: usize| length > self.max_frame) {
            return Err(FrameError::LongFrame);
        }
        Ok(Some(Begun { frame, length, looked: 0 }))
    }
}

/// Where the body begins: behind the first empty line.
fn end_of_head(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let head = bytes.get(..MAX_HEAD).unwrap_or(bytes);
    let mut start = 0;
    while let Some(length) =
        head.get(start..).and_then(|rest| rest.iter().position(|&b| b == b'\n'))
    {
        let line = head.get(start..start + length).unwrap_or_default();
        start += length + 1;
        if line.is_empty() || line == b"\r" {
            return Ok(Some(start));
        }
    }
    if bytes.len() > MAX_HEAD { Err(FrameError::LongHead) } else { Ok(None) }
}

fn read_head(head: &[u8]) -> Result<(String, Vec<(String, String)>), FrameError> {
    let head = std::str::from_utf8(head).map_err(|_| FrameError::Utf8)?;
    let mut lines = head.lines();
    let command = lines.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        if headers.len() == MAX_HEADERS {
            return Err(FrameError::ManyHeaders);
        }
        let (name, value) = line.split_once(':').ok_or(FrameError::NoColon)?;
        let is_escaped = command != "CONNECTED";
        headers.push((unescape(name, is_escaped)?, unescape(value, is_escaped)?));
    }
    Ok((command, headers))
}

fn unescape(text: &str, is_escaped: bool) -> Result<String, FrameError> {
    if !is_escaped || !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' {
            // "Undefined escape sequences such as \t MUST be treated as a fatal protocol error."
            match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('c') => ':',
                Some('\\') => '\\',
                _ => return Err(FrameError::Escape),
            }
        } else {
            c
        });
    }
    Ok(out)
}
