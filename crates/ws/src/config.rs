//! What a connection allows.

use std::time::Duration;

use crate::deflate;

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opened the connection; masks what it sends.
    Client,
    /// Took the connection; masks nothing.
    Server,
}

impl Role {
    /// The other side.
    #[inline]
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What a server or a client takes and offers. `Default` is safe for a public server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Bounds on what a peer can make a connection hold or do.
    pub limits: Limits,
    /// Compression, if the peer does it too.
    pub deflate: deflate::Settings,
}

impl Config {
    /// With these limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With these settings of compression.
    #[must_use]
    pub const fn with_deflate(mut self, deflate: deflate::Settings) -> Self {
        self.deflate = deflate;
        self
    }
}

/// Bounds on what a peer can make a connection hold or do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message in bytes, after inflation. Over it the connection fails with 1009.
    pub max_message: usize,
    /// Most frames of one message. Over it the connection fails with 1008.
    pub max_fragments: u32,
    /// Longest time from a message's first byte to its last. Over it the connection fails with
    /// 1008. Kept in milliseconds; 49 days or more is no limit.
    pub message_timeout: Duration,
    /// Most control frames in one second. Over it the connection fails with 1008. 0 is no limit.
    pub max_control_per_second: u32,
    /// How long the peer may take to answer our close frame. Kept in milliseconds; 49 days or more
    /// is no limit.
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 1024 * 1024,
            max_fragments: 65_536,
            message_timeout: Duration::from_mins(1),
            max_control_per_second: 100,
            close_timeout: Duration::from_secs(5),
        }
    }
}
