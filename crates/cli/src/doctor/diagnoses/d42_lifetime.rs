//! A lifetime.

use super::prelude::*;

pub(super) const D42: Diagnosis = Diagnosis {
    code: "D42",
    class: Class::Socket,
    title: Text::new(
        "connections and streams live only so long",
        "연결과 스트림의 수명이 정해져 있습니다",
    ),
    means: Text::new(
        "The idle connection and the one with pings, opened at different times, ended at the same age: a hard limit of a gateway, a platform or the server.",
        "서로 다른 때에 연 조용한 연결과 ping을 보내는 연결이 같은 나이에 끝났습니다. 게이트웨이, 플랫폼, 서버의 절대 한도입니다.",
    ),
    cure: Text::new(
        "Raise it if it is yours; otherwise plan for it: clients reconnect and resume where they were.",
        "직접 정한 한도라면 올리고, 아니라면 계획에 넣으십시오. 클라이언트가 다시 접속해 이어 가야 합니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let Some(hold) = &evidence.hold else { return of_stream(evidence) };
    let pinging = hold.pinging.as_ref()?;
    let seen = Seen::new(ends(hold, pinging))?;
    Some(seen.also(said!(
        "no messages were sent: some servers count only those, and not pings",
        "메시지는 보내지 않았음: ping은 세지 않고 메시지만 세는 서버도 있음"
    )))
}

/// Both ends, in words.
pub(super) fn ends(hold: &Hold, pinging: &End) -> Vec<Said> {
    let mut wire = Vec::new();
    if let Some(idle) = &hold.idle {
        wire.push(
            said!("the idle connection:", "조용한 연결:").join(&super::d40_close::told(idle)),
        );
    }
    wire.push(
        said!("the one that pings:", "ping을 보내는 연결:").join(&super::d40_close::told(pinging)),
    );
    let later = seconds(hold.later);
    wire.push(said!("it was opened {later} s later", "{later}초 뒤에 열었음"));
    wire
}

/// A stream that ends, and not after a silence.
fn of_stream(evidence: &Evidence) -> Option<Seen> {
    let stream = evidence.stream.as_ref().filter(|stream| stream.ended)?;
    if super::d41_idle::of_stream(evidence).is_some() {
        return None;
    }
    let time = |ms: u64| seconds(std::time::Duration::from_millis(ms));
    let age = time(stream.watched_ms);
    let how = if stream.broken {
        said!("without the end that HTTP has", "HTTP의 끝 표시 없이")
    } else {
        said!("in the regular way", "정상적으로")
    };
    let events: usize = stream.arrivals.iter().map(|(_, events)| events).sum();
    let mut wire = vec![
        said!(
            "the stream ended after {age} s and {events} events,",
            "스트림이 {age}초, 이벤트 {events}개 뒤에 끝남,"
        )
        .join(&how),
    ];
    if let Some(again) = stream.again.map(time) {
        wire.push(said!("another one: after {again} s", "다른 스트림: {again}초 뒤"));
    }
    let seen = Seen::new(wire)?;
    if stream.broken {
        return Some(
            seen.means(said!(
                "It breaks off while events flow: the server crashes or drops it, or something on the way has a limit for the whole answer. An EventSource comes back after some seconds; what is published in between is lost without `id` and Last-Event-ID.",
                "이벤트가 오는 도중에 끊깁니다. 서버가 죽거나 끊었거나, 중간 어딘가에 응답 전체에 대한 한도가 있습니다. EventSource는 몇 초 뒤 다시 접속하지만, `id`와 Last-Event-ID가 없으면 그 사이에 발행된 것은 사라집니다."
            ))
            .cure(said!(
                "Look in the logs of the server and of the proxy at this time; --direct URL shows which of the two it is.",
                "이 시각의 서버와 프록시 로그를 보십시오. --direct URL로 어느 쪽인지 알 수 있습니다."
            )),
        );
    }
    Some(
        seen.means(said!(
            "An EventSource comes back after some seconds, each time, for ever: what is published in between is lost without `id` and Last-Event-ID.",
            "EventSource는 그때마다 몇 초 뒤 다시 접속하기를 끝없이 되풀이합니다. `id`와 Last-Event-ID가 없으면 그 사이에 발행된 것은 사라집니다."
        ))
        .cure(said!(
            "Keep the answer open: the handler must not return (or `res.end()`), the function platform must allow streams, and an error in the handler is in the server's log.",
            "응답을 열어 두십시오. 처리기가 반환하거나 `res.end()`를 부르면 안 되고, 함수 플랫폼이 스트림을 허용해야 합니다. 처리기의 오류는 서버 로그에 있습니다."
        )),
    )
}
