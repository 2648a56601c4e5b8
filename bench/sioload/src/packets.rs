//! Packets of Engine.IO 4 and Socket.IO 5, as far as they carry our events.

/// What every string begins with; its number follows, in so many digits of base 16.
const MARK: &[u8] = b"seq=";
const DIGITS: usize = 16;
/// The shortest string that has a number.
pub const SHORTEST: usize = MARK.len() + DIGITS;
/// What fills a string up.
const FILL: u8 = b'x';

pub const PING: &[u8] = b"2";
pub const PONG: &[u8] = b"3";
/// Connect to the main namespace, and what the server's answer begins with.
pub const CONNECT: &[u8] = b"40";

/// The packet of an event with one string, and where in it the string is.
pub struct Event {
    packet: Vec<u8>,
    string: usize,
}

impl Event {
    /// An event whose string has `size` bytes, and at least those of a number.
    pub fn new(name: &str, size: usize) -> Self {
        let mut packet = head(name);
        packet.push(b'"');
        let string = packet.len();
        packet.extend_from_slice(MARK);
        packet.resize(string + size.max(SHORTEST), FILL);
        packet.extend_from_slice(b"\"]");
        Self { packet, string }
    }

    /// The packet with this number in its string.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        let from = self.string + MARK.len();
        let digits = format!("{number:016x}");
        self.packet[from..from + DIGITS].copy_from_slice(digits.as_bytes());
        &self.packet
    }

    /// The number in a packet that is this one but for its number.
    pub fn number(&self, packet: &[u8]) -> Option<u64> {
        let from = self.string + MARK.len();
        let to = from + DIGITS;
        let alike = packet.len() == self.packet.len()
            && packet[..from] == self.packet[..from]
            && packet[to..] == self.packet[to..];
        let digits = packet.get(from..to).filter(|_| alike)?;
        u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

/// What the packet of an event begins with.
pub fn head(name: &str) -> Vec<u8> {
    format!("42[\"{name}\",").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_and_found() {
        let mut event = Event::new("said", 24);
        assert_eq!(event.numbered(0xabc), b"42[\"said\",\"seq=0000000000000abcxxxx\"]");
        let other = Event::new("said", 24);
        assert_eq!(other.number(event.numbered(7)), Some(7));
        for packet in [
            &b"42[\"said\",\"seq=0000000000000abcxxx\"]"[..],
            b"42[\"said\",\"seq=0000000000000abcxxxy\"]",
            b"42[\"told\",\"seq=0000000000000abcxxxx\"]",
            b"42[\"said\",\"seq=000000000000wabcxxxx\"]",
            b"2",
        ] {
            assert_eq!(other.number(packet), None);
        }
        assert_eq!(Event::new("m", 1).packet.len(), head("m").len() + SHORTEST + 3);
    }
}
