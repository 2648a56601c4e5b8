//! Who is behind a proxy: whom to believe, and what is believed.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Peers whose word about their clients is taken: addresses and networks, or the names `loopback`,
/// `private` and `unix`. None by default.
///
/// ```
/// let proxies: madang::TrustedProxies = "10.0.0.0/8, 2001:db8::7, unix".parse().unwrap();
/// assert!(proxies.trusts(Some("10.1.2.3".parse().unwrap())));
/// assert!(!proxies.trusts(Some("192.0.2.1".parse().unwrap())));
/// assert!(proxies.trusts(None));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    unix: bool,
}

/// The text names no peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no proxy; write an address such as 192.0.2.7, a network such as 10.0.0.0/8 or \
     2001:db8::/32, loopback, private or unix"
)]
pub struct NoProxy(String);

/// An address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().ok()?;
        let most = if written.is_ipv4() { 32 } else { 128 };
        let bits: u8 = match bits {
            None => most,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= most)?
            }
            Some(_) => return None,
        };
        let address = written.to_canonical();
        // `::ffff:10.0.0.0/104` is 10.0.0.0/8.
        let is_mapped = written.is_ipv6() && address.is_ipv4();
        let bits = if is_mapped { bits.checked_sub(96)? } else { bits };
        Some(Self { address, bits })
    }

    fn has(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differs = own.to_bits() ^ other.to_bits();
                differs.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differs = own.to_bits() ^ other.to_bits();
                differs.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Addresses that no packet from elsewhere has (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];
/// Networks without a place in the internet (RFC 1918, RFC 4193).
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

impl FromStr for TrustedProxies {
    type Err = NoProxy;

    /// Reads a list with commas.
    fn from_str(text: &str) -> Result<Self, NoProxy> {
        let mut proxies = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let names: &[&str] = match part {
                "unix" => {
                    proxies.unix = true;
                    continue;
                }
                "loopback" => &LOOPBACK,
                "private" => &PRIVATE,
                _ => &[part],
            };
            for name in names {
                let network = Network::parse(name).ok_or_else(|| NoProxy(part.to_owned()))?;
                proxies.networks.push(network);
            }
        }
        Ok(proxies)
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for Network { address, bits } in &self.networks {
            write!(f, "{separator}{address}/{bits}")?;
            separator = ", ";
        }
        if self.unix { write!(f, "{separator}unix") } else { Ok(()) }
    }
}

impl TrustedProxies {
    /// Adds another list's to these.
    pub fn extend(&mut self, other: Self) {
        self.networks.extend(other.networks);
        self.unix |= other.unix;
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Whether a peer with this address is trusted; a unix socket's has none.
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            None => self.unix,
            Some(address) => {
                let address = address.to_canonical();
                self.networks.iter().any(|network| network.has(address))
            }
        }
    }

    /// What a request's headers tell of the client, as far as its peer is trusted.
    pub(super) fn resolve(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Client {
        if self.is_empty() || !self.trusts(peer.map(|peer| peer.ip())) {
            return Client { address: peer, forwarded: None };
        }
        let address = self.client_address(peer, headers);
        let proto = last(headers, &X_FORWARDED_PROTO).filter(|proto| {
            ["http", "https", "ws", "wss"].iter().any(|known| proto.eq_ignore_ascii_case(known))
        });
        let host = last(headers, &X_FORWARDED_HOST).filter(|host| is_authority(host));
        let forwarded = Forwarded {
            client: address.map(|address| address.ip()),
            proto: proto.map(str::to_ascii_lowercase),
            host: host.map(str::to_owned),
        };
        Client { address, forwarded: Some(forwarded) }
    }

    /// Every proxy appends whom it has the request from. So the list is read from its end, for as
    /// long as those who wrote are trusted; what stands before is anybody's invention.
    fn client_address(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<SocketAddr> {
        let mut client = peer;
        for hop in elements(headers, &X_FORWARDED_FOR).take(MAX_HOPS) {
            // Nobody knows who wrote what stands before a malformed one.
            let Some(address) = hop.and_then(read_address) else { break };
            client = Some(address);
            if !self.trusts(Some(address.ip())) {
                break;
            }
        }
        client
    }
}

/// What a trusted proxy told of a request. Handlers find it in the extensions of
/// [`Socket::request`](crate::Socket::request).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forwarded {
    /// The client's address; `None` when the proxy is at a unix socket and did not tell.
    pub client: Option<IpAddr>,
    /// `http`, `https`, `ws` or `wss`, by which the client reached the proxy.
    pub proto: Option<String>,
    /// The host that the client asked for, with its port where it wrote one.
    pub host: Option<String>,
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) address: Option<SocketAddr>,
    /// Where the peer is a trusted proxy.
    pub(super) forwarded: Option<Forwarded>,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// So many proxies in a row are believed.
const MAX_HOPS: usize = 32;
/// The longest element that is looked at: an IPv6 address with brackets, zone and port, or a host.
const MAX_ELEMENT: usize = 255;

/// The elements of a header from its end; `None` for one that cannot be read.
fn elements<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = Option<&'a str>> {
    let lines: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
    lines.into_iter().rev().flat_map(|line| {
        line.as_bytes().rsplit(|byte| *byte == b',').map(|element| {
            let element = element.trim_ascii();
            let element = Some(element).filter(|element| element.len() <= MAX_ELEMENT)?;
            std::str::from_utf8(element).ok()
        })
    })
}

fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    elements(headers, name).next().flatten()
}

