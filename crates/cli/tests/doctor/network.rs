//! Names, addresses, and ports that do not speak.

use std::{
    io::Write as _,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket},
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket, sockopt};

use super::{
    bed::{Bed, Case, check},
    certificates::Authority,
    tls,
    wire::{self, Server, echo, head, say},
};

/// A port that is nobody's, and stays so.
fn taken() -> (OwnedFd, u16) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = SocketAddrV4::try_from(getsockname(&socket).unwrap()).unwrap().port();
    (socket, port)
}

/// A listener whose queue is full, so that the system drops what comes.
fn full(address: SocketAddr) -> Option<(SocketAddr, Vec<OwnedFd>)> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let listener = socket(family, SocketType::STREAM, None).ok()?;
    bind(&listener, &address).ok()?;
    listen(&listener, 0).ok()?;
    let address = SocketAddr::try_from(getsockname(&listener).ok()?).ok()?;
    let mut held = vec![listener];
    for _ in 0..64 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(stream) => held.push(stream.into()),
            // Dropped: it is full.
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Some((address, held));
            }
            Err(_) => return None,
        }
    }
    None
}

/// An address of this machine that is not the loopback.
pub(crate) fn own_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: it only chooses an address.
    socket.connect("198.51.100.1:9").ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(address)
            if !address.ip().is_loopback() && !address.ip().is_unspecified() =>
        {
            Some(*address.ip())
        }
        _ => None,
    }
}

fn after_a_proxy_line(stream: &mut TcpStream) -> bool {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        if std::io::Read::read(stream, &mut byte).unwrap_or(0) == 0 {
            return false;
        }
        line.push(byte[0]);
    }
    line.starts_with(b"PROXY TCP4 ")
}

fn proxy(server: &Server) -> String {
    format!("http://{}", server.address)
}

