//! Addresses to listen on: one socket a worker, all of one port; or a unix socket that all share.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket},
    os::fd::OwnedFd,
    path::PathBuf,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{
    owner,
    unix::{self, SocketFile},
};

/// Why an address cannot be listened on, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The text is no address.
    #[error(
        "`{0}` is no address to listen on; write it like 127.0.0.1:8000, [::1]:8000, 0.0.0.0:8000 \
         or unix:/run/madang.sock"
    )]
    BadAddress(String),
    /// What stands behind the address is no option of it.
    #[error(
        "`{0}` is no option of an address; there are ?proxy-protocol=1 and, for a unix socket, ?mode=660"
    )]
    BadOption(String),
    /// Somebody else listens at the unix socket.
    #[error("{} is taken: somebody answers there; stop that or listen elsewhere", .0.display())]
    SocketTaken(PathBuf),
    /// A file that is no socket has the path.
    #[error("{} is there already and is no socket; take another path", .0.display())]
    NoSocket(PathBuf),
    /// Something else, at a unix socket.
    #[error("cannot listen on {}: {source}", path.display())]
    Unix {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else listens there.
    #[error("{address} is taken{}; stop that or listen elsewhere{}", owned_by(.owner.as_deref()), next_free(*.free))]
    Taken {
        /// The address.
        address: SocketAddr,
        /// The process that has it, where the system tells.
        owner: Option<String>,
        /// The next address that is free.
        free: Option<SocketAddr>,
    },
    /// The system does not allow it.
    #[error("not allowed to listen on {0}; ports below 1024 are kept for root, take a higher one")]
    NotAllowed(SocketAddr),
    /// This machine does not have the address.
    #[error("this machine has no address {}; 127.0.0.1 is for this machine only, 0.0.0.0 for all its addresses", .0.ip())]
    NotOurs(SocketAddr),
    /// Something else.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

fn owned_by(owner: Option<&str>) -> String {
    owner.map_or_else(String::new, |owner| format!(" by {owner}"))
}

fn next_free(free: Option<SocketAddr>) -> String {
    free.map_or_else(String::new, |free| format!(", for example on {free}"))
}

/// One address with a socket for each worker.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) place: Place,
    pub(super) manner: Manner,
    pub(super) sockets: Vec<OwnedFd>,
}

/// Where somebody listens.
#[derive(Debug)]
pub(super) enum Place {
    Tcp(SocketAddr),
    Unix(SocketFile),
}

/// How connections are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Manner {
    /// They begin with a PROXY header, which must come.
    pub(super) proxy_protocol: bool,
}

/// What stands behind the `?` of an address.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    manner: Manner,
    mode: Option<u32>,
}

impl Options {
    fn parse(text: &str, is_unix: bool) -> Result<Self, ListenError> {
        let mut options = Self::default();
        for option in text.split('&') {
            let bad = || ListenError::BadOption(option.to_owned());
            match option.split_once('=').ok_or_else(bad)? {
                ("proxy-protocol", "1") => options.manner.proxy_protocol = true,
                ("proxy-protocol", "0") => options.manner.proxy_protocol = false,
                ("mode", digits) if is_unix => {
                    let mode = u32::from_str_radix(digits, 8).ok();
                    options.mode = Some(mode.filter(|mode| *mode <= 0o777).ok_or_else(bad)?);
                }
                _ => return Err(bad()),
            }
        }
        Ok(options)
    }
}

/// The kernel cuts it to `net.core.somaxconn`.
pub(super) const BACKLOG: i32 = 65_535;

/// Listens on `text`, which may have options.
pub(super) fn listen(
    text: &str,
    workers: usize,
    stall: Duration,
) -> Result<Listeners, ListenError> {
    let (address, options) = match text.split_once('?') {
        Some((address, options)) => (address, Some(options)),
        None => (text, None),
    };
    let path = address.strip_prefix("unix:");
    let options = options.map(|text| Options::parse(text, path.is_some())).transpose()?;
    let Options { manner, mode } = options.unwrap_or_default();
    let (place, sockets) = match path {
        Some("") => return Err(ListenError::BadAddress(text.to_owned())),
        Some(path) => {
            let (file, sockets) = unix::listen(path.into(), mode, workers)?;
            (Place::Unix(file), sockets)
        }
        None => {
            let (address, sockets) = listen_tcp(address, workers, stall)?;
            (Place::Tcp(address), sockets)
        }
    };
    Ok(Listeners { place, manner, sockets })
}