/// An address, with or without a port: proxies write `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`
/// and `[2001:db8::1]:80`. Port 0 stands for none.
fn read_address(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(ip) if bare == text || ip.is_ipv6() => Some(SocketAddr::new(ip.to_canonical(), 0)),
        Ok(_) => None,
        Err(_) => {
            let address: SocketAddr = text.parse().ok()?;
            Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
        }
    }
}

fn is_authority(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(is_fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn client(trusted: &str, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let trusted: TrustedProxies = trusted.parse().unwrap();
        let peer = if peer == "unix" { None } else { Some(peer.parse().unwrap()) };
        let client = trusted.resolve(peer, &headers(lines)).address;
        client.map_or_else(|| "unix".into(), |address| address.to_string())
    }

    const XFF: &str = "x-forwarded-for";

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        let spoofed = [
            (XFF, "203.0.113.9"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
        ];
        for (trusted, peer) in
            [("", "192.0.2.1:9"), ("10.0.0.0/8", "192.0.2.1:9"), ("::/0", "192.0.2.1:9")]
        {
            assert_eq!(client(trusted, peer, &spoofed), peer);
            let proxies: TrustedProxies = trusted.parse().unwrap();
            let resolved = proxies.resolve(peer.parse().ok(), &headers(&spoofed));
            assert_eq!(resolved.forwarded, None);
        }
        assert_eq!(client("private", "unix", &spoofed), "unix");
    }

    #[test]
    fn hops_are_counted_from_the_right_while_they_are_trusted() {
        let chain = [(XFF, "6.6.6.6, 203.0.113.9"), (XFF, "10.0.0.2,10.0.0.1")];
        assert_eq!(client("10.0.0.0/8", "10.0.0.9:1", &chain), "203.0.113.9:0");
        assert_eq!(client("10.0.0.9", "10.0.0.9:1", &chain), "10.0.0.1:0");
        assert_eq!(client("unix,10.0.0.1", "unix", &chain), "10.0.0.2:0");
        assert_eq!(client("0.0.0.0/0", "10.0.0.9:1", &chain), "6.6.6.6:0");
        assert_eq!(client("10.0.0.9", "[::ffff:10.0.0.9]:1", &chain), "10.0.0.1:0");
    }

    #[test]
    fn a_malformed_hop_ends_the_count() {
        for (hops, expected) in [
            ("6.6.6.6, unknown", "10.0.0.9:1"),
            ("6.6.6.6,, 10.0.0.1", "10.0.0.1:0"),
            ("6.6.6.6, [1.2.3.4]", "10.0.0.9:1"),
            ("203.0.113.9:4711", "203.0.113.9:4711"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("::ffff:203.0.113.9", "203.0.113.9:0"),
            ("", "10.0.0.9:1"),
        ] {
            assert_eq!(client("10.0.0.0/8", "10.0.0.9:1", &[(XFF, hops)]), expected, "{hops}");
        }
        let long = format!("6.6.6.6,{}", "1".repeat(MAX_ELEMENT + 1));
        assert_eq!(client("10.0.0.0/8", "10.0.0.9:1", &[(XFF, &long)]), "10.0.0.9:1");
        let many = format!("6.6.6.6{}", ",10.0.0.1".repeat(MAX_HOPS));
        assert_eq!(client("10.0.0.0/8", "10.0.0.9:1", &[(XFF, &many)]), "10.0.0.1:0");
    }

    #[test]
    fn host_and_scheme_are_the_nearest_proxys_word() {
        let proxies: TrustedProxies = "loopback".parse().unwrap();
        let told = [
            ("x-forwarded-host", "evil.example, app.example:8443"),
            ("x-forwarded-proto", "gopher,HTTPS"),
        ];
        let peer = Some("127.0.0.1:9".parse().unwrap());
        let client = proxies.resolve(peer, &headers(&told));
        let forwarded = client.forwarded.unwrap();
        assert_eq!(forwarded.host.as_deref(), Some("app.example:8443"));
        assert_eq!(forwarded.proto.as_deref(), Some("https"));
        assert_eq!(forwarded.client, Some("127.0.0.1".parse().unwrap()));
        let odd = [("x-forwarded-host", "a b"), ("x-forwarded-proto", "gopher")];
        let forwarded = proxies.resolve(peer, &headers(&odd)).forwarded.unwrap();
        assert_eq!((forwarded.host, forwarded.proto), (None, None));
    }

    #[test]
    fn lists_are_read_and_written() {
        for (text, written) in [
            ("", ""),
            ("10.1.2.3", "10.1.2.3/32"),
            ("unix,::1/128 , 0.0.0.0/0", "::1/128, 0.0.0.0/0, unix"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("loopback", "127.0.0.0/8, ::1/128"),
        ] {
            assert_eq!(text.parse::<TrustedProxies>().unwrap().to_string(), written);
        }
        for bad in [
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0/8",
            "1.1.1.1/+1",
            "::ffff:1.1.1.1/90",
        ] {
            let error = bad.parse::<TrustedProxies>().unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("10.0.0.0/8"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn an_untrusted_client_is_the_last_hop_whatever_it_wrote(written in "[ -~]{0,300}") {
            let hops = format!("{written}, 203.0.113.9");
            let found = client("10.0.0.0/8", "10.0.0.9:1", &[(XFF, &hops)]);
            prop_assert_eq!(found, "203.0.113.9:0");
        }

        #[test]
        fn a_network_has_what_shares_its_first_bits(a: u32, b: u32, bits in 0u8..=32) {
            let network = Network { address: IpAddr::V4(a.into()), bits };
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            prop_assert_eq!(network.has(IpAddr::V4(b.into())), a & mask == b & mask);
        }
    }
}
