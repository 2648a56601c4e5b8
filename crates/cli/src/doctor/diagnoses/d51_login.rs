//! The transport is fine, the login is not.

use super::prelude::*;

pub(super) const D51: Diagnosis = Diagnosis {
    code: "D51",
    class: Class::Socket,
    title: Text::new(
        "the WebSocket is fine, the protocol's login is refused",
        "WebSocket은 정상이고 프로토콜 로그인이 거절됩니다",
    ),
    means: Text::new(
        "Network, TLS, handshake and proxy are in order. The server said no in its own protocol (STOMP ERROR, WAMP ABORT, Socket.IO CONNECT_ERROR).",
        "네트워크, TLS, 핸드셰이크, 프록시는 모두 정상입니다. 서버가 자기 프로토콜로 거절했습니다(STOMP ERROR, WAMP ABORT, Socket.IO CONNECT_ERROR).",
    ),
    cure: Text::new(
        "The server's words above name the reason; login, virtual host, realm or namespace are what is usually wrong.",
        "위의 서버 응답에 이유가 있습니다. 대개 로그인, 가상 호스트, realm, 네임스페이스가 틀렸습니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let socket = evidence.socket.as_ref()?;
    match socket.login.as_ref()? {
        Login::In { .. } => None,
        Login::Refused(words) => Seen::new([Said::same(words.clone())]),
        // Closed before a word is another matter.
        Login::Nothing if socket.end.is_some() && socket.messages.is_empty() => None,
        Login::Nothing => {
            let patience = seconds(evidence.patience);
            let mut wire = vec![said!(
                "the login was sent; nothing that the protocol knows came within {patience} s",
                "로그인을 보냈지만 {patience}초 안에 프로토콜에 맞는 답이 오지 않았습니다"
            )];
            wire.extend(
                socket.messages.iter().map(|text| said!("this came: {text}", "온 것: {text}")),
            );
            Some(Seen::new(wire)?.means(said!(
                "What listens here does not speak the protocol of --as.",
                "이곳의 서버는 --as의 프로토콜을 하지 않습니다."
            )))
        }
    }
}
