//! An extension that was not offered.

use super::prelude::*;

pub(super) const D38: Diagnosis = Diagnosis {
    code: "D38",
    class: Class::Handshake,
    title: Text::new(
        "the server agrees to an extension that was not offered",
        "제안하지 않은 확장에 서버가 동의했습니다",
    ),
    means: Text::new(
        "`Sec-WebSocket-Extensions` in the answer names what the client did not offer, or parameters that cannot be: a proxy answers for one side, or the server's negotiation of compression is wrong. Browsers fail the connection.",
        "응답의 `Sec-WebSocket-Extensions`에 클라이언트가 제안하지 않은 것이나 있을 수 없는 매개변수가 있습니다. 프록시가 한쪽을 대신 답했거나 서버의 압축 협상이 틀렸습니다. 브라우저는 연결을 실패시킵니다.",
    ),
    cure: Text::new(
        "Switch compression (permessage-deflate) off in the proxy or in the server, or update the library.",
        "프록시나 서버에서 압축(permessage-deflate)을 끄거나 라이브러리를 갱신하십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal()?;
    let UpgradeFault::Extensions(why) = answer.fault.as_ref()? else { return None };
    Some(Seen::answer(answer).also(said!("it cannot be: {why}", "있을 수 없음: {why}")))
}
