//! The proxy loses `Upgrade`.

use super::prelude::*;
use crate::doctor::proxies::Proxy;

pub(super) const D22: Diagnosis = Diagnosis {
    code: "D22",
    class: Class::Handshake,
    title: Text::new(
        "the proxy does not pass the Upgrade header on",
        "프록시가 Upgrade 헤더를 넘기지 않습니다",
    ),
    means: Text::new(
        "`Upgrade` and `Connection` are for one hop (RFC 9110 §7.6.1): a proxy drops them unless it is told to pass them on, and one that speaks HTTP/1.0 to the server behind cannot. That server saw an ordinary GET.",
        "`Upgrade`와 `Connection`은 한 구간용 헤더입니다(RFC 9110 §7.6.1). 넘기라고 설정하지 않으면 프록시가 버리고, 뒤쪽에 HTTP/1.0으로 말하는 프록시는 넘길 수도 없습니다. 서버는 평범한 GET을 받았습니다.",
    ),
    cure: Text::new(
        "Tell the proxy to pass the upgrade on:",
        "프록시가 업그레이드를 넘기게 하십시오:",
    ),
    lines: Lines::Upgrade,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal()?;
    if !matches!(answer.status, 200 | 204 | 400 | 404 | 405 | 426 | 500 | 501) {
        return None;
    }
    if evidence.opens(LookKind::Direct) {
        let url = evidence.look(LookKind::Direct).map(|look| look.exchange.url.clone())?;
        let status = answer.status;
        return Some(Seen::answer(answer).also(said!(
            "the same request directly to {url}: 101; through the proxy: {status}",
            "같은 요청을 {url}에 직접 보내면 101, 프록시를 거치면 {status}"
        )));
    }
    // The server says what it missed, and it was sent.
    let missed = misses_upgrade(answer);
    let proxied = Proxy::seen(evidence).is_some() || answer.header("via").is_some();
    (missed && proxied).then(|| {
        Seen::answer(answer).also(said!(
            "`Connection: Upgrade` and `Upgrade: websocket` were sent; the server behind the proxy did not see them",
            "`Connection: Upgrade`와 `Upgrade: websocket`을 보냈는데 프록시 뒤의 서버는 보지 못했습니다"
        ))
    })
}

/// What servers say to a request without `Upgrade`.
pub(super) fn misses_upgrade(answer: &Answer) -> bool {
    let body = answer.lower();
    let marks = [
        "'upgrade' token not found",
        "not using the websocket protocol",
        "missing connection header",
        "missing upgrade header",
        "missing or invalid upgrade header",
        "invalid upgrade header",
        "invalid connection header",
        "can \"upgrade\" only to \"websocket\"",
        "not a websocket handshake",
        "expected websocket",
        "upgrade required",
        "websocket upgrade required",
        "needs an upgrade",
    ];
    marks.iter().any(|mark| body.contains(mark))
        || matches!(answer.header("madang-code"), Some("M202" | "M204" | "M205"))
}
