//! The steps that were made, a line each.

use std::fmt::Write as _;

use super::{
    diagnoses::Class,
    evidence::{By, Came, Dialed, Evidence, Login, LookKind, Name, TlsFault, Trust, Wanted},
    lang::{Said, said},
};

/// A step.
pub(super) struct Step {
    pub(super) ok: bool,
    pub(super) name: Said,
    pub(super) text: Said,
}

/// All steps, up to the one that failed.
pub(super) fn all(evidence: &Evidence) -> Vec<Step> {
    let mut steps = vec![name(evidence)];
    steps.extend(tcp(evidence));
    steps.extend(tunnel(evidence));
    steps.extend(tls(evidence));
    steps.extend(no_polling(evidence));
    steps.extend(redirects(evidence));
    steps.extend(answer(evidence));
    steps.extend(socket(evidence));
    steps.extend(hold(evidence));
    steps.extend(size(evidence));
    steps.extend(stream(evidence));
    steps
}

/// The part that is ill, by the step that failed; `None` when all is well.
pub(super) fn ill(evidence: &Evidence) -> Option<Class> {
    if !evidence.dials.iter().any(|dial| dial.came == Dialed::Open) {
        return Some(Class::Network);
    }
    if evidence.tls.is_some() && evidence.answer.is_none() {
        return Some(Class::Tls);
    }
    if !evidence.answer_ok {
        let said_no = evidence.answered().is_some() || evidence.no_tunnel().is_some();
        return Some(if said_no { Class::Handshake } else { Class::Network });
    }
    let socket = evidence.socket.as_ref();
    let dead = socket.is_some_and(|socket| {
        socket.end.is_some()
            || (socket.pinged && socket.pong.is_none())
            || matches!(socket.login, Some(Login::Refused(_) | Login::Nothing))
    });
    let cut = evidence
        .hold
        .as_ref()
        .is_some_and(|hold| hold.is_refused || hold.idle.is_some() || hold.pinging.is_some());
    (dead || cut).then_some(Class::Socket)
}

fn step(ok: bool, en: &str, ko: &str, text: Said) -> Step {
    Step { ok, name: Said { en: en.to_owned(), ko: ko.to_owned() }, text }
}

fn name(evidence: &Evidence) -> Step {
    let (host, _) = evidence.dialed();
    let list: Vec<_> = evidence.dials.iter().map(|dial| dial.address.ip().to_string()).collect();
    let list = list.join(", ");
    match &evidence.name {
        Name::Given => step(true, "name", "이름", Said::same(list)),
        Name::Found(took) => {
            let ms = took.as_millis();
            step(
                true,
                "name",
                "이름",
                said!("{host} is {list} ({ms} ms)", "{host} = {list} ({ms} ms)"),
            )
        }
        Name::Failed(why) => step(false, "name", "이름", said!("{host}: {why}", "{host}: {why}")),
    }
}

fn tcp(evidence: &Evidence) -> Vec<Step> {
    let line = |dial: &super::evidence::Dial| {
        let (address, ms) = (dial.address, dial.took.as_millis());
        let text = match &dial.came {
            Dialed::Open => said!("{address} open ({ms} ms)", "{address} 열림 ({ms} ms)"),
            Dialed::Refused => said!("{address} refused", "{address} 거절"),
            Dialed::Silence => {
                said!("{address} no answer ({ms} ms)", "{address} 응답 없음 ({ms} ms)")
            }
            Dialed::Failed(why) => said!("{address} {why}", "{address} {why}"),
        };
        step(dial.came == Dialed::Open, "tcp", "TCP", text)
    };
    evidence.dials.iter().map(line).collect()
}

fn tunnel(evidence: &Evidence) -> Option<Step> {
    let (host, port) = (&evidence.target.host, evidence.target.port);
    let refused = evidence.answer.as_ref().map(|exchange| &exchange.came);
    let (ok, text) = match (evidence.tunnel, refused) {
        (Some(took), _) => {
            let ms = took.as_millis();
            let en = format!("tunnel to {host}:{port} ({ms} ms)");
            (true, Said { en, ko: format!("{host}:{port}(으)로 터널 ({ms} ms)") })
        }
        (None, Some(Came::NoTunnel(answer))) => {
            let status = answer.status;
            let en = format!("no tunnel to {host}:{port}: HTTP {status}");
            (false, Said { en, ko: format!("{host}:{port}(으)로 터널 없음: HTTP {status}") })
        }
        _ => return None,
    };
    Some(step(ok, "proxy", "프록시", text))
}

fn tls(evidence: &Evidence) -> Option<Step> {
    let tls = evidence.tls.as_ref()?;
    if let Some(failed) = &tls.failed {
        return Some(step(false, "tls", "TLS", fault(failed)));
    }
    let version = tls.version.clone().unwrap_or_default();
    let subject = tls.chain.first().map(|leaf| leaf.subject.clone()).unwrap_or_default();
    let ok = evidence.answer.is_some();
    let trust = match (&tls.trust, ok) {
        (Some(Trust::Trusted), true) => said!("trusted", "신뢰됨"),
        (_, true) => said!("taken as it is (--insecure)", "그대로 받아들임(--insecure)"),
        _ => said!("refused", "거절"),
    };
    Some(step(ok, "tls", "TLS", Said::same(format!("{version}, {subject},")).join(&trust)))
}

fn fault(fault: &TlsFault) -> Said {
    match fault {
        TlsFault::Alert(alert) => said!("alert {alert}", "경보 {alert}"),
        TlsFault::NotTls(_) => said!("what came is no TLS", "온 것이 TLS가 아님"),
        TlsFault::Silence => said!("no answer", "응답 없음"),
        TlsFault::Closed => said!("closed", "끊김"),
        TlsFault::Reset => said!("reset", "RST"),
        TlsFault::OldVersion(_) => said!("only old versions", "오래된 버전뿐"),
        TlsFault::Other(why) => Said::same(why.clone()),
    }
}

