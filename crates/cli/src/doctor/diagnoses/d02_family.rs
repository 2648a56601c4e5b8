//! One family of addresses is dead.

use super::prelude::*;

pub(super) const D02: Diagnosis = Diagnosis {
    code: "D02",
    class: Class::Network,
    title: Text::new(
        "one of IPv4 and IPv6 leads nowhere",
        "IPv4와 IPv6 중 한쪽으로는 연결되지 않습니다",
    ),
    means: Text::new(
        "The name has addresses of both families, and only one of them answers. It works for some people, and slowly or not at all for others.",
        "이 이름에는 두 종류의 주소가 있는데 한쪽만 응답합니다. 어떤 사용자에게는 되고, 다른 사용자에게는 느리거나 전혀 되지 않습니다.",
    ),
    cure: Text::new(
        "Take the address that does not answer out of the DNS, or let the server listen there, too (for IPv6: `[::]:PORT`), and open the firewall for that family.",
        "응답하지 않는 주소를 DNS에서 빼거나, 서버가 그 주소에서도 기다리게 하고(IPv6는 `[::]:PORT`) 방화벽을 여십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: true,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let of = |v6: bool| evidence.dials.iter().filter(move |dial| dial.address.is_ipv6() == v6);
    let is_dead = |v6: bool| {
        let mut dials = of(v6).peekable();
        dials.peek().is_some() && dials.all(is_lost)
    };
    let works = |v6: bool| of(v6).any(|dial| dial.came == Dialed::Open);
    let Some(dead) = [true, false].into_iter().find(|&v6| is_dead(v6) && works(!v6)) else {
        return answers_differ(evidence);
    };
    Seen::new(of(dead).chain(of(!dead)).map(super::d03_refused::dial))
}

/// Both are open, and only one of them gives what is wanted.
fn answers_differ(evidence: &Evidence) -> Option<Seen> {
    let other = &evidence.look(LookKind::OtherFamily)?.exchange.came;
    let exchange = evidence.answer.as_ref()?;
    // Who has had enough of us says nothing about its family.
    let is_busy = |came: &Came| came.answer().is_some_and(|a| matches!(a.status, 429 | 503));
    if is_busy(other) || is_busy(&exchange.came) {
        return None;
    }
    let first = evidence.dials.iter().find(|dial| dial.came == Dialed::Open)?;
    let (ours, theirs) = if first.address.is_ipv6() { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
    let over =
        |family: &str, came: &Came| said!("over {family}:", "{family}:").join(&summary(came));
    let seen = Seen::new([over(ours, &exchange.came), over(theirs, other)])?;
    Some(seen.means(said!(
        "Both addresses take connections, and only one of them leads to the server that is wanted: another program, another machine or an old one listens at the other.",
        "두 주소 모두 연결을 받지만 한쪽만 원하는 서버로 이어집니다. 다른 쪽에서는 다른 프로그램이나 다른 컴퓨터, 또는 옛 서버가 기다리고 있습니다."
    )))
}

fn summary(came: &Came) -> Said {
    match came {
        Came::Answer(answer) => Said::same(format!("HTTP {}", answer.status)),
        Came::Silence | Came::Half(_) => said!("no answer", "응답 없음"),
        Came::Closed => Said::same("FIN"),
        Came::Reset => Said::same("RST"),
        Came::Bytes(bytes) | Came::Broken(bytes) => Said::same(bytes.start()),
        Came::NotDialed(why) => Said::same(why.clone()),
        Came::NoTls(TlsFault::Other(why)) => Said::same(format!("TLS: {why}")),
        Came::NoTunnel(_) | Came::NoTls(_) => said!("no TLS", "TLS 없음"),
    }
}

/// A refusal on the loopback is what every server on 127.0.0.1 gives for `::1`; browsers go on at
/// once.
fn is_lost(dial: &Dial) -> bool {
    match dial.came {
        Dialed::Refused => !dial.address.ip().is_loopback(),
        // A machine without IPv6 says nothing about the server.
        Dialed::Open | Dialed::Failed(_) => false,
        Dialed::Silence => true,
    }
}
