//! What is published: bodies that say who published them and which they are.

use std::fmt;

/// One published message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    WebSocket(u32),
    Post(u32),
}

impl Message {
    /// Lines, letters of several bytes, and now and then more than one frame's short length.
    pub(crate) fn text(self) -> String {
        let number = match self {
            Self::WebSocket(number) | Self::Post(number) => number as usize,
        };
        let mut text = format!("{self} ");
        match number {
            _ if number % 211 == 100 => text.push_str(&"x".repeat(66_000)),
            _ if number.is_multiple_of(7) => text.push_str("one line\n\nand another\n"),
            _ => text.push_str(&"마당".repeat(number % 23)),
        }
        text
    }

    /// The message that a body is, where it is one, to the last byte.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (door, rest) = text.split_once(' ')?;
        let number = rest.split(' ').next()?.parse().ok()?;
        let message = match door {
            "ws" => Self::WebSocket(number),
            "post" => Self::Post(number),
            _ => return None,
        };
        (message.text() == text).then_some(message)
    }

    /// As a number that is never 0.
    pub(crate) fn pack(self) -> u64 {
        match self {
            Self::WebSocket(number) => u64::from(number) << 2 | 1,
            Self::Post(number) => u64::from(number) << 2 | 2,
        }
    }

    pub(crate) fn unpack(packed: u64) -> Option<Self> {
        let number = (packed >> 2) as u32;
        match packed & 3 {
            1 => Some(Self::WebSocket(number)),
            2 => Some(Self::Post(number)),
            _ => None,
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebSocket(number) => write!(f, "ws {number}"),
            Self::Post(number) => write!(f, "post {number}"),
        }
    }
}
