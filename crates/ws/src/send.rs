//! The sending half: messages into frames (RFC 6455 §6.1, RFC 7692 §7.2.1).

use crate::config::Role;
use crate::deflate::{Agreement, State};
use crate::error::Error;
use crate::frame::{MAX_HEADER, OpCode, encode_header};
use crate::mask::{self, Key};
use crate::message::Kind;

/// The sending half of a connection.
#[derive(Debug)]
pub(crate) struct Sender {
    role: Role,
    deflate: Option<Agreement>,
    /// The compressor's state: there from the first message on that must remember, and otherwise
    /// only while one is compressed.
    state: Option<Box<State>>,
}

impl Sender {
    pub(crate) fn new(role: Role, deflate: Option<Agreement>) -> Self {
        Self { role, deflate, state: None }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn deflate(&self) -> Option<&Agreement> {
        self.deflate.as_ref()
    }

    /// Frees what is held; no more messages will be sent.
    pub(crate) fn release(&mut self) {
        self.state = None;
    }

    /// Bytes on the heap, not counting what the compressor itself holds.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.state.as_ref().map_or(0, |_| size_of::<State>())
    }

    /// Forgets what was sent.
    pub(crate) fn restart_compressor(&mut self) {
        if let Some(state) = &mut self.state {
            state.restart();
        }
    }

    /// Appends a whole message to `out`.
    #[inline]
    pub(crate) fn message(
        &mut self,
        kind: Kind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if self.deflate.is_some() && self.compressed(kind, payload, out)? {
            return Ok(());
        }
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
        let mask = self.key()?;
        out.reserve(MAX_HEADER + payload.len());
        encode_header(out, true, false, opcode, payload.len() as u64, mask);
        let at = out.len();
        out.extend_from_slice(payload);
        if let Some(key) = mask {
            mask::apply(&mut out[at..], key);
        }
        Ok(())
    }

    /// Appends a compressed message to `out`, if that is smaller.
    fn compressed(&mut self, kind: Kind, payload: &[u8], out: &mut Vec<u8>) -> Result<bool, Error> {
        let Some(agreement) = &self.deflate else { return Ok(false) };
        if payload.len() < agreement.min_size as usize {
            return Ok(false);
        }
        let mask = self.key()?;
        let at = out.len();
        let state = self.state.get_or_insert_with(|| Box::new(State::new(self.role, agreement)));
        let smaller = state.compress(payload, out);
        if forgets(self.role, agreement) {
            self.state = None;
        }
        if !smaller {
            return Ok(false);
        }
        if let Some(key) = mask {
            mask::apply(&mut out[at..], key);
        }
        // The header's length depends on the payload's, so it is written behind and moved in front.
        let end = out.len();
        encode_header(out, true, true, kind.opcode(), (end - at) as u64, mask);
        let header = out.len() - end;
        out[at..].rotate_right(header);
        Ok(true)
    }

    #[inline]
    fn key(&self) -> Result<Option<Key>, Error> {
        match self.role {
            Role::Client => mask::random_key().map(Some),
            Role::Server => Ok(None),
        }
    }
}

/// Whether what `sender` compresses stands for itself (RFC 7692 §7.1.1).
pub(crate) fn forgets(sender: Role, agreement: &Agreement) -> bool {
    match sender {
        Role::Client => agreement.client_no_context_takeover,
        Role::Server => agreement.server_no_context_takeover,
    }
}
