//! The sending half: messages into frames (RFC 6455 §6.1).

use crate::config::Role;
use crate::error::Error;
use crate::frame::{MAX_HEADER, OpCode, encode_header};
use crate::mask;
use crate::message::Kind;

/// The sending half of a connection.
#[derive(Debug)]
pub(crate) struct Sender {
    role: Role,
}

impl Sender {
    pub(crate) fn new(role: Role) -> Self {
        Self { role }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Appends a whole message to `out`.
    #[inline]
    pub(crate) fn message(
        &mut self,
        kind: Kind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.frame(kind.opcode(), payload, out)
    }

    /// Appends one frame, not compressed, to `out`.
    #[inline]
    pub(crate) fn frame(
        &self,
        opcode: OpCode,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mask = match self.role {
            Role::Client => Some(mask::random_key()?),
            Role::Server => None,
        };
        out.reserve(MAX_HEADER + payload.len());
        encode_header(out, true, false, opcode, payload.len() as u64, mask);
        let at = out.len();
        out.extend_from_slice(payload);
        if let Some(key) = mask {
            mask::apply(&mut out[at..], key);
        }
        Ok(())
    }
}
