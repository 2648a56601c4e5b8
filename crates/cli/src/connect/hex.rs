//! Bytes for people.

use std::fmt::Write as _;

/// So many bytes are shown.
const MAX_SHOWN: usize = 512;
const ROW: usize = 16;

/// Rows of an offset, sixteen bytes and their letters, below how many there are.
pub(crate) fn dump(bytes: &[u8]) -> String {
    let mut text = format!("<{} byte{}>", bytes.len(), if bytes.len() == 1 { "" } else { "s" });
    let shown = bytes.get(..MAX_SHOWN).unwrap_or(bytes);
    for (row, bytes) in shown.chunks(ROW).enumerate() {
        // Writing to a string does not fail.
        let _ = write!(text, "\n{:08x} ", row * ROW);
        for at in 0..ROW {
            let gap = if at == ROW / 2 { "  " } else { " " };
            let _ = match bytes.get(at) {
                Some(byte) => write!(text, "{gap}{byte:02x}"),
                None => write!(text, "{gap}  "),
            };
        }
        let letter = |&byte: &u8| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        };
        let _ = write!(text, "  |{}|", bytes.iter().map(letter).collect::<String>());
    }
    if shown.len() < bytes.len() {
        let rest = bytes.len() - shown.len();
        let _ = write!(text, "\n… {rest} more; --binary-to DIR keeps them all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        assert_eq!(dump(b""), "<0 bytes>");
        let bytes: Vec<u8> = (0x3c..0x4e).collect();
        let is = "<18 bytes>\n\
            00000000  3c 3d 3e 3f 40 41 42 43  44 45 46 47 48 49 4a 4b  |<=>?@ABCDEFGHIJK|\n\
            00000010  4c 4d                                             |LM|";
        assert_eq!(dump(&bytes), is);
        let long = dump(&[0x1b; 600]);
        assert!(
            long.lines().count() == 34
                && long.ends_with("… 88 more; --binary-to DIR keeps them all")
        );
    }
}
