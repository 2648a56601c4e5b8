//! A rule of the protocol is broken.

use super::prelude::*;
use crate::doctor::probe::socket::MAX_MESSAGE;

pub(super) const D46: Diagnosis = Diagnosis {
    code: "D46",
    class: Class::Socket,
    title: Text::new("one side breaks the rules of WebSocket", "한쪽이 WebSocket 규칙을 어깁니다"),
    means: Text::new(
        "What the server sent is not allowed (text that is not UTF-8, masked frames, reserved bits), or it says so of us (1002, 1007). Often something writes plain bytes into the stream, or changes it on the way.",
        "서버가 보낸 것이 규칙에 어긋나거나(UTF-8이 아닌 텍스트, 마스크된 프레임, 예약 비트), 서버가 우리를 그렇게 봅니다(1002, 1007). 누군가 스트림에 날 바이트를 쓰거나 중간에서 바꾸는 경우가 많습니다.",
    ),
    cure: Text::new(
        "Send binary data as binary messages; use a library for frames; look for whatever else writes to this connection (print statements, a filter of the proxy).",
        "바이너리는 바이너리 메시지로 보내고, 프레임은 라이브러리로 만들고, 이 연결에 쓰는 다른 것(출력문, 프록시 필터)이 있는지 보십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let end = evidence.early_end()?;
    let ours = matches!(end.by, By::Us(_));
    let theirs = end.by == By::Server && matches!(end.code, 1002 | 1007);
    if !ours && !theirs {
        return None;
    }
    let seen = Seen::new([super::d40_close::told(end)])?;
    let By::Us(why) = &end.by else { return Some(seen) };
    if why.contains("too big") {
        let limit = MAX_MESSAGE >> 20;
        return Some(
            seen.means(said!(
                "Nothing is wrong with it but its size: it sent a message of more than {limit} MiB, which is the doctor's own limit. Browsers would take it, and hold all of it in memory.",
                "크기 말고는 잘못이 없습니다. {limit}MiB가 넘는 메시지를 보냈는데, 이것은 이 도구의 한도입니다. 브라우저는 받아서 전부 메모리에 둡니다."
            ))
            .cure(said!("Send it in pieces.", "나누어 보내십시오.")),
        );
    }
    let raw = evidence.socket.as_ref().and_then(|socket| socket.raw.as_ref());
    let hex = raw.map(|raw| raw.hex(16)).unwrap_or_default();
    let seen = seen.also(said!("the bytes after the 101: {hex}", "101 뒤의 바이트: {hex}"));
    let means = if let Some(code) = why.strip_prefix("protocol error: close code ") {
        let code = code.split(' ').next().unwrap_or_default();
        said!(
            "A close frame with the code {code}: RFC 6455 §7.4 lets nobody send that. Browsers report 1002 or 1006 in its place.",
            "코드 {code}의 close 프레임입니다. RFC 6455 §7.4에 따라 아무도 보낼 수 없는 코드이며, 브라우저는 대신 1002나 1006을 알립니다."
        )
    } else if raw.is_some_and(|raw| raw.0.starts_with(b"<")) {
        said!(
            "A page was written into the open WebSocket: something behind the 101 answers as to an ordinary request.",
            "열린 WebSocket에 페이지를 써 넣었습니다. 101 뒤의 무언가가 일반 요청처럼 답합니다."
        )
    } else if raw.is_some_and(|raw| raw.0.starts_with(b"HTTP/")) {
        said!(
            "An HTTP answer was written into the open WebSocket.",
            "열린 WebSocket에 HTTP 응답을 써 넣었습니다."
        )
    } else if raw.is_some_and(is_text) {
        said!(
            "Plain text was written into the stream, without frames: output of a program, or a line protocol.",
            "프레임 없이 일반 텍스트를 써 넣었습니다. 프로그램의 출력이거나 줄 단위 프로토콜입니다."
        )
    } else if why.contains("UTF-8") {
        said!(
            "The server sent a text message that is not UTF-8.",
            "서버가 UTF-8이 아닌 텍스트 메시지를 보냈습니다."
        )
    } else if why.contains("masked") {
        said!(
            "The server masks its frames, as only clients do.",
            "서버가 클라이언트처럼 프레임을 마스크합니다."
        )
    } else if why.contains("reserved bit") {
        said!(
            "The server set a reserved bit, such as that of compression, which was not agreed on.",
            "합의하지 않은 예약 비트(압축 등)를 서버가 켰습니다."
        )
    } else {
        return Some(seen);
    };
    let seen = seen.means(means);
    let cure = if why.contains("close code") {
        Some(said!(
            "Let the server close with 1000 to 1003, 1007 to 1014, or a code of its own from 3000 to 4999.",
            "서버가 1000~1003, 1007~1014, 또는 3000~4999의 자체 코드로 닫게 하십시오."
        ))
    } else if raw.is_some_and(|raw| raw.0.starts_with(b"<") || is_text(raw)) {
        Some(said!(
            "Find who writes it: the handler behind the upgrade answers as if it were an ordinary request, or something else prints into the connection. --direct URL shows whether the proxy does it.",
            "누가 쓰는지 찾으십시오. 업그레이드 뒤의 처리기가 일반 요청처럼 답하거나, 다른 것이 이 연결에 출력합니다. 프록시 탓인지는 --direct URL로 알 수 있습니다."
        ))
    } else {
        None
    };
    Some(match cure {
        Some(cure) => seen.cure(cure),
        None => seen,
    })
}

/// Letters, where the head of a frame should be.
fn is_text(raw: &Bytes) -> bool {
    raw.0.len() >= 4
        && raw.0.iter().take(16).all(|byte| byte.is_ascii_graphic() || b" \r\n\t".contains(byte))
}