/// Listens on `text` with `workers` sockets. The kernel spreads new connections over them.
///
/// A connection whose peer takes nothing for `stall` while something waits for it is ended by the
/// kernel (RFC 5482; Linux counts a closed window too). Nothing else ends one that asks for a page
/// and never reads it.
fn listen_tcp(
    text: &str,
    workers: usize,
    stall: Duration,
) -> Result<(SocketAddr, Vec<OwnedFd>), ListenError> {
    let bad = || ListenError::BadAddress(text.to_owned());
    let asked = text.to_socket_addrs().map_err(|_| bad())?.next().ok_or_else(bad)?;
    // With `SO_REUSEPORT` alone, a second server of the same user would join the first one's port
    // and take half of its clients. So the port is first bound without it.
    let address = bind(asked, false)
        .and_then(|socket| socket.local_addr())
        .map_err(|error| explain(asked, error))?;
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = bind(address, true).map_err(|error| explain(address, error))?;
        // What is set on a listener holds for those that it takes.
        let millis = i32::try_from(stall.as_millis()).map_or(i32::MAX as u32, i32::cast_unsigned);
        rustix::net::sockopt::set_tcp_user_timeout(&socket, millis)
            .map_err(|error| explain(address, error.into()))?;
        rustix::net::sockopt::set_tcp_nodelay(&socket, true)
            .map_err(|error| explain(address, error.into()))?;
        sockets.push(socket.into());
    }
    Ok((address, sockets))
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` takes IPv4 too, as its user expects.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

fn explain(address: SocketAddr, error: io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken {
            address,
            owner: owner::of_port(address.port()),
            free: (address.port().saturating_add(1)..=address.port().saturating_add(100))
                .map(|port| SocketAddr::new(address.ip(), port))
                .find(|address| bind(*address, false).is_ok()),
        },
        io::ErrorKind::PermissionDenied => ListenError::NotAllowed(address),
        io::ErrorKind::AddrNotAvailable => ListenError::NotOurs(address),
        _ => ListenError::Io { address, source: error },
    }
}

/// The address by which others in the local network reach this machine, if there is one.
pub fn lan_addresses() -> Vec<IpAddr> {
    // Connecting a UDP socket sends nothing; it only asks the system for a route.
    let route = |from: &str, to: &str| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    let routes = [route("0.0.0.0:0", "192.0.2.1:9"), route("[::]:0", "[2001:db8::1]:9")];
    routes.into_iter().flatten().filter(|ip| !ip.is_loopback() && !ip.is_unspecified()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(1);

    #[test]
    fn a_peer_that_never_reads_is_cut() {
        use std::{io::Write as _, net::TcpStream};
        let (address, mut sockets) = listen_tcp("127.0.0.1:0", 1, STALL).unwrap();
        let silent = TcpStream::connect(address).unwrap();
        let (mut stream, _) = TcpListener::from(sockets.remove(0)).accept().unwrap();
        stream.set_nonblocking(false).unwrap();
        let error = loop {
            if let Err(error) = stream.write_all(&[0; 8_192]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(silent);
    }

    #[test]
    fn a_taken_port_is_named_with_its_owner_and_the_next_free_one() {
        let (first, _sockets) = listen_tcp("127.0.0.1:0", 2, STALL).unwrap();
        let error = listen(&first.to_string(), 1, STALL).unwrap_err();
        let ListenError::Taken { address, owner, free } = &error else { panic!("{error}") };
        assert_eq!(*address, first);
        assert!(owner.as_deref().unwrap().contains(&std::process::id().to_string()), "{error}");
        assert_ne!(free.unwrap().port(), first.port());
    }

    #[test]
    fn what_is_no_address_is_told_what_one_looks_like() {
        for text in ["", "8000", "127.0.0.1", "127.0.0.1:99999", "::1:x", "unix:"] {
            let error = listen(text, 1, STALL).unwrap_err().to_string();
            assert!(error.contains("127.0.0.1:8000"), "{error}");
        }
        assert!(matches!(listen("192.0.2.1:8000", 1, STALL), Err(ListenError::NotOurs(_))));
    }

    #[test]
    fn options_are_read_and_slips_are_named() {
        let proxied = Options::parse("proxy-protocol=1", false).unwrap();
        assert!(proxied.manner.proxy_protocol);
        let both = Options::parse("mode=660&proxy-protocol=1", true).unwrap();
        assert_eq!((both.mode, both.manner.proxy_protocol), (Some(0o660), true));
        for (bad, is_unix) in [
            ("", true),
            ("mode=660", false),
            ("mode=888", true),
            ("mode=7777", true),
            ("proxy-protocol", true),
            ("proxy-protocol=yes", true),
            ("proxy=1", true),
        ] {
            let error = Options::parse(bad, is_unix).unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("?proxy-protocol=1"), "{error}");
        }
    }
}
