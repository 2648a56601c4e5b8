//! What a server says when it says no, and bodies with a bound.

use std::{fmt, time::Duration};

use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use madang::codes::Code;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{HttpError, Keep, connection::told, escaped};

/// So much of a body is read where no stream is expected.
pub(super) const MAX_BODY: usize = 64 << 10;
/// Time for such a body.
const BODY_TIME: Duration = Duration::from_secs(10);
/// So many characters of a refusal are shown.
const MAX_SHOWN: usize = 500;

/// A refusal: its status, code and sentence.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// `Madang-Code`.
    code: Option<String>,
    sentence: String,
    /// The server's word on when to come again.
    pub(crate) retry_after: Option<Duration>,
}

/// RFC 9457, as much of it as is shown.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Refusal {
    /// Reads an answer that is not what was asked for.
    pub(crate) async fn read(response: Response<Incoming>) -> Self {
        let (head, incoming) = response.into_parts();
        let text = |name| header_text(&head.headers, name);
        let mut body = Vec::new();
        // What came is told, whatever became of the rest.
        drop(read_into(&mut body, incoming).await);
        let kind = text("content-type").unwrap_or_default().to_ascii_lowercase();
        let sentence = if kind.contains("json") {
            sentence_of(&body)
        } else if kind.contains("html") {
            // The page of a proxy is no sentence.
            String::new()
        } else {
            String::from_utf8_lossy(&body).into_owned()
        };
        let seconds = text(header::RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
        Self {
            status: head.status,
            code: text("madang-code").map(|code| shown(&code)),
            sentence: shown(&sentence),
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)?;
        match &self.code {
            // Most sentences begin with their code.
            Some(code) if !self.sentence.starts_with(code.as_str()) => write!(f, ": {code}")?,
            _ => {}
        }
        if !self.sentence.is_empty() {
            write!(f, ": {}", self.sentence)?;
        }
        match self.code.as_deref().and_then(Code::find) {
            Some(code) => write!(f, " (`madang explain {code}` says more)"),
            None => Ok(()),
        }
    }
}

/// A whole body of at most 64 KiB.
pub(crate) async fn body(incoming: Incoming) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    read_into(&mut body, incoming).await.map(|()| body)
}

/// Reads a body; the bytes that came before a failure are kept.
async fn read_into(body: &mut Vec<u8>, mut incoming: Incoming) -> Result<(), HttpError> {
    let deadline = Instant::now() + BODY_TIME;
    loop {
        let slow = |_| HttpError::Slow(BODY_TIME.as_secs());
        let Some(frame) = timeout_at(deadline, incoming.frame()).await.map_err(slow)? else {
            return Ok(());
        };
        let frame = frame.map_err(|error| HttpError::Lost(told(&error)))?;
        let Some(chunk) = frame.data_ref() else { continue };
        let room = MAX_BODY - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        if chunk.len() > room {
            return Err(HttpError::LongBody);
        }
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned())
}

fn sentence_of(body: &[u8]) -> String {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else { return String::new() };
    let parts = [problem.title, problem.detail].into_iter().flatten();
    parts.collect::<Vec<_>>().join(". ")
}

/// One line, and not too long.
fn shown(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = escaped(&words, Keep::None).into_owned();
    if let Some((at, _)) = line.char_indices().nth(MAX_SHOWN) {
        line.truncate(at);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: Option<&str>, sentence: &str) -> String {
        let (code, sentence) = (code.map(Into::into), shown(sentence));
        Refusal { status: StatusCode::FORBIDDEN, code, sentence, retry_after: None }.to_string()
    }

    #[test]
    fn a_code_is_told_once_and_a_sentence_is_one_line() {
        let text = refusal(Some("M401"), "M401: no.\nTry\u{1b}[2J.\n");
        assert_eq!(
            text,
            "the server answered 403 Forbidden: M401: no. Try\\u001b[2J. (`madang explain M401` says more)"
        );
        let text = refusal(Some("M999"), "no");
        assert_eq!(text, "the server answered 403 Forbidden: M999: no");
        assert!(refusal(None, &"x".repeat(9999)).chars().count() < 600);
        assert_eq!(sentence_of(br#"{"title":"a","detail":"b c","code":"M1"}"#), "a. b c");
    }
}
