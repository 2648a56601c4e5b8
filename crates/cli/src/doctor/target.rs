//! The address that is examined.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::Uri;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::Serialize;

/// A URL, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    /// `wss` or `https`.
    pub(crate) secure: bool,
    /// Written with `http` or `https`.
    pub(crate) http: bool,
    /// An IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As it stands in `Host`: with the port, unless that is the scheme's own.
    pub(crate) authority: String,
    /// It begins with `/`.
    pub(crate) path: String,
    /// What follows `?`, which is not part of it.
    pub(crate) query: Option<String>,
    /// From `user:password@`, as the value of `Authorization`.
    #[serde(skip)]
    pub(crate) basic: Option<String>,
}

impl Target {
    /// Reads a URL, or says what is wrong with it. Without a scheme it is `ws`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let bad =
            || "it is no URL such as ws://127.0.0.1:8000/ws or wss://example.com/ws".to_owned();
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("ws", text));
        let (secure, http) = match scheme.to_ascii_lowercase().as_str() {
            "ws" => (false, false),
            "wss" => (true, false),
            "http" => (false, true),
            "https" => (true, true),
            _ => return Err(bad()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        let uri: Uri = format!("http://{authority}/").parse().map_err(|_| bad())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad)?;
        // `Uri` lets a port pass that is no number, and then knows none.
        if uri.port_u16().is_none() && authority.len() != host.len() {
            return Err(bad());
        }
        let own = if secure { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(own);
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(written(query))),
            None => (target, None),
        };
        Ok(Self {
            secure,
            http,
            host: bare.to_owned(),
            port,
            authority: if port == own { host.to_owned() } else { format!("{host}:{port}") },
            path: if path.is_empty() { "/".to_owned() } else { written(path) },
            query,
            basic: user.map(basic),
        })
    }

    /// What stands in the request line.
    pub(crate) fn request_target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The same server at another path.
    pub(crate) fn at(&self, path: &str) -> Self {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path, None),
        };
        Self { path: path.to_owned(), query, ..self.clone() }
    }

    /// `https://example.com`, as a page of this host would say in `Origin`.
    pub(crate) fn own_origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority)
    }

    /// The URL, to be shown: without a password, and with the query's secrets removed.
    pub(crate) fn shown(&self) -> String {
        let scheme = match (self.http, self.secure) {
            (false, false) => "ws",
            (false, true) => "wss",
            (true, false) => "http",
            (true, true) => "https",
        };
        super::redact::url(&format!("{scheme}://{}{}", self.authority, self.request_target()))
    }
}

/// What has no place in a request line is written as `%XX`.
fn written(text: &str) -> String {
    const SET: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');
    utf8_percent_encode(text, SET).to_string()
}

/// RFC 7617 §2.
fn basic(user: &str) -> String {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut pair: Vec<u8> = percent_decode_str(name).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(password));
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, is) in [
            ("127.0.0.1:8000", "ws://127.0.0.1:8000/"),
            ("WSS://example.com:443?a=b#c", "wss://example.com/?a=b"),
            ("http://[::1]:9/마당", "http://[::1]:9/%EB%A7%88%EB%8B%B9"),
            ("wss://u:p@h/x?token=abc", "wss://h/x?token=…"),
        ] {
            assert_eq!(Target::read(url).map(|target| target.shown()).as_deref(), Ok(is), "{url}");
        }
        for bad in ["", "ftp://h", "ws://", "ws://h:x", "ws://h:99999", "ws:///a", "ws://a b/"] {
            assert!(Target::read(bad).is_err(), "{bad}");
        }
        let target = Target::read("wss://ana:p@h").unwrap();
        assert_eq!(target.basic.as_deref(), Some("Basic YW5hOnA="));
        assert_eq!(target.own_origin(), "https://h");
        assert_eq!(target.at("/x?y=1").request_target(), "/x?y=1");
    }
}
