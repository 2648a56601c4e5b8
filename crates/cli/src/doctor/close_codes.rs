//! Close codes in words (RFC 6455 §7.4), with those of well-known programs.

use super::lang::Text;

/// From, to, meaning. The first that fits counts.
const TABLE: &[(u16, u16, Text)] = &[
    (
        1000,
        1000,
        Text::new(
            "1000: the server has finished, and did so on purpose.",
            "1000: 서버가 할 일을 마치고 일부러 닫았습니다.",
        ),
    ),
    (
        1001,
        1001,
        Text::new(
            "1001: the server goes down, or is replaced.",
            "1001: 서버가 내려가거나 교체되는 중입니다.",
        ),
    ),
    (
        1002,
        1002,
        Text::new(
            "1002: the server saw a break of the protocol.",
            "1002: 서버가 프로토콜 위반을 보았습니다.",
        ),
    ),
    (
        1003,
        1003,
        Text::new(
            "1003: it does not take this kind of message (text or binary).",
            "1003: 이런 종류의 메시지(텍스트/바이너리)를 받지 않습니다.",
        ),
    ),
    (
        1005,
        1005,
        Text::new("1005: a close frame without a code.", "1005: 코드 없는 close 프레임입니다."),
    ),
    (
        1006,
        1006,
        Text::new(
            "1006: cut without a close frame: the server or a proxy crashed, ran into a time limit, or hung up.",
            "1006: close 프레임 없이 끊겼습니다. 서버나 프록시가 죽었거나, 시간 한도에 걸렸거나, 그냥 끊었습니다.",
        ),
    ),
    (
        1007,
        1007,
        Text::new(
            "1007: a text message was not UTF-8.",
            "1007: 텍스트 메시지가 UTF-8이 아니었습니다.",
        ),
    ),
    (
        1008,
        1008,
        Text::new(
            "1008: against the server's rules; most often the login, the origin, or too many messages.",
            "1008: 서버 규칙 위반. 대개 로그인, 출처, 또는 너무 많은 메시지입니다.",
        ),
    ),
    (1009, 1009, Text::new("1009: the message was too big.", "1009: 메시지가 너무 큽니다.")),
    (1010, 1010, Text::new("1010: an extension is missing.", "1010: 필요한 확장이 없습니다.")),
    (1011, 1011, Text::new("1011: an error inside the server.", "1011: 서버 내부 오류입니다.")),
    (
        1012,
        1012,
        Text::new(
            "1012: the server restarts; come back.",
            "1012: 서버가 다시 시작합니다. 다시 접속하십시오.",
        ),
    ),
    (
        1013,
        1013,
        Text::new("1013: overloaded; come back later.", "1013: 과부하. 나중에 다시 접속하십시오."),
    ),
    (
        1014,
        1014,
        Text::new(
            "1014: a gateway got a bad answer from behind it.",
            "1014: 게이트웨이가 뒤에서 잘못된 답을 받았습니다.",
        ),
    ),
    (
        3000,
        3000,
        Text::new(
            "3000: SockJS \"Go away!\", or unauthorised.",
            "3000: SockJS \"Go away!\" 또는 인증 안 됨.",
        ),
    ),
    (
        2010,
        2010,
        Text::new(
            "2010: SockJS: another connection of this session is still open.",
            "2010: SockJS: 이 세션의 다른 연결이 아직 열려 있습니다.",
        ),
    ),
    (
        3001,
        3499,
        Text::new(
            "3001 to 3499: Centrifugo asks to reconnect (3005 expired, 3008 slow client, 3012 stale).",
            "3001~3499: Centrifugo가 재접속을 요구합니다(3005 만료, 3008 느린 클라이언트, 3012 응답 없음).",
        ),
    ),
    (
        3500,
        3999,
        Text::new(
            "3500 to 3999: Centrifugo says not to come back (3500 bad token, 3501 bad request).",
            "3500~3999: Centrifugo가 다시 오지 말라고 합니다(3500 잘못된 토큰, 3501 잘못된 요청).",
        ),
    ),
    (
        4000,
        4099,
        Text::new(
            "4000 to 4099: of the application; with Pusher: do not come back as you are (4001 no such app, 4009 not authorised).",
            "4000~4099: 애플리케이션 코드. Pusher라면 그대로는 다시 오지 말라는 뜻입니다(4001 앱 없음, 4009 권한 없음).",
        ),
    ),
    (
        4100,
        4199,
        Text::new(
            "4100 to 4199: of the application; with Pusher: over capacity, come back later.",
            "4100~4199: 애플리케이션 코드. Pusher라면 용량 초과, 나중에 다시 접속하십시오.",
        ),
    ),
    (
        4200,
        4299,
        Text::new(
            "4200 to 4299: of the application; with Pusher: come back at once (4201 no pong).",
            "4200~4299: 애플리케이션 코드. Pusher라면 바로 다시 접속하십시오(4201 pong 없음).",
        ),
    ),
    (
        4400,
        4400,
        Text::new(
            "4400: of the application; with graphql-ws: a bad message.",
            "4400: 애플리케이션 코드. graphql-ws라면 잘못된 메시지입니다.",
        ),
    ),
    (
        4401,
        4401,
        Text::new(
            "4401: of the application, most often unauthorised.",
            "4401: 애플리케이션 코드, 대개 인증 안 됨.",
        ),
    ),
    (
        4403,
        4403,
        Text::new(
            "4403: of the application, most often forbidden.",
            "4403: 애플리케이션 코드, 대개 권한 없음.",
        ),
    ),
    (
        4406,
        4429,
        Text::new(
            "4406 to 4429: of the application; with graphql-ws: 4406 subprotocol, 4408 init time-out, 4409 the id is taken, 4429 too many inits.",
            "4406~4429: 애플리케이션 코드. graphql-ws라면 4406 서브프로토콜, 4408 초기화 시간 초과, 4409 중복 id, 4429 초기화 반복.",
        ),
    ),
];

