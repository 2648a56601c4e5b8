//! The token's dates.

use super::d10_dates::date;
use super::prelude::*;

pub(super) const D53: Diagnosis = Diagnosis {
    code: "D53",
    class: Class::Handshake,
    title: Text::new("the token is out of its dates", "토큰의 유효 기간이 아닙니다"),
    means: Text::new(
        "The server refused, and the JSON Web Token that was sent has expired, or is not valid yet: by now, or by the clock of the machine that issued it.",
        "서버가 거절했고, 보낸 JSON 웹 토큰은 만료되었거나 아직 유효하지 않습니다. 현재 시각 기준이거나 발급한 컴퓨터의 시계 기준입니다.",
    ),
    cure: Text::new(
        "Take a fresh token before each connection; set clocks by NTP where they differ.",
        "접속할 때마다 새 토큰을 받고, 시계가 다르면 NTP로 맞추십시오.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let token = evidence.token.as_ref()?;
    let refused = evidence.refusal().is_some_and(|answer| matches!(answer.status, 401 | 403));
    let closed = evidence
        .early_end()
        .is_some_and(|end| matches!(end.code, 1008 | 3000 | 3500 | 4001 | 4003 | 4401 | 4403));
    let login = evidence
        .socket
        .as_ref()
        .is_some_and(|socket| matches!(socket.login, Some(Login::Refused(_))));
    if !refused && !closed && !login {
        return None;
    }
    // By the server's clock, where it told it.
    let now = evidence.now - evidence.clock_ahead.unwrap_or(0);
    let place = &token.place;
    let wire = if let Some(expires) = token.expires.filter(|expires| *expires <= now) {
        let (when, ago) = (date(expires), now.saturating_sub(expires));
        said!("token of {place}: exp {when}, {ago} s ago", "{place}의 토큰: exp {when}, {ago}초 전")
    } else if let Some(from) = token.not_before.filter(|from| *from > now) {
        let (when, left) = (date(from), from.saturating_sub(now));
        said!(
            "token of {place}: nbf {when}, in {left} s",
            "{place}의 토큰: nbf {when}, {left}초 뒤"
        )
    } else {
        return None;
    };
    let mut wire = vec![wire];
    if let Some(ahead) = evidence.clock_ahead.filter(|ahead| ahead.abs() > 5) {
        wire.push(said!(
            "this clock is {ahead} s ahead of the server's Date",
            "이 시계는 서버의 Date보다 {ahead}초 빠름"
        ));
    }
    if !token.audience.is_empty() {
        let audience = token.audience.join(", ");
        wire.push(said!("aud: {audience}", "aud: {audience}"));
    }
    wire.extend(evidence.refusal().map(shown));
    Seen::new(wire)
}
