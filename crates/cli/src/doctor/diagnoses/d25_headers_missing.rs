//! The headers of the handshake were stripped.

use super::prelude::*;

pub(super) const D25: Diagnosis = Diagnosis {
    code: "D25",
    class: Class::Handshake,
    title: Text::new(
        "headers of the handshake were lost on the way",
        "핸드셰이크 헤더가 중간에서 사라졌습니다",
    ),
    means: Text::new(
        "The server misses `Sec-WebSocket-Key` or `Sec-WebSocket-Version`, which were sent: a firewall, CDN or rewriting proxy strips headers that it does not know.",
        "보낸 `Sec-WebSocket-Key`나 `Sec-WebSocket-Version`을 서버가 받지 못했습니다. 방화벽, CDN, 재작성 프록시가 모르는 헤더를 지웁니다.",
    ),
    cure: Text::new(
        "Let these headers pass (`Sec-WebSocket-*`, `Upgrade`, `Connection`, `Origin`): a rule of the firewall or CDN, or its setting for WebSockets.",
        "이 헤더들(`Sec-WebSocket-*`, `Upgrade`, `Connection`, `Origin`)을 통과시키십시오. 방화벽이나 CDN의 규칙 또는 WebSocket 설정입니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal().filter(|answer| matches!(answer.status, 400 | 426))?;
    let body = answer.lower();
    let named = body.contains("sec-websocket-key") || body.contains("sec-websocket-version");
    let ours = matches!(answer.header("madang-code"), Some("M207" | "M208"));
    let lacks = ["missing", "invalid", "not found", "required", "lacks", "without", "blank", "no "];
    (ours || (named && lacks.iter().any(|word| body.contains(word)))).then(|| {
        Seen::answer(answer).also(said!(
            "`Sec-WebSocket-Key` and `Sec-WebSocket-Version: 13` were sent",
            "`Sec-WebSocket-Key`와 `Sec-WebSocket-Version: 13`을 보냈습니다"
        ))
    })
}
