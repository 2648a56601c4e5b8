//! The port opens, and nobody speaks.

use super::prelude::*;

pub(super) const D05: Diagnosis = Diagnosis {
    code: "D05",
    class: Class::Network,
    title: Text::new("the port opens, and no HTTP comes", "포트는 열리지만 HTTP 응답이 없습니다"),
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
    if elsewhere(evidence) {
        return None;
    }
    let tls = evidence.tls.as_ref().is_some_and(|tls| tls.failed == Some(TlsFault::Silence));
    if !tls && let Came::Bytes(bytes) = evidence.unanswered()? {
        return Some(of_proxy(evidence, stranger(bytes)?));
    }
    if let Some(Came::Broken(bytes)) = evidence.unanswered() {
        return unreadable(bytes);
    }
    let silent = tls || matches!(evidence.unanswered()?, Came::Silence | Came::Half(_));
    (silent && !super::d47_lumps::is_held(evidence)).then(|| seen(evidence))
}

/// What is wrong is not the port: another path answers, or the same without compression.
pub(super) fn elsewhere(evidence: &Evidence) -> bool {
    evidence.unanswered().is_some()
        && (evidence.look(LookKind::KnownPath).is_some() || evidence.opens(LookKind::NoDeflate))
}

/// First words of other programs.
const STRANGERS: &[(&[u8], &str)] = &[
    (b"SSH-", "SSH"),
    (b"220 ", "SMTP / FTP"),
    (b"220-", "SMTP / FTP"),
    (b"* OK", "IMAP"),
    (b"+OK", "POP3"),
    (b"-ERR", "Redis"),
    (b"RFB ", "VNC"),
    (b"AMQP", "AMQP"),
    (b"ICY ", "Shoutcast"),
    (b"INFO {", "NATS"),
    (b"EHLO", "SMTP"),
    (&[5, 0], "SOCKS"),
    (&[5, 0xFF], "SOCKS"),
    (b"N\0\0\0", "PostgreSQL"),
    (b"E\0\0\0", "PostgreSQL"),
];

fn stranger(bytes: &Bytes) -> Option<Seen> {
    // A record of TLS and a frame of HTTP/2 have their own.
    if bytes.0.starts_with(&[0x15, 3])
        || (bytes.0.first() == Some(&0) && bytes.0.get(3) == Some(&4))
    {
        return None;
    }
    // MySQL: length, number 0, protocol 10.
    let is_mysql = bytes.0.get(3..5) == Some(&[0, 10]);
    let known = STRANGERS.iter().find(|(start, _)| bytes.0.starts_with(start));
    let who = known.map(|(_, name)| *name).or(is_mysql.then_some("MySQL"));
    let (hex, text) = (bytes.hex(16), bytes.start());
    let seen =
        Seen::new([said!("no HTTP came: {hex} “{text}”", "HTTP가 아닌 것이 옴: {hex} “{text}”")])?;
    let who_en =
        who.map_or("Another program".to_owned(), |name| format!("Another program ({name})"));
    let who_ko =
        who.map_or("다른 프로그램".to_owned(), |name| format!("다른 프로그램({name})"));
    let means = Said {
        en: format!("{who_en} listens on this port: what it says is no HTTP."),
        ko: format!("이 포트에서는 {who_ko}이 기다립니다. 말하는 것이 HTTP가 아닙니다."),
    };
    Some(seen.means(means).cure(said!(
        "Use the port of the server of WebSockets; `ss -ltnp` on that machine shows who has which.",
        "WebSocket 서버의 포트를 쓰십시오. 그 컴퓨터의 `ss -ltnp`가 어느 포트가 누구의 것인지 보여 줍니다."
    )))
}

/// A whole head that cannot be read. One that says 101 is D35's, one that breaks off D06's.
fn unreadable(bytes: &Bytes) -> Option<Seen> {
    if is_101(bytes) || !has_head(bytes) {
        return None;
    }
    let seen = Seen::new([shown_head(bytes)])?;
    Some(seen.means(said!(
        "It answers, and a line of its head is no HTTP (RFC 9112 §5): browsers give up, as we do.",
        "답하지만 헤더에 HTTP가 아닌 줄이 있습니다(RFC 9112 §5). 브라우저도 포기합니다."
    ))
    .cure(said!(
        "Look who writes that line: a header without a colon, with a line end in its value, or with control characters.",
        "그 줄을 누가 쓰는지 찾으십시오. 콜론이 없거나 값에 줄바꿈이나 제어 문자가 있는 헤더입니다."
    )))
}

