//! `madang doctor --server`: the machine that this runs on, and the Madang server on it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::{Resource, getrlimit};
use serde::Serialize;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{
    clock,
    diagnoses::date,
    lang::{Said, said},
    probe,
};

/// Fewer descriptors are soon used up.
const FEW_DESCRIPTORS: u64 = 4_096;
/// Fewer ports, as well.
const FEW_PORTS: u64 = 16_384;
/// A certificate that ends sooner than this is told.
const SOON: i64 = 14 * 86_400;

/// Something that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) ok: bool,
    /// The diagnosis that it belongs to, where it is not well.
    pub(crate) code: Option<&'static str>,
    pub(crate) text: Said,
    /// Literal lines that cure it.
    pub(crate) lines: Vec<String>,
}

/// What the configuration says of this node.
pub(crate) struct Node {
    pub(crate) listen: Vec<String>,
    pub(crate) certificate: Option<PathBuf>,
}

fn check(ok: bool, code: &'static str, text: Said, lines: &[&str]) -> Check {
    let code = (!ok).then_some(code);
    let lines = if ok { Vec::new() } else { lines.iter().map(|&line| line.to_owned()).collect() };
    Check { ok, code, text, lines }
}

/// Looks at everything.
pub(crate) async fn examine(node: &Node) -> Vec<Check> {
    let mut checks = Vec::new();
    for address in &node.listen {
        checks.extend(listener(address).await);
    }
    checks.push(own_limit());
    checks.extend(ports());
    checks.extend(backlog());
    checks.extend(conntrack());
    checks.extend(node.certificate.as_deref().map(certificate));
    checks.extend(clock_is_kept());
    checks
}

/// Whether something listens, which program it is, and what limits that program runs under.
async fn listener(address: &str) -> Vec<Check> {
    let bare = address.split('?').next().unwrap_or_default();
    let Ok(mut socket) = bare.parse::<SocketAddr>() else {
        let there = bare.strip_prefix("unix:").is_some_and(|path| Path::new(path).exists());
        return vec![check(
            there,
            "D03",
            said!("listener {bare}", "리스너 {bare}"),
            &["madang serve"],
        )];
    };
    if socket.ip().is_unspecified() {
        let local: std::net::IpAddr = match socket {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        socket.set_ip(local);
    }
    let connect = tokio::net::TcpStream::connect(socket);
    let open =
        tokio::time::timeout(Duration::from_secs(2), connect).await.is_ok_and(|it| it.is_ok());
    let mut checks = vec![check(
        open,
        "D03",
        if open {
            said!("listener {bare}: something listens", "리스너 {bare}: 기다리는 프로그램 있음")
        } else {
            said!("listener {bare}: nothing listens", "리스너 {bare}: 기다리는 프로그램 없음")
        },
        &["madang serve"],
    )];
    if let Some(process) = open.then(|| holder(socket.port())).flatten() {
        checks.extend(limit_of(process));
    }
    checks
}

/// The process that holds the listening socket of a port.
fn holder(port: u16) -> Option<u32> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = fs::read_to_string(table).ok()?;
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            // Local address, state (0A is LISTEN), inode: proc(5).
            let (_, at) = fields.get(1)?.rsplit_once(':')?;
            let is_it = u16::from_str_radix(at, 16).ok()? == port && *fields.get(3)? == "0A";
            is_it.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
        })
    })?;
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find(|process| {
        let handles = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        handles
            .filter_map(|handle| fs::read_link(handle.path()).ok())
            .any(|to| to.to_str() == Some(&inode))
    })
}

/// Descriptors that a process may have, and has.
fn limit_of(process: u32) -> Option<Check> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    let soft = line.split_whitespace().nth(3)?;
    let most = soft.parse::<u64>().unwrap_or(u64::MAX);
    let used = fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count) as u64;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    let name = name.trim();
    let ok = most >= FEW_DESCRIPTORS && used < most / 10 * 9;
    Some(check(
        ok,
        "D56",
        said!(
            "{name} ({process}) has {used} of {soft} descriptors open",
            "{name} ({process}): 서술자 {soft}개 중 {used}개 사용"
        ),
        &[
            "# systemd unit",
            "[Service]",
            "LimitNOFILE=1048576",
            "# Docker",
            "docker run --ulimit nofile=1048576:1048576 …",
        ],
    ))
}

