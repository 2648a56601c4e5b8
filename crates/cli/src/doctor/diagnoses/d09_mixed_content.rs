//! Mixed content.

use super::prelude::*;

pub(super) const D09: Diagnosis = Diagnosis {
    code: "D09",
    class: Class::Network,
    title: Text::new(
        "browsers block ws:// on an https:// page",
        "브라우저는 https:// 페이지에서 ws://를 막습니다",
    ),
    means: Text::new(
        "The page (--origin) is https://, the URL is ws://: a browser refuses before it sends a packet (mixed content), whatever the server says to others.",
        "페이지(--origin)는 https://이고 URL은 ws://입니다. 서버가 어떻게 답하든 브라우저는 패킷을 보내기도 전에 거절합니다(혼합 콘텐츠).",
    ),
    cure: Text::new(
        "Use wss://, with TLS at the proxy or in the server.",
        "wss://를 쓰고, 프록시나 서버에서 TLS를 켜십시오.",
    ),
    lines: Lines::TlsListen,
    unseen: None,
    goes_on: true,
    sees,
};

/// The server does answer, and not on this machine itself, which browsers allow (Mixed Content,
/// §3.1: potentially trustworthy URLs).
fn sees(evidence: &Evidence) -> Option<Seen> {
    let origin = evidence.sent.origin.as_deref()?;
    let dial = evidence.dials.iter().find(|dial| dial.came == Dialed::Open)?;
    let answer = evidence.answered()?;
    if evidence.target.secure
        || !origin.to_ascii_lowercase().starts_with("https://")
        || is_exempt(&evidence.target.host)
        || super::wants_tls(answer)
    {
        return None;
    }
    let (url, address, status) = (evidence.target.shown(), dial.address, answer.status);
    Seen::new([said!(
        "{url} is answered in plain text by {address} (HTTP {status}); the page is {origin}",
        "{address}가 {url}에 평문으로 답했고(HTTP {status}), 페이지는 {origin}입니다"
    )])
}

/// Secure Contexts §3.1: what the URL says counts, not where the name leads.
fn is_exempt(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