fn good(stream: &mut TcpStream) {
    if let Some(head) = head(stream)
        && wire::upgrade(stream, &head, &wire::Answering::default())
    {
        wire::speak(stream, |_, _| Some(Vec::new()));
    }
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a name that does not exist",
        codes: &["D01"],
        exit: 10,
        make: || Some(Bed::new(&["ws://no-such-host.invalid/ws"])),
    },
    Case {
        name: "IPv6 swallows packets, IPv4 works",
        codes: &["D02"],
        exit: 10,
        make: || {
            let (dead, held) = full((Ipv6Addr::LOCALHOST, 0).into())?;
            let port = dead.port();
            let server =
                Server::at(&format!("127.0.0.1:{port}"), |mut stream, _| good(&mut stream));
            let url = format!("ws://both.example:{port}/ws");
            let bed =
                Bed::new(&[&url, "--resolve", "::1", "--resolve", "127.0.0.1", "--timeout", "1s"]);
            Some(bed.keep(held).keep(server))
        },
    },
    Case {
        name: "nothing listens",
        codes: &["D03"],
        exit: 10,
        make: || {
            let (socket, port) = taken();
            Some(Bed::new(&[&format!("ws://127.0.0.1:{port}/ws")]).keep(socket))
        },
    },
    Case {
        name: "packets are dropped",
        codes: &["D04"],
        exit: 10,
        make: || {
            let (address, held) = full((Ipv4Addr::LOCALHOST, 0).into())?;
            Some(Bed::new(&[&format!("ws://{address}/ws"), "--timeout", "1s"]).keep(held))
        },
    },
    Case {
        name: "opens and stays mute",
        codes: &["D05"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| wire::listen(&mut stream));
            Some(Bed::new(&[&server.url("/ws"), "--timeout", "1s"]).keep(server))
        },
    },
    Case {
        name: "half an answer, then nothing",
        codes: &["D05"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                if head(&mut stream).is_some() {
                    drop(stream.write_all(b"HTTP/1.1 101 Switching"));
                    wire::listen(&mut stream);
                }
            });
            Some(Bed::new(&[&server.url("/ws"), "--timeout", "1s"]).keep(server))
        },
    },
    Case {
        name: "waits for a PROXY header",
        codes: &["D05"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                // Something else than PROXY is neither answered nor closed.
                let mut start = [0; 6];
                if std::io::Read::read_exact(&mut stream, &mut start).is_ok() && &start == b"PROXY "
                {
                    while std::io::Read::read_exact(&mut stream, &mut start[..1]).is_ok()
                        && start[0] != b'\n'
                    {}
                    good(&mut stream);
                }
                wire::listen(&mut stream);
            });
            Some(Bed::new(&[&server.url("/ws"), "--timeout", "1s"]).keep(server))
        },
    },
    Case {
        name: "closes before any byte",
        codes: &["D06"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| drop(head(&mut stream)));
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "resets before any byte",
        codes: &["D06"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                drop(head(&mut stream));
                // Closed with a reset.
                sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
            });
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "closes without a PROXY header",
        codes: &["D06"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                if after_a_proxy_line(&mut stream) {
                    good(&mut stream);
                }
            });
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "wss:// to a plain server, which answers 400",
        codes: &["D07"],
        exit: 20,
        make: || {
            let server = Server::new(|mut stream, _| {
                let mut start = [0; 3];
                if std::io::Read::read_exact(&mut stream, &mut start).is_ok() && &start != b"GET" {
                    say(&mut stream, "400 Bad Request", "");
                } else {
                    drop(head(&mut stream));
                    say(&mut stream, "404 Not Found", "");
                }
                wire::listen(&mut stream);
            });
            Some(Bed::new(&[&server.url("/ws").replace("ws://", "wss://")]).keep(server))
        },
    },
    Case {
        name: "wss:// to a plain server that stays mute",
        codes: &["D07"],
        exit: 20,
        make: || {
            let server = Server::new(|mut stream, _| {
                // An end of a head that never comes in a ClientHello.
                if head(&mut stream).is_some() {
                    say(&mut stream, "200 OK", "hello");
                }
            });
            let url = server.url("/ws").replace("ws://", "wss://");
            Some(Bed::new(&[&url, "--timeout", "1s"]).keep(server))
        },
    },
    Case {
        name: "ws:// to a TLS port, which sends an alert",
        codes: &["D08"],
        exit: 10,
        make: || {
            let server = tls::echo(&Authority::new().server(&["localhost"]));
            Some(Bed::new(&[&format!("ws://localhost:{}/ws", server.port())]).keep(server))
        },
    },
    Case {
        name: "ws:// to a TLS port, which hangs up",
        codes: &["D08"],
        exit: 10,
        make: || {
            let leaf = Authority::new().server(&["localhost"]);
            let server = Server::new(move |mut stream, _| {
                let mut first = [0];
                if stream.peek(&mut first).is_ok() && first[0] == 0x16 {
                    tls::talk(&leaf, &mut stream);
                }
            });
            Some(Bed::new(&[&format!("ws://localhost:{}/ws", server.port())]).keep(server))
        },
    },
    Case {
        name: "the network's proxy does not reach the server",
        codes: &["D30"],
        exit: 30,
        make: || {
            let server = Server::new(|mut stream, _| {
                if head(&mut stream).is_some_and(|head| head.method == "CONNECT") {
                    say(&mut stream, "503 Service Unavailable", "DNS failure");
                }
            });
            Some(Bed::new(&["wss://chat.invalid/ws", "--proxy", &proxy(&server)]).keep(server))
        },
    },
    Case {
        name: "the network's proxy is not there",
        codes: &["D03"],
        exit: 10,
        make: || {
            let (socket, port) = taken();
            let proxy = format!("127.0.0.1:{port}");
            Some(Bed::new(&["wss://chat.invalid/ws", "--proxy", &proxy]).keep(socket))
        },
    },
    Case {
        name: "the network's proxy stays mute",
        codes: &["D05"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| wire::listen(&mut stream));
            let through = proxy(&server);
            let bed = Bed::new(&["wss://chat.invalid/ws", "--proxy", &through, "--timeout", "1s"]);
            Some(bed.keep(server))
        },
    },
    Case {
        name: "IPv4 and IPv6 lead to different servers",
        codes: &["D02"],
        exit: 10,
        make: || {
            let mute = Server::at("[::1]:0", |mut stream, _| wire::listen(&mut stream));
            let port = mute.port();
            let server =
                Server::at(&format!("127.0.0.1:{port}"), |mut stream, _| good(&mut stream));
            let url = format!("ws://both.example:{port}/ws");
            let both = ["--resolve", "127.0.0.1", "--resolve", "::1", "--timeout", "1s"];
            Some(Bed::new(&[&url]).and(&both).keep(mute).keep(server))
        },
    },
    Case {
        name: "SSH listens on the port",
        codes: &["D05"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"));
                wire::listen(&mut stream);
            });
            Some(Bed::new(&[&server.url("/ws"), "--timeout", "1s"]).keep(server))
        },
    },
    Case {
        name: "breaks off in the middle of the head",
        codes: &["D06"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                if head(&mut stream).is_some() {
                    drop(stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgr"));
                }
            });
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "a header of the answer is none",
        codes: &["D05"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                if head(&mut stream).is_some() {
                    drop(stream.write_all(b"HTTP/1.1 404 Not Found\r\nno colon here\r\n\r\n"));
                }
            });
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "TLS that answers nothing but WebSockets",
        codes: &["D08"],
        exit: 10,
        make: || {
            let leaf = Authority::new().server(&["localhost"]);
            let server = Server::new(move |mut stream, _| {
                tls::only_upgrades(&leaf, &mut stream);
            });
            let url = format!("ws://localhost:{}/ws", server.port());
            Some(Bed::new(&[&url, "--timeout", "1s"]).keep(server))
        },
    },
    Case {
        name: "an https page and a ws:// URL that leads to this machine",
        codes: &["D09"],
        exit: 10,
        make: || {
            let server = echo();
            let url = format!("ws://dev.example:{}/ws", server.port());
            let page = ["--resolve", "127.0.0.1", "--origin", "https://app.example"];
            Some(Bed::new(&[&url]).and(&page).keep(server))
        },
    },
    Case {
        name: "fails only the first time",
        codes: &["D06"],
        exit: 10,
        make: || {
            // The look at the port is a connection, too.
            let server = Server::new(|mut stream, at| {
                if at > 4 {
                    good(&mut stream);
                }
            });
            Some(Bed::new(&[&server.url("/ws")]).keep(server))
        },
    },
    Case {
        name: "the network's proxy is SSH",
        codes: &["D05"],
        exit: 10,
        make: || {
            let server = Server::new(|mut stream, _| {
                drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"));
                wire::listen(&mut stream);
            });
            Some(Bed::new(&["wss://chat.invalid/ws", "--proxy", &proxy(&server)]).keep(server))
        },
    },
    Case {
        name: "an https page and a ws:// URL",
        codes: &["D09"],
        exit: 10,
        make: || {
            let address = own_address()?;
            let server = Server::at(&format!("{address}:0"), |mut stream, _| good(&mut stream));
            Some(Bed::new(&[&server.url("/ws"), "--origin", "https://app.example"]).keep(server))
        },
    },
];

