//! The PROXY protocol, versions 1 and 2: what a TCP proxy writes in front of a connection to say
//! whose it is. (`HAProxy`'s `proxy-protocol.txt`; sections are those of its text.)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the bytes at the start of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The header goes on.
    NeedMore,
    /// A whole header.
    Done {
        /// Whose connection it is. `None` when the proxy itself speaks (a check of its own), or does
        /// not tell: the connection's own address holds.
        source: Option<SocketAddr>,
        /// How long the header is; what follows is the connection's.
        consumed: usize,
    },
    /// No such header.
    Bad(&'static str),
}

/// §2.1: a line of version 1 is never longer, with its CR LF.
const MAX_LINE: usize = 107;
/// §2.2: what no text begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Of version 2: the signature, version and command, family and transport, the length.
const FIXED: usize = 16;
/// The longest header of version 2 that is taken. §2.2 asks for 536 bytes at least; what
/// certificates and cloud load balancers add does not fit into that.
pub(crate) const MAX_HEADER: usize = 4_096;

/// Reads the header at the start of `bytes`, which may be cut anywhere. It is whole after
/// [`MAX_HEADER`] bytes, or bad.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let begins = |with: &[u8]| {
        let count = bytes.len().min(with.len());
        bytes.get(..count) == with.get(..count)
    };
    if begins(SIGNATURE) {
        binary(bytes)
    } else if begins(b"PROXY ") {
        line(bytes)
    } else {
        Parsed::Bad("it does not begin like one")
    }
}

fn line(bytes: &[u8]) -> Parsed {
    let head = &bytes[..bytes.len().min(MAX_LINE)];
    let Some(end) = head.windows(2).position(|two| two == b"\r\n") else {
        return if bytes.len() < MAX_LINE {
            Parsed::NeedMore
        } else {
            Parsed::Bad("its line is longer than 107 bytes")
        };
    };
    match source_of_line(&head[..end]) {
        Ok(source) => Parsed::Done { source, consumed: end + 2 },
        Err(why) => Parsed::Bad(why),
    }
}

fn source_of_line(line: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "its line is no ASCII")?;
    // §2.1: exactly one space between the fields.
    let mut fields = text.split(' ').skip(1);
    let is_v4 = match fields.next() {
        // §2.1: "the receiver must ignore anything presented before the CRLF is found".
        Some("UNKNOWN") => return Ok(None),
        Some("TCP4") => true,
        Some("TCP6") => false,
        _ => return Err("its line names no known protocol"),
    };
    let mut address = || -> Option<IpAddr> {
        let text = fields.next()?;
        if is_v4 {
            text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
        } else {
            text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
    };
    let bad = "its line has a malformed address";
    let source = address().ok_or(bad)?;
    address().ok_or(bad)?;
    let mut port = || fields.next().and_then(port);
    let bad = "its line has a malformed port";
    let source_port = port().ok_or(bad)?;
    port().ok_or(bad)?;
    if fields.next().is_some() {
        return Err("its line has too many fields");
    }
    Ok(Some(SocketAddr::new(source, source_port)))
}

/// §2.1: decimal, no leading zeros.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

fn binary(bytes: &[u8]) -> Parsed {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Parsed::NeedMore };
    let [.., version, family, high, low] = *fixed;
    if version >> 4 != 2 {
        return Parsed::Bad("its version is not 2");
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    let consumed = FIXED + length;
    if consumed > MAX_HEADER {
        return Parsed::Bad("it is longer than 4096 bytes");
    }
    let is_proxied = match version & 0xF {
        0 => false,
        1 => true,
        _ => return Parsed::Bad("its command is unknown"),
    };
    let Some(addresses) = bytes.get(FIXED..consumed) else { return Parsed::NeedMore };
    // §2.2: LOCAL is the proxy itself, whatever addresses follow.
    let source = if is_proxied { source_of_binary(family, addresses) } else { Ok(None) };
    match source {
        Ok(source) => Parsed::Done { source, consumed },
        Err(why) => Parsed::Bad(why),
    }
}