pub(super) fn is_101(bytes: &Bytes) -> bool {
    bytes.0.starts_with(b"HTTP/1.1 101") || bytes.0.starts_with(b"HTTP/1.0 101")
}

/// The head has come to its end.
pub(super) fn has_head(bytes: &Bytes) -> bool {
    bytes.0.windows(4).any(|four| four == b"\r\n\r\n")
        || bytes.0.windows(2).any(|two| two == b"\n\n")
}

/// The first lines of a head that could not be read.
pub(super) fn shown_head(bytes: &Bytes) -> Said {
    let text = bytes.text();
    let lines = text.lines().take_while(|line| !line.is_empty()).take(20);
    let lines: Vec<String> = lines.map(|line| line.chars().take(200).collect()).collect();
    Said::same(lines.join("\n"))
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

/// It passed at the second try.
fn is_intermittent(evidence: &Evidence) -> bool {
    evidence.look(LookKind::Again).is_some()
}

/// It was the proxy's port.
pub(super) fn of_proxy(evidence: &Evidence, seen: Seen) -> Seen {
    if evidence.proxy.is_none() || evidence.tunnel.is_some() {
        return seen;
    }
    let (host, port) = evidence.dialed();
    seen.means(said!(
        "What was asked is the proxy: {host}:{port} took the connection and did not answer CONNECT in HTTP. It is no HTTP proxy, wants TLS or SOCKS, or waits for the server itself.",
        "물어본 곳은 프록시입니다. {host}:{port}가 연결은 받았지만 CONNECT에 HTTP로 답하지 않았습니다. HTTP 프록시가 아니거나, TLS나 SOCKS를 원하거나, 서버를 기다리고 있습니다."
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
            Came::Silence | Came::NoTls(TlsFault::Silence) => {
                return Some(said!("the same {en}: no answer", "{ko} 다시: 응답 없음"));
            }
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
    if is_intermittent(evidence) {
        return seen.also(said!("the very same again: it passes", "똑같은 요청을 다시: 통과")).means(said!(
            "It fails only now and then: of several servers behind the address one is ill, a server has just started, or it crashes sometimes.",
            "가끔만 실패합니다. 그 주소 뒤의 여러 서버 중 하나가 아프거나, 서버가 막 켜졌거나, 때때로 죽습니다."
        ))
        .cure(said!(
            "Ask each server behind the balancer with --direct, and look in its log at this time.",
            "로드 밸런서 뒤의 서버마다 --direct로 물어보고, 이 시각의 로그를 보십시오."
        ));
    }
    let both = evidence.look(LookKind::ProxyTls);
    let wants_both = both.is_some_and(|look| look.exchange.came.is_past_tls())
        || evidence.looked(LookKind::ProxyHeader).is_some_and(super::d08_plain_to_tls::wants_tls);
    if wants_both {
        return seen.means(said!(
            "With a PROXY header before the request it answers that it wants TLS: this port is for a balancer that sends that header, and speaks TLS (`listen 443 ssl proxy_protocol`).",
            "요청 앞에 PROXY 헤더를 보내면 TLS를 원한다고 답합니다. 그 헤더를 보내는 로드 밸런서를 위한 TLS 포트입니다(`listen 443 ssl proxy_protocol`)."
        ))
        .cure(said!(
            "Come through the balancer, by wss://.",
            "로드 밸런서를 거쳐 wss://로 접속하십시오."
        ));
    }
    if evidence.looked(LookKind::ProxyHeader).is_some_and(|answer| answer.status == 400)
        && evidence.wanted == Wanted::Upgrade
    {
        return seen
            .means(said!(
                "An HTTP server is there (it answers a broken line with 400), and has nothing to say at this path: the path is wrong, or what handles it fails.",
                "HTTP 서버는 있습니다(깨진 줄에 400으로 답함). 그런데 이 경로에서는 아무 말이 없습니다. 경로가 틀렸거나, 그 경로를 맡은 프로그램이 실패합니다."
            ))
            .cure(said!(
                "See which path the server has its WebSockets at (Socket.IO: the option `path`; npm ws: `path`), and its log of this time.",
                "서버가 어느 경로에서 WebSocket을 여는지(Socket.IO와 npm ws의 `path` 옵션), 그리고 이 시각의 로그를 보십시오."
            ));
    }
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
