//! What can go wrong, and whose fault it was.

use crate::close::CloseCode;

/// Why a connection failed, or why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke RFC 6455 or RFC 7692.
    #[error("protocol error: {0}")]
    PeerMisbehaved(#[from] PeerMisbehaved),
    /// The message is over [`Limits::max_message`](crate::Limits::max_message).
    #[error("message too big")]
    TooBig,
    /// The message has more frames than [`Limits::max_fragments`](crate::Limits::max_fragments).
    #[error("too many fragments")]
    TooManyFragments,
    /// More than [`Limits::max_control_per_second`](crate::Limits::max_control_per_second).
    #[error("too many control frames")]
    TooManyControlFrames,
    /// The message was not complete within
    /// [`Limits::message_timeout`](crate::Limits::message_timeout).
    #[error("message not finished in time")]
    TooSlow,
    /// The caller asked for what the protocol forbids. The connection goes on.
    #[error("misuse: {0}")]
    Misuse(#[from] Misuse),
    /// The operating system gave no random bytes for a masking key.
    #[error("no random bytes for a masking key")]
    NoEntropy,
}

impl Error {
    /// The code that a connection is closed with after this error.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::PeerMisbehaved(PeerMisbehaved::InvalidUtf8 | PeerMisbehaved::BadDeflate) => {
                CloseCode::INVALID_DATA
            }
            Self::PeerMisbehaved(_) => CloseCode::PROTOCOL_ERROR,
            Self::TooBig => CloseCode::TOO_BIG,
            Self::TooManyFragments | Self::TooManyControlFrames | Self::TooSlow => {
                CloseCode::POLICY_VIOLATION
            }
            Self::Misuse(_) | Self::NoEntropy => CloseCode::INTERNAL_ERROR,
        }
    }
}

/// The rule that the peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// A reserved bit is set that no agreed extension gives a meaning here (RFC 6455 §5.2, RFC
    /// 7692 §6).
    #[error("reserved bit set")]
    ReservedBits,
    /// Opcodes 3-7 and 11-15 are not defined (RFC 6455 §5.2).
    #[error("reserved opcode {0}")]
    ReservedOpCode(u8),
    /// A client must mask its frames (RFC 6455 §5.1).
    #[error("unmasked frame from a client")]
    Unmasked,
    /// A server must not mask its frames (RFC 6455 §5.1).
    #[error("masked frame from a server")]
    Masked,
    /// A control frame without FIN (RFC 6455 §5.5).
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A control frame with a payload over 125 bytes (RFC 6455 §5.5).
    #[error("control frame over 125 bytes")]
    LongControl,
    /// The length could have been written in fewer bytes (RFC 6455 §5.2).
    #[error("length not in its shortest form")]
    NonMinimalLength,
    /// The top bit of a 64-bit length is set (RFC 6455 §5.2).
    #[error("top bit of the length set")]
    LengthTopBit,
    /// A continuation frame where no message was begun (RFC 6455 §5.4).
    #[error("continuation without a message")]
    UnexpectedContinuation,
    /// A new message inside a fragmented one (RFC 6455 §5.4).
    #[error("new message inside a fragmented one")]
    ExpectedContinuation,
    /// A close frame with a payload of one byte (RFC 6455 §5.5.1).
    #[error("close frame with half a code")]
    ShortClose,
    /// A close frame with a code that may not be sent (RFC 6455 §7.4).
    #[error("close code {0} not allowed")]
    BadCloseCode(CloseCode),
    /// A text message or a close reason that is not UTF-8 (RFC 6455 §8.1).
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A compressed message that does not inflate (RFC 7692 §7.2.2).
    #[error("invalid compressed data")]
    BadDeflate,
}

/// What the caller did that the protocol forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// Something was sent after a close frame (RFC 6455 §5.5.1).
    #[error("the connection is closing")]
    Closing,
    /// The payload of a ping is over 125 bytes (RFC 6455 §5.5).
    #[error("control payload over 125 bytes")]
    LongControl,
    /// A close code that may not be sent (RFC 6455 §7.4).
    #[error("close code {0} may not be sent")]
    ReservedCloseCode(CloseCode),
}
