//! `madang publish`: sends a message, or one for each line.

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use serde::{Deserialize, de::IgnoredAny};
use tokio::sync::mpsc;

use super::{Failure, runtime, topic};
use crate::client::{
    Client, Connection, HttpError, Keep, MAX_LINE, Refusal, ServerFlags, body, encoded, escaped,
};

/// Flags of `madang publish`.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// Where to publish.
    #[arg(value_parser = topic)]
    topic: String,

    /// What to publish; `-` is the standard input.
    #[arg(required_unless_present_any = ["file", "lines"])]
    text: Option<String>,

    /// The event's name [default: message].
    #[arg(long)]
    event: Option<String>,

    /// The payload is JSON; it is checked before it is sent.
    #[arg(long)]
    json: bool,

    /// Publish a file: .txt and .md as text, .json as JSON, all others as bytes.
    #[arg(long, conflicts_with = "text")]
    file: Option<PathBuf>,

    /// Publish each line of the standard input as a message of its own.
    #[arg(long, conflicts_with_all = ["text", "file"])]
    lines: bool,

    /// A key of your own: published again with it within 5 minutes, a message is still one. With
    /// --lines, the number of the line is added to it.
    #[arg(long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,

    #[command(flatten)]
    server: ServerFlags,
}

/// Publishes, and prints the ids.
pub(crate) fn run(publish: Publish) -> Result<(), Failure> {
    if publish.lines {
        let mut publisher = Publisher::new(publish)?;
        return runtime()?.block_on(publisher.lines());
    }
    let payload = match (&publish.file, publish.text.as_deref()) {
        (Some(file), _) => Payload::of_file(file, publish.json)?,
        (None, Some("-") | None) => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map_err(no_input)?;
            Payload::of(bytes, publish.json)?
        }
        (None, Some(text)) => Payload::of(text.into(), publish.json)?,
    };
    let mut publisher = Publisher::new(publish)?;
    let key = publisher.key.clone();
    let id = runtime()?.block_on(publisher.publish(payload, key))?;
    print(&id)
}

/// A body and its type.
struct Payload {
    kind: &'static str,
    bytes: Bytes,
}

impl Payload {
    const TEXT: &str = "text/plain; charset=utf-8";
    const JSON: &str = "application/json";
    const BINARY: &str = "application/octet-stream";

    /// JSON where it is said to be; text where it can be.
    fn of(bytes: Vec<u8>, is_json: bool) -> Result<Self, Failure> {
        let kind = if is_json {
            check_json(&bytes)
                .map_err(|slip| Failure::Usage(format!("the payload is no JSON: {slip}")))?;
            Self::JSON
        } else if std::str::from_utf8(&bytes).is_ok() {
            Self::TEXT
        } else {
            Self::BINARY
        };
        Ok(Self { kind, bytes: bytes.into() })
    }

    fn of_file(file: &Path, is_json: bool) -> Result<Self, Failure> {
        let bad = |why: String| Failure::Usage(format!("--file {}: {why}", file.display()));
        let bytes = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let kind = match ending.to_ascii_lowercase().as_str() {
            _ if is_json => Self::JSON,
            "json" => Self::JSON,
            "txt" | "md" => Self::TEXT,
            _ => Self::BINARY,
        };
        if kind == Self::JSON {
            check_json(&bytes).map_err(|slip| bad(format!("it is no JSON: {slip}")))?;
        }
        if kind == Self::TEXT
            && let Err(error) = std::str::from_utf8(&bytes)
        {
            let at = error.valid_up_to();
            return Err(bad(format!("it is no text: what follows byte {at} is no UTF-8")));
        }
        Ok(Self { kind, bytes: bytes.into() })
    }
}

/// What is wrong with JSON, and where.
#[derive(Debug, PartialEq, Eq)]
struct Slip {
    line: usize,
    column: usize,
    what: String,
}

impl std::fmt::Display for Slip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

fn check_json(bytes: &[u8]) -> Result<(), Slip> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let lines = || before.split(|&byte| byte == b'\n');
        let (line, column) =
            (lines().count(), lines().next_back().map_or(1, |last| last.len() + 1));
        Slip { line, column, what: "a byte that is no UTF-8".into() }
    })?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = error.to_string();
        let place = format!(" at line {line} column {column}");
        Slip { line, column, what: what.trim_end_matches(place.as_str()).to_owned() }
    })?;
    Ok(())
}

/// The answer to a publication, or to several.
#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    ids: Option<Vec<String>>,
}

struct Publisher {
    client: Client,
    path: String,
    is_json: bool,
    key: Option<String>,
    connection: Option<Connection>,
}

impl Publisher {
    fn new(publish: Publish) -> Result<Self, Failure> {
        let mut path = format!("/topics/{}", encoded(&publish.topic));
        if let Some(event) = &publish.event {
            path.push_str("?event=");
            path.push_str(&encoded(event));
        }
        Ok(Self {
            client: Client::new(publish.server)?,
            path,
            is_json: publish.json,
            key: publish.idempotency_key,
            connection: None,
        })
    }

    /// Publishes each line of the standard input, one after the other.
    async fn lines(&mut self) -> Result<(), Failure> {
        let mut lines = read_lines();
        let mut done: u64 = 0;
        while let Some(line) = lines.recv().await {
            let number = done + 1;
            let publish = async {
                let line = line.map_err(no_input)?;
                if self.is_json {
                    check_json(&line).map_err(|slip| {
                        let Slip { column, what, .. } = slip;
                        Failure::Usage(format!("it is no JSON: column {column}: {what}"))
                    })?;
                }
                let payload = Payload::of(line, self.is_json)?;
                let key = self.key.as_ref().map(|key| format!("{key}-{number}"));
                print(&self.publish(payload, key).await?)
            };
            publish.await.map_err(|failure| {
                let told =
                    |text| format!("line {number}: {text}; lines published before it: {done}");
                match failure {
                    Failure::Usage(text) => Failure::Usage(told(text)),
                    Failure::Runtime(text) => Failure::Runtime(told(text)),
                }
            })?;
            done = number;
        }
        Ok(())
    }

