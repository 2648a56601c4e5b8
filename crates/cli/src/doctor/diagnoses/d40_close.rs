//! Close codes.

use super::prelude::*;
use crate::doctor::close_codes::{cure, meaning};

pub(super) const D40: Diagnosis = Diagnosis {
    code: "D40",
    class: Class::Socket,
    title: Text::new("the server closes the WebSocket", "서버가 WebSocket을 닫습니다"),
    means: Text::new(
        "The handshake went through, and the connection was ended before anything was said. A close frame has a code and often a reason (RFC 6455 §7.4); 1006 stands for none: the connection was cut.",
        "핸드셰이크는 되었지만 아무 말도 하기 전에 연결이 끝났습니다. close 프레임에는 코드와 대개 이유가 있습니다(RFC 6455 §7.4). 1006은 프레임 없이 끊겼다는 뜻입니다.",
    ),
    cure: Text::new(
        "The code says where to look; the log of the server has the rest.",
        "코드가 볼 곳을 알려 주고, 나머지는 서버 로그에 있습니다.",
    ),
    lines: Lines::None,
    unseen: None,
    goes_on: false,
    sees,
};

fn sees(evidence: &Evidence) -> Option<Seen> {
    let any = any_message(evidence);
    let end = evidence.early_end().or_else(|| telling(evidence)).or(any)?;
    if matches!(end.by, By::Us(_)) {
        return None;
    }
    let mut wire = vec![told(end)];
    if any.is_some() {
        wire.push(said!(
            "it came as the answer to a small message; nothing was wrong before",
            "작은 메시지에 대한 답으로 왔고, 그 전에는 문제가 없었음"
        ));
    }
    if let Some(socket) = &evidence.socket {
        wire.extend(
            socket.messages.iter().map(|text| said!("before it: {text}", "그 전에: {text}")),
        );
    }
    if evidence.early_end().is_none() && any.is_none() {
        wire.push(said!(
            "two connections were held at a time; some servers allow one to each user",
            "연결을 동시에 두 개 유지했음. 사용자마다 하나만 허용하는 서버도 있음"
        ));
    }
    let means = meaning(end.code);
    let mut seen = Seen::new(wire)?;
    let direct = evidence.look(LookKind::Direct).and_then(|look| look.socket.as_ref());
    if end.code == 1006
        && direct.is_some_and(|socket| socket.pong.is_some() && socket.end.is_none())
    {
        seen = seen.also(said!("directly it stays open", "직접 접속하면 열려 있습니다"));
    }
    let seen = seen.means(means.into());
    Some(match cure(end.code) {
        Some(cure) => seen.cure(cure.into()),
        None => seen,
    })
}

/// Already the smallest message ends it, for another reason than its size.
fn any_message(evidence: &Evidence) -> Option<&End> {
    let size = evidence.size.as_ref().filter(|size| size.passes == 0)?;
    let (_, end) = size.fails.as_ref()?;
    (!matches!(end.by, By::Us(_)) && end.code != 1009).then_some(end)
}

/// A close frame with a code that says why, after a while. 1000, 1001 and 1012 say only that.
fn telling(evidence: &Evidence) -> Option<&End> {
    let hold = evidence.hold.as_ref()?;
    let ends = hold.idle.iter().chain(&hold.pinging);
    ends.into_iter()
        .find(|end| end.by == By::Server && !matches!(end.code, 1000 | 1001 | 1005 | 1012))
}

/// How it ended, in a line.
pub(super) fn told(end: &End) -> Said {
    let (code, after) = (end.code, seconds(end.after));
    let reason =
        if end.reason.is_empty() { String::new() } else { format!(" “{}”", end.reason) };
    match &end.by {
        By::Server => said!(
            "close frame {code}{reason} after {after} s",
            "{after}초 뒤 close 프레임 {code}{reason}"
        ),
        By::Cut => said!(
            "cut without a close frame after {after} s (1006)",
            "{after}초 뒤 close 프레임 없이 끊김(1006)"
        ),
        By::Us(why) => said!(
            "after {after} s we had to close: {why}",
            "{after}초 뒤 이쪽에서 닫아야 했음: {why}"
        ),
    }
}
