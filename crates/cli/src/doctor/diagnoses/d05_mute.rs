//! The port opens, and nobody speaks.

use super::prelude::*;

pub(super) const D05: Diagnosis = Diagnosis {
    code: "D05",
    class: Class::Network,
    title: Text::new("the port opens and nothing answers", "포트는 열리지만 아무 대답이 없습니다"),
    means: Text::new(
        "Something took the connection and the request, and said nothing: a balancer without a healthy server behind it, a program that hangs, or one that waits for something else first (TLS, a PROXY header).",
        "연결과 요청은 받았지만 대답하지 않습니다. 뒤에 건강한 서버가 없는 로드 밸런서이거나, 멈춘 프로그램이거나, 먼저 다른 것(TLS, PROXY 헤더)을 기다리는 프로그램입니다.",
    ),
    cure: Text::new(
        "Look at the health checks of the balancer and whether the program behind it still answers on its own port.",
        "로드 밸런서의 상태 검사를 보고, 뒤의 프로그램이 자기 포트에서 여전히 대답하는지 확인하십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let tls = evidence.tls.as_ref().is_some_and(|tls| tls.failed == Some(TlsFault::Silence));
    let silent = tls || matches!(evidence.unanswered()?, Came::Silence | Came::Half(_));
    (silent && !super::d47_lumps::is_held(evidence)).then(|| seen(evidence))
}

fn seen(evidence: &Evidence) -> Seen {
    let patience = seconds(evidence.patience);
    let mut wire = vec![said!(
        "TCP opened; no answer to the request within {patience} s",
        "TCP는 열렸지만 요청에 {patience}초 안에 응답이 없었습니다"
    )];
    if let Some(Came::Half(bytes)) = evidence.unanswered() {
        let text = bytes.start();
        wire.push(said!("only this came: {text}", "받은 것은 이것뿐입니다: {text}"));
    }
    wire.extend(looked(evidence));
    let seen = Seen { wire, ..Seen::default() };
    woken(evidence, of_proxy(evidence, seen))
}

/// It was the proxy's port.
pub(super) fn of_proxy(evidence: &Evidence, seen: Seen) -> Seen {
    if evidence.proxy.is_none() || evidence.tunnel.is_some() {
        return seen;
    }
    let (host, port) = evidence.dialed();
    seen.means(said!(
        "What was asked is the proxy: {host}:{port} took the connection and did not answer CONNECT. It is no HTTP proxy, wants TLS or SOCKS, or waits for the server itself.",
        "물어본 곳은 프록시입니다. {host}:{port}가 연결은 받았지만 CONNECT에 답하지 않았습니다. HTTP 프록시가 아니거나, TLS나 SOCKS를 원하거나, 서버를 기다리고 있습니다."
    ))
    .cure(said!(
        "Compare with `curl -v --proxy http://{host}:{port} https://example.com/`, and look where the network's own documentation says that the proxy is.",
        "`curl -v --proxy http://{host}:{port} https://example.com/`의 결과와 비교하고, 프록시 주소를 네트워크 안내에서 확인하십시오."
    ))
}

/// What the second looks came to.
pub(super) fn looked(evidence: &Evidence) -> Vec<Said> {
    let told = |kind: LookKind, en: &str, ko: &str| {
        let look = evidence.look(kind)?;
        let what = match &look.exchange.came {
            Came::Answer(answer) | Came::NoTunnel(answer) => format!("HTTP {}", answer.status),
            Came::Silence | Came::NoTls(TlsFault::Silence) => "—".into(),
            Came::Closed | Came::NoTls(TlsFault::Closed) => "FIN".into(),
            Came::Reset | Came::NoTls(TlsFault::Reset) => "RST".into(),
            Came::Bytes(bytes) | Came::Half(bytes) | Came::Broken(bytes) => bytes.start(),
            Came::NoTls(_) => "no TLS".into(),
            Came::NotDialed(why) => why.clone(),
        };
        Some(said!("the same {en}: {what}", "{ko} 다시: {what}"))
    };
    [
        told(LookKind::Tls, "with TLS", "TLS로"),
        told(LookKind::Plain, "without TLS", "TLS 없이"),
        told(LookKind::ProxyHeader, "after a PROXY header", "PROXY 헤더를 먼저 보내고"),
        told(LookKind::Direct, "directly", "직접"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A PROXY header wakes it.
pub(super) fn woken(evidence: &Evidence, seen: Seen) -> Seen {
    // A 400 is what any server says to a line that it does not know.
    if evidence.looked(LookKind::ProxyHeader).is_none_or(|answer| answer.status == 400) {
        return seen;
    }
    let seen = seen.means(said!(
        "With a PROXY header before the request it answers: this port is for a balancer that sends one (`accept-proxy`, `proxy_protocol`, `?proxy-protocol=1`).",
        "요청 앞에 PROXY 헤더를 보내면 대답합니다. 이 포트는 그 헤더를 보내는 로드 밸런서를 위한 것입니다(`accept-proxy`, `proxy_protocol`, `?proxy-protocol=1`)."
    ));
    let mut seen = seen.cure(said!(
        "Come through that balancer, or turn the PROXY protocol off on this port; and let the balancer send the header where the server expects it.",
        "그 로드 밸런서를 거쳐 접속하거나 이 포트에서 PROXY 프로토콜을 끄십시오. 서버가 기대하는 곳에서는 로드 밸런서가 헤더를 보내야 합니다."
    ));
    seen.lines = crate::doctor::proxies::lines(Lines::ProxyHeader, None);
    seen
}