fn redirects(evidence: &Evidence) -> Vec<Step> {
    let line = |exchange: &super::evidence::Exchange| {
        let answer = exchange.came.answer()?;
        let (status, to) = (answer.status, answer.header("location").unwrap_or_default());
        let text = said!("HTTP {status}, to {to}", "HTTP {status}, {to}(으)로");
        Some(step(true, "redirect", "이동", text))
    };
    evidence.redirects.iter().filter_map(line).collect()
}

fn no_polling(evidence: &Evidence) -> Option<Step> {
    let status = evidence.looked(LookKind::Poll)?.status;
    let text = said!(
        "switched off at the server (HTTP {status}): only WebSockets",
        "서버에서 꺼져 있음(HTTP {status}): WebSocket만 사용"
    );
    Some(step(true, "poll", "폴링", text))
}

fn answer(evidence: &Evidence) -> Option<Step> {
    let exchange = evidence.answer.as_ref()?;
    let ms = exchange.took.as_millis();
    let what = match &exchange.came {
        Came::Answer(answer) => {
            let mut text = format!("HTTP {} ({ms} ms)", answer.status);
            if let Some(server) = answer.header("server") {
                let _ = write!(text, ", Server: {server}");
            }
            if let Some(name) = &answer.subprotocol {
                let _ = write!(text, ", {name}");
            }
            if answer.deflate {
                text.push_str(", permessage-deflate");
            }
            Said::same(text)
        }
        Came::Silence => said!("no answer ({ms} ms)", "응답 없음 ({ms} ms)"),
        Came::Closed => said!("closed before an answer", "대답 전에 끊김"),
        Came::Reset => said!("reset before an answer", "대답 전에 RST"),
        Came::Bytes(bytes) => {
            let (hex, text) = (bytes.hex(12), bytes.start());
            said!("no HTTP: {hex} (“{text}”)", "HTTP가 아님: {hex} (“{text}”)")
        }
        Came::Half(_) => said!("half an answer", "끝나지 않은 대답"),
        Came::Broken(bytes) => {
            let text = bytes.start();
            said!("a broken answer: “{text}”", "깨진 대답: “{text}”")
        }
        Came::NotDialed(why) => Said::same(why.clone()),
        Came::NoTunnel(_) => return None,
        Came::NoTls(failed) => fault(failed),
    };
    let (en, ko) = match evidence.wanted {
        Wanted::Upgrade => ("upgrade", "업그레이드"),
        Wanted::Events => ("stream", "스트림"),
        Wanted::Poll => ("poll", "폴링"),
    };
    Some(step(evidence.answer_ok, en, ko, what))
}

fn socket(evidence: &Evidence) -> Vec<Step> {
    let Some(socket) = &evidence.socket else { return Vec::new() };
    let mut steps = Vec::new();
    match &socket.login {
        Some(Login::In { .. }) => {
            steps.push(step(true, "login", "로그인", said!("accepted", "수락됨")));
        }
        Some(_) => steps.push(step(false, "login", "로그인", said!("refused", "거절됨"))),
        None => {}
    }
    match (&socket.end, socket.pong) {
        (Some(end), _) => {
            let (code, reason) = (end.code, &end.reason);
            let text = match &end.by {
                By::Us(why) => said!("broken: {why}", "규칙 위반: {why}"),
                By::Cut => said!("cut (1006)", "끊김 (1006)"),
                By::Server => said!("closed with {code} {reason}", "{code} {reason}(으)로 닫힘"),
            };
            steps.push(step(false, "socket", "소켓", text));
        }
        (None, Some(pong)) => {
            let ms = pong.as_millis();
            steps.push(step(
                true,
                "socket",
                "소켓",
                said!("ping, pong ({ms} ms), close", "ping, pong ({ms} ms), close"),
            ));
        }
        (None, None) if socket.pinged => {
            steps.push(step(
                false,
                "socket",
                "소켓",
                said!("ping, and no pong", "ping, pong 없음"),
            ));
        }
        (None, None) => {}
    }
    steps
}

fn hold(evidence: &Evidence) -> Option<Step> {
    let hold = evidence.hold.as_ref()?;
    let wanted = hold.wanted.as_secs();
    let ok = !hold.is_refused && hold.idle.is_none() && hold.pinging.is_none();
    let text = if hold.is_refused {
        said!("a further connection was refused", "연결을 더 열 수 없음")
    } else if ok {
        said!("idle and open for {wanted} s", "{wanted}초 동안 조용히 열려 있음")
    } else {
        said!("ended within {wanted} s", "{wanted}초 안에 끝남")
    };
    Some(step(ok, "hold", "유지", text))
}

fn size(evidence: &Evidence) -> Option<Step> {
    let size = evidence.size.as_ref()?;
    let (passes, tried) = (size.passes, size.tried);
    let ok = size.fails.is_none() && size.deflate_fails.is_none();
    Some(step(
        ok,
        "size",
        "크기",
        said!("{passes} of {tried} bytes pass", "{tried}바이트 중 {passes}바이트 통과"),
    ))
}

fn stream(evidence: &Evidence) -> Option<Step> {
    let stream = evidence.stream.as_ref()?;
    let events: usize = stream.arrivals.iter().map(|(_, events)| events).sum();
    let (pieces, seconds) = (stream.arrivals.len(), stream.watched_ms / 1_000);
    Some(step(
        true,
        "events",
        "이벤트",
        said!("{events} in {pieces} pieces, {seconds} s", "{events}개, {pieces}조각, {seconds}초"),
    ))
}
