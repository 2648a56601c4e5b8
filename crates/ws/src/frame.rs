//! Frame headers (RFC 6455 §5.2).

use crate::config::Role;
use crate::error::PeerMisbehaved;

/// Longest header in bytes: 2, a 64-bit length, a masking key.
pub const MAX_HEADER: usize = 14;

/// Longest payload of a control frame in bytes (RFC 6455 §5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASK: u8 = 0x80;
/// Length codes: the length follows in 16 or in 64 bits.
const LEN_16: u8 = 0x7E;
const LEN_64: u8 = 0x7F;

/// What a frame is (RFC 6455 §5.2, §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// A further fragment of a message.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The close handshake.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping, or comes unasked.
    Pong = 10,
}

impl OpCode {
    /// Close, ping or pong.
    #[inline]
    pub const fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }

    /// The opcode with these low four bits of a frame's first byte.
    #[inline]
    const fn decode(bits: u8) -> Result<Self, PeerMisbehaved> {
        Ok(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            // RFC 6455 §5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail
            // the WebSocket Connection_."
            _ => return Err(PeerMisbehaved::ReservedOpCode(bits)),
        })
    }
}

impl TryFrom<u8> for OpCode {
    type Error = PeerMisbehaved;

    fn try_from(bits: u8) -> Result<Self, PeerMisbehaved> {
        Self::decode(bits)
    }
}

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The last frame of its message.
    pub fin: bool,
    /// With permessage-deflate: the message is compressed (RFC 7692 §6).
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: OpCode,
    /// Length of the payload in bytes, below 2⁶³.
    pub len: u64,
    /// The masking key, if the payload is masked.
    pub mask: Option<[u8; 4]>,
}

impl Header {
    /// Reads a header that `sender` sent from the front of `bytes`, and its length; `None` when it
    /// is not complete. RSV1 is not judged here, nor is the order of frames.
    #[inline]
    pub fn decode(bytes: &[u8], sender: Role) -> Result<Option<(Self, usize)>, PeerMisbehaved> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let fin = first & FIN != 0;
        let len = second & !MASK;
        // RFC 6455 §5.2: RSV1-3 "MUST be 0 unless an extension is negotiated that defines meanings
        // for non-zero values"; we know none for RSV2 and RSV3.
        if first & RSV2_RSV3 != 0 {
            return Err(PeerMisbehaved::ReservedBits);
        }
        let opcode = OpCode::decode(first & 0x0F)?;
        // RFC 6455 §5.1: frames from a client are masked, frames from a server are not.
        match sender {
            Role::Client if second & MASK == 0 => return Err(PeerMisbehaved::Unmasked),
            Role::Server if second & MASK != 0 => return Err(PeerMisbehaved::Masked),
            _ => {}
        }
        // RFC 6455 §5.5: control frames have at most 125 bytes and "MUST NOT be fragmented".
        if opcode.is_control() {
            if !fin {
                return Err(PeerMisbehaved::FragmentedControl);
            }
            if usize::from(len) > MAX_CONTROL_PAYLOAD {
                return Err(PeerMisbehaved::LongControl);
            }
        }
        let Some((len, at)) = decode_len(bytes, len)? else { return Ok(None) };
        let (mask, at) = match sender {
            Role::Server => (None, at),
            Role::Client => match bytes.get(at..).and_then(<[u8]>::first_chunk) {
                Some(key) => (Some(*key), at + 4),
                None => return Ok(None),
            },
        };
        Ok(Some((Self { fin, rsv1: first & RSV1 != 0, opcode, len, mask }, at)))
    }

    /// Appends the header to `out`.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_header(out, self.fin, self.rsv1, self.opcode, self.len, self.mask);
    }
}

/// The payload's length and where it ends in the header.
#[inline]
fn decode_len(bytes: &[u8], short: u8) -> Result<Option<(u64, usize)>, PeerMisbehaved> {
    // RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length"
    match short {
        0..=125 => Ok(Some((u64::from(short), 2))),
        LEN_16 => {
            let Some(&[_, _, a, b]) = bytes.first_chunk() else { return Ok(None) };
            match u16::from_be_bytes([a, b]) {
                ..=125 => Err(PeerMisbehaved::NonMinimalLength),
                len => Ok(Some((u64::from(len), 4))),
            }
        }
        _ => {
            let Some(len) = bytes.get(2..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
            match u64::from_be_bytes(*len) {
                ..=0xFFFF => Err(PeerMisbehaved::NonMinimalLength),
                // RFC 6455 §5.2: "the most significant bit MUST be 0"
                len if len >> 63 != 0 => Err(PeerMisbehaved::LengthTopBit),
                len => Ok(Some((len, 10))),
            }
        }
    }
}

/// Appends a frame header to `out`: at most [`MAX_HEADER`] bytes.
#[inline]
pub fn encode_header(
    out: &mut Vec<u8>,
    fin: bool,
    rsv1: bool,
    opcode: OpCode,
    len: u64,
    mask: Option<[u8; 4]>,
) {
    let first = opcode as u8 | if fin { FIN } else { 0 } | if rsv1 { RSV1 } else { 0 };
    let masked = if mask.is_some() { MASK } else { 0 };
    match len {
        0..=125 => out.extend_from_slice(&[first, masked | len as u8]),
        126..=0xFFFF => {
            let [a, b] = (len as u16).to_be_bytes();
            out.extend_from_slice(&[first, masked | LEN_16, a, b]);
        }
        _ => {
            let mut header = [0; 10];
            header[..2].copy_from_slice(&[first, masked | LEN_64]);
            header[2..].copy_from_slice(&len.to_be_bytes());
            out.extend_from_slice(&header);
        }
    }
    if let Some(key) = mask {
        out.extend_from_slice(&key);
    }
}

/// Length in bytes of the header before a payload of `len` bytes.
#[inline]
pub const fn header_len(len: u64, masked: bool) -> usize {
    let base = match len {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    };
    base + if masked { 4 } else { 0 }
}
