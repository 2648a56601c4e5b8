//! Lists in header values: RFC 9110 §5.6.

use http::HeaderValue;

/// The elements of a comma-separated list that may be spread over several header lines. Lines that
/// are not visible ASCII have no elements; empty elements are left out.
pub(crate) fn elements<'a>(
    headers: impl IntoIterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = &'a str> {
    headers
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|element| element.trim_matches([' ', '\t']))
        .filter(|element| !element.is_empty())
}

/// Whether a list has `token`, in any case.
pub(crate) fn has_token<'a>(
    headers: impl IntoIterator<Item = &'a HeaderValue>,
    token: &str,
) -> bool {
    elements(headers).any(|element| element.eq_ignore_ascii_case(token))
}

/// RFC 9110 §5.6.2: a token is one or more of these.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether all of `text` is one token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// RFC 9110 §5.6.3: optional space.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
