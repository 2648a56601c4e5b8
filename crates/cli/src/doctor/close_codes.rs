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
