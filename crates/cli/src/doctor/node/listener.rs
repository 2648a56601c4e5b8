//! Whether the server listens where its configuration says, or another program does.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::Duration,
};

use tokio::{
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};

use super::{
    Check,
    answer::{self, Answer},
    check, limit_of, name_of, processes,
};
use crate::doctor::lang::said;

/// So long for a connection on this machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Programs that hold a port for another one: what stands behind them cannot be seen here.
const FOR_OTHERS: &[&str] = &["systemd", "docker-proxy", "rootlessport", "conmon", "pasta"];

/// Whether something listens, which program it is, and what limits that program runs under.
pub(super) async fn look(address: &str, config: Option<&Path>) -> Vec<Check> {
    let bare = address.split('?').next().unwrap_or_default();
    if let Some(path) = bare.strip_prefix("unix:") {
        let opened = timeout(PATIENCE, UnixStream::connect(path)).await;
        let answer = match opened {
            Ok(Ok(stream)) => Some(answer::ask(stream).await),
            _ => None,
        };
        return vec![unseen(bare, answer, config)];
    }
    // The first address of a name, as `madang serve` takes it.
    let Some(socket) = lookup_host(bare).await.ok().and_then(|mut found| found.next()) else {
        let text = said!(
            "listener {bare}: no address, and no name that this machine can look up",
            "리스너 {bare}: 주소가 아니며, 이 머신이 찾을 수 있는 이름도 아님"
        );
        return vec![check(false, "D01", text, &[])];
    };
    if socket.port() == 0 {
        let text = said!(
            "listener {bare}: a server takes a free port, and only it can say which",
            "리스너 {bare}: 서버가 빈 포트를 고르며, 어느 것인지는 서버만 앎"
        );
        return vec![check(true, "D03", text, &[])];
    }
    let sockets = sockets_at(socket.port());
    if let Some(check) = narrow(bare, socket, &sockets, config) {
        return vec![check];
    }
    tcp(bare, socket, &sockets, config).await
}

/// A configuration for all addresses is not met by a listener on one of them, which others do not
/// reach.
fn narrow(
    bare: &str,
    socket: SocketAddr,
    sockets: &[(SocketAddr, String)],
    config: Option<&Path>,
) -> Option<Check> {
    let is_met = sockets.iter().any(|(at, _)| takes(*at, socket));
    if !socket.ip().is_unspecified() || sockets.is_empty() || is_met {
        return None;
    }
    // Each worker has a socket of its own.
    let mut places: Vec<_> = sockets.iter().map(|(at, _)| at.to_string()).collect();
    places.dedup();
    let places = places.join(", ");
    let text = said!(
        "listener {bare}: only {places} listens, and not all addresses",
        "리스너 {bare}: 모든 주소가 아니라 {places}에서만 기다림"
    );
    let port = format!("ss -ltnp 'sport = :{}'", socket.port());
    let lines = [&port, "# when that program has ended", &command("serve", config)];
    Some(check(false, "D03", text, &lines))
}

/// Who answers there.
async fn tcp(
    bare: &str,
    socket: SocketAddr,
    sockets: &[(SocketAddr, String)],
    config: Option<&Path>,
) -> Vec<Check> {
    let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(reached(socket))).await else {
        return vec![unseen(bare, None, config)];
    };
    let Some(process) = holder(socket, sockets) else {
        return vec![unseen(bare, Some(answer::ask(stream).await), config)];
    };
    let name = name_of(process);
    if FOR_OTHERS.contains(&name.as_str()) {
        let text = said!(
            "listener {bare}: {name} ({process}) listens for another program",
            "리스너 {bare}: {name} ({process})이(가) 다른 프로그램을 대신해 기다림"
        );
        return vec![check(true, "D03", text, &[])];
    }
    if is_ours(process, &name) || answer::ask(stream).await == Answer::Madang {
        let text =
            said!("listener {bare}: {name} ({process})", "리스너 {bare}: {name} ({process})");
        let mut checks = vec![check(true, "D03", text, &[])];
        checks.extend(limit_of(process));
        return checks;
    }
    let text = said!(
        "listener {bare}: taken by another program, {name} ({process}); one of the two needs another port",
        "리스너 {bare}: 다른 프로그램 {name} ({process})이(가) 차지함. 둘 중 하나는 포트를 바꿔야 함"
    );
    let port = format!("ss -ltnp 'sport = :{}'", socket.port());
    vec![check(false, "M101", text, &[&port])]
}

/// What is known without the process: whether something listens, and how that answers.
fn unseen(bare: &str, answer: Option<Answer>, config: Option<&Path>) -> Check {
    match answer {
        Some(Answer::Madang) => check(
            true,
            "D03",
            said!(
                "listener {bare}: Madang answers; which process cannot be seen",
                "리스너 {bare}: Madang이 응답함 (어느 프로세스인지는 볼 수 없음)"
            ),
            &[],
        ),
        Some(Answer::Silence) => check(
            true,
            "D03",
            said!(
                "listener {bare}: something listens; which program cannot be seen",
                "리스너 {bare}: 기다리는 프로그램 있음 (어느 것인지는 볼 수 없음)"
            ),
            &[],
        ),
        Some(Answer::Another) => check(
            false,
            "M101",
            said!(
                "listener {bare}: taken by something that is not Madang; one of the two needs another place",
                "리스너 {bare}: Madang이 아닌 것이 차지함. 둘 중 하나는 자리를 바꿔야 함"
            ),
            &["ss -lntxp"],
        ),
        None => check(
            false,
            "D03",
            said!("listener {bare}: nothing listens", "리스너 {bare}: 기다리는 프로그램 없음"),
            &[&command("serve", config)],
        ),
    }
}