/// What stands behind the addresses (TLVs, §2.2) says nothing that is needed here.
fn source_of_binary(family: u8, addresses: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    let short = "its addresses are cut short";
    let port = |at: usize| -> Result<u16, &'static str> {
        let bytes = addresses.get(at..at + 2).and_then(|two| two.first_chunk());
        bytes.copied().map(u16::from_be_bytes).ok_or(short)
    };
    match (family >> 4, family & 0xF) {
        // §2.2: an unspecified family or transport is taken, and its addresses are ignored.
        (0, 0..=2) | (1..=3, 0) => Ok(None),
        (1, 1 | 2) => {
            // Two addresses, two ports.
            let (ip, port) = (addresses.first_chunk::<4>().ok_or(short)?, port(8)?);
            addresses.get(..12).ok_or(short)?;
            Ok(Some((Ipv4Addr::from(*ip), port).into()))
        }
        (2, 1 | 2) => {
            let (ip, port) = (addresses.first_chunk::<16>().ok_or(short)?, port(32)?);
            addresses.get(..36).ok_or(short)?;
            Ok(Some((Ipv6Addr::from(*ip), port).into()))
        }
        // Two paths of 108 bytes, of which no client has an address.
        (3, 1 | 2) => addresses.get(..216).ok_or(short).map(|_| None),
        _ => Err("its address family or transport is unknown"),
    }
}

