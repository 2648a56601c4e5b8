//! Reading the head of a response as it comes in.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, Version};

use super::client::HeadError;

/// Most bytes of a response's head, with the interim responses before it.
pub const MAX_HEAD: usize = 64 * 1024;
/// Most header lines of a response.
pub const MAX_HEADERS: usize = 256;

const START: &[u8] = b"HTTP/1.";

/// Reads the head of a response from pieces of any size. Looks at each byte once to find the end,
/// and parses then.
#[derive(Debug, Default)]
pub struct ResponseParser {
    head: Vec<u8>,
    /// Bytes of earlier interim responses.
    before: usize,
    /// Whether the last bytes were a line feed, or a line feed and a carriage return.
    line_is_empty: bool,
    #[cfg(test)]
    pub(super) looked_at: usize,
}

impl ResponseParser {
    /// A parser at the start of a response.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes. When the head is complete, gives it and the number of bytes of
    /// `bytes` that belong to it; what follows is the body, or frames after a `101`. Interim
    /// responses (RFC 9110 §15.2) other than `101` are passed over.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<(Response<()>, usize)>, HeadError> {
        let mut start = 0;
        while let Some(end) = self.find_end(&bytes[start..]) {
            self.take(&bytes[start..start + end])?;
            start += end;
            let response = parse(&self.head)?;
            if !is_interim(response.status()) {
                self.head = Vec::new();
                return Ok(Some((response, start)));
            }
            self.before += self.head.len();
            self.head.clear();
        }
        self.take(&bytes[start..])?;
        Ok(None)
    }

    /// How many of `bytes` there are up to and with the empty line, if it is there.
    fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            #[cfg(test)]
            {
                self.looked_at += 1;
            }
            match byte {
                b'\n' if self.line_is_empty => {
                    self.line_is_empty = false;
                    return Some(at + 1);
                }
                b'\n' => self.line_is_empty = true,
                b'\r' => {}
                _ => self.line_is_empty = false,
            }
        }
        None
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        let room = MAX_HEAD.saturating_sub(self.before + self.head.len());
        // Says at once when this is no HTTP, rather than wait for an empty line. What comes behind
        // the limit is not looked at, so that pieces of any size come to the same.
        let start = START.get(self.head.len()..).unwrap_or_default();
        if bytes.iter().take(room).zip(start).any(|(is, should)| is != should) {
            return Err(HeadError::NotHttp);
        }
        if bytes.len() > room {
            return Err(HeadError::TooLong);
        }
        self.head.extend_from_slice(bytes);
        Ok(())
    }
}

fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

fn parse(head: &[u8]) -> Result<Response<()>, HeadError> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut lines);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyHeaders),
        Ok(httparse::Status::Partial) | Err(_) => return Err(HeadError::Malformed),
    }
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let value = HeaderValue::from_bytes(line.value);
        let (Ok(name), Ok(value)) = (name, value) else { return Err(HeadError::Malformed) };
        headers.append(name, value);
    }
    let mut response = Response::new(());
    *response.status_mut() =
        parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(HeadError::Malformed)?;
    *response.version_mut() =
        if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    *response.headers_mut() = headers;
    Ok(response)
}