/// What a server that is started here may have.
fn own_limit() -> Check {
    let limit = getrlimit(Resource::Nofile);
    // `madang serve` takes all that the hard limit allows.
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let shown = limit.maximum.map_or_else(|| "∞".to_owned(), |most| most.to_string());
    check(
        hard >= FEW_DESCRIPTORS,
        "D56",
        said!(
            "a server started here may open {shown} descriptors",
            "여기서 시작한 서버는 서술자를 {shown}개까지 열 수 있음"
        ),
        &["# /etc/security/limits.conf", "* hard nofile 1048576"],
    )
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn ports() -> Option<Check> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut bounds = text.split_whitespace().filter_map(|bound| bound.parse::<u64>().ok());
    let (from, to) = (bounds.next()?, bounds.next()?);
    let count = to.saturating_sub(from) + 1;
    Some(check(
        count >= FEW_PORTS,
        "D56",
        said!(
            "{count} local ports ({from} to {to}) for connections to one backend",
            "백엔드 하나에 쓸 로컬 포트 {count}개 ({from}~{to})"
        ),
        &["sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\""],
    ))
}

fn backlog() -> Option<Check> {
    let most = number("/proc/sys/net/core/somaxconn")?;
    Some(check(
        most >= 1_024,
        "D56",
        said!(
            "somaxconn {most}: connections that may wait to be taken",
            "somaxconn {most}: 받아들여지기를 기다릴 수 있는 연결"
        ),
        &["sysctl -w net.core.somaxconn=4096"],
    ))
}

fn conntrack() -> Option<Check> {
    let most = number("/proc/sys/net/netfilter/nf_conntrack_max")?;
    let used = number("/proc/sys/net/netfilter/nf_conntrack_count")?;
    Some(check(
        used < most / 10 * 9,
        "D56",
        said!(
            "{used} of {most} connections in the firewall's table",
            "방화벽 표의 연결 {most}개 중 {used}개 사용"
        ),
        &["sysctl -w net.netfilter.nf_conntrack_max=1048576"],
    ))
}

/// Whether somebody keeps the clock; not told where the system does not say.
fn clock_is_kept() -> Option<Check> {
    let asked =
        Command::new("timedatectl").args(["show", "-p", "NTPSynchronized", "--value"]).output();
    let kept = match asked.ok()?.stdout.as_slice() {
        b"yes\n" => true,
        b"no\n" => false,
        _ => return None,
    };
    let now = date(clock());
    let text = if kept {
        said!("clock {now}, kept by NTP", "시계 {now}, NTP로 맞춰짐")
    } else {
        said!("clock {now}, which nothing keeps", "시계 {now}, 맞춰 주는 것이 없음")
    };
    Some(check(kept, "D53", text, &["timedatectl set-ntp true"]))
}

/// Days that the certificate of the configuration has left.
fn certificate(file: &Path) -> Check {
    let shown = file.display();
    let read = fs::read(file).ok();
    let first = read.as_deref().and_then(|pem| CertificateDer::pem_slice_iter(pem).next()?.ok());
    let Some(read) = first.and_then(|der| probe::cert::read(&der)) else {
        return check(
            false,
            "D10",
            said!(
                "{shown} is no certificate that can be read",
                "{shown}: 읽을 수 있는 인증서가 아님"
            ),
            &[],
        );
    };
    let (now, left) = (clock(), read.not_after - clock());
    let days = left / 86_400;
    check(
        left > SOON && now >= read.not_before,
        "D10",
        said!("{shown}: {days} days left", "{shown}: {days}일 남음"),
        &["certbot renew --force-renewal", "kill -HUP $(pidof madang)"],
    )
}