/// Any bytes at the start of a connection.
///
/// Laws: no panic; a header reads the same however it is cut, and whatever follows it; it is known
/// to be whole or bad within 4,096 bytes.
///
/// # Panics
///
/// When a law is broken.
pub fn fuzz_proxy(data: &[u8]) {
    let whole = parse(data);
    match whole {
        Parsed::Done { consumed, .. } => {
            assert!(consumed <= data.len() && consumed <= MAX_HEADER);
            assert_eq!(parse(&data[..consumed]), whole, "without what follows");
            for end in 0..consumed {
                assert_eq!(parse(&data[..end]), Parsed::NeedMore, "cut at {end}");
            }
        }
        Parsed::NeedMore => {
            assert!(data.len() < MAX_HEADER);
            for end in 0..data.len() {
                assert_eq!(parse(&data[..end]), Parsed::NeedMore, "cut at {end}");
            }
        }
        Parsed::Bad(_) => {
            let mut longer = data.to_vec();
            longer.extend_from_slice(b"\r\n and more");
            assert!(matches!(parse(&longer), Parsed::Bad(_)), "more does not mend it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn done(bytes: &[u8]) -> Option<SocketAddr> {
        fuzz_proxy(bytes);
        let Parsed::Done { source, consumed } = parse(bytes) else {
            panic!("{:?} of {bytes:?}", parse(bytes))
        };
        assert_eq!(consumed, bytes.len());
        source
    }

    fn is_bad(bytes: &[u8]) -> bool {
        fuzz_proxy(bytes);
        matches!(parse(bytes), Parsed::Bad(_))
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn lines_of_the_text_are_read() {
        // §2.1 has the longest of each kind.
        let v4 = done(b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n").unwrap();
        assert_eq!(v4.to_string(), "255.255.255.255:65535");
        let f = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let v6 = done(format!("PROXY TCP6 {f} {f} 65535 65535\r\n").as_bytes()).unwrap();
        assert_eq!(v6.to_string(), format!("[{f}]:65535"));
        assert_eq!(done(b"PROXY UNKNOWN\r\n"), None);
        let long = format!("PROXY UNKNOWN {f} {f} 65535 65535\r\n");
        assert_eq!(long.len(), MAX_LINE);
        assert_eq!(done(long.as_bytes()), None);
        assert_eq!(parse(b""), Parsed::NeedMore);
    }

    #[test]
    fn other_lines_are_refused() {
        for bad in [
            "GET / HTTP/1.1\r\n",
            "PROXY\r\n",
            "PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n",
            "PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n",
            "PROXY TCP4 ::1 ::1 1 1\r\n",
            "PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 é 1 1\r\n",
            "proxy UNKNOWN\r\n",
        ] {
            assert!(is_bad(bad.as_bytes()), "{bad}");
        }
        assert!(is_bad(format!("PROXY UNKNOWN {}\r\n", "x".repeat(100)).as_bytes()));
    }

    #[test]
    fn headers_of_version_2_are_read_and_what_they_add_is_skipped() {
        let mut inet = vec![192, 0, 2, 1, 192, 0, 2, 2, 0x1F, 0x40, 0, 80];
        assert_eq!(done(&v2(0x21, 0x11, &inet)), Some("192.0.2.1:8000".parse().unwrap()));
        inet.extend([0x20; 300]);
        assert_eq!(done(&v2(0x21, 0x11, &inet)), Some("192.0.2.1:8000".parse().unwrap()));
        let mut inet6 = "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets().to_vec();
        inet6.extend([0; 16]);
        inet6.extend([0x1F, 0x40, 0, 80]);
        assert_eq!(done(&v2(0x21, 0x21, &inet6)), Some("[2001:db8::1]:8000".parse().unwrap()));
        assert_eq!(done(&v2(0x21, 0x31, &[b'x'; 216])), None);
        // The proxy itself; an unspecified family.
        assert_eq!(done(&v2(0x20, 0x11, &inet)), None);
        assert_eq!(done(&v2(0x20, 0, b"")), None);
        assert_eq!(done(&v2(0x21, 0, b"whatever")), None);
        assert_eq!(done(&v2(0x21, 0x11, &[1; MAX_HEADER - FIXED])).unwrap().port(), 257);
    }

    #[test]
    fn other_headers_of_version_2_are_refused() {
        assert!(is_bad(&v2(0x11, 0x11, &[0; 12])));
        assert!(is_bad(&v2(0x22, 0x11, &[0; 12])));
        assert!(is_bad(&v2(0x21, 0x11, &[0; 11])));
        assert!(is_bad(&v2(0x21, 0x21, &[0; 35])));
        assert!(is_bad(&v2(0x21, 0x31, &[0; 215])));
        assert!(is_bad(&v2(0x21, 0x41, &[0; 216])));
        assert!(is_bad(&v2(0x21, 0x13, &[0; 216])));
        assert!(is_bad(&v2(0x21, 0x11, &[0; MAX_HEADER - FIXED + 1])));
    }

    #[test]
    fn the_recorded_inputs_hold_the_laws() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/proxy");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            fuzz_proxy(&std::fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count >= 8);
    }

    proptest! {
        #[test]
        fn any_bytes_hold_the_laws(data: Vec<u8>) {
            fuzz_proxy(&data);
        }

        #[test]
        fn any_version_2_holds_the_laws(command: u8, family: u8, body: Vec<u8>, cut: u8) {
            let bytes = v2(command, family, &body);
            fuzz_proxy(&bytes);
            fuzz_proxy(&bytes[..bytes.len().saturating_sub(cut.into())]);
        }

        #[test]
        fn any_line_holds_the_laws(rest in "(TCP4|TCP6|UNKNOWN)[ 0-9a-f.:\r\n]{0,120}") {
            fuzz_proxy(format!("PROXY {rest}\r\n").as_bytes());
        }

        #[test]
        fn what_is_written_is_read(a: [u8; 4], b: [u8; 4], port: u16, other: u16) {
            let (a, b) = (Ipv4Addr::from(a), Ipv4Addr::from(b));
            let line = format!("PROXY TCP4 {a} {b} {port} {other}\r\n");
            prop_assert_eq!(done(line.as_bytes()), Some((a, port).into()));
        }
    }
}
