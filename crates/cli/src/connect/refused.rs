//! A handshake that was refused: what the server said, and what that means.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, Response};
use madang::codes::Code;

use super::secrets::{HIDDEN, Secrets};
use crate::client::{Keep, escaped};

/// So much of a body is shown.
const MAX_BODY: usize = 2 << 10;
/// So much of a body is read.
const MAX_READ: usize = 64 << 10;
/// So many headers are shown.
const MAX_HEADERS: usize = 40;
/// So much of one header is shown.
const MAX_VALUE: usize = 400;

/// What happened, then status, headers, body and the meaning of the code in it.
pub(crate) fn told(what: &str, response: &Response<Bytes>, secrets: &Secrets) -> String {
    let status = response.status();
    let mut text = format!("{what}\n\n");
    // Writing to a string does not fail.
    let _ = writeln!(text, "  {:?} {status}", response.version());
    text.push_str(&headers(response.headers(), secrets));
    let body = body(response, secrets);
    if !body.is_empty() {
        text.push('\n');
        for line in body.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Some(code) = code_of(response) {
        let _ = write!(
            text,
            "\n{code}: {}. {}\nWhat to do: {}\n",
            code.what(),
            code.why(),
            code.cure()
        );
    }
    text
}

/// The last lines: what to run.
pub(crate) fn doctor(line: &str) -> String {
    let hint =
        if line.contains(HIDDEN) { format!(" (with what is {HIDDEN})") } else { String::new() };
    format!("\nFor a diagnosis{hint}:\n  {line}")
}

/// Headers, one a line.
pub(crate) fn headers(headers: &HeaderMap, secrets: &Secrets) -> String {
    let mut text = String::new();
    for (name, value) in headers.iter().take(MAX_HEADERS) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = secrets.header(name.as_str(), &value);
        let _ = writeln!(text, "  {name}: {}", cut(&escaped(&value, Keep::None), MAX_VALUE));
    }
    if headers.len() > MAX_HEADERS {
        let _ = writeln!(text, "  … {} more headers", headers.len() - MAX_HEADERS);
    }
    text
}

fn body(response: &Response<Bytes>, secrets: &Secrets) -> String {
    let bytes = response.body();
    if std::str::from_utf8(bytes.get(..16).unwrap_or(bytes)).is_err() && bytes.contains(&0) {
        return format!("<{} bytes that are no text>", bytes.len());
    }
    let text = secrets.hide(&String::from_utf8_lossy(bytes));
    let text = escaped(text.trim_end(), Keep::Lines).replace("\\u000d\n", "\n");
    if bytes.len() < MAX_READ {
        return cut(&text, MAX_BODY);
    }
    let start = text.get(..text.floor_char_boundary(MAX_BODY)).unwrap_or_default();
    format!("{start}… ({} KiB or more in all)", MAX_READ >> 10)
}

/// The code of Madang in a header, or at the start of the body.
fn code_of(response: &Response<Bytes>) -> Option<Code> {
    let header = response.headers().get("madang-code").and_then(|value| value.to_str().ok());
    let start = response.body().get(..4).and_then(|start| std::str::from_utf8(start).ok());
    header.or(start).and_then(Code::find)
}

fn cut(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most);
    match text.get(..end) {
        Some(start) if end < text.len() => format!("{start}… ({} bytes in all)", text.len()),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_its_code_and_without_secrets() {
        let mut secrets = Secrets::default();
        secrets.add("s3cr3t-key");
        let response = Response::builder()
            .status(403)
            .header("madang-code", "M204")
            .header("set-cookie", "id=1; Path=/")
            .body(Bytes::from_static(b"no s3cr3t-key\r\n\x1b[2Jhere"))
            .unwrap();
        let text = told("the server said no", &response, &secrets);
        for part in [
            "the server said no\n\n",
            "  HTTP/1.1 403 Forbidden\n",
            "  set-cookie: id=[hidden]; Path=/\n",
            "  no [hidden]\n  \\u001b[2Jhere\n",
            "\nM204: ",
            "\nWhat to do: ",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        let long = Response::new(Bytes::from(vec![b'x'; 60_000]));
        assert!(told("", &long, &secrets).contains("x… (60000 bytes in all)"));
        let longer = Response::new(Bytes::from(vec![b'x'; 65_536]));
        let text = told("", &longer, &secrets);
        assert!(text.len() < 3_000 && text.contains("x… (64 KiB or more in all)"), "{text}");
        let binary = Response::new(Bytes::from_static(b"\xff\0\0"));
        assert!(told("", &binary, &secrets).contains("<3 bytes that are no text>"));
    }
}
