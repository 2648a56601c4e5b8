//! The same token again.

use super::prelude::*;

pub(super) const D54: Diagnosis = Diagnosis {
    code: "D54",
    class: Class::Socket,
    title: Text::new(
        "what was accepted once is refused at the reconnect",
        "한 번 받아들인 것을 다시 접속할 때는 거절합니다",
    ),
    means: Text::new(
        "The connection was open, ended, and the very same request is refused now: the token or ticket has expired or is good for one use. A client that reconnects with it fails for ever.",
        "열려 있던 연결이 끝난 뒤 똑같은 요청이 거절됩니다. 토큰이나 티켓이 만료되었거나 한 번만 쓸 수 있습니다. 그대로 다시 접속하는 클라이언트는 계속 실패합니다.",
    ),
    cure: Text::new(
        "Let the client ask for a new token before every attempt (`getToken` in Centrifugo, `auth: cb => …` in Socket.IO, `beforeConnect` in @stomp/stompjs), not once at the start.",
        "클라이언트가 시작할 때 한 번이 아니라 시도할 때마다 새 토큰을 받게 하십시오(Centrifugo `getToken`, Socket.IO `auth: cb => …`, @stomp/stompjs `beforeConnect`).",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.looked(LookKind::Reconnect).filter(|a| matches!(a.status, 401 | 403))?;
    let hold = evidence.hold.as_ref()?;
    let first = match hold.idle.as_ref().or(hold.pinging.as_ref()) {
        Some(end) => {
            said!("at first 101; then:", "처음에는 101. 그 뒤:").join(&super::d40_close::told(end))
        }
        None => said!("at first 101", "처음에는 101"),
    };
    Seen::new([first, said!("the same request again:", "같은 요청을 다시:").join(&shown(answer))])
}
