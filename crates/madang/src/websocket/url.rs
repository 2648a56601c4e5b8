//! URLs of WebSockets (RFC 6455 §3).

use std::fmt::Write as _;

use http::Uri;

use super::ConnectError;

/// Reads a URL. Characters that a URL has no place for are written as `%XX`, as browsers do.
pub(super) fn parse(url: &str) -> Result<Uri, ConnectError> {
    let bad = || ConnectError::Url(url.to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(bad()),
    };
    // RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST
    // NOT be used on these URIs."
    if rest.contains('#') {
        return Err(bad());
    }
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let mut text = format!("{scheme}://{authority}");
    for byte in target.bytes() {
        match byte {
            b'!'..=b'~' => text.push(byte.into()),
            _ => {
                // Writing to a `String` cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    let uri: Uri = text.parse().map_err(|_| bad())?;
    // `Uri` lets a port pass that is no number, and then knows none.
    let port_is_right = uri.authority().is_some_and(|authority| {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        authority.port_u16().is_some() || host.trim_end_matches(':') == authority.host()
    });
    if host(&uri).is_some_and(|host| !host.is_empty()) && port_is_right {
        Ok(uri)
    } else {
        Err(bad())
    }
}

/// The host, an IPv6 address without its brackets.
pub(super) fn host(url: &Uri) -> Option<&str> {
    let host = url.host()?;
    Some(host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host))
}

/// What a `Location` means at `base` (RFC 9110 §10.2.2): a URL, `//host/path`, or a path.
pub(super) fn join(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next()?;
    let scheme = base.scheme_str()?;
    let authority = base.authority()?.as_str();
    let joined = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let path = base.path();
        let folder = &path[..=path.rfind('/')?];
        format!("{scheme}://{authority}{folder}{location}")
    };
    parse(&joined).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, is) in [
            ("ws://localhost", "ws://localhost/"),
            ("WS://localhost:80/a?b=c", "ws://localhost:80/a?b=c"),
            ("https://[::1]:8443/", "wss://[::1]:8443/"),
            ("ws://localhost/마당?q=a b", "ws://localhost/%EB%A7%88%EB%8B%B9?q=a%20b"),
            ("ws://user:pass@host?x", "ws://user:pass@host/?x"),
        ] {
            assert_eq!(parse(url).unwrap().to_string(), is, "{url}");
        }
        for url in
            ["", "localhost:8000", "ftp://host/", "ws://", "ws:///path", "ws://h/#f", "ws://h:x/"]
        {
            assert!(matches!(parse(url), Err(ConnectError::Url(_))), "{url}");
        }
        assert_eq!(host(&parse("ws://[::1]:9/").unwrap()), Some("::1"));
    }

    #[test]
    fn locations() {
        let base = parse("wss://a:1/x/y?z").unwrap();
        for (location, is) in [
            ("https://b/c", "wss://b/c"),
            ("//b/c", "wss://b/c"),
            ("/c?d", "wss://a:1/c?d"),
            ("c#f", "wss://a:1/x/c"),
        ] {
            assert_eq!(join(&base, location).unwrap().to_string(), is, "{location}");
        }
        assert_eq!(join(&base, "mailto://"), None);
    }
}
