//! The subprotocol does not fit.

use super::prelude::*;

pub(super) const D37: Diagnosis = Diagnosis {
    code: "D37",
    class: Class::Handshake,
    title: Text::new("no subprotocol in common", "공통 서브프로토콜이 없습니다"),
    means: Text::new(
        "A browser fails the connection when the server picks a subprotocol that the page did not ask for, or none of those that it asked for; some tools let both pass.",
        "페이지가 요청하지 않은 서브프로토콜을 고르거나 요청한 것 중 아무것도 고르지 않으면 브라우저는 연결을 실패시킵니다. 그냥 넘어가는 도구도 있습니다.",
    ),
    cure: Text::new(
        "Make the list of the client (`new WebSocket(url, [\"…\"])`) and that of the server have a name in common, letter by letter; a proxy may also have dropped `Sec-WebSocket-Protocol`.",
        "클라이언트의 목록(`new WebSocket(url, [\"…\"])`)과 서버의 목록에 글자까지 같은 이름이 있게 하십시오. 프록시가 `Sec-WebSocket-Protocol`을 버렸을 수도 있습니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal()?;
    if answer.status != 101 {
        return in_words(evidence, answer);
    }
    let asked = match evidence.sent.subprotocols.join(", ") {
        empty if empty.is_empty() => "—".to_owned(),
        list => list,
    };
    let picked = match &answer.fault {
        Some(UpgradeFault::Subprotocol(name)) => name.clone(),
        None if !evidence.sent.subprotocols.is_empty() => "—".to_owned(),
        _ => return None,
    };
    Some(
        Seen::answer(answer)
            .also(said!("asked for: {asked}; picked: {picked}", "요청: {asked}; 선택: {picked}")),
    )
}

/// Some servers refuse, and say why.
fn in_words(evidence: &Evidence, answer: &Answer) -> Option<Seen> {
    let body = answer.lower();
    let says = body.contains("subprotocol") || body.contains("sec-websocket-protocol");
    if !says || answer.is_html() || !matches!(answer.status, 400 | 403 | 406 | 426) {
        return None;
    }
    let seen = Seen::answer(answer);
    if !evidence.sent.subprotocols.is_empty() {
        return Some(seen);
    }
    Some(
        seen.means(said!(
            "The server wants a subprotocol, and none was asked for.",
            "서버가 서브프로토콜을 원하는데 요청하지 않았습니다."
        ))
        .cure(said!(
            "Ask for one that it has: --subprotocol NAME here, `new WebSocket(url, [\"NAME\"])` in a page.",
            "서버가 아는 이름을 요청하십시오: 여기서는 --subprotocol NAME, 페이지에서는 `new WebSocket(url, [\"NAME\"])`."
        )),
    )
}
