//! The proxy loses `Upgrade`.

use std::collections::BTreeSet;

use super::prelude::*;
use crate::doctor::proxies::Proxy;

pub(super) const D22: Diagnosis = Diagnosis {
    code: "D22",
    class: Class::Handshake,
    title: Text::new(
        "the proxy does not pass the Upgrade header on",
        "프록시가 Upgrade 헤더를 넘기지 않습니다",
    ),
    means: Text::new(
        "`Upgrade` and `Connection` are for one hop (RFC 9110 §7.6.1): a proxy drops them unless it is told to pass them on, and one that speaks HTTP/1.0 to the server behind cannot. That server saw an ordinary GET.",
        "`Upgrade`와 `Connection`은 한 구간용 헤더입니다(RFC 9110 §7.6.1). 넘기라고 설정하지 않으면 프록시가 버리고, 뒤쪽에 HTTP/1.0으로 말하는 프록시는 넘길 수도 없습니다. 서버는 평범한 GET을 받았습니다.",
    ),
    cure: Text::new(
        "Tell the proxy to pass the upgrade on:",
        "프록시가 업그레이드를 넘기게 하십시오:",
    ),
    lines: Lines::Upgrade,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let answer = evidence.refusal()?;
    let may_be = matches!(answer.status, 200 | 204 | 400 | 404 | 405 | 426 | 500 | 501);
    if !may_be || super::d26_upgrade_required::wants_other(answer) {
        return None;
    }
    let missed = misses_upgrade(answer);
    let direct = evidence.look(LookKind::Direct).filter(|_| evidence.opens(LookKind::Direct));
    if let Some(direct) = direct
        && (missed || is_passed_on(evidence, answer))
    {
        let (url, status) = (direct.exchange.url.clone(), answer.status);
        let seen = Seen::answer(answer).also(said!(
            "the same request directly to {url}: 101; through the proxy: {status}",
            "같은 요청을 {url}에 직접 보내면 101, 프록시를 거치면 {status}"
        ));
        let plain = evidence.looked(LookKind::DirectPlain).map(|plain| plain.status);
        return Some(match plain.filter(|plain| *plain == status) {
            Some(plain) => seen.also(said!(
                "directly and without the upgrade: {plain}, as through the proxy",
                "업그레이드 없이 직접 보내도 프록시를 거칠 때처럼 {plain}"
            )),
            None => seen,
        });
    }
    // The server says what it missed, and it was sent.
    let proxied = Proxy::seen(evidence).is_some() || answer.header("via").is_some();
    (missed && proxied).then(|| {
        Seen::answer(answer).also(said!(
            "`Connection: Upgrade` and `Upgrade: websocket` were sent; the server behind the proxy did not see them",
            "`Connection: Upgrade`와 `Upgrade: websocket`을 보냈는데 프록시 뒤의 서버는 보지 못했습니다"
        ))
    })
}

/// Whether the proxy did ask the server behind: it is what that says to an ordinary GET, or nothing
/// that a proxy says by itself.
fn is_passed_on(evidence: &Evidence, answer: &Answer) -> bool {
    let plain = evidence.looked(LookKind::DirectPlain);
    answer.status == 426
        || plain.is_some_and(|plain| plain.status == answer.status && are_alike(plain, answer))
        || (matches!(answer.status, 200 | 204 | 404)
            && !is_own(answer)
            && !names_other_path(&evidence.target.path, &answer.lower()))
}

/// "There is nothing at /elsewhere": it was asked for another path than the one that we asked for.
fn names_other_path(path: &str, body: &str) -> bool {
    let path = path.trim_end_matches('/').to_lowercase();
    let words = body.split(|c: char| c.is_whitespace() || "\"'`<>()".contains(c));
    let mut paths = words
        .map(|word| word.trim_end_matches(['.', ',', ':', ';', '/']))
        .filter(|word| word.len() > 1 && word.starts_with('/') && !word.starts_with("//"));
    // What a tag closes with is no path.
    let tags = ["/html", "/head", "/body", "/title", "/h1", "/p", "/pre", "/center", "/hr", "/div"];
    paths.any(|word| word != path && !tags.contains(&word))
}

/// Pages that a proxy or a site of files gives when it asks nobody.
fn is_own(answer: &Answer) -> bool {
    let body = answer.lower();
    let page = answer.status == 200 && answer.is_html();
    // An empty 200 is what Caddy says where no route fits, the words Traefik's and Go's.
    let empty = answer.status == 200
        && body.is_empty()
        && answer.header("server").is_some_and(|server| server.starts_with("Caddy"));
    page || empty || body.trim() == "404 page not found" || has_own_mark(&body)
}

