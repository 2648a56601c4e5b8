//! A client of Madang's HTTP doors, for the commands that talk to a server.

mod connection;
mod lines;
mod refusal;
mod text;
pub(crate) mod tls;
mod url;

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use madang::websocket::Proxy;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_rustls::TlsConnector;

pub(crate) use connection::{Connection, told};
pub(crate) use lines::{Lines, MAX_LINE};
pub(crate) use refusal::{Refusal, body};
pub(crate) use text::{Keep, escaped};
pub(crate) use tls::trusting;
use url::Base;

use crate::cmd::Failure;

/// The variable that names the server where no flag does.
pub(crate) const VARIABLE: &str = "MADANG_URL";
const DEFAULT: &str = "http://127.0.0.1:8000";

/// Which server, and how to talk to it.
#[derive(Debug, Args)]
pub(crate) struct ServerFlags {
    /// The server [default: `http://127.0.0.1:8000`; also `MADANG_URL`].
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Header to send, such as 'Authorization: Bearer KEY'; may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = read_header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// Trust the certificates in this PEM file and no others.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,

    /// Take any certificate, also that of somebody in between.
    #[arg(long)]
    insecure: bool,
}

/// Why there is no answer, or why it is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum HttpError {
    /// No connection.
    #[error("{base} cannot be reached: {why}; is the server running? --url names another")]
    Unreachable {
        /// The server.
        base: String,
        /// What failed.
        why: String,
    },
    /// A connection, but no TLS.
    #[error("TLS with {base} failed: {why}")]
    Tls {
        /// The server.
        base: String,
        /// What failed, and what to do.
        why: String,
    },
    /// The connection ended before the answer did.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// No answer in time.
    #[error("the server did not answer within {0} s")]
    Slow(u64),
    /// The server said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// What was answered is nothing that Madang says.
    #[error("{0}; is --url that of a Madang server?")]
    Stranger(String),
    /// The server says in the stream why nothing follows.
    #[error("the server ended the stream: {0}")]
    Ended(String),
    /// A line without an end.
    #[error("the server sent a line of more than {} MiB", MAX_LINE >> 20)]
    LongLine,
    /// An answer without an end.
    #[error("the server's answer is longer than {} KiB", refusal::MAX_BODY >> 10)]
    LongBody,
}

/// A server, and what every request to it carries.
pub(crate) struct Client {
    base: Base,
    headers: HeaderMap,
    tls: Option<TlsConnector>,
}

impl Client {
    /// Reads the flags and, for `https`, the certificates.
    pub(crate) fn new(flags: ServerFlags) -> Result<Self, Failure> {
        let variable = || std::env::var(VARIABLE).ok().filter(|url| !url.trim().is_empty());
        let (origin, url) = match flags.url {
            Some(url) => ("--url", url),
            None => (VARIABLE, variable().unwrap_or_else(|| DEFAULT.to_owned())),
        };
        let base = Base::read(&url)
            .map_err(|why| Failure::Usage(format!("{origin}: `{}`: {why}", url::safe(&url))))?;
        let tls = base
            .is_secure
            .then(|| tls::connector(flags.ca.as_deref(), flags.insecure))
            .transpose()
            .map_err(Failure::Usage)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, base.host_header.clone());
        let agent = HeaderValue::from_static(concat!("madang/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        if let Some(credentials) = &base.authorization {
            headers.insert(header::AUTHORIZATION, credentials.clone());
        }
        let mut client = Self { base, headers, tls };
        client.headers = client.with(flags.headers);
        Ok(client)
    }

    /// The headers of every request with others, which replace those of the same name.
    fn with(&self, others: Vec<(HeaderName, HeaderValue)>) -> HeaderMap {
        let mut headers = self.headers.clone();
        for (name, _) in &others {
            headers.remove(name);
        }
        headers.extend(others.into_iter().map(|(name, value)| (Some(name), value)));
        headers
    }

    /// A request. `defaults` are headers that the user's own go before.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        defaults: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base.path))
            .body(Full::new(body))
            .map_err(|error| Failure::Usage(format!("this makes no request: {error}")))?;
        *request.headers_mut() = self.headers.clone();
        for (name, value) in defaults {
            request.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        Ok(request)
    }
}

/// One segment of a path, or one value of a query: everything that could mean something else is
/// written as `%XX`.
pub(crate) fn encoded(text: &str) -> String {
    const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');
    match text {
        // As they are they would be steps in the path.
        "." | ".." => text.replace('.', "%2E"),
        _ => utf8_percent_encode(text, SET).to_string(),
    }
}

/// Reads `Name: value`.
pub(crate) fn read_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let example = "write it like 'Authorization: Bearer KEY'";
    let (name, value) = text.split_once(':').ok_or(example)?;
    let name: HeaderName =
        name.trim().parse().map_err(|_| format!("`{name}` is no header's name; {example}"))?;
    let framing = [
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    if framing.contains(&name.as_str()) {
        return Err(format!("`{name}` is set by the program itself"));
    }
    let mut value = HeaderValue::from_bytes(value.trim().as_bytes())
        .map_err(|_| "a header's value cannot have control characters")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Reads the URL of a proxy.
pub(crate) fn read_proxy(text: &str) -> Result<Proxy, String> {
    Proxy::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_stays_one_segment() {
        for (text, is) in [
            ("chat.lobby-1_~", "chat.lobby-1_~"),
            ("a/b?c#d", "a%2Fb%3Fc%23d"),
            ("마 %", "%EB%A7%88%20%25"),
            ("..", "%2E%2E"),
        ] {
            assert_eq!(encoded(text), is);
        }
    }

    #[test]
    fn headers_are_read_and_framing_is_not_the_users() {
        let (name, value) = read_header("X-Event:  a:b ").unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-event", &b"a:b"[..]));
        for bad in ["none", "a b: c", "x: a\nb", "Content-Length: 3", ": x"] {
            assert!(read_header(bad).is_err(), "{bad}");
        }
    }
}
