//! Open, and dead.

use super::prelude::*;

pub(super) const D36: Diagnosis = Diagnosis {
    code: "D36",
    class: Class::Socket,
    title: Text::new(
        "the WebSocket opens, and then nothing flows",
        "WebSocket은 열리지만 아무것도 흐르지 않습니다",
    ),
    means: Text::new(
        "The handshake went through, and a ping was not answered (RFC 6455 §5.5.2 wants a pong): a proxy upgraded one side only or buffers, or the server does not read.",
        "핸드셰이크는 되었지만 ping에 답이 없습니다(RFC 6455 §5.5.2는 pong을 요구). 프록시가 한쪽만 업그레이드했거나 버퍼에 쌓아 두거나, 서버가 읽지 않습니다.",
    ),
    cure: Text::new(
        "Compare with --direct URL. If only the proxy is deaf, switch its buffering and its body inspection off for this path.",
        "--direct URL과 비교하십시오. 프록시만 막혀 있다면 이 경로의 버퍼링과 본문 검사를 끄십시오.",
    ),
    lines: Lines::Upgrade,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let socket = evidence.socket.as_ref()?;
    if !socket.pinged || socket.pong.is_some() || socket.end.is_some() {
        return None;
    }
    let patience = seconds(evidence.patience);
    let seen = Seen::new([said!(
        "101, then a ping, and no pong within {patience} s",
        "101 뒤에 ping을 보냈고 {patience}초 안에 pong이 없었습니다"
    )])?;
    let direct = evidence.look(LookKind::Direct).and_then(|look| look.socket.as_ref());
    Some(match direct.and_then(|socket| socket.pong) {
        Some(pong) => {
            let ms = pong.as_millis();
            seen.also(said!(
                "directly the pong comes after {ms} ms",
                "직접 접속하면 {ms}ms 뒤에 pong이 옵니다"
            ))
            .means(said!(
                "The proxy is to blame: directly the ping is answered.",
                "프록시 탓입니다. 직접 접속하면 ping에 답합니다."
            ))
        }
        None => seen,
    })
}
