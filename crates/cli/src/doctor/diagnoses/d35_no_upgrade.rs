//! A 101 that is none.

use super::prelude::*;

pub(super) const D35: Diagnosis = Diagnosis {
    code: "D35",
    class: Class::Handshake,
    title: Text::new("101, but not a WebSocket's", "101이지만 WebSocket의 것이 아닙니다"),
    means: Text::new(
        "The answer says 101 and lacks what proves that a WebSocket server read this very request (RFC 6455 §4.1): a proxy rewrote it, or a cache gave the answer to another request.",
        "101로 답했지만 WebSocket 서버가 바로 이 요청을 읽었다는 증거(RFC 6455 §4.1)가 없습니다. 프록시가 고쳐 썼거나 캐시가 다른 요청의 답을 주었습니다.",
    ),
    cure: Text::new(
        "Let no proxy rewrite `Upgrade`, `Connection` or `Sec-WebSocket-*` of answers, and exempt the path from caching.",
        "프록시가 응답의 `Upgrade`, `Connection`, `Sec-WebSocket-*`를 고치지 않게 하고, 이 경로를 캐시에서 제외하십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    if let Some(Came::Broken(bytes)) = evidence.unanswered()
        && super::d05_mute::is_101(bytes)
        && super::d05_mute::has_head(bytes)
    {
        return Some(Seen::new([super::d05_mute::shown_head(bytes)])?.means(said!(
            "It says 101, and a line of its head is no HTTP (RFC 9112 §5): browsers fail the connection.",
            "101이라고 하지만 헤더에 HTTP가 아닌 줄이 있습니다(RFC 9112 §5). 브라우저는 연결을 실패시킵니다."
        )));
    }
    let answer = evidence.refusal()?;
    let what = match answer.fault.as_ref()? {
        UpgradeFault::NoUpgrade => no_upgrade(answer),
        UpgradeFault::NoConnection => said!(
            "the header Connection: Upgrade is missing",
            "Connection: Upgrade 헤더가 없습니다"
        ),
        UpgradeFault::Accept => said!(
            "Sec-WebSocket-Accept is not the answer to the key that was sent",
            "Sec-WebSocket-Accept가 보낸 키에 대한 답이 아닙니다"
        ),
        UpgradeFault::Subprotocol(_) | UpgradeFault::Extensions(_) => return None,
    };
    Some(Seen::answer(answer).also(what))
}

/// RFC 6455 §4.1, 2: exactly `websocket`, once.
fn no_upgrade(answer: &Answer) -> Said {
    if answer.header("upgrade").is_none() {
        return said!(
            "the header Upgrade: websocket is missing",
            "Upgrade: websocket 헤더가 없습니다"
        );
    }
    let count = answer.count("upgrade");
    said!(
        "Upgrade must be `websocket` alone, and once (it is there {count} times)",
        "Upgrade는 `websocket` 하나만, 한 번만 있어야 합니다({count}번 있음)"
    )
}
