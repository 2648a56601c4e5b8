//! The request is too long.

use super::prelude::*;

pub(super) const D31: Diagnosis = Diagnosis {
    code: "D31",
    class: Class::Handshake,
    title: Text::new(
        "the request's head is too long for the server",
        "요청 헤더가 서버 한도보다 깁니다",
    ),
    means: Text::new(
        "Cookies, a token or the query are longer than the buffer of the server or proxy for the head of a request.",
        "쿠키, 토큰, 쿼리가 서버나 프록시의 요청 헤더 버퍼보다 깁니다.",
    ),
    cure: Text::new(
        "Send less (cookies of the whole domain come along, too), or enlarge the buffer:",
        "덜 보내거나(도메인 전체의 쿠키도 함께 갑니다) 버퍼를 늘리십시오:",
    ),
    lines: Lines::Head,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal()?;
    let body = answer.lower();
    let says = body.contains("request header or cookie too large")
        || body.contains("size of a request header field exceeds")
        || body.contains("header fields too large")
        || body.contains("size of the request headers is too long")
        || body.contains("request too long")
        || body.contains("request line too large");
    let fits = matches!(answer.status, 413 | 414 | 431 | 494) || (answer.status == 400 && says);
    if !fits {
        return None;
    }
    let length = evidence.sent.head;
    Some(Seen::answer(answer).also(said!(
        "the head that was sent has {length} bytes",
        "보낸 헤더는 {length}바이트입니다"
    )))
}
