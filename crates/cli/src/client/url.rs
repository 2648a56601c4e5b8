//! The server's address.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderValue, Uri};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// A server's URL, read.
pub(super) struct Base {
    pub(super) is_secure: bool,
    /// An IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) host_header: HeaderValue,
    /// What stands before every path; it does not end with `/`.
    pub(super) path: String,
    /// From `user:password@`.
    pub(super) authorization: Option<HeaderValue>,
}

impl Base {
    /// Reads a URL, or says what is wrong with it.
    pub(super) fn read(url: &str) -> Result<Self, String> {
        let bad = || "it is no URL such as http://127.0.0.1:8000 or https://example.com".to_owned();
        let (scheme, rest) = url.trim().split_once("://").ok_or_else(bad)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            "ws" => return Err("this goes over HTTP; write http://".into()),
            "wss" => return Err("this goes over HTTP; write https://".into()),
            _ => return Err(bad()),
        };
        if rest.contains(['?', '#']) {
            return Err("a server's URL has no query and no fragment".into());
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
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
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self {
            is_secure,
            host: bare.to_owned(),
            port: uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            host_header: authority.parse().map_err(|_| bad())?,
            path: as_written(path.trim_end_matches('/')),
            authorization: user.map(basic).transpose()?,
        })
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        let colons = self.host.contains(':');
        let (open, close) = if colons { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}{}", self.host, self.port, self.path)
    }
}

/// A URL without its password, to be shown.
pub(super) fn safe(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

/// What stands in a path already is left; what a path has no place for is written as `%XX`.
fn as_written(path: &str) -> String {
    const SET: &AsciiSet =
        &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`');
    const ALL: &AsciiSet = &SET.add(b'{').add(b'|').add(b'}');
    utf8_percent_encode(path, ALL).to_string()
}

/// RFC 7617 §2: the user's name, a colon and the password, in Base64.
fn basic(user: &str) -> Result<HeaderValue, String> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut pair: Vec<u8> = percent_decode_str(name).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(password));
    let mut value: HeaderValue = format!("Basic {}", BASE64_STANDARD.encode(pair))
        .parse()
        .map_err(|_| "the password cannot be sent")?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, is) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("HTTPS://example.com/", "https://example.com:443"),
            ("http://[::1]:9/마당//", "http://[::1]:9/%EB%A7%88%EB%8B%B9"),
            ("https://u:p@h/x", "https://h:443/x"),
        ] {
            assert_eq!(Base::read(url).map(|base| base.to_string()).as_deref(), Ok(is), "{url}");
        }
        for bad in [
            "",
            "localhost:8000",
            "ftp://h",
            "http://",
            "http://h:x",
            "http://h:99999",
            "http://h/?a",
            "http:///a",
            "http://h/#a",
            "ws://h",
            "http://a b/",
            "http://h:/",
        ] {
            assert!(Base::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_sent_and_not_shown() {
        let base = Base::read("http://ana:p%40ss@h").unwrap();
        assert_eq!(base.authorization.unwrap(), "Basic YW5hOnBAc3M=");
        assert_eq!(base.host_header, "h");
        assert_eq!(safe("ftp://ana:p@h/x"), "ftp://…@h/x");
    }
}