/// A command of this program for the configuration at hand.
pub(super) fn command(name: &str, config: Option<&Path>) -> String {
    let Some(file) = config else { return format!("madang {name}") };
    let flag = if name == "serve" { " --config" } else { "" };
    let file = file.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    if !file.is_empty() && file.chars().all(is_plain) {
        format!("madang {name}{flag} {file}")
    } else {
        format!("madang {name}{flag} '{}'", file.replace('\'', "'\\''"))
    }
}

/// Where a listener is reached from this machine.
fn reached(mut socket: SocketAddr) -> SocketAddr {
    if socket.ip().is_unspecified() {
        socket.set_ip(match socket {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    socket
}

/// This very program under whatever name, or one of its name: another version of it may run.
fn is_ours(process: u32, name: &str) -> bool {
    // The link is followed to the file itself: it may have several names.
    let file = |process: &str| {
        fs::metadata(format!("/proc/{process}/exe")).ok().map(|file| (file.dev(), file.ino()))
    };
    let own = file("self");
    name == "madang" || (own.is_some() && own == file(&process.to_string()))
}

/// Listening sockets of a port, with their inodes.
fn sockets_at(port: u16) -> Vec<(SocketAddr, String)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.iter().filter_map(|table| fs::read_to_string(table).ok());
    let sockets = tables
        .flat_map(|table| table.lines().skip(1).filter_map(listening).collect::<Vec<_>>())
        .filter(|(at, _)| at.port() == port);
    sockets.collect()
}

/// Whether a socket takes what comes to an address. `[::]` takes IPv4 too.
fn takes(at: SocketAddr, wanted: SocketAddr) -> bool {
    at.ip() == wanted.ip() || at.ip().is_unspecified() && (at.is_ipv6() || wanted.is_ipv4())
}

/// The process that holds the listening socket of an address; of several that share it, ours.
fn holder(socket: SocketAddr, sockets: &[(SocketAddr, String)]) -> Option<u32> {
    // A connection goes to the exact address before it goes to all.
    let exact = sockets.iter().filter(|(at, _)| at.ip() == socket.ip());
    let all = sockets.iter().filter(|(at, _)| takes(*at, socket));
    let (_, inode) = exact.chain(all).next()?;
    let inode = format!("socket:[{inode}]");
    let has = |process: &u32| {
        let handles = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        handles
            .filter_map(|handle| fs::read_link(handle.path()).ok())
            .any(|to| to.to_str() == Some(&inode))
    };
    let holders: Vec<u32> = processes().filter(has).collect();
    let ours = holders.iter().find(|&&process| is_ours(process, &name_of(process)));
    ours.or(holders.first()).copied()
}

/// Local address and inode of a line of `/proc/net/tcp`, where it listens: proc(5).
fn listening(line: &str) -> Option<(SocketAddr, String)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (ip, port) = fields.get(1)?.rsplit_once(':')?;
    // 0A is LISTEN.
    if *fields.get(3)? != "0A" {
        return None;
    }
    let at = SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?);
    Some((at, (*fields.get(9)?).to_owned()))
}

/// Words of 32 bits as this machine has them in memory.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = "0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 0 0 4711 1";
        let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
        let line = line.replace("0100007F", &format!("{loopback:08X}"));
        let read = listening(&line).unwrap();
        assert_eq!(read, ("127.0.0.1:8080".parse().unwrap(), "4711".to_owned()));
        assert_eq!(listening(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(address(&"0".repeat(32)), Some(Ipv6Addr::UNSPECIFIED.into()));
    }

    #[test]
    fn the_cure_names_the_file() {
        let name = |file| Some(Path::new(file));
        assert_eq!(command("serve", None), "madang serve");
        assert_eq!(command("serve", name("/etc/m.toml")), "madang serve --config /etc/m.toml");
        assert_eq!(command("serve", name("my m.toml")), "madang serve --config 'my m.toml'");
        assert_eq!(command("check-config", name("m.toml")), "madang check-config m.toml");
    }

    #[test]
    fn a_loopback_socket_does_not_take_for_all() {
        for (at, wanted, is) in [
            ("127.0.0.1:1", "0.0.0.0:1", false),
            ("[::1]:1", "[::]:1", false),
            ("0.0.0.0:1", "[::]:1", false),
            ("[::]:1", "0.0.0.0:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("10.0.0.1:1", "10.0.0.1:1", true),
        ] {
            assert_eq!(takes(at.parse().unwrap(), wanted.parse().unwrap()), is, "{at} {wanted}");
        }
    }
}
