//! A tunnel through an HTTP proxy (RFC 9110 §9.3.6).

use std::fmt;
use std::io;

use bytes::BytesMut;
use http::{HeaderValue, Response, Uri};
use madang_ws::handshake::client::{self, RequestError, ResponseParser};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{ConnectError, body, url};

/// An HTTP proxy, through which connections are tunnelled by `CONNECT` (RFC 9110 §9.3.6), as
/// browsers do it for WebSockets (RFC 6455 §4.1).
///
/// ```
/// # use madang::websocket::Proxy;
/// let proxy = Proxy::new("http://ana:secret@proxy.example:3128")?;
/// assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 3128));
/// # Ok::<_, madang::websocket::ConnectError>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    login: Option<HeaderValue>,
}

impl Proxy {
    /// A proxy by its URL, such as `http://proxy.example:3128`; the port is 80 where none is given.
    /// `user:password@` is sent as basic authentication in `Proxy-Authorization`.
    ///
    /// # Errors
    /// [`ConnectError::Proxy`]: no such URL. A proxy that is itself reached by TLS (`https://`) or
    /// by SOCKS is not supported.
    pub fn new(url: impl AsRef<str>) -> Result<Self, ConnectError> {
        let text = url.as_ref();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !scheme.eq_ignore_ascii_case("http") || rest.trim_end_matches('/').contains(['/', '?']) {
            return Err(ConnectError::Proxy);
        }
        let url = url::parse(&format!("ws://{rest}")).map_err(|_| ConnectError::Proxy)?;
        let login = client::basic_authorization(&url).map_err(|_| ConnectError::Proxy)?;
        let host = url::host(&url).ok_or(ConnectError::Proxy)?.to_owned();
        Ok(Self { host, port: url.port_u16().unwrap_or(80), login })
    }

    /// The proxy's host, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The proxy's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of `Proxy-Authorization`, if the URL has a login.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.login.as_ref()
    }

    /// Asks the proxy at the other end of `io` for a tunnel to `host`, an IPv6 address without its
    /// brackets. What is written afterwards reaches that host. No time is set for it.
    ///
    /// # Errors
    /// [`ConnectError::Tunnel`] with the proxy's answer, if it refuses; `Head` and `Io` where it
    /// does not answer in HTTP.
    pub async fn tunnel<S>(&self, io: &mut S, host: &str, port: u16) -> Result<(), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let lost = |error: io::Error| ConnectError::Io(error.into());
        io.write_all(&self.request(host, port)?).await.map_err(lost)?;
        io.flush().await.map_err(lost)?;
        let (response, early) = head(io).await?;
        if !response.status().is_success() {
            let body = body::read(io, &response, early).await;
            return Err(ConnectError::Tunnel(Box::new(response.map(|()| body))));
        }
        // RFC 9110 §9.3.6: a 2xx has no body, and whoever is at the other end waits for us.
        if early.is_empty() { Ok(()) } else { Err(lost(io::ErrorKind::InvalidData.into())) }
    }

    fn request(&self, host: &str, port: u16) -> Result<Vec<u8>, ConnectError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        // Also makes sure that nothing in it ends the line.
        let authority = format!("{host}:{port}");
        let _: Uri = authority.parse().map_err(|_| RequestError::Url)?;
        let mut out = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
        if let Some(login) = &self.login {
            out.extend_from_slice(b"Proxy-Authorization: ");
            out.extend_from_slice(login.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        Ok(out)
    }
}

/// Without the login.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// Reads the head of a response; what came after it.
pub(super) async fn head<S: AsyncRead + Unpin>(
    io: &mut S,
) -> Result<(Response<()>, BytesMut), ConnectError> {
    let lost = |error: io::Error| ConnectError::Io(error.into());
    let mut parser = ResponseParser::new();
    let mut bytes = BytesMut::with_capacity(4096);
    let mut has_begun = false;
    loop {
        bytes.clear();
        if io.read_buf(&mut bytes).await.map_err(lost)? == 0 {
            let end = io::ErrorKind::UnexpectedEof;
            return Err(lost(if has_begun {
                io::Error::new(end, "the head of the answer breaks off")
            } else {
                end.into()
            }));
        }
        has_begun = true;
        if let Some((response, used)) = parser.push(&bytes)? {
            return Ok((response, bytes.split_off(used)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, host, port) in [
            ("proxy.example:3128", "proxy.example", 3128),
            ("HTTP://ana:p%40ss@10.0.0.1/", "10.0.0.1", 80),
            ("http://[::1]:8080", "::1", 8080),
        ] {
            let proxy = Proxy::new(url).unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{url}");
        }
        for bad in ["", "https://p:1", "socks5://p:1", "http://p:1/x", "http://p:x", "p\r\n:1"] {
            assert!(matches!(Proxy::new(bad), Err(ConnectError::Proxy)), "{bad}");
        }
        let shown = format!("{:?}", Proxy::new("http://ana:secret@p").unwrap());
        assert!(!shown.contains("secret") && !shown.contains("Basic"), "{shown}");
    }

    #[test]
    fn the_request_names_host_and_port() {
        let proxy = Proxy::new("http://ana:secret@p").unwrap();
        let request = String::from_utf8(proxy.request("::1", 443).unwrap()).unwrap();
        assert_eq!(
            request,
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic \
             YW5hOnNlY3JldA==\r\n\r\n"
        );
        assert!(proxy.request("a\r\nb", 1).is_err());
    }
}