fn has_own_mark(body: &str) -> bool {
    let marks = [
        "<center>nginx",
        "<center>openresty",
        "<address>apache/",
        "the requested url was not found",
    ];
    marks.iter().any(|mark| body.contains(mark))
}

/// But for what differs from time to time, such as dates and numbers of requests.
fn are_alike(one: &Answer, other: &Answer) -> bool {
    let words = |answer: &Answer| -> BTreeSet<String> {
        let text = answer.lower();
        let words = text.split(|c: char| !c.is_alphanumeric());
        words.filter(|word| word.chars().all(char::is_alphabetic)).map(str::to_owned).collect()
    };
    let (one, other) = (words(one), words(other));
    one.intersection(&other).count() * 10 >= one.union(&other).count() * 7
}

/// Directly a WebSocket opens, and what came through the proxy is not that server's: the line that
/// shows it.
pub(super) fn unrouted(evidence: &Evidence) -> Option<Said> {
    let direct = evidence.look(LookKind::Direct).filter(|_| evidence.opens(LookKind::Direct))?;
    let url = direct.exchange.url.clone();
    let plain = evidence.looked(LookKind::DirectPlain);
    let plain = plain.map_or_else(|| "—".to_owned(), |plain| plain.status.to_string());
    Some(said!(
        "directly to {url}: 101, and without the upgrade {plain}; what came through the proxy is not that server's",
        "{url}에 직접 보내면 101, 업그레이드 없이는 {plain}. 프록시를 거쳐 온 것은 그 서버의 답이 아닙니다"
    ))
}

/// A proxy is there, and nobody was asked directly.
pub(super) fn may_be_lost(evidence: &Evidence, answer: &Answer) -> Option<Said> {
    let body = answer.lower();
    if evidence.wanted != Wanted::Upgrade
        || evidence.look(LookKind::Direct).is_some()
        || has_own_mark(&body)
    {
        return None;
    }
    let via = || answer.header("via").is_some().then_some("the proxy");
    let who = Proxy::seen(evidence).map(Proxy::name).or_else(via)?;
    Some(said!(
        "Or {who} drops `Upgrade`: the server behind then sees an ordinary GET, to which many answer just so. --direct with the URL of that server tells the two apart.",
        "또는 {who}이(가) `Upgrade`를 버렸을 수 있습니다. 그러면 뒤의 서버는 평범한 GET을 받고, 흔히 이렇게 답합니다. --direct로 그 서버의 URL을 주면 둘을 가릴 수 있습니다."
    ))
}

/// What servers say to a request without `Upgrade`.
pub(super) fn misses_upgrade(answer: &Answer) -> bool {
    let body = answer.lower();
    // These were lost alone.
    if body.contains("sec-websocket-key") || body.contains("sec-websocket-version") {
        return false;
    }
    let marks = [
        "'upgrade' token not found",
        "not using the websocket protocol",
        "missing connection header",
        "missing upgrade header",
        "missing or invalid upgrade header",
        "invalid upgrade header",
        "invalid connection header",
        "upgrade header missing",
        "connection header missing",
        "can \"upgrade\" only to \"websocket\"",
        "\"connection\" must be \"upgrade\"",
        "not a valid websocket request",
        "not a websocket handshake",
        "does not contain upgrade",
        "expected http/1.1",
        "expected websocket",
        "upgrade required",
        "websocket upgrade required",
        "needs an upgrade",
    ];
    // gorilla says this and no more to every handshake that it does not take.
    let terse = answer.status == 400
        && body.trim() == "bad request"
        && answer.header("sec-websocket-version").is_some_and(|version| version.contains("13"));
    terse
        || marks.iter().any(|mark| body.contains(mark))
        || matches!(answer.header("madang-code"), Some("M202" | "M204" | "M205"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_that_a_server_names() {
        for (body, other) in [
            ("there is nothing at /nowhere.\n", true),
            ("<pre>cannot get /ws</pre>", false),
            ("<pre>cannot get /ws/chat</pre>", true),
            ("not found", false),
            ("{\"path\":\"/ws\"}", false),
            ("<html><body><h1>404</h1></body></html>", false),
            ("see https://example.com/help", false),
        ] {
            assert_eq!(names_other_path("/ws", body), other, "{body}");
        }
    }
}
