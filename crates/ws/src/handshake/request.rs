//! A request's head as it stands in a buffer, and the answer as it goes out: for servers that take
//! handshakes themselves instead of behind an HTTP library.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, Uri, Version};

/// Most bytes of a request's head that [`read_request`] takes.
pub const MAX_HEAD: usize = 16 * 1024;
/// Most header lines that it takes.
pub const MAX_HEADERS: usize = 100;

/// Reads a GET of HTTP/1.1 with at most `max_headers` header lines (and [`MAX_HEADERS`]) that stands
/// whole at the start of `bytes`: the request, and how long its head is. Whatever comes behind is not looked at.
///
/// `None` is for everything else (a head that is not complete, another method, another version,
/// something malformed): an HTTP library is to look at it and to say what is wrong.
pub fn read_request(bytes: &[u8], max_headers: usize) -> Option<(Request<()>, usize)> {
    let head = &bytes[..bytes.len().min(MAX_HEAD)];
    if !head.starts_with(b"GET ") {
        return None;
    }
    let mut headers = [const { std::mem::MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed.parse_with_uninit_headers(head, &mut headers).ok()?;
    let httparse::Status::Complete(length) = status else { return None };
    if parsed.version != Some(1) {
        return None;
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = Uri::try_from(parsed.path?).ok()?;
    if parsed.headers.len() > max_headers {
        return None;
    }
    let mut map = HeaderMap::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    *request.headers_mut() = map;
    Some((request, length))
}

/// Appends the head of an answer of HTTP/1.1 to `out`.
pub fn write_response(response: &Response<()>, out: &mut Vec<u8>) {
    let status = response.status();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        write_name(name, out);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Names are compared without case (RFC 9110 §5.1), yet there are clients that know only the
/// spelling of the RFC.
fn write_name(name: &HeaderName, out: &mut Vec<u8>) {
    let spelt = match *name {
        header::SEC_WEBSOCKET_ACCEPT => "Sec-WebSocket-Accept",
        header::SEC_WEBSOCKET_PROTOCOL => "Sec-WebSocket-Protocol",
        header::SEC_WEBSOCKET_EXTENSIONS => "Sec-WebSocket-Extensions",
        header::UPGRADE => "Upgrade",
        header::CONNECTION => "Connection",
        _ => name.as_str(),
    };
    out.extend_from_slice(spelt.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "GET /ws/a?b=c HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    #[test]
    fn a_whole_head_is_read_and_what_follows_is_left() {
        let bytes = format!("{HEAD}\u{81}more");
        let (request, length) = read_request(bytes.as_bytes(), MAX_HEADERS).unwrap();
        assert_eq!(length, HEAD.len());
        assert_eq!(request.uri(), "/ws/a?b=c");
        assert_eq!(request.headers().len(), 5);
        assert!(super::super::server::check(&request).is_ok());
    }

    #[test]
    fn what_is_no_whole_get_of_http_1_1_is_for_others() {
        for length in 0..HEAD.len() {
            assert!(read_request(&HEAD.as_bytes()[..length], MAX_HEADERS).is_none(), "{length}");
        }
        for (from, to) in [
            ("GET", "POST"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("/ws/a", "/ws/ a"),
            ("Host: h", "Host : h"),
            ("Host: h", "Host: h\r\n continued"),
            ("Host: h", "Host: \0"),
        ] {
            assert!(
                read_request(HEAD.replacen(from, to, 1).as_bytes(), MAX_HEADERS).is_none(),
                "{to}"
            );
        }
        let many =
            HEAD.replacen("Host: h", &format!("{}Host: h", "x: y\r\n".repeat(MAX_HEADERS)), 1);
        assert!(read_request(many.as_bytes(), MAX_HEADERS).is_none());
        let long = HEAD.replacen("Host: h", &format!("Host: h\r\nx: {}", "y".repeat(MAX_HEAD)), 1);
        assert!(read_request(long.as_bytes(), MAX_HEADERS).is_none());
    }

    #[test]
    fn the_answer_is_spelt_as_in_the_rfc() {
        let (request, _) = read_request(HEAD.as_bytes(), MAX_HEADERS).unwrap();
        let response = super::super::server::check(&request).unwrap().response(None, None).unwrap();
        let mut out = Vec::new();
        write_response(&response, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{text}");
        // RFC 6455 §1.3 has this pair of key and accept value.
        assert!(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
    }
}