#[test]
fn network() {
    check(CASES);
}

/// The same machine, without what is wrong with it.
#[test]
fn a_good_server_has_nothing() {
    let server = echo();
    let told = super::bed::examine(&[server.url("/ws")]);
    assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
}

/// Who takes a ticket once, or one connection of each user, is the same over both families.
#[test]
fn a_ticket_for_one_use_is_no_difference_of_families() {
    let used = Arc::new(AtomicBool::new(false));
    let door = {
        let used = Arc::clone(&used);
        move |mut stream: TcpStream, _: usize| {
            let Some(head) = head(&mut stream) else { return };
            if used.swap(true, Ordering::SeqCst) {
                say(&mut stream, "401 Unauthorized", "used");
            } else if wire::upgrade(&mut stream, &head, &wire::Answering::default()) {
                wire::speak(&mut stream, |_, _| Some(Vec::new()));
            }
        }
    };
    let first = Server::at("[::1]:0", door.clone());
    let port = first.port();
    let _second = Server::at(&format!("127.0.0.1:{port}"), door);
    let told = super::bed::examine(
        &Bed::new(&[&format!("ws://both.example:{port}/ws?ticket=1")])
            .and(&["--resolve", "127.0.0.1", "--resolve", "::1"])
            .arguments,
    );
    assert_eq!((told.exit, told.codes.len()), (0, 0), "{}", told.json);
}
