//! Frames, and the JSON in them.

use serde_json::Value;

/// Appends a message as a JSON string. Characters that some browsers
/// change or drop are escaped, as the protocol asks for.
pub(super) fn escape(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f'
            | '\u{200c}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff0}'..='\u{ffff}' => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The frame of a close.
pub(super) fn close(code: u16, reason: &str) -> String {
    let mut frame = format!("c[{code},");
    escape(reason, &mut frame);
    frame.push(']');
    frame
}

/// Why the body of a send is refused; the texts are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SendError {
    #[error("Payload expected.")]
    Empty,
    #[error("Broken JSON encoding.")]
    Broken,
}

/// The messages of a send: an array of strings, or one string.
pub(super) fn messages(body: &[u8]) -> Result<Vec<String>, SendError> {
    if body.is_empty() {
        return Err(SendError::Empty);
    }
    match serde_json::from_slice(body) {
        Ok(Value::String(one)) => Ok(vec![one]),
        Ok(Value::Array(all)) => all
            .into_iter()
            .map(|one| if let Value::String(one) = one { Ok(one) } else { Err(SendError::Broken) })
            .collect(),
        _ => Err(SendError::Broken),
    }
}
