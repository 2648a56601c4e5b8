//! `POST /topics/{t}`.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use madang_proto::{Body as Content, Opening, Position, Topic};
use serde::de::IgnoredAny;
use tokio::time::timeout;

use super::{
    Refused, Topics, json,
    payload::{Payload, Unread},
    refuse,
};
use crate::{
    codes::Code,
    hub::{Draft, Headers},
    server::http::{Body, Site},
};

/// Events of the server's own.
const OURS: [&str; 2] = ["gap", "refused"];
/// The longest name of an event, in bytes.
const MAX_EVENT: usize = 255;
/// The longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;
/// Publications in one batch.
const MAX_BATCH: usize = 1000;
/// The sender's own headers, and their bytes.
const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 8 * 1024;

const X_EVENT: HeaderName = HeaderName::from_static("x-event");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What begins like this is a header of the message, and not of the request.
pub(super) const OWN: &str = "x-message-";

/// Publishes a request's body.
pub(super) async fn publish<P: Payload>(
    site: &Site,
    topics: &Topics,
    topic: &Topic,
    request: &Request<()>,
    payload: &mut Option<P>,
) -> Result<Response<Body>, Refused> {
    let event = event(request.headers(), request.uri().query().unwrap_or_default())?;
    let headers = own_headers(request.headers())?;
    let key = key(request.headers())?;
    let kind = Kind::of(request.headers());
    let too_large = || {
        let detail = format!("a body has at most {} bytes", topics.max_body);
        refuse(Code::M506, StatusCode::PAYLOAD_TOO_LARGE, &detail)
    };
    // Before anybody is asked for it.
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > topics.max_body) {
        return Err(too_large());
    }
    let read = async {
        match payload.take() {
            Some(payload) => payload.read(topics.max_body).await,
            None => Ok(Bytes::new()),
        }
    };
    let bytes = timeout(topics.patience, read).await;
    let bytes = bytes.unwrap_or(Err(Unread::Cut)).map_err(|why| match why {
        Unread::TooLarge => too_large(),
        Unread::Cut => {
            refuse(Code::M509, StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
        }
    })?;
    // History keeps it for minutes, and the connection's buffer is larger.
    let bytes = Bytes::copy_from_slice(&bytes);
    let contents = kind.read(&bytes)?;
    site.rest().await;
    let is_batch = kind == Kind::Lines;
    let send = || {
        let mut ids = Vec::with_capacity(contents.len());
        for body in &contents {
            let draft = Draft {
                event: event.clone(),
                headers: headers.clone(),
                ..Draft::new(body.clone())
            };
            ids.push(topics.hub.publish(topic, draft)?);
        }
        Ok(answer(&ids, is_batch))
    };
    let published = match key {
        None => send(),
        Some(key) => {
            let own = format!("{headers:?}");
            let event = event.as_deref().unwrap_or_default().as_bytes();
            let what = [event, kind.name(), own.as_bytes(), &bytes];
            topics.once.run(topic, &key, &what, Instant::now(), send).map_err(|_| {
                let detail = "this Idempotency-Key was used for another message";
                refuse(Code::M305, StatusCode::UNPROCESSABLE_ENTITY, detail)
            })?
        }
    };
    published.map(json).map_err(|error: crate::hub::PublishError| {
        refuse(Code::M511, StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
    })
}

fn answer(ids: &[Position], is_batch: bool) -> Vec<u8> {
    let quoted: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    let quoted = quoted.join(",");
    if is_batch {
        format!("{{\"ids\":[{quoted}]}}\n").into_bytes()
    } else {
        format!("{{\"id\":{quoted}}}\n").into_bytes()
    }
}

/// The event's name: of the query, else of `X-Event`.
fn event(headers: &HeaderMap, query: &str) -> Result<Option<Arc<str>>, Refused> {
    let opening = Opening { query, ..Opening::default() };
    let queried = opening.query_pairs().find(|(name, _)| name == "event").map(|(_, value)| value);
    let bad = || {
        let detail = "an event's name has at most 255 bytes of UTF-8, none a control character";
        refuse(Code::M304, StatusCode::BAD_REQUEST, detail)
    };
    let told = headers.get(X_EVENT).map(|name| std::str::from_utf8(name.as_bytes()));
    let told = told.transpose().map_err(|_| bad())?;
    // Both are checked, whichever counts.
    for name in [queried.as_deref(), told].into_iter().flatten() {
        if name.len() > MAX_EVENT || name.chars().any(char::is_control) {
            return Err(bad());
        }
    }
    let name = queried.as_deref().or(told).unwrap_or_default();
    if OURS.contains(&name) {
        let detail = format!("`{name}` is what the server itself says in a stream");
        return Err(refuse(Code::M304, StatusCode::BAD_REQUEST, &detail));
    }
    Ok((!name.is_empty() && name != "message").then(|| name.into()))
}

/// The headers of the message itself.
fn own_headers(headers: &HeaderMap) -> Result<Option<Headers>, Refused> {
    let mut own: Vec<(Box<str>, Box<str>)> = Vec::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(OWN).filter(|name| !name.is_empty()) else {
            continue;
        };
        let value = value.to_str().map_err(|_| {
            let detail = format!("X-Message-{name} has a character that is no ASCII");
            refuse(Code::M304, StatusCode::BAD_REQUEST, &detail)
        })?;
        // RFC 9110 §5.2: lines of one name are one value, with commas between.
        match own.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, joined)) => *joined = format!("{joined}, {value}").into(),
            None => own.push((name.into(), value.into())),
        }
    }
    let bytes: usize = own.iter().map(|(name, value)| name.len() + value.len()).sum();
    if own.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        let detail = "a message has at most 32 headers X-Message-…, of 8 KiB together";
        return Err(refuse(Code::M304, StatusCode::BAD_REQUEST, detail));
    }
    Ok((!own.is_empty()).then(|| own.into()))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY => Ok(Some(key.to_owned())),
        _ => {
            let detail = "an Idempotency-Key has 1 to 255 characters of ASCII";
            Err(refuse(Code::M305, StatusCode::BAD_REQUEST, detail))
        }
    }
}

