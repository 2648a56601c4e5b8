//! Close codes, close frames' payloads and how a connection ended (RFC 6455 §5.5.1, §7).

use std::fmt;

use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::frame::MAX_CONTROL_PAYLOAD;

/// A close status code (RFC 6455 §7.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the page was left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the close frame carried no code. Never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection ended without a close frame. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that does not fit its type, such as invalid UTF-8 in a text message.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a policy was violated; the code for what has no better one.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: the message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that the server did not agree to.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the endpoint met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; come back.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; come back later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Never sent.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// The code with this number, allowed or not.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether the code may stand in a close frame.
    // RFC 6455 §7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control
    // frame"; 1004 is reserved. §7.4.2: 0-999 are not used, 1000-2999 belong to the standard (IANA
    // has since given out 1012-1014), 3000-3999 to registered and 4000-4999 to private use.
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a connection ended. Given exactly once, in [`Event::Closed`](crate::Event::Closed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The code in the peer's close frame (1005 when it had none), the code that we failed the
    /// connection with, or 1006 when no close frame came.
    pub code: CloseCode,
    /// The reason in the peer's close frame, or ours when we failed the connection.
    pub reason: String,
    /// Who ended it.
    pub by: ClosedBy,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClosedBy {
    /// The peer sent the first close frame.
    Peer,
    /// We sent the first close frame, and the peer answered it.
    Us,
    /// We failed the connection (RFC 6455 §7.1.7).
    Failure(Error),
    /// The byte stream ended, or the peer kept silent too long, before its close frame came.
    Cut,
}

/// Reads a close frame's payload (RFC 6455 §5.5.1).
pub(crate) fn decode(payload: &[u8]) -> Result<(CloseCode, &str), PeerMisbehaved> {
    // RFC 6455 §5.5.1: a body, if there is one, begins with a 2-byte code in network order.
    let (code, reason) = match payload {
        [] => return Ok((CloseCode::NO_STATUS, "")),
        [_] => return Err(PeerMisbehaved::ShortClose),
        [high, low, reason @ ..] => (CloseCode(u16::from_be_bytes([*high, *low])), reason),
    };
    if !code.may_be_sent() {
        return Err(PeerMisbehaved::BadCloseCode(code));
    }
    // RFC 6455 §5.5.1: the reason is UTF-8-encoded data.
    match std::str::from_utf8(reason) {
        Ok(reason) => Ok((code, reason)),
        Err(_) => Err(PeerMisbehaved::InvalidUtf8),
    }
}

/// A close frame's payload on the stack: a control frame is never longer (RFC 6455 §5.5).
pub(crate) struct ClosePayload {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    len: usize,
}

impl ClosePayload {
    /// The payload for `code` and as much of `reason` as fits, cut between characters. 1005 stands
    /// for an empty payload, as it does in what [`decode`] returns.
    pub(crate) fn new(code: CloseCode, reason: &str) -> Result<Self, Error> {
        let mut payload = Self { bytes: [0; MAX_CONTROL_PAYLOAD], len: 0 };
        if code == CloseCode::NO_STATUS && reason.is_empty() {
            return Ok(payload);
        }
        if !code.may_be_sent() {
            return Err(Error::Misuse(Misuse::ReservedCloseCode(code)));
        }
        let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL_PAYLOAD - 2)];
        payload.len = 2 + reason.len();
        payload.bytes[..2].copy_from_slice(&code.0.to_be_bytes());
        payload.bytes[2..payload.len].copy_from_slice(reason.as_bytes());
        Ok(payload)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_sent() {
        for code in 0..=u16::MAX {
            let allowed = [1000..=1003, 1007..=1014, 3000..=4999].iter().any(|r| r.contains(&code));
            assert_eq!(CloseCode(code).may_be_sent(), allowed, "{code}");
        }
    }

    #[test]
    fn payload_reads_back_what_was_written() {
        let payload = ClosePayload::new(CloseCode::GOING_AWAY, "정비 중").unwrap();
        assert_eq!(decode(payload.as_bytes()), Ok((CloseCode::GOING_AWAY, "정비 중")));
        let empty = ClosePayload::new(CloseCode::NO_STATUS, "").unwrap();
        assert_eq!(decode(empty.as_bytes()), Ok((CloseCode::NO_STATUS, "")));
    }

    #[test]
    fn long_reason_is_cut_between_characters() {
        let payload = ClosePayload::new(CloseCode::NORMAL, &"한".repeat(60)).unwrap();
        assert_eq!(decode(payload.as_bytes()), Ok((CloseCode::NORMAL, &*"한".repeat(41))));
        let payload = ClosePayload::new(CloseCode::NORMAL, &format!("aa{}", "한".repeat(60)));
        let payload = payload.unwrap();
        assert_eq!(payload.as_bytes().len(), 2 + 2 + 40 * 3);
    }

    #[test]
    fn forbidden_payloads() {
        assert_eq!(decode(&[3]), Err(PeerMisbehaved::ShortClose));
        let code = CloseCode::ABNORMAL;
        assert_eq!(decode(&1006_u16.to_be_bytes()), Err(PeerMisbehaved::BadCloseCode(code)));
        assert_eq!(decode(&[3, 232, 0xFF]), Err(PeerMisbehaved::InvalidUtf8));
        let sent = ClosePayload::new(code, "").err();
        assert_eq!(sent, Some(Error::Misuse(Misuse::ReservedCloseCode(code))));
        let sent = ClosePayload::new(CloseCode::NO_STATUS, "why").err();
        assert_eq!(sent, Some(Error::Misuse(Misuse::ReservedCloseCode(CloseCode::NO_STATUS))));
    }
}
