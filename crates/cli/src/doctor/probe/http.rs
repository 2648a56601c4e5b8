//! HTTP/1.1, written and read by hand, so that everything on the wire is seen.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Request as HttpRequest, Response, Uri};
use madang_ws::{
    deflate::{Agreement, Settings},
    handshake::client::{self, HeadError, Key, Options, ResponseParser},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout_at},
};

use super::{Io, Way, is_reset};
use crate::doctor::{
    evidence::{Answer, Bytes, Came, Exchange, UpgradeFault},
    redact,
};

/// Most bytes that are kept of a body.
const MAX_BODY: usize = 64 * 1024;
/// A body gets no longer than this, once its head is there.
const BODY_TIME: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Asking {
    /// `GET` when it is empty.
    pub(in crate::doctor) method: &'static str,
    pub(in crate::doctor) headers: Vec<(String, String)>,
    pub(in crate::doctor) body: Option<&'static str>,
    /// To open a WebSocket.
    pub(in crate::doctor) upgrade: bool,
    pub(in crate::doctor) subprotocols: Vec<String>,
    pub(in crate::doctor) deflate: bool,
    /// The answer's body is left in the stream.
    pub(in crate::doctor) streaming: bool,
}

/// What came, and the stream where it goes on.
pub(in crate::doctor) struct Got {
    pub(in crate::doctor) exchange: Exchange,
    pub(in crate::doctor) open: Option<Open>,
    /// `name=value` of the cookies that were set, to be sent back to the same server.
    pub(in crate::doctor) cookies: Vec<String>,
    /// Bytes of the request's head.
    pub(in crate::doctor) head: usize,
}

/// A stream after its head.
pub(in crate::doctor) struct Open {
    pub(in crate::doctor) io: Box<dyn Io>,
    pub(in crate::doctor) early: Vec<u8>,
    pub(in crate::doctor) deflate: Option<Agreement>,
    pub(in crate::doctor) chunked: bool,
    /// The body is compressed.
    pub(in crate::doctor) is_coded: bool,
}

/// Asks on a new connection.
pub(in crate::doctor) async fn ask(way: Way<'_>, asking: &Asking) -> Got {
    let began = Instant::now();
    let (request, key, options) = match head(way, asking) {
        Ok(made) => made,
        Err(why) => return failed(way, String::new(), began, Came::NotDialed(why)),
    };
    let bytes = written(&request, asking);
    let shown = without_secrets(&bytes);
    let mut io = match way.open().await {
        Ok(io) => io,
        Err(came) => return failed(way, shown, began, came),
    };
    let sent = Instant::now();
    // A server that has already answered and left is heard all the same.
    // One that does not read is told by its silence.
    let deadline = sent + way.timeout;
    let write = async {
        io.write_all(&bytes).await?;
        io.flush().await
    };
    drop(timeout_at(deadline, write).await);
    let (came, rest) = read_head(&mut io, deadline).await;
    let took = sent.elapsed();
    let mut got = failed(way, shown, began, came);
    got.head = bytes.len();
    got.exchange.took = took;
    if let Some((response, early)) = rest {
        finish(&mut got, io, response, early, asking, key.as_ref().map(|key| (key, &options)))
            .await;
    }
    got
}

fn failed(way: Way<'_>, request: String, began: Instant, came: Came) -> Got {
    let exchange = Exchange { request, url: way.target.shown(), took: began.elapsed(), came };
    Got { exchange, open: None, cookies: Vec::new(), head: 0 }
}

type Head = (HttpRequest<()>, Option<Key>, Options);

fn head(way: Way<'_>, asking: &Asking) -> Result<Head, String> {
    let target = way.target;
    let scheme = if target.secure { "wss" } else { "ws" };
    let uri: Uri = format!("{scheme}://{}{}", target.authority, target.request_target())
        .parse()
        .map_err(|error| format!("this makes no request: {error}"))?;
    let mut options = Options { protocols: asking.subprotocols.clone(), ..Options::default() };
    // As browsers offer it.
    options.deflate = Settings {
        enabled: asking.deflate,
        min_size: 0,
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        ..Settings::default()
    };
    for (name, value) in &asking.headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is no header"))?;
        let value: HeaderValue =
            value.parse().map_err(|_| format!("the value of {name} cannot be sent"))?;
        options.headers.append(name, value);
    }
    let (mut request, key) = client::request(&uri, &options).map_err(|error| error.to_string())?;
    if asking.upgrade {
        return Ok((request, Some(key), options));
    }
    for name in
        ["upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"]
    {
        request.headers_mut().remove(name);
    }
    let connection = if asking.streaming { "keep-alive" } else { "close" };
    request.headers_mut().insert("connection", HeaderValue::from_static(connection));
    if let Some(body) = asking.body {
        request.headers_mut().insert("content-length", HeaderValue::from(body.len()));
    }
    Ok((request, None, options))
}

