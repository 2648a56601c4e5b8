//! 426.

use super::prelude::*;

pub(super) const D26: Diagnosis = Diagnosis {
    code: "D26",
    class: Class::Handshake,
    title: Text::new(
        "the server wants an upgrade, and did not see this one",
        "서버가 업그레이드를 요구하는데 이번 요청에서는 보지 못했습니다",
    ),
    means: Text::new(
        "What reached the server was an ordinary GET (a proxy lost the upgrade, or an HTTP/2 front cannot carry it to HTTP/1.1), or it speaks another version of WebSocket.",
        "서버에 도착한 것은 평범한 GET이거나(프록시가 업그레이드를 버렸거나, 앞단의 HTTP/2가 HTTP/1.1로 옮기지 못함), 서버가 다른 버전의 WebSocket을 씁니다.",
    ),
    cure: Text::new(
        "Let every proxy on the way pass the upgrade on; --direct URL shows whether one is to blame.",
        "중간의 모든 프록시가 업그레이드를 넘기게 하십시오. --direct URL로 프록시 탓인지 알 수 있습니다.",
    ),
    lines: Lines::Upgrade,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal()?;
    let missed = super::d22_upgrade_lost::misses_upgrade(answer);
    if answer.status != 426 && !(missed && answer.status == 400) {
        return None;
    }
    let body = answer.lower();
    if body.contains("sec-websocket-key")
        || matches!(answer.header("madang-code"), Some("M207" | "M208"))
    {
        return None;
    }
    let seen = Seen::answer(answer);
    if wants_other(answer) {
        return Some(other(answer, seen));
    }
    if evidence.wanted != Wanted::Upgrade {
        return Some(plain_request(seen));
    }
    let versions = answer.header("sec-websocket-version").unwrap_or_default().to_owned();
    let knows_13 = versions.is_empty() || versions.split(',').any(|version| version.trim() == "13");
    if knows_13 {
        return Some(seen);
    }
    let mut seen = seen.means(said!(
        "The server speaks only version {versions} of WebSocket; 13, the only standard one, was asked for.",
        "서버는 WebSocket 버전 {versions}만 합니다. 요청한 것은 유일한 표준인 13입니다."
    ));
    seen.no_proxy = true;
    Some(seen.cure(said!(
        "Update the server's WebSocket library.",
        "서버의 WebSocket 라이브러리를 갱신하십시오."
    )))
}

/// 426 names what it wants, and that is not a WebSocket.
pub(super) fn wants_other(answer: &Answer) -> bool {
    let named = answer.header("upgrade").unwrap_or_default().to_ascii_lowercase();
    answer.status == 426 && !named.trim().is_empty() && !named.contains("websocket")
}

fn other(answer: &Answer, seen: Seen) -> Seen {
    let named = answer.header("upgrade").unwrap_or_default().to_owned();
    let is_tls = named.to_ascii_uppercase().contains("TLS");
    let mut seen = seen.means(said!(
        "The server wants {named} here, not a WebSocket: its Upgrade header says so.",
        "서버가 여기서 원하는 것은 WebSocket이 아니라 {named}입니다. Upgrade 헤더에 쓰여 있습니다."
    ));
    seen.no_proxy = true;
    seen.cure(if is_tls {
        said!(
            "Use TLS: wss:// with the port for TLS.",
            "TLS를 쓰십시오: TLS 포트로 wss://."
        )
    } else {
        said!(
            "Let the server, or the proxy's way to it, speak HTTP/1.1 at this port as well: the handshake is of HTTP/1.1.",
            "이 포트에서 HTTP/1.1도 하게 하십시오(서버 또는 프록시에서 서버로 가는 구간). 핸드셰이크는 HTTP/1.1입니다."
        )
    })
}

/// To the request of another protocol, which has no upgrade in it.
fn plain_request(seen: Seen) -> Seen {
    let mut seen = seen
        .means(said!(
            "A server of plain WebSockets is here: it wants an upgrade, and what --as names begins with an ordinary request.",
            "이곳은 일반 WebSocket 서버입니다. 업그레이드를 원하는데, --as의 프로토콜은 일반 요청으로 시작합니다."
        ))
        .cure(said!(
            "Use a plain WebSocket (--as raw), or the path at which the other protocol is served.",
            "일반 WebSocket을 쓰거나(--as raw) 그 프로토콜을 제공하는 경로를 쓰십시오."
        ));
    seen.no_proxy = true;
    seen
}
