//! Idle connections are cut.

use super::prelude::*;

pub(super) const D41: Diagnosis = Diagnosis {
    code: "D41",
    class: Class::Socket,
    title: Text::new("idle connections are cut", "조용한 연결이 끊깁니다"),
    means: Text::new(
        "A connection on which nothing is said is ended after a constant time, and one with pings is not: an idle limit of a proxy or balancer (usual: 60 s nginx and AWS ALB, 60 or 300 s Apache, 100 s Cloudflare, 240 s Azure, 350 s AWS NLB).",
        "아무 말이 없는 연결은 일정한 시간 뒤에 끝나고, ping을 보내는 연결은 그대로입니다. 프록시나 로드 밸런서의 유휴 한도입니다(흔한 값: nginx·AWS ALB 60초, Apache 60초나 300초, Cloudflare 100초, Azure 240초, AWS NLB 350초).",
    ),
    cure: Text::new(
        "Raise the limit, or let the server ping more often than it:",
        "한도를 올리거나 서버가 그보다 자주 ping을 보내게 하십시오:",
    ),
    lines: Lines::Idle,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let Some(hold) = &evidence.hold else { return of_stream(evidence) };
    let end = hold.idle.as_ref()?;
    if hold.pinging.is_some() {
        return None;
    }
    let mut wire = vec![
        said!("the idle connection:", "조용한 연결:").join(&super::d40_close::told(end)),
        said!("the one that pings: open to the end", "ping을 보내는 연결: 끝까지 열려 있음"),
    ];
    if let Some(again) = hold.again {
        let again = seconds(again);
        wire.push(said!("another idle one: {again} s", "다른 조용한 연결: {again}초"));
    }
    let pings = hold.first_ping.map_or_else(
        || said!("the server sent no ping", "서버는 ping을 보내지 않음"),
        |first| {
            let first = seconds(first);
            said!("the server pinged first after {first} s", "서버의 첫 ping은 {first}초 뒤")
        },
    );
    wire.push(pings);
    let again = hold.again.unwrap_or(end.after);
    let (least, most) = (end.after.min(again), end.after.max(again));
    let below = (least.as_secs_f64() * 0.6).max(1.0);
    let (limit, below) = (seconds(least), format!("{below:.0}"));
    let mut seen = Seen::new(wire)?;
    if most > least * 3 / 2 {
        seen = seen.means(said!(
            "Connections on which nothing is said are ended, but not after a constant time: a server that cleans up now and then, or restarts, or a network that fails.",
            "조용한 연결이 끊기지만 시간이 일정하지 않습니다. 가끔 정리하거나 다시 시작하는 서버이거나 네트워크 장애입니다."
        ));
    }
    let seen = seen.cure(said!(
        "The limit is {limit} s; a ping every {below} s keeps the connection.",
        "한도는 {limit}초입니다. {below}초마다 ping을 보내면 유지됩니다."
    ));
    Some(seen.lines(vec![format!("madang serve --ping-interval {below}")]))
}

/// A stream on which nothing came for a while, and then the end.
pub(super) fn of_stream(evidence: &Evidence) -> Option<Seen> {
    let stream = evidence.stream.as_ref().filter(|stream| stream.ended)?;
    let last = stream.arrivals.last().map_or(0, |(at, _)| *at);
    let quiet = stream.watched_ms.saturating_sub(last);
    if !stream.broken || quiet < 1_000 {
        return None;
    }
    let time = |ms: u64| seconds(std::time::Duration::from_millis(ms));
    let (age, silence) = (time(stream.watched_ms), time(quiet));
    let mut wire = vec![said!(
        "the stream was cut after {age} s, when nothing had come for {silence} s, without the end that HTTP has",
        "스트림이 {age}초 뒤에, {silence}초 동안 아무것도 오지 않다가, HTTP의 끝 표시 없이 끊김"
    )];
    if let Some(again) = stream.again.map(time) {
        wire.push(said!("another one: after {again} s", "다른 스트림: {again}초 뒤"));
    }
    let below = (quiet / 1_600).max(1);
    let seen = Seen::new(wire)?.means(said!(
        "A stream on which nothing comes is ended without a word: by an idle limit of a proxy or balancer, or by the server itself, which crashes or drops it. --direct URL, or the log of the server, tells the two apart.",
        "아무것도 오지 않는 스트림이 말없이 끝납니다. 프록시나 로드 밸런서의 유휴 한도이거나, 서버 자신이 죽거나 끊은 것입니다. --direct URL이나 서버 로그로 가릴 수 있습니다."
    ));
    Some(seen.cure(said!(
        "Send a comment (`:` and an empty line) every {below} s at most, or raise the read time-out of the proxy:",
        "늦어도 {below}초마다 주석(`:`과 빈 줄)을 보내거나 프록시의 읽기 제한 시간을 올리십시오:"
    )))
}
