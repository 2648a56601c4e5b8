//! Handlers that answer at once, on the worker itself.

use std::{sync::Arc, time::Instant};

use madang_proto::{Input, Kind, Out, Session};

/// What an inline handler may do: answer and close, without waiting.
#[derive(Debug)]
pub struct Reply<'a>(&'a mut Out);

impl Reply<'_> {
    /// Sends a text message.
    pub fn text(&mut self, text: &str) {
        self.0.text(text);
    }

    /// Sends a binary message.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.0.binary(bytes);
    }

    /// Sends a message of the given kind; the bytes of [`Kind::Text`] must be UTF-8.
    pub fn send(&mut self, kind: Kind, bytes: &[u8]) {
        self.0.send(kind, bytes);
    }

    /// Closes the connection.
    pub fn close(&mut self, code: u16, reason: &str) {
        self.0.close(code, reason);
    }
}

/// A registered inline handler.
pub(crate) type InlineHandler = Arc<dyn Fn(&mut Reply<'_>, Kind, &[u8]) + Send + Sync>;

/// The session of an inline handler.
pub(crate) struct Inline(pub(crate) InlineHandler);

impl Session for Inline {
    fn handle(&mut self, input: Input<'_>, _: Instant, out: &mut Out) {
        match input {
            Input::Text(text) => (self.0)(&mut Reply(out), Kind::Text, text.as_bytes()),
            Input::Binary(bytes) => (self.0)(&mut Reply(out), Kind::Binary, bytes),
            _ => {}
        }
    }
}
