//! WebSocket frames (RFC 6455 §5): ours are masked, the server's are not. Nobody fragments.

use std::io;

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// One key for all frames: loopback has no proxies to protect.
const KEY: [u8; 4] = [0x4b, 0xe2, 0x19, 0x96];
/// What a frame of the server's may have; only its announcement is taken for true.
const LONGEST: usize = 16 * 1024 * 1024;

/// Writes one masked frame.
pub fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&KEY);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The state of one stream. Its buffer keeps its room, so that a frame allocates nothing.
#[derive(Default)]
pub struct Frames {
    /// The start of a frame whose end has yet to come.
    begun: Vec<u8>,
}

impl Frames {
    /// Takes a piece of the stream; `each` is given opcode and payload of each frame that ends in it.
    pub fn take(&mut self, piece: &[u8], each: impl FnMut(u8, &[u8])) -> io::Result<()> {
        if self.begun.is_empty() {
            let used = whole(piece, each)?;
            self.begun.extend_from_slice(&piece[used..]);
        } else {
            self.begun.extend_from_slice(piece);
            let used = whole(&self.begun, each)?;
            self.begun.drain(..used);
        }
        Ok(())
    }
}

/// Hands on the frames that are whole: how many bytes they have.
fn whole(bytes: &[u8], mut each: impl FnMut(u8, &[u8])) -> io::Result<usize> {
    let mut at = 0;
    while let Some((head, len)) = head(&bytes[at..])? {
        let Some(payload) = bytes.get(at + head..at + head + len) else { break };
        each(bytes[at] & 0x0f, payload);
        at += head + len;
    }
    Ok(at)
}

/// The lengths of a frame's head and payload, when the head is there.
fn head(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(io::Error::other("a frame that is masked, a fragment or compressed"));
    }
    let (head, len) = match second {
        126 => match rest.first_chunk() {
            Some(len) => (4, usize::from(u16::from_be_bytes(*len))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(len) => (10, usize::try_from(u64::from_be_bytes(*len)).unwrap_or(usize::MAX)),
            None => return Ok(None),
        },
        len => (2, usize::from(*len)),
    };
    if len > LONGEST {
        return Err(io::Error::other(format!("a frame of {len} bytes")));
    }
    Ok(Some((head, len)))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// What a server sends: the same without the key.
    pub fn of_server(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        write(&mut wire, opcode, payload);
        let key = wire.len() - payload.len() - KEY.len();
        wire.truncate(key);
        wire[1] &= 0x7f;
        wire.extend_from_slice(payload);
        wire
    }

    #[test]
    fn frames_are_found_however_a_stream_is_cut() {
        let sent = [(TEXT, vec![b'a'; 3]), (PING, Vec::new()), (TEXT, vec![b'b'; 126])];
        let sent = [&sent[..], &[(TEXT, vec![b'c'; 0x1_0000]), (TEXT, vec![b'd'; 125])]].concat();
        let wire: Vec<u8> = sent.iter().flat_map(|(op, body)| of_server(*op, body)).collect();
        for at in (0..300).chain(wire.len() - 200..wire.len()) {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for piece in [&wire[..at], &wire[at..]] {
                frames.take(piece, |op, body| found.push((op, body.to_vec()))).unwrap();
            }
            assert!(found == sent, "cut at {at}");
            assert!(frames.begun.is_empty());
        }
    }

    #[test]
    fn our_frames_are_masked() {
        let mut wire = Vec::new();
        write(&mut wire, TEXT, b"2probe");
        assert_eq!(wire[..2], [0x81, 0x86]);
        let plain: Vec<u8> =
            wire[6..].iter().zip(wire[2..6].iter().cycle()).map(|(a, b)| a ^ b).collect();
        assert_eq!(plain, b"2probe");
    }

    #[test]
    fn what_no_server_sends_is_an_error() {
        let mut masked = Vec::new();
        write(&mut masked, TEXT, b"2");
        for wire in
            [&masked[..], b"\x01\x01a", b"\xc1\x01a", b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert!(Frames::default().take(wire, |_, _| ()).is_err());
        }
    }
}
