//! What rides on a session where nothing does: each message comes back.

use super::{
    packet::Data,
    state::Engine,
    upper::{Malformed, Upper},
};

/// Sends each message back, text as text and bytes as bytes.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no state")]
pub struct Echo;

impl Upper for Echo {
    fn opened(&mut self, _: &mut Engine<'_>) {}

    fn message(&mut self, data: Data<'_>, engine: &mut Engine<'_>) -> Result<(), Malformed> {
        match data {
            Data::Text(text) => engine.send_text(|out| out.extend_from_slice(text.as_bytes())),
            Data::Binary(bytes) => engine.send_binary(&bytes),
        }
        Ok(())
    }
}
