//! What rides on a session.

use std::time::Instant;

use super::{packet::Data, state::Engine};
use crate::Input;

/// What rides on a session: Socket.IO, or an application's own messages.
pub trait Upper: Send {
    /// The session has begun.
    fn opened(&mut self, engine: &mut Engine<'_>);

    /// The client has sent a message. An error ends the session as a parse error does.
    fn message(&mut self, data: Data<'_>, engine: &mut Engine<'_>) -> Result<(), Malformed>;

    /// What else a session is told: how its intents went, and what its topics bring.
    fn input(&mut self, input: Input<'_>, engine: &mut Engine<'_>) {
        let _ = (input, engine);
    }

    /// The instant of [`Upper::poll_timeout`] has come.
    fn timeout(&mut self, engine: &mut Engine<'_>) {
        let _ = engine;
    }

    /// When [`Upper::timeout`] is due.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The session is over, and nothing can be sent any more.
    fn closed(&mut self, why: Reason, engine: &mut Engine<'_>) {
        let _ = (why, engine);
    }
}

/// A message that the layer above cannot make sense of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to it")]
pub struct Malformed;

/// Why a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client closed its transport, or it was cut.
    TransportClose,
    /// The client broke the rules of its transport.
    TransportError,
    /// The client did not answer in time.
    PingTimeout,
    /// The client sent what is no packet.
    ParseError,
    /// The server has closed it.
    ForcedClose,
}

impl Reason {
    /// Its usual name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
        }
    }
}
