//! Events in a stream of bytes (HTML Living Standard, §9.2), as far as they carry our messages.

use memchr::{memchr, memmem};

/// What every payload begins with; its number follows, in so many digits of base 16.
pub const MARK: &[u8] = b"seq=";
pub const DIGITS: usize = 16;
/// What fills a payload up.
pub const FILL: u8 = b'x';

/// Makes the payload of message `number`, of the length that `payload` has.
pub fn write(number: u64, payload: &mut [u8]) {
    payload.fill(FILL);
    payload[..MARK.len()].copy_from_slice(MARK);
    let digits = format!("{number:016x}");
    payload[MARK.len()..MARK.len() + DIGITS].copy_from_slice(digits.as_bytes());
}

/// The number in a payload, which may be inside something else, such as JSON.
fn number(line: &[u8], size: usize) -> Option<u64> {
    let from = memmem::find(line, MARK)?;
    let payload = line.get(from..from + size)?;
    let (digits, fill) = payload[MARK.len()..].split_at(DIGITS);
    let digits = std::str::from_utf8(digits).ok()?;
    let whole = fill.iter().all(|byte| *byte == FILL);
    u64::from_str_radix(digits, 16).ok().filter(|_| whole)
}

/// The state of one stream. Its buffer keeps its room, so that an event allocates nothing.
#[derive(Default)]
pub struct Events {
    /// The start of a line whose end has yet to come.
    begun: Vec<u8>,
    data: Data,
}

/// What the event under way has as data.
#[derive(Default, Clone, Copy)]
enum Data {
    #[default]
    None,
    Number(u64),
    Other,
}

impl Events {
    /// Takes a piece of the stream; `each` is given the number of each event that ends in it, or
    /// nothing for an event with other data.
    pub fn take(&mut self, mut piece: &[u8], size: usize, mut each: impl FnMut(Option<u64>)) {
        while let Some(end) = memchr(b'\n', piece) {
            if self.begun.is_empty() {
                self.data.line(&piece[..end], size, &mut each);
            } else {
                self.begun.extend_from_slice(&piece[..end]);
                self.data.line(&self.begun, size, &mut each);
                self.begun.clear();
            }
            piece = &piece[end + 1..];
        }
        self.begun.extend_from_slice(piece);
    }
}

impl Data {
    fn line(&mut self, line: &[u8], size: usize, each: &mut impl FnMut(Option<u64>)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            match std::mem::take(self) {
                Self::None => {}
                Self::Number(number) => each(Some(number)),
                Self::Other => each(None),
            }
        } else if let Some(data) = line.strip_prefix(b"data:") {
            *self = number(data, size).map_or(Self::Other, Self::Number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<Option<u64>> {
        let (mut events, mut found) = (Events::default(), Vec::new());
        for piece in pieces {
            events.take(piece, 32, |number| found.push(number));
        }
        found
    }

    fn payload(number: u64) -> String {
        let mut payload = [0; 32];
        write(number, &mut payload);
        String::from_utf8(payload.to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_found_however_a_stream_is_cut() {
        let wire = format!(
            "retry: 2000\n\n: hello\n\nid: 1-1\ndata: {}\n\nevent: m\r\ndata:\"{}\"\r\n\r\n",
            payload(7),
            payload(8)
        );
        let wire = wire.as_bytes();
        for at in 0..wire.len() {
            let (front, back) = wire.split_at(at);
            assert_eq!(events(&[front, back]), [Some(7), Some(8)]);
        }
    }

    #[test]
    fn other_and_shortened_data_is_told() {
        assert_eq!(events(&[b"data: hello\n\n"]), [None]);
        let short = &payload(7)[..31];
        assert_eq!(events(&[format!("data: {short}\n\n").as_bytes()]), [None]);
        assert_eq!(events(&[format!("data: {}\n", payload(7)).as_bytes()]), []);
    }
}
