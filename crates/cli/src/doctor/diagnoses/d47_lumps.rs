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
        return held(evidence);
    }
    let stream = evidence.stream.as_ref()?;
    if let Some(seen) = compressed(stream) {
        return Some(seen);
    }
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
    proxied.then(|| {
        seen.means(said!(
            "Something on the way gathers the stream (buffering, gzip) and lets it through in pieces; or the application itself sends several events at a time: --direct URL tells.",
            "중간에서 스트림을 모았다가(버퍼링, gzip) 한꺼번에 보내거나, 애플리케이션이 스스로 여러 이벤트를 한 번에 보냅니다. --direct URL로 알 수 있습니다."
        ))
    })
}

/// Not even the head comes, though the server speaks: directly, or at another path.
pub(super) fn is_held(evidence: &Evidence) -> bool {
    let silent = matches!(evidence.unanswered(), Some(Came::Silence));
    let direct = evidence.looked(LookKind::Direct).is_some_and(|answer| answer.status == 200);
    let speaks = evidence.looked(LookKind::Elsewhere).is_some();
    silent && evidence.wanted == Wanted::Events && (direct || speaks)
}

fn held(evidence: &Evidence) -> Option<Seen> {
    let patience = seconds(evidence.patience);
    let seen = Seen::new([said!(
        "not even the head of the answer came within {patience} s",
        "{patience}초 안에 응답의 헤더조차 오지 않았습니다"
    )])?;
    if evidence.looked(LookKind::Direct).is_some_and(|answer| answer.status == 200) {
        return Some(
            seen.also(said!("directly it comes at once", "직접 접속하면 바로 옵니다")).means(said!(
                "The proxy holds back what the server sends at once, head and all, until a buffer is full.",
                "서버는 바로 보내는데 프록시가 헤더까지 버퍼가 찰 때까지 붙들고 있습니다."
            )),
        );
    }
    let status = evidence.looked(LookKind::Elsewhere).map(|answer| answer.status)?;
    Some(
        seen.also(said!(
            "another path is answered at once (HTTP {status})",
            "다른 경로에는 바로 답함(HTTP {status})"
        ))
        .means(said!(
            "The stream is held back, head and all, until a buffer is full: by a proxy that buffers, or by the server, which sends the head only with the first event.",
            "버퍼가 찰 때까지 헤더까지 붙들려 있습니다. 프록시가 모으거나, 서버가 첫 이벤트와 함께 비로소 헤더를 보냅니다."
        ))
        .cure(said!(
            "Switch the proxy's buffering off for this path (--direct URL shows whether it is to blame), and let the server send its head at once (Node: `res.flushHeaders()`).",
            "이 경로의 프록시 버퍼링을 끄고(프록시 탓인지는 --direct URL로 알 수 있음), 서버가 헤더를 바로 보내게 하십시오(Node: `res.flushHeaders()`)."
        )),
    )
}

/// Asked for with gzip, as browsers do, it comes in far fewer pieces, or not at all.
fn compressed(stream: &Stream) -> Option<Seen> {
    let gzip = stream.gzip.as_ref()?;
    let pieces = |arrivals: &[(u64, usize)]| merged(arrivals).len();
    let within: Vec<_> =
        stream.arrivals.iter().copied().filter(|(at, _)| *at <= stream.gzip_ms).collect();
    let (plain, coded) = (pieces(&within), pieces(gzip));
    if plain < 2 || coded * 3 > plain {
        return None;
    }
    let seen = Seen::new([
        said!("without gzip: {plain} pieces", "gzip 없이: {plain}조각"),
        said!(
            "with Accept-Encoding: gzip, as browsers ask: {coded}",
            "브라우저처럼 Accept-Encoding: gzip으로: {coded}"
        ),
    ])?;
    Some(
        seen.means(said!(
            "Compression gathers the events: the compressor gives nothing out until it has much, or is flushed.",
            "압축이 이벤트를 모읍니다. 많이 쌓이거나 비우라고 할 때까지 내보내지 않습니다."
        ))
        .cure(said!(
            "Exempt text/event-stream from compression (Express: `filter` of compression(), nginx: not in gzip_types), or flush after each event (`res.flush()`):",
            "text/event-stream을 압축에서 제외하거나(Express: compression()의 `filter`, nginx: gzip_types에서 뺌) 이벤트마다 비우십시오(`res.flush()`):"
        )),
    )
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
