//! CORS.

use super::prelude::*;
use crate::doctor::target::Target;

pub(super) const D50: Diagnosis = Diagnosis {
    code: "D50",
    class: Class::Http,
    title: Text::new(
        "browsers keep the answer from pages of this origin",
        "브라우저가 이 출처의 페이지에 응답을 넘기지 않습니다",
    ),
    means: Text::new(
        "The answer comes, and the headers that allow a page of another origin to read it (CORS) are missing or wrong. Only browsers care.",
        "응답은 오지만 다른 출처의 페이지가 읽도록 허락하는 헤더(CORS)가 없거나 틀렸습니다. 브라우저만 신경 씁니다.",
    ),
    cure: Text::new(
        "Let exactly one place (the server or the proxy) set these headers:",
        "서버나 프록시 중 한 곳에서만 다음 헤더를 설정하게 하십시오:",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let origin = evidence.sent.origin.as_deref()?;
    // Of a stream that was redirected its last place counts, and each on the way.
    let is_foreign = |exchange: &&Exchange| {
        Target::read(&exchange.url).is_ok_and(|target| target.own_origin() != origin)
    };
    let mut hops = evidence.redirects.iter().filter(is_foreign);
    let hop = hops.find_map(|hop| {
        let answer = hop.came.answer()?;
        Some((fault(answer, origin, evidence.sent.cookie)?, answer))
    });
    if hop.is_none() && !evidence.answer.iter().chain(&evidence.polls).any(|one| is_foreign(&one)) {
        return None;
    }
    // What a server says to a request that it cannot read is no page's concern.
    let polled = evidence.polls.iter().filter_map(|poll| poll.came.answer());
    let polled = polled.filter(|answer| answer.status != 500);
    let streamed =
        evidence.answered().filter(|_| evidence.wanted == Wanted::Events && evidence.answer_ok);
    let credentials =
        matches!(evidence.door, crate::doctor::ask::Door::Sockjs) || evidence.sent.cookie;
    let mut actual = polled.chain(streamed);
    let found = hop
        .or_else(|| actual.find_map(|answer| Some((fault(answer, origin, credentials)?, answer))));
    let found = found.or_else(|| {
        let answer = evidence.looked(LookKind::Preflight)?;
        Some((preflight(answer, origin, credentials, &asked(evidence))?, answer))
    });
    let (what, answer) = found?;
    let mut lines =
        vec![format!("Access-Control-Allow-Origin: {origin}"), "Vary: Origin".to_owned()];
    if credentials || answer.header("access-control-allow-credentials") == Some("true") {
        lines.push("Access-Control-Allow-Credentials: true".to_owned());
    }
    if evidence.looked(LookKind::Preflight).is_some() {
        let names = asked(evidence).join(", ");
        lines.push("Access-Control-Allow-Methods: GET, POST".to_owned());
        lines
            .push(format!("Access-Control-Allow-Headers: {names}   # answer to OPTIONS, with 204"));
    }
    let status = answer.status;
    Some(
        Seen::new([said!(
            "HTTP {status} to Origin {origin}:",
            "Origin {origin}에 대한 HTTP {status}:"
        )
        .join(&what)])?
        .lines(lines),
    )
}

/// The headers that the preflight asked about.
fn asked(evidence: &Evidence) -> Vec<String> {
    let request = evidence.look(LookKind::Preflight).map(|look| look.exchange.request.as_str());
    let line = request.unwrap_or_default().lines().find_map(|line| {
        let (name, names) = line.split_once(':')?;
        name.eq_ignore_ascii_case("access-control-request-headers").then_some(names)
    });
    let names = line.unwrap_or_default().split(',').map(|name| name.trim().to_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

fn preflight(answer: &Answer, origin: &str, credentials: bool, asked: &[String]) -> Option<Said> {
    let before = said!("preflight (OPTIONS):", "사전 요청(OPTIONS):");
    if !(200..300).contains(&answer.status) {
        return Some(before.join(&said!("the answer must be 2xx", "2xx로 답해야 합니다")));
    }
    if let Some(fault) = fault(answer, origin, credentials) {
        return Some(before.join(&fault));
    }
    let allowed = answer.header("access-control-allow-headers").unwrap_or_default().to_lowercase();
    let allowed: Vec<_> = allowed.split(',').map(str::trim).collect();
    // A wildcard never means Authorization (Fetch §4.8), and nothing at all where cookies are sent.
    let lets = |name: &String| {
        allowed.contains(&name.as_str())
            || (allowed.contains(&"*") && !credentials && name != "authorization")
    };
    let lacks: Vec<_> = asked.iter().filter(|name| !lets(name)).cloned().collect();
    let names = lacks.join(", ");
    (!lacks.is_empty()).then(|| {
        before.join(&said!(
            "Access-Control-Allow-Headers does not name {names}",
            "Access-Control-Allow-Headers에 {names}이(가) 없습니다"
        ))
    })
}

/// Fetch §4.10, the CORS check.
fn fault(answer: &Answer, origin: &str, credentials: bool) -> Option<Said> {
    if answer.count("access-control-allow-origin") > 1 {
        return Some(said!(
            "Access-Control-Allow-Origin is there twice: server and proxy both set it",
            "Access-Control-Allow-Origin이 두 번 있습니다. 서버와 프록시가 모두 설정했습니다"
        ));
    }
    let Some(allowed) = answer.header("access-control-allow-origin") else {
        return Some(said!(
            "Access-Control-Allow-Origin is missing",
            "Access-Control-Allow-Origin이 없습니다"
        ));
    };
    if allowed == "*" && credentials {
        return Some(said!(
            "Access-Control-Allow-Origin: * does not count for requests with cookies",
            "쿠키를 보내는 요청에는 Access-Control-Allow-Origin: *가 통하지 않습니다"
        ));
    }
    if allowed == "*" && answer.header("access-control-allow-credentials") == Some("true") {
        return Some(said!(
            "Access-Control-Allow-Credentials: true beside Access-Control-Allow-Origin: * counts for nothing: browsers refuse the answer to a request with cookies (withCredentials)",
            "Access-Control-Allow-Origin: *와 함께 온 Access-Control-Allow-Credentials: true는 소용없습니다. 브라우저는 쿠키를 보내는 요청(withCredentials)의 응답을 거절합니다"
        ));
    }
    if allowed != "*" && allowed != origin {
        return Some(said!(
            "Access-Control-Allow-Origin is {allowed}",
            "Access-Control-Allow-Origin이 {allowed}입니다"
        ));
    }
    let lets = answer.header("access-control-allow-credentials") == Some("true");
    (credentials && !lets).then(|| {
        said!(
            "Access-Control-Allow-Credentials: true is missing",
            "Access-Control-Allow-Credentials: true가 없습니다"
        )
    })
}
