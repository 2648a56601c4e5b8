//! Who a client says that it is, in the query of its address.

use std::sync::Arc;

use crate::{
    Opening,
    session::{Present, Refusal},
};

/// The longest name, in characters.
pub const MAX_NAME: usize = 64;
/// The longest session key, in bytes.
pub const MAX_SESSION: usize = 64;

/// Reads `name` (what others see) and `session` (a key of the client's own, by which it is known
/// again after a cut).
///
/// # Errors
/// A sentence, where one cannot be taken.
pub fn read(opening: &Opening<'_>) -> Result<Present, Refusal> {
    let mut who = Present::default();
    for (key, value) in opening.query_pairs() {
        match &*key {
            "name" => who.user = name(&value)?,
            "session" => who.key = session(&value)?,
            _ => {}
        }
    }
    Ok(who)
}

pub(crate) fn name(value: &str) -> Result<Option<Arc<str>>, Refusal> {
    if value.chars().count() > MAX_NAME || value.chars().any(char::is_control) {
        return Err(Refusal {
            reason: format!("a name has at most {MAX_NAME} characters, none a control character"),
        });
    }
    Ok((!value.is_empty()).then(|| value.into()))
}

pub(crate) fn session(value: &str) -> Result<Option<Arc<str>>, Refusal> {
    if value.len() > MAX_SESSION || !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Refusal {
            reason: format!("a session key has at most {MAX_SESSION} ASCII characters"),
        });
    }
    Ok((!value.is_empty()).then(|| value.into()))
}
