//! The form of `Sec-WebSocket-Extensions`: RFC 6455 §9.1.

use std::borrow::Cow;

use http::HeaderValue;

use super::lists::{self, is_token};

/// Most extensions that one side may name.
const MAX_EXTENSIONS: usize = 16;
/// Most parameters of one extension.
const MAX_PARAMS: usize = 16;

/// One extension and its parameters, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a str,
    pub(crate) params: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// Why a `Sec-WebSocket-Extensions` header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Not the form of RFC 6455 §9.1.
    #[error("not a list of extensions")]
    Syntax,
    /// More than 16 extensions, or 16 parameters of one.
    #[error("too many extensions or parameters")]
    TooMany,
}

/// Calls `each` for every extension of all header lines, in order (RFC 6455 §9.1: several lines
/// are the same as one). Reads every byte once.
pub(crate) fn parse<'a>(
    headers: impl IntoIterator<Item = &'a HeaderValue>,
    mut each: impl FnMut(Extension<'a>),
) -> Result<(), Malformed> {
    let mut count = 0;
    for header in headers {
        let text = header.to_str().map_err(|_| Malformed::Syntax)?;
        let mut rest = Cursor { text, at: 0 };
        loop {
            rest.skip_space();
            match rest.peek() {
                None => break,
                // RFC 9110 §5.6.1.2: a recipient ignores empty elements of a list.
                Some(b',') => rest.at += 1,
                Some(_) => {
                    count += 1;
                    if count > MAX_EXTENSIONS {
                        return Err(Malformed::TooMany);
                    }
                    each(rest.extension()?);
                }
            }
        }
    }
    Ok(())
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(lists::is_space) {
            self.at += 1;
        }
    }

    /// `extension = extension-token *( ";" extension-param )`, up to the comma or the end.
    fn extension(&mut self) -> Result<Extension<'a>, Malformed> {
        let name = self.token()?;
        let mut params = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None | Some(b',') => return Ok(Extension { name, params }),
                Some(b';') => {
                    self.at += 1;
                    if params.len() == MAX_PARAMS {
                        return Err(Malformed::TooMany);
                    }
                    params.push(self.param()?);
                }
                Some(_) => return Err(Malformed::Syntax),
            }
        }
    }

    /// `extension-param = token [ "=" (token | quoted-string) ]`.
    fn param(&mut self) -> Result<(&'a str, Option<Cow<'a, str>>), Malformed> {
        self.skip_space();
        let name = self.token()?;
        self.skip_space();
        if self.peek() != Some(b'=') {
            return Ok((name, None));
        }
        self.at += 1;
        self.skip_space();
        let value = match self.peek() {
            Some(b'"') => Cow::Owned(self.quoted()?),
            _ => Cow::Borrowed(self.token()?),
        };
        Ok((name, Some(value)))
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        while self.peek().is_some_and(lists::is_token_byte) {
            self.at += 1;
        }
        match self.text.get(start..self.at) {
            Some(token) if !token.is_empty() => Ok(token),
            _ => Err(Malformed::Syntax),
        }
    }

    /// RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token'".
    fn quoted(&mut self) -> Result<String, Malformed> {
        let mut value = String::new();
        loop {
            self.at += 1;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    value.push(self.peek().ok_or(Malformed::Syntax)?.into());
                }
                Some(byte) => value.push(byte.into()),
                None => return Err(Malformed::Syntax),
            }
        }
        self.at += 1;
        if is_token(&value) { Ok(value) } else { Err(Malformed::Syntax) }
    }
}
