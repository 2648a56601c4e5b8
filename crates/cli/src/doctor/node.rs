//! `madang doctor --server`: the machine that this runs on, and the Madang server on it.

mod answer;
mod keeper;
mod listener;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use rustix::process::{Resource, getrlimit};
use serde::Serialize;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{
    clock,
    diagnoses::date,
    lang::{Lang, Said, said},
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
    /// The diagnosis or the code of Madang that it belongs to, where it is not well.
    pub(crate) code: Option<&'static str>,
    pub(crate) text: Said,
    /// Literal lines that cure it.
    pub(crate) lines: Vec<String>,
}

/// What the configuration says of this node.
pub(crate) struct Node {
    pub(crate) listen: Vec<String>,
    /// The file, where one was named.
    pub(crate) config: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    /// Why `madang serve` would not start with it, and the code of that.
    pub(crate) fault: Option<(&'static str, String)>,
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
        checks.extend(listener::look(address, node.config.as_deref()).await);
    }
    checks.push(own_limit());
    checks.extend(ports());
    checks.extend(backlog());
    checks.extend(conntrack());
    checks.extend(node.fault.as_ref().map(|(code, why)| {
        let test = listener::command("check-config", node.config.as_deref());
        check(false, code, Said::same(why), &[&test])
    }));
    checks.extend(node.certificate.as_deref().and_then(certificate));
    checks.push(keeper::look());
    checks
}

/// Whether all is well.
pub(crate) fn is_healthy(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.ok)
}

/// The checks, for people.
pub(crate) fn told(checks: &[Check], lang: Lang) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = if check.ok { "✓" } else { "✗" };
        let code = check.code.map(|code| format!("{code} ")).unwrap_or_default();
        let _ = writeln!(text, "  {mark} {code}{}", check.text.get(lang));
        for line in &check.lines {
            let _ = writeln!(text, "        {line}");
        }
    }
    text
}

/// Descriptors that a process may have, and has.
fn limit_of(process: u32) -> Option<Check> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    let soft = line.split_whitespace().nth(3)?;
    let most = soft.parse::<u64>().unwrap_or(u64::MAX);
    let used = fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count) as u64;
    let name = name_of(process);
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

fn name_of(process: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    name.trim().to_owned()
}

/// All processes that can be seen.
fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
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

/// Days that the certificate of the configuration has left. One that cannot be read is the fault of
/// the configuration.
fn certificate(file: &Path) -> Option<Check> {
    let shown = file.display();
    let renew = &["certbot renew --force-renewal", "kill -HUP $(pidof madang)"];
    let pem = fs::read(file).ok()?;
    let first = CertificateDer::pem_slice_iter(&pem).next()?.ok()?;
    let read = probe::cert::read(&first)?;
    let now = clock();
    let (from, to) = (date(read.not_before), date(read.not_after));
    if now < read.not_before {
        let text = said!("{shown} is not valid before {from}", "{shown}: {from}부터 유효함");
        return Some(check(false, "D10", text, &[]));
    }
    if now > read.not_after {
        let (ago, unit) = days(now.saturating_sub(read.not_after));
        let text = said!(
            "{shown} expired {ago} {unit} ago, at {to}",
            "{shown}: {ago}일 전에 만료됨 ({to})"
        );
        return Some(check(false, "D10", text, renew));
    }
    let left = read.not_after.saturating_sub(now);
    let (days, unit) = days(left);
    let text = said!("{shown}: {days} {unit} left", "{shown}: {days}일 남음");
    Some(check(left > SOON, "D10", text, renew))
}

/// Whole days, and the word for so many.
fn days(seconds: i64) -> (i64, &'static str) {
    let days = seconds / 86_400;
    (days, if days == 1 { "day" } else { "days" })
}
