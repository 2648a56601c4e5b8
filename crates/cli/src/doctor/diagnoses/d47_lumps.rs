//! Events arrive in lumps.

use super::prelude::*;

/// Fewer lumps prove nothing.
const LUMPS: usize = 2;
/// Events of one lump.
const EVENTS: usize = 3;

pub(super) const D47: Diagnosis = Diagnosis {
    code: "D47",
    class: Class::Http,
    title: Text::new("events arrive in lumps", "이벤트가 뭉쳐서 옵니다"),
    means: Text::new(
        "Something on the way gathers the stream (buffering, gzip) and lets it through in pieces, or not at all until much has come.",
        "중간에서 스트림을 모았다가(버퍼링, gzip) 한꺼번에 보내거나, 많이 쌓일 때까지 아예 보내지 않습니다.",
    ),
    cure: Text::new(
        "Switch buffering and compression off for text/event-stream:",
        "text/event-stream에 대한 버퍼링과 압축을 끄십시오:",
    ),
    lines: Lines::Streaming,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    if is_held(evidence) {
        let patience = seconds(evidence.patience);
        let wire = [
            said!(
                "not even the head of the answer came within {patience} s",
                "{patience}초 안에 응답의 헤더조차 오지 않았습니다"
            ),
            said!("directly it comes at once", "직접 접속하면 바로 옵니다"),
        ];
        return Some(Seen::new(wire)?.means(said!(
            "The proxy holds back what the server sends at once, head and all, until a buffer is full.",
            "서버는 바로 보내는데 프록시가 헤더까지 버퍼가 찰 때까지 붙들고 있습니다."
        )));
    }
    let stream = evidence.stream.as_ref()?;
    let gzip = evidence.answered()?.header("content-encoding").map(str::to_owned);
    let proxied = profile(&stream.arrivals);
    let line = told(&stream.arrivals);
    let seen = Seen::new([said!("arrivals: {line}", "도착: {line}")])?;
    let seen = match gzip {
        Some(coding) => {
            seen.also(said!("Content-Encoding: {coding}", "Content-Encoding: {coding}"))
        }
        None => seen,
    };
    if let Some(direct) = &stream.direct {
        let times = |arrivals: &[(u64, usize)]| arrivals.iter().filter(|(_, n)| *n > 0).count();
        // As many events, in far fewer pieces; or none at all.
        let slower = times(direct) >= 3 && times(&stream.arrivals) * 3 <= times(direct);
        let line = told(direct);
        return slower.then(|| {
            seen.also(said!("directly: {line}", "직접: {line}")).means(said!(
                "The proxy gathers what the server sends at once.",
                "서버는 바로 보내는데 프록시가 모읍니다."
            ))
        });
    }
    proxied.then_some(seen)
}

/// Nothing at all comes through the proxy, and directly the stream begins.
pub(super) fn is_held(evidence: &Evidence) -> bool {
    let silent = matches!(evidence.unanswered(), Some(Came::Silence));
    let direct = evidence.looked(LookKind::Direct);
    silent && evidence.wanted == Wanted::Events && direct.is_some_and(|answer| answer.status == 200)
}

/// Lumps with silence between them. What comes first may be what was kept, in one piece.
fn profile(arrivals: &[(u64, usize)]) -> bool {
    let lumps = merged(arrivals);
    let rest = lumps.get(1..).unwrap_or_default();
    let apart =
        rest.windows(2).all(|two| matches!(two, [(a, _), (b, _)] if b.saturating_sub(*a) >= 500));
    rest.len() >= LUMPS && apart && rest.iter().all(|(_, events)| *events >= EVENTS)
}

/// Pieces that come within 50 ms are one.
fn merged(arrivals: &[(u64, usize)]) -> Vec<(u64, usize)> {
    let mut lumps: Vec<(u64, usize)> = Vec::new();
    let mut last = 0;
    for &(at, events) in arrivals {
        match lumps.last_mut() {
            Some(lump) if at.saturating_sub(last) <= 50 => lump.1 += events,
            _ => lumps.push((at, events)),
        }
        last = at;
    }
    lumps
}

fn told(arrivals: &[(u64, usize)]) -> String {
    let lumps = merged(arrivals);
    if lumps.is_empty() {
        return "—".to_owned();
    }
    let parts = lumps.iter().take(8).map(|(at, events)| format!("{at} ms: {events}"));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lumps_are_not_a_burst_at_the_start() {
        assert!(profile(&[(0, 1), (1_000, 5), (2_000, 5), (3_000, 5)]));
        assert!(profile(&[(0, 5), (1_000, 2), (1_010, 3), (2_000, 5)]));
        assert!(!profile(&[(0, 100), (1_000, 1), (1_200, 1), (1_400, 1)]));
        assert!(!profile(&[(0, 5), (1_000, 5)]));
        assert!(!profile(&[]));
    }
}