/// The head as browsers write it: some servers read names of headers letter by letter.
fn written(request: &HttpRequest<()>, asking: &Asking) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let method = if asking.method.is_empty() { "GET" } else { asking.method };
    let mut out = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in request.headers() {
        out.extend_from_slice(cased(name.as_str()).as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(asking.body.unwrap_or_default().as_bytes());
    out
}

fn cased(name: &str) -> String {
    let part = |part: &str| {
        if part == "websocket" {
            "WebSocket".to_owned()
        } else {
            let mut letters = part.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

/// A request as it may be shown.
fn without_secrets(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = Vec::new();
    for (at, line) in text.trim_end().lines().enumerate() {
        lines.push(match line.split_once(": ") {
            Some((name, value)) if at > 0 => format!("{name}: {}", redact::header(name, value)),
            _ => {
                let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
                let (target, version) = rest.rsplit_once(' ').unwrap_or((rest, ""));
                format!("{method} {} {version}", redact::url(target))
            }
        });
    }
    lines.join("\n")
}

type Rest = Option<(Response<()>, Vec<u8>)>;

/// Reads up to the end of the head.
async fn read_head(io: &mut Box<dyn Io>, deadline: Instant) -> (Came, Rest) {
    let mut parser = ResponseParser::new();
    let mut all = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let ended = match timeout_at(deadline, io.read(&mut buffer)).await {
            Ok(Ok(0)) => Came::Closed,
            Ok(Err(error)) => refused(&error),
            Err(_) => Came::Silence,
            Ok(Ok(length)) => {
                let piece = buffer.get(..length).unwrap_or_default();
                if all.len() < MAX_BODY {
                    all.extend_from_slice(piece);
                }
                match parser.push(piece) {
                    Ok(None) => continue,
                    Ok(Some((response, used))) => {
                        let early = piece.get(used..).unwrap_or_default().to_vec();
                        return (Came::Silence, Some((response, early)));
                    }
                    Err(HeadError::NotHttp) => Came::Bytes(Bytes(all.clone())),
                    Err(_) => Came::Broken(Bytes(all.clone())),
                }
            }
        };
        let is_http = all.starts_with(b"HTTP/");
        let came = match ended {
            ended if all.is_empty() => ended,
            Came::Silence if is_http => Came::Half(Bytes(all)),
            Came::Closed | Came::Reset if is_http => Came::Broken(Bytes(all)),
            Came::Closed | Came::Reset | Came::Silence => Came::Bytes(Bytes(all)),
            ended => ended,
        };
        return (came, None);
    }
}

fn refused(error: &std::io::Error) -> Came {
    if let Some(alert) = super::tls::alert(error) {
        return Came::NoTls(alert);
    }
    match error.kind() {
        _ if is_reset(error) => Came::Reset,
        _ => Came::Closed,
    }
}

/// Makes an answer of a head, and reads its body or keeps the stream.
async fn finish(
    got: &mut Got,
    mut io: Box<dyn Io>,
    response: Response<()>,
    early: Vec<u8>,
    asking: &Asking,
    upgrade: Option<(&Key, &Options)>,
) {
    let raw = |name: &HeaderName, value: &HeaderValue| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers: Vec<_> = response.headers().iter().map(|(n, v)| raw(n, v)).collect();
    let set = headers.iter().filter(|(name, _)| name == "set-cookie");
    got.cookies = set.filter_map(|(_, value)| Some(value.split(';').next()?.to_owned())).collect();
    let find = |name: &str| headers.iter().find(|(is, _)| is == name).map(|(_, v)| v.clone());
    let chunked = find("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    let length = find("content-length").and_then(|text| text.parse::<usize>().ok());
    let shown =
        headers.iter().map(|(name, value)| (cased(name), plain(&redact::header(name, value))));
    let mut answer = Answer {
        status: response.status().as_u16(),
        http10: response.version() == http::Version::HTTP_10,
        headers: shown.collect(),
        body: Bytes::default(),
        fault: None,
        subprotocol: None,
        deflate: false,
    };
    let mut agreed = None;
    if answer.status == 101
        && let Some((key, options)) = upgrade
    {
        match client::check_response(&response, key, options) {
            Ok(accepted) => {
                answer.deflate = accepted.deflate.is_some();
                answer.subprotocol = accepted.protocol;
                agreed = accepted.deflate;
            }
            Err(error) => answer.fault = Some(fault(error)),
        }
    }
    let is_stream = find("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let streams = asking.streaming && answer.status == 200 && is_stream;
    if answer.is_open() || streams {
        let is_coded = find("content-encoding").is_some_and(|coding| coding != "identity");
        let chunked = chunked && streams;
        got.open = Some(Open { io, early, deflate: agreed, chunked, is_coded });
    } else if asking.method != "HEAD" && !matches!(answer.status, 101 | 204 | 304) {
        answer.body = Bytes(read_body(&mut io, early, chunked, length).await);
    }
    got.exchange.came = Came::Answer(answer);
}

/// A peer must not drive the terminal.
fn plain(text: &str) -> String {
    crate::client::escaped(text, crate::client::Keep::None).into_owned()
}

fn fault(error: client::Error) -> UpgradeFault {
    match error {
        client::Error::NoUpgrade => UpgradeFault::NoUpgrade,
        client::Error::NoConnectionUpgrade => UpgradeFault::NoConnection,
        client::Error::UnaskedProtocol(name) => UpgradeFault::Subprotocol(plain(&name)),
        client::Error::Extensions(why) => UpgradeFault::Extensions(plain(&why.to_string())),
        _ => UpgradeFault::Accept,
    }
}

/// What comes of a body: to its end, a limit, or for a while.
async fn read_body(
    io: &mut Box<dyn Io>,
    early: Vec<u8>,
    chunked: bool,
    length: Option<usize>,
) -> Vec<u8> {
    let deadline = Instant::now() + BODY_TIME;
    let mut all = early;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let whole = match (chunked, length) {
            (true, _) => all.windows(5).any(|five| five == b"0\r\n\r\n"),
            (false, Some(length)) => all.len() >= length,
            (false, None) => false,
        };
        if whole || all.len() >= MAX_BODY {
            break;
        }
        match timeout_at(deadline, io.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => {
                all.extend_from_slice(buffer.get(..length).unwrap_or_default());
            }
            _ => break,
        }
    }
    let mut body = if chunked { super::stream::Chunks::default().push(&all) } else { all };
    body.truncate(MAX_BODY);
    body
}