/// A code in words.
pub(crate) fn meaning(code: u16) -> Text {
    let found = TABLE.iter().find(|(from, to, _)| (*from..=*to).contains(&code));
    found.map_or(
        Text::new(
            "A code of the application's own: its documentation has the meaning.",
            "애플리케이션 고유 코드입니다. 그 문서에 뜻이 있습니다.",
        ),
        |(_, _, text)| *text,
    )
}

/// What to do, where the code says so much.
pub(crate) fn cure(code: u16) -> Option<Text> {
    Some(match code {
        1000 | 1005 => Text::new(
            "If it was not to end, look in the server's code for what calls `close()` right after the handshake: often a missing room, user or message of login.",
            "끝날 때가 아니라면 핸드셰이크 직후 `close()`를 부르는 곳을 서버 코드에서 찾으십시오. 대개 방, 사용자, 로그인 메시지가 없을 때입니다.",
        ),
        1001 | 1012 => Text::new(
            "Connect again with growing pauses; if it never lasts, see why the server restarts.",
            "간격을 늘려 가며 다시 접속하십시오. 계속 그렇다면 서버가 왜 다시 시작하는지 보십시오.",
        ),
        1003 | 1007 => Text::new(
            "Send what the server expects: text or binary, and text as UTF-8.",
            "서버가 기대하는 종류(텍스트/바이너리)로, 텍스트는 UTF-8로 보내십시오.",
        ),
        1006 => Text::new(
            "Look in the logs of the server and of the proxy for a crash or a time limit at this time; --direct URL shows which of the two cuts.",
            "이 시각의 서버와 프록시 로그에서 오류나 시간 한도를 찾으십시오. --direct URL로 어느 쪽이 끊는지 알 수 있습니다.",
        ),
        1008 => Text::new(
            "Try with --token, --header 'Cookie: …' or --origin of the page; the reason beside the code often names the rule.",
            "--token, --header 'Cookie: …', 또는 페이지의 --origin으로 시도하십시오. 코드 옆의 이유에 규칙이 적혀 있을 때가 많습니다.",
        ),
        1009 => Text::new(
            "Send less in one message, or raise the server's limit; --max-size finds it.",
            "한 메시지에 덜 보내거나 서버의 한도를 올리십시오. --max-size로 한도를 찾을 수 있습니다.",
        ),
        1011 => Text::new(
            "The server's log has the stack trace of this time: its handler failed.",
            "서버의 처리기가 실패했습니다. 이 시각의 서버 로그에 오류 내용이 있습니다.",
        ),
        1013 | 4100..=4199 | 4429 => Text::new(
            "Come back later, with growing pauses; raise the server's limit of connections, or add a node.",
            "간격을 늘려 가며 나중에 다시 접속하고, 서버의 연결 한도를 올리거나 노드를 늘리십시오.",
        ),
        3000 | 3500 | 4001 | 4003 | 4009 | 4401 | 4403 => Text::new(
            "Log in first, and send the proof in the way that this server reads it: --token, a cookie, the query, or the first message.",
            "먼저 로그인하고, 이 서버가 읽는 방식(--token, 쿠키, 쿼리, 첫 메시지)으로 인증 정보를 보내십시오.",
        ),
        4406 => Text::new(
            "Ask for the subprotocol: --subprotocol graphql-transport-ws (or graphql-ws with old servers).",
            "서브프로토콜을 요청하십시오: --subprotocol graphql-transport-ws(옛 서버는 graphql-ws).",
        ),
        4408 => Text::new(
            "The server waits for a first message (graphql-ws: connection_init) and gives up without it: let the client send it at once.",
            "서버가 첫 메시지(graphql-ws: connection_init)를 기다리다 포기했습니다. 클라이언트가 바로 보내게 하십시오.",
        ),
        _ => return None,
    })
}
