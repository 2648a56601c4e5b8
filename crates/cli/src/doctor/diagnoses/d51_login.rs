//! The transport is fine, the login is not.

use super::prelude::*;
use crate::doctor::ask::Door;

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
        Login::Refused(words) => Some(refused(evidence.door, words)),
        // Closed before a word is another matter.
        Login::Nothing if socket.end.is_some() && socket.messages.is_empty() => None,
        Login::Nothing => nothing(evidence, socket),
    }
}

fn refused(door: Door, words: &str) -> Seen {
    let seen = Seen { wire: vec![Said::same(words.to_owned())], ..Seen::default() };
    match door {
        Door::Wamp if words.starts_with("[4,") => {
            let method = words.split('"').nth(1).unwrap_or_default().to_owned();
            seen.means(said!(
                "The realm wants a login by {method} (CHALLENGE), and the doctor has none to give.",
                "realm이 {method} 로그인을 요구하는데(CHALLENGE), 이 도구에는 줄 것이 없습니다."
            ))
            .cure(said!(
                "Configure the client's authid and its secret for {method}, or allow anonymous clients in the realm.",
                "클라이언트에 {method}용 authid와 비밀을 설정하거나, realm에서 익명 클라이언트를 허용하십시오."
            ))
        }
        Door::Socketio if words.starts_with("41") => seen
            .means(said!(
                "The namespace accepted the client and disconnected it at once (`socket.disconnect()`).",
                "네임스페이스가 클라이언트를 받아들이고 바로 끊었습니다(`socket.disconnect()`)."
            ))
            .cure(said!(
                "Look in the server's `connection` handler for what disconnects: most often a check of `socket.handshake.auth` or of the session.",
                "서버의 `connection` 처리기에서 무엇이 끊는지 찾으십시오. 대개 `socket.handshake.auth`나 세션 검사입니다."
            )),
        _ => seen,
    }
}

/// What came is no answer of the protocol, or nothing came.
fn nothing(evidence: &Evidence, socket: &Socket) -> Option<Seen> {
    let patience = seconds(evidence.patience);
    let ended = socket.end.as_ref().map(super::d40_close::told);
    let mut wire = vec![match ended {
        Some(ended) => said!("the login was sent; then:", "로그인을 보낸 뒤:").join(&ended),
        None => said!(
            "the login was sent; nothing that the protocol knows came within {patience} s",
            "로그인을 보냈지만 {patience}초 안에 프로토콜에 맞는 답이 오지 않았습니다"
        ),
    }];
    wire.extend(socket.messages.iter().map(|text| said!("this came: {text}", "온 것: {text}")));
    let seen = Seen::new(wire)?;
    let first = socket.messages.first().map(String::as_str).unwrap_or_default();
    let is_engine = first.starts_with("0{\"sid\"");
    let (means, cure) = match evidence.door {
        Door::Socketio if is_engine => (
            said!(
                "Engine.IO is open, and the namespace never answered CONNECT: a middleware that does not call `next()`, or a server of another version.",
                "Engine.IO는 열렸지만 네임스페이스가 CONNECT에 답하지 않았습니다. `next()`를 부르지 않는 미들웨어이거나 다른 버전의 서버입니다."
            ),
            said!(
                "Look at every `io.use(…)` of the server: each path through it must call `next()` or `next(error)`.",
                "서버의 모든 `io.use(…)`를 보십시오. 어느 경로로든 `next()`나 `next(error)`를 불러야 합니다."
            ),
        ),
        _ if is_engine => (
            said!("A Socket.IO server answers here.", "이곳의 서버는 Socket.IO입니다."),
            said!("Use its client, or --as socketio.", "그 클라이언트나 --as socketio를 쓰십시오."),
        ),
        _ if first == "o" => (
            said!("A SockJS server answers here.", "이곳의 서버는 SockJS입니다."),
            said!(
                "Use the path that ends in /websocket, which has no frames of SockJS, or a sockjs-client.",
                "SockJS 프레임이 없는 /websocket 경로나 sockjs-client를 쓰십시오."
            ),
        ),
        _ => (
            said!(
                "What listens here does not speak the protocol of --as, or does not answer this login.",
                "이곳의 서버는 --as의 프로토콜을 하지 않거나 이 로그인에 답하지 않습니다."
            ),
            said!(
                "See whether the path is the protocol's own (STOMP of RabbitMQ: /ws on port 15674), and the server's log of this time.",
                "경로가 그 프로토콜의 것인지(RabbitMQ의 STOMP: 15674번 포트의 /ws), 그리고 이 시각의 서버 로그를 보십시오."
            ),
        ),
    };
    Some(seen.means(means).cure(cure))
}
