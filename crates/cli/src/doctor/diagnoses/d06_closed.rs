//! Closed before any byte.

use super::prelude::*;

pub(super) const D06: Diagnosis = Diagnosis {
    code: "D06",
    class: Class::Network,
    title: Text::new("the connection is closed before any answer", "대답하기 전에 연결을 끊습니다"),
    means: Text::new(
        "The request arrived and the connection ended without a byte: the server has as many connections as it takes, crashed on the request, refuses by hanging up (nginx `return 444`), or waits for something else first (TLS, a PROXY header).",
        "요청은 도착했지만 한 바이트도 없이 연결이 끝났습니다. 서버가 받을 수 있는 연결이 다 찼거나, 요청을 처리하다 죽었거나, 끊는 것으로 거절했거나(nginx `return 444`), 먼저 다른 것(TLS, PROXY 헤더)을 기다립니다.",
    ),
    cure: Text::new(
        "Read the log of whatever listens there at this moment; raise its limit of connections, or its file descriptors (`ulimit -n`).",
        "이 시각에 그 포트를 맡은 프로그램의 로그를 보십시오. 연결 한도나 파일 서술자 한도(`ulimit -n`)를 올리십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let tls = evidence.tls.as_ref().and_then(|tls| tls.failed.as_ref());
    let how = match (tls, evidence.unanswered()) {
        _ if super::d05_mute::elsewhere(evidence) => return None,
        (Some(TlsFault::Closed), _) | (_, Some(Came::Closed)) => "FIN",
        (_, Some(Came::Broken(bytes))) => return cut(bytes),
        (Some(TlsFault::Reset), _) | (_, Some(Came::Reset)) => "RST",
        _ => return None,
    };
    let took = evidence
        .answer
        .as_ref()
        .map_or_else(String::new, |exchange| format!(" ({} ms)", exchange.took.as_millis()));
    let mut wire = vec![said!(
        "TCP opened; then {how} and not one byte{took}",
        "TCP는 열렸지만 {how}, 한 바이트도 오지 않았습니다{took}"
    )];
    wire.extend(super::d05_mute::looked(evidence));
    let seen = super::d05_mute::of_proxy(evidence, Seen { wire, ..Seen::default() });
    Some(super::d05_mute::woken(evidence, seen))
}

/// In the middle of its answer.
fn cut(bytes: &Bytes) -> Option<Seen> {
    if super::d05_mute::has_head(bytes) {
        return None;
    }
    let length = bytes.0.len();
    let seen = Seen::new([
        super::d05_mute::shown_head(bytes),
        said!("then the connection ended, after {length} bytes", "{length}바이트 뒤에 연결이 끝남"),
    ])?;
    Some(seen.means(said!(
        "It closed in the middle of its answer: the program crashed, or something on the way cut it.",
        "답하는 도중에 끊었습니다. 프로그램이 죽었거나 중간에서 끊었습니다."
    )))
}
