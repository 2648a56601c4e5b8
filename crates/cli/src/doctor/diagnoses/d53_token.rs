//! The token's dates.

use super::d10_dates::date;
use super::prelude::*;

pub(super) const D53: Diagnosis = Diagnosis {
    code: "D53",
    class: Class::Handshake,
    title: Text::new(
        "the token is out of its dates, or for somebody else",
        "토큰의 유효 기간이 아니거나 다른 곳의 토큰입니다",
    ),
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

/// Seconds by which libraries let dates be wrong.
const LEEWAY: i64 = 60;

fn sees(evidence: &Evidence) -> Option<Seen> {
    let token = evidence.token.as_ref()?;
    let refused = evidence.refusal().is_some_and(|answer| matches!(answer.status, 400 | 401 | 403));
    let closed = evidence
        .early_end()
        .is_some_and(|end| matches!(end.code, 1008 | 3000 | 3500 | 4001 | 4003 | 4401 | 4403));
    let login = evidence
        .socket
        .as_ref()
        .is_some_and(|socket| matches!(socket.login, Some(Login::Refused(_))));
    if refused || closed || login {
        return of_refusal(evidence, token);
    }
    // Whatever else is wrong is the cause.
    let is_held = evidence
        .hold
        .as_ref()
        .is_none_or(|hold| !hold.is_refused && hold.idle.is_none() && hold.pinging.is_none());
    let is_alive =
        evidence.socket.as_ref().is_none_or(|socket| socket.end.is_none() && socket.pong.is_some());
    let is_passed = evidence.size.as_ref().is_none_or(|size| size.fails.is_none());
    // A cookie may be anybody's.
    let is_other = token.place.eq_ignore_ascii_case("cookie");
    if is_other || !(evidence.answer_ok && is_held && is_alive && is_passed) {
        return None;
    }
    // By the server's clock, where it told it.
    let wire = dates(token, now(evidence), LEEWAY)?;
    Some(Seen::new([wire])?.means(said!(
        "The server took it all the same: it checks no dates, or not this token. Others will, and so may this one when it is set right.",
        "그래도 서버가 받아들였습니다. 날짜나 이 토큰을 검사하지 않는 서버입니다. 다른 서버는 검사하며, 이 서버도 제대로 설정하면 그렇게 됩니다."
    )))
}

fn now(evidence: &Evidence) -> i64 {
    evidence.now - evidence.clock_ahead.unwrap_or(0)
}

fn of_refusal(evidence: &Evidence, token: &Token) -> Option<Seen> {
    let place = &token.place;
    let odd =
        token.odd.as_ref().map(|odd| said!("token of {place}: {odd}", "{place}의 토큰: {odd}"));
    let is_odd = odd.is_some();
    let said = words(evidence);
    let of_audience = said.contains("audience") && !token.audience.is_empty();
    let wire = odd
        .or_else(|| dates(token, now(evidence), 0))
        .or_else(|| issued(token, now(evidence)))
        .or_else(|| {
            let audience = token.audience.join(", ");
            of_audience.then(|| {
                said!("token of {place}: aud {audience}", "{place}의 토큰: aud {audience}")
            })
        })?;
    let mut wire = vec![wire];
    if let Some(ahead) = evidence.clock_ahead.filter(|ahead| ahead.abs() > 5) {
        wire.push(clocks(ahead));
    }
    if !token.audience.is_empty() && !of_audience {
        let audience = token.audience.join(", ");
        wire.push(said!("aud: {audience}", "aud: {audience}"));
    }
    wire.extend(evidence.refusal().map(shown));
    let seen = Seen::new(wire)?;
    if is_odd {
        return Some(
            seen.means(said!(
                "A date of the token is not a number of seconds since 1970 (RFC 7519 §2): libraries refuse it, or take it for another time.",
                "토큰의 날짜가 1970년부터의 초가 아닙니다(RFC 7519 §2). 라이브러리가 거절하거나 다른 시각으로 읽습니다."
            ))
            .cure(said!(
                "Let whoever issues it write seconds as a number (JavaScript: `Math.floor(Date.now() / 1000)`).",
                "발급하는 쪽에서 초를 숫자로 쓰게 하십시오(JavaScript: `Math.floor(Date.now() / 1000)`)."
            )),
        );
    }
    if of_audience {
        return Some(
            seen.means(said!(
                "The token is for somebody else: the server does not find itself in its audience.",
                "다른 곳에 쓰라고 발급된 토큰입니다. 서버가 audience에서 자기를 찾지 못했습니다."
            ))
            .cure(said!(
                "Ask for a token with the audience that this server is configured with.",
                "이 서버에 설정된 audience로 토큰을 발급받으십시오."
            )),
        );
    }
    Some(seen)
}

/// What the server says of its refusal, in small letters.
fn words(evidence: &Evidence) -> String {
    let answer = evidence.refusal();
    let body = answer.map(Answer::lower).unwrap_or_default();
    let scheme = answer.and_then(|answer| answer.header("www-authenticate")).unwrap_or_default();
    let reason = evidence.early_end().map(|end| end.reason.as_str()).unwrap_or_default();
    let socket = evidence.socket.as_ref();
    let login = match socket.and_then(|socket| socket.login.as_ref()) {
        Some(Login::Refused(words)) => words.as_str(),
        _ => "",
    };
    format!("{body} {scheme} {reason} {login}").to_lowercase()
}

fn dates(token: &Token, now: i64, leeway: i64) -> Option<Said> {
    let place = &token.place;
    if let Some(expires) = token.expires.filter(|expires| *expires <= now - leeway) {
        let (when, ago) = (date(expires), now.saturating_sub(expires));
        return Some(said!(
            "token of {place}: exp {when}, {ago} s ago",
            "{place}의 토큰: exp {when}, {ago}초 전"
        ));
    }
    let from = token.not_before.filter(|from| *from > now + leeway)?;
    let (when, left) = (date(from), from.saturating_sub(now));
    Some(said!(
        "token of {place}: nbf {when}, in {left} s",
        "{place}의 토큰: nbf {when}, {left}초 뒤"
    ))
}

/// Some libraries refuse what was issued in the future.
fn issued(token: &Token, now: i64) -> Option<Said> {
    let place = &token.place;
    let issued = token.issued.filter(|issued| *issued > now)?;
    let (when, left) = (date(issued), issued.saturating_sub(now));
    Some(said!(
        "token of {place}: iat {when}, in {left} s",
        "{place}의 토큰: iat {when}, {left}초 뒤"
    ))
}

fn clocks(ahead: i64) -> Said {
    let seconds = ahead.abs();
    if ahead > 0 {
        said!(
            "this clock is {seconds} s ahead of the server's Date",
            "이 시계는 서버의 Date보다 {seconds}초 빠름"
        )
    } else {
        said!(
            "this clock is {seconds} s behind the server's Date",
            "이 시계는 서버의 Date보다 {seconds}초 느림"
        )
    }
}
