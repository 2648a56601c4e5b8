//! Polling by script tags, for pages that cannot read an answer of another origin.
//!
//! ```text
//! → GET ?EIO=3&transport=polling&j=0
//! ← ___eio[0]("96:0{\"sid\":\"…\",…}2:40");
//!
//! → POST ?EIO=3&transport=polling&j=0&sid=…      application/x-www-form-urlencoded
//!   d=4%3A4a%5Cnb                                 `4:4a\nb`, where `\n` stands for a line's end
//! ```
//!
//! The answer runs as a program in the page of whoever asked, so nothing in it may be anything but
//! the text: neither the number (digits only) nor the payload.

use std::fmt::Write as _;

/// Longer numbers are nobody's.
const MAX_DIGITS: usize = 20;

/// Which function of the page takes the answer: `j=` in its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callback<'a>(&'a str);

/// Why a request by script is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonpError {
    /// The number of the function is none.
    #[error("`j` is the number of a callback, of at most {MAX_DIGITS} digits")]
    Callback,
    /// The form has no field `d`.
    #[error("the body has no field `d`; send the payload as `d=` and its percent-encoded text")]
    NoData,
}

impl<'a> Callback<'a> {
    /// Reads the value of `j`.
    pub fn new(j: &'a str) -> Result<Self, JsonpError> {
        let is_number = j.bytes().all(|byte| byte.is_ascii_digit());
        if j.is_empty() || j.len() > MAX_DIGITS || !is_number {
            return Err(JsonpError::Callback);
        }
        Ok(Self(j))
    }

    /// The answer that hands `payload` over, to be sent as `text/javascript; charset=UTF-8`.
    pub fn call(self, payload: &str) -> String {
        let mut out = String::with_capacity(payload.len() + payload.len() / 8 + 32);
        out.push_str("___eio[");
        out.push_str(self.0);
        out.push_str("](\"");
        for character in payload.chars() {
            match character {
                '"' | '\\' => {
                    out.push('\\');
                    out.push(character);
                }
                '\n' => out.push_str("\\n"),
                // Line ends in JavaScript of old, though not in JSON; and `<`, so that the answer can
                // be put into a page without `</script` or `<!--` in it.
                '\0'..='\x1f' | '\x7f' | '\u{2028}' | '\u{2029}' | '<' => {
                    // A String takes all that is written to it.
                    let _ = write!(out, "\\u{:04x}", u32::from(character));
                }
                _ => out.push(character),
            }
        }
        out.push_str("\");");
        out
    }
}

/// The payload in the form that a script posts.
pub fn read_form(body: &[u8]) -> Result<String, JsonpError> {
    let mut fields = form_urlencoded::parse(body);
    let (_, data) = fields.find(|(name, _)| name == "d").ok_or(JsonpError::NoData)?;
    Ok(unescape_lines(&data))
}

/// Forms would turn a line's end into two characters, so clients send `\n` for it, and `\\n` for a `\n`
/// that stood in the text.
fn unescape_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (taken, becomes) = if rest.starts_with("\\\\n") {
            (3, "\\n")
        } else if rest.starts_with("\\n") {
            (2, "\n")
        } else {
            (1, "\\")
        };
        out.push_str(becomes);
        rest = &rest[taken..];
    }
    out.push_str(rest);
    out
}
