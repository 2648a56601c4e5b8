//! Which pages may connect. A browser lets any page open a WebSocket to any server, with the
//! user's cookies, and only says so in `Origin` (RFC 6455 §10.2).

use std::net::IpAddr;

use http::HeaderValue;

/// Pages from elsewhere that may connect too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginPolicy {
    /// Origins such as `https://app.example` or `http://app.example:8080`, or `null`; `*` allows
    /// all.
    pub allowed: Vec<String>,
}

/// Why a page may not connect, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// Neither this server's own page nor an allowed one.
    #[error(
        "pages from {0} may not connect to this server; if they should, start it with \
         --allowed-origin {0}"
    )]
    Forbidden(String),
    /// A page without an origin, such as a file or a sandboxed frame.
    #[error(
        "a page without an origin (a local file, a sandboxed frame) may not connect; if it \
         should, start the server with --allowed-origin null"
    )]
    Null,
    /// Not of the form `scheme://host[:port]` (RFC 6454 §7).
    #[error(
        "the Origin header is not of the form https://app.example; programs that are not a page \
         leave it out"
    )]
    Malformed,
}

impl OriginPolicy {
    /// Whether a request with this `Origin` may connect to the server that it calls `host`.
    ///
    /// It may when it has none (it does not come from a page), when its host and port are those of
    /// `host`, when the listener and the origin are both on the loopback, or when it is allowed by
    /// name. The scheme is only compared to an allowed name: behind a proxy that ends TLS the
    /// server does not know its own.
    pub fn check(
        &self,
        origin: Option<&HeaderValue>,
        host: &str,
        listener_is_loopback: bool,
    ) -> Result<(), OriginError> {
        let Some(origin) = origin else { return Ok(()) };
        let text = origin.to_str().map_err(|_| OriginError::Malformed)?;
        if text == "null" {
            let listed = self.allowed.iter().any(|allowed| allowed == "null" || allowed == "*");
            return if listed { Ok(()) } else { Err(OriginError::Null) };
        }
        let origin = Origin::parse(text).ok_or(OriginError::Malformed)?;
        let own = split_port(host).is_some_and(|(name, port)| {
            name.eq_ignore_ascii_case(origin.host)
                && port.or(default_port(origin.scheme)) == origin.port
        });
        let both_loopback = listener_is_loopback && is_loopback(origin.host);
        if own || both_loopback || self.allowed.iter().any(|allowed| origin.is(allowed)) {
            Ok(())
        } else {
            Err(OriginError::Forbidden(text.to_owned()))
        }
    }
}

/// `scheme://host[:port]`.
struct Origin<'a> {
    scheme: &'a str,
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    host: &'a str,
    /// The one written, else that of the scheme.
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let scheme_is_right = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !scheme_is_right {
            return None;
        }
        let (host, port) = split_port(rest)?;
        Some(Self { scheme, host, port: port.or(default_port(scheme)) })
    }

    /// Whether this is the allowed origin, which `*` always is.
    fn is(&self, allowed: &str) -> bool {
        allowed == "*"
            || Origin::parse(allowed).is_some_and(|allowed| {
                allowed.scheme.eq_ignore_ascii_case(self.scheme)
                    && allowed.host.eq_ignore_ascii_case(self.host)
                    && allowed.port == self.port
            })
    }
}

/// Splits `host[:port]`. `None` when it is neither: user names, paths and spaces are refused.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end_of_host = match authority.strip_prefix('[') {
        Some(address) => address.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end_of_host)?;
    if !is_host(host) {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((host, Some(digits.parse().ok()?)))
        }
        _ => None,
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws") {
        Some(80)
    } else if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") {
        Some(443)
    } else {
        None
    }
}

/// `localhost` and the names below it (RFC 6761 §6.3), 127.0.0.0/8 and `[::1]`.
fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || name == "localhost"
        || name.ends_with(".localhost")
}