/// What a body is, by its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Json,
    Lines,
    Binary,
    /// There is none: text if it is that.
    Unsaid,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Self {
        let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Self::Unsaid };
        let kind = kind.to_str().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/json" => Self::Json,
            "application/x-ndjson" | "application/jsonl" => Self::Lines,
            // RFC 6839 §3.1.
            kind if kind.ends_with("+json") => Self::Json,
            kind if kind.starts_with("text/") => Self::Text,
            // What curl says of --data where it is told nothing.
            "application/x-www-form-urlencoded" | "" => Self::Unsaid,
            _ => Self::Binary,
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Text => b"text",
            Self::Json => b"json",
            Self::Lines => b"lines",
            Self::Binary => b"binary",
            Self::Unsaid => b"",
        }
    }

    fn read(self, bytes: &Bytes) -> Result<Vec<Content>, Refused> {
        let bad = |detail: &str| refuse(Code::M303, StatusCode::BAD_REQUEST, detail);
        Ok(vec![match self {
            Self::Text if simdutf8::basic::from_utf8(bytes).is_err() => {
                return Err(bad("the body is no UTF-8"));
            }
            Self::Unsaid if simdutf8::basic::from_utf8(bytes).is_err() => {
                Content::Binary(bytes.clone())
            }
            Self::Text | Self::Unsaid => Content::Text(bytes.clone()),
            Self::Binary => Content::Binary(bytes.clone()),
            Self::Json => {
                check_json(bytes)
                    .map_err(|error| bad(&format!("the body is not taken as JSON: {error}")))?;
                Content::Json(bytes.clone())
            }
            Self::Lines => return lines(bytes, bad),
        }])
    }
}

fn check_json(bytes: &[u8]) -> Result<(), String> {
    simdutf8::basic::from_utf8(bytes).map_err(|error| error.to_string())?;
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| error.to_string())?;
    if is_deep(bytes) {
        return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(())
}

/// Arrays and objects in one another. Parsers that call themselves give up at some depth, and those
/// of clients would do so at every door: `serde_json` has this limit, Python's about 1,000.
const MAX_DEPTH: usize = 127;

/// Whether JSON, which has been checked, is nested deeper than [`MAX_DEPTH`].
fn is_deep(json: &[u8]) -> bool {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_string = !is_string,
            b'[' | b'{' if !is_string => depth += 1,
            b']' | b'}' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

fn lines(bytes: &Bytes, bad: impl Fn(&str) -> Refused) -> Result<Vec<Content>, Refused> {
    let mut contents = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if contents.len() == MAX_BATCH {
            return Err(bad("a batch has at most 1,000 lines"));
        }
        check_json(line).map_err(|error| {
            bad(&format!("line {} is no JSON: {error}; nothing was published", number + 1))
        })?;
        // History keeps each for itself: a slice would hold the whole batch.
        contents.push(Content::Json(Bytes::copy_from_slice(line)));
    }
    Ok(contents)
}
