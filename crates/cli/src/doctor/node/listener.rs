//! Whether the server listens where its configuration says, or another program does.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{Check, check, limit_of, name_of, processes};
use crate::doctor::lang::said;

/// So long for a connection on this machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Programs that hold a port for another one: what stands behind them cannot be seen here.
const FOR_OTHERS: &[&str] = &["systemd", "docker-proxy", "rootlessport", "conmon", "pasta"];

/// Whether something listens, which program it is, and what limits that program runs under.
pub(super) async fn look(address: &str, config: Option<&Path>) -> Vec<Check> {
    let bare = address.split('?').next().unwrap_or_default();
    let Ok(socket) = bare.parse::<SocketAddr>() else {
        let path = bare.strip_prefix("unix:").unwrap_or(bare);
        let opened = timeout(PATIENCE, UnixStream::connect(path)).await;
        return vec![listens(bare, opened.is_ok_and(|it| it.is_ok()), config)];
    };
    if socket.port() == 0 {
        let text = said!(
            "listener {bare}: a server takes a free port, and only it can say which",
            "리스너 {bare}: 서버가 빈 포트를 고르며, 어느 것인지는 서버만 앎"
        );
        return vec![check(true, "D03", text, &[])];
    }
    let opened = timeout(PATIENCE, TcpStream::connect(reached(socket))).await;
    let open = opened.is_ok_and(|it| it.is_ok());
    let Some(process) = open.then(|| holder(socket)).flatten() else {
        return vec![listens(bare, open, config)];
    };
    let name = name_of(process);
    if is_ours(process, &name) {
        let text =
            said!("listener {bare}: {name} ({process})", "리스너 {bare}: {name} ({process})");
        let mut checks = vec![check(true, "D03", text, &[])];
        checks.extend(limit_of(process));
        return checks;
    }
    if FOR_OTHERS.contains(&name.as_str()) {
        let text = said!(
            "listener {bare}: {name} ({process}) listens for another program",
            "리스너 {bare}: {name} ({process})이(가) 다른 프로그램을 대신해 기다림"
        );
        return vec![check(true, "D03", text, &[])];
    }
    let text = said!(
        "listener {bare}: taken by another program, {name} ({process})",
        "리스너 {bare}: 다른 프로그램 {name} ({process})이(가) 차지함"
    );
    let port = format!("ss -ltnp 'sport = :{}'", socket.port());
    vec![check(false, "M101", text, &[&port, &format!("kill {process}"), &serve(config)])]
}

fn listens(bare: &str, open: bool, config: Option<&Path>) -> Check {
    let text = if open {
        said!(
            "listener {bare}: something listens; which program cannot be seen",
            "리스너 {bare}: 기다리는 프로그램 있음 (어느 것인지는 볼 수 없음)"
        )
    } else {
        said!("listener {bare}: nothing listens", "리스너 {bare}: 기다리는 프로그램 없음")
    };
    check(open, "D03", text, &[&serve(config)])
}

/// What starts the server of this configuration.
fn serve(config: Option<&Path>) -> String {
    let Some(file) = config else { return "madang serve".into() };
    let file = file.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    if !file.is_empty() && file.chars().all(is_plain) {
        format!("madang serve --config {file}")
    } else {
        format!("madang serve --config '{}'", file.replace('\'', "'\\''"))
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

/// This very program, or one of its name: another version of it may run.
fn is_ours(process: u32, name: &str) -> bool {
    let exe = |process: &str| fs::read_link(format!("/proc/{process}/exe")).ok();
    let own = exe("self");
    name == "madang" || (own.is_some() && own == exe(&process.to_string()))
}

/// The process that holds the listening socket of an address; of several that share it, ours.
fn holder(socket: SocketAddr) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let listening: Vec<(SocketAddr, String)> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().skip(1).filter_map(listening).collect::<Vec<_>>())
        .filter(|(at, _)| at.port() == socket.port())
        .collect();
    // A connection goes to the exact address before it goes to all.
    let exact = listening.iter().filter(|(at, _)| at.ip() == socket.ip());
    let all = listening.iter().filter(|(at, _)| at.ip().is_unspecified());
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
        assert_eq!(serve(None), "madang serve");
        assert_eq!(serve(Some(Path::new("/etc/m.toml"))), "madang serve --config /etc/m.toml");
        assert_eq!(serve(Some(Path::new("my m.toml"))), "madang serve --config 'my m.toml'");
    }
}