    /// Publishes; its id.
    async fn publish(&mut self, payload: Payload, key: Option<String>) -> Result<String, Failure> {
        let is_keyed = key.is_some();
        let mut headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(payload.kind))];
        if let Some(key) = key {
            let key = HeaderValue::try_from(key).map_err(|_| {
                Failure::Usage("--idempotency-key: this cannot be sent in a header".into())
            })?;
            headers.push((HeaderName::from_static("idempotency-key"), key));
        }
        let request = self.client.request(Method::POST, &self.path, &headers, payload.bytes)?;
        self.answered(request, is_keyed).await.map_err(|error| {
            let doubt = match error {
                HttpError::Lost(_) | HttpError::Slow(_) if is_keyed => {
                    "; try again with the same key"
                }
                HttpError::Lost(_) | HttpError::Slow(_) => {
                    "; the message may have been published all the same. With --idempotency-key \
                     it is safe to try again"
                }
                _ => "",
            };
            Failure::Runtime(format!("{error}{doubt}"))
        })
    }

    /// Sends a request on the open connection, or on a new one. A connection that the server
    /// ended meanwhile is no failure, where sending again cannot publish twice.
    async fn answered(
        &mut self,
        request: Request<Full<Bytes>>,
        is_keyed: bool,
    ) -> Result<String, HttpError> {
        let again = is_keyed.then(|| request.clone());
        let was_open = self.connection.is_some();
        let lost = match self.send(request).await {
            Ok(id) => return Ok(id),
            Err((error, unsent)) => (error, unsent.or(again)),
        };
        match lost {
            (HttpError::Lost(_), Some(request)) if was_open || is_keyed => {
                self.send(request).await.map_err(|(error, _)| error)
            }
            (error, _) => Err(error),
        }
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<String, (HttpError, Option<Request<Full<Bytes>>>)> {
        let mut open = self.connection.take();
        if let Some(connection) = &mut open
            && !connection.is_ready().await
        {
            open = None;
        }
        let mut connection = match open {
            Some(connection) => connection,
            None => self.client.connect().await.map_err(|error| (error, None))?,
        };
        let response = connection.send(request).await.map_err(|lost| (lost.error, lost.unsent))?;
        let status = response.status();
        if !status.is_success() {
            let refusal = Refusal::read(response).await;
            return Err((HttpError::Refused(Box::new(refusal)), None));
        }
        let answer = body(response.into_body()).await.map_err(|error| (error, None))?;
        self.connection = Some(connection);
        let ids = match serde_json::from_slice(&answer) {
            Ok(Answer { id: Some(id), .. }) => vec![id],
            Ok(Answer { ids: Some(ids), .. }) => ids,
            _ => Vec::new(),
        };
        if ids.is_empty() {
            return Err((
                HttpError::Stranger(format!("the server answered {status} without an id")),
                None,
            ));
        }
        let ids: Vec<_> = ids.iter().map(|id| escaped(id, Keep::None)).collect();
        Ok(ids.join("\n"))
    }
}

/// The lines of the standard input, without their ends. They are read on a thread, so that the
/// connection lives while none comes.
fn read_lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = read_line(&mut input).transpose() {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

fn read_line(input: &mut impl io::BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    // With its end, which may be two bytes.
    let most = MAX_LINE as u64 + 2;
    if input.take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    if line.len() > MAX_LINE {
        let text = format!("a line is longer than {} MiB", MAX_LINE >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(Some(line))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn no_input(error: io::Error) -> Failure {
    Failure::Usage(format!("the standard input cannot be read: {error}"))
}

/// Whoever does not read the ids does not want them.
fn print(ids: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{ids}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(format!("cannot write to the standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// A key that can stand in a header.
fn key(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err("a key is letters, digits and signs".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_in_json_are_placed() {
        let place = |bytes: &[u8]| check_json(bytes).map_err(|slip| (slip.line, slip.column));
        assert_eq!(place(b"{\"a\": [1, 2.5e3, null]}\n"), Ok(()));
        assert_eq!(place(b"{\n  \"a\" 1}"), Err((2, 7)));
        assert_eq!(place(b"[1]x"), Err((1, 4)));
        assert_eq!(place(b"[\n\"a\xff\"]"), Err((2, 3)));
        let slip = check_json(b"[1,]").unwrap_err();
        assert_eq!(slip.to_string(), "line 1, column 4: expected value");
    }

    #[test]
    fn lines_are_cut_at_their_ends_and_bounded() {
        let mut input: &[u8] = b"one\r\n\ntwo\rx\nlast";
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut input).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, [&b"one"[..], b"", b"two\rx", b"last"]);
        let long = vec![b'x'; MAX_LINE + 1];
        assert!(read_line(&mut long.as_slice()).is_err());
        assert_eq!(read_line(&mut &long[1..]).unwrap().map(|line| line.len()), Some(MAX_LINE));
    }

    #[test]
    fn what_is_no_utf_8_is_bytes() {
        let kind = |bytes: &[u8], is_json| Payload::of(bytes.into(), is_json).map(|made| made.kind);
        assert_eq!(kind("마당".as_bytes(), false).ok(), Some(Payload::TEXT));
        assert_eq!(kind(b"\xff", false).ok(), Some(Payload::BINARY));
        assert_eq!(kind(b"[1]", true).ok(), Some(Payload::JSON));
        assert!(kind(b"[1", true).is_err());
    }
}
