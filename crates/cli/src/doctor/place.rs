//! Where the lines for a proxy are to stand: the path that was asked, and the server behind.

use super::{
    ask::Door,
    evidence::{Evidence, LookKind},
    target::Target,
};

/// What the lines are written with, before they are filled in.
const PATH: &str = "/ws";
const EVENTS: &str = "/sse";
const BACKEND: &str = "127.0.0.1:8000";

/// The lines with the path that was asked, and with the address of `--direct`.
pub(super) fn fill(text: &str, evidence: &Evidence) -> String {
    let path = path(evidence);
    let behind = evidence.look(LookKind::Direct).map(|look| &look.exchange.url);
    let behind = behind.and_then(|url| Target::read(url).ok());
    let same = |line: &str| match &path {
        Some(path) => line.replace(PATH, path).replace(EVENTS, path),
        None => line.to_owned(),
    };
    let Some(behind) = behind else { return same(text) };
    let plain = |path: &String| is_plain(path);
    let there = Some(behind.path.clone()).filter(plain).or_else(|| path.clone());
    let moved = path.is_some() && there != path;
    let port = format!(":{}", behind.port);
    let authority = behind.authority.strip_suffix(&port).unwrap_or(&behind.authority);
    let address = format!("{authority}{port}");
    let filled = |line: &str| {
        // The path of the server behind, which may be another one than that of the proxy.
        let (before, after) = line.split_once(BACKEND)?;
        let (after, suffix) = match after.strip_prefix(PATH).or_else(|| after.strip_prefix(EVENTS))
        {
            Some(after) => (after, there.clone().unwrap_or_else(|| PATH.to_owned())),
            None if moved && before.ends_with("proxy_pass http://") => {
                (after, there.clone().unwrap_or_default())
            }
            None => (after, String::new()),
        };
        let mut before = same(before);
        let mut after = after.to_owned();
        if behind.secure {
            before = before.replace("http://", "https://").replace("\"ws://", "\"wss://");
            if before.trim_start().starts_with("server ") {
                after = format!(
                    " ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt{after}"
                );
            }
        }
        Some(format!("{before}{address}{suffix}{after}"))
    };
    let lines = text.lines().map(|line| filled(line).unwrap_or_else(|| same(line)));
    lines.collect::<Vec<_>>().join("\n")
}

/// The path that a proxy has to know, where it can be written as it is.
fn path(evidence: &Evidence) -> Option<String> {
    let path = match (evidence.door, evidence.target.path.as_str()) {
        (Door::Socketio, "/") => "/socket.io/",
        (_, path) => path,
    };
    is_plain(path).then(|| path.to_owned())
}

/// Nothing in it has a meaning of its own in a configuration.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "/.-_~".contains(c))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::{
        ask::Ask,
        evidence::{Came, Exchange, Look},
        nothing_yet,
        proxies::{Lines, Proxy, lines, lines_for},
    };

    fn seen(url: &str, direct: Option<&str>) -> Evidence {
        let mut evidence = nothing_yet(&Ask::of(Target::read(url).unwrap()));
        if let Some(direct) = direct {
            let (request, url, took) = (String::new(), direct.to_owned(), Duration::ZERO);
            let exchange = Exchange { request, url, took, came: Came::Closed };
            evidence.looks.push(Look { kind: LookKind::Direct, exchange, socket: None });
        }
        evidence
    }

    fn told(evidence: &Evidence) -> String {
        lines_for(Lines::Upgrade, evidence).join("\n")
    }

    #[test]
    fn lines_are_those_of_the_case() {
        let text = told(&seen("ws://h/cable", None));
        for line in [
            "location /cable {",
            "ProxyPass \"/cable\" \"http://127.0.0.1:8000/cable\" upgrade=websocket",
            "path_beg /cable",
            "handle /cable* {",
            "PathPrefix(`/cable`)",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("/ws"), "{text}");

        let text = told(&seen("ws://h/live", Some("ws://10.0.0.5:9000/live")));
        assert!(text.contains("proxy_pass http://10.0.0.5:9000;"), "{text}");
        assert!(text.contains("\"/live\" \"http://10.0.0.5:9000/live\" upgrade"), "{text}");
        assert!(text.contains("server one 10.0.0.5:9000"), "{text}");
        assert!(!text.contains("8000"), "{text}");

        let text = told(&seen("ws://h/live", Some("wss://inner.example/ws")));
        assert!(text.contains("proxy_pass https://inner.example:443/ws;"), "{text}");
        assert!(text.contains("\"/live\" \"https://inner.example:443/ws\" upgrade"), "{text}");
        assert!(text.contains("server one inner.example:443 ssl verify required"), "{text}");

        let mut socketio = seen("ws://h/", None);
        socketio.door = Door::Socketio;
        assert!(told(&socketio).contains("location /socket.io/ {"));
    }

    #[test]
    fn a_path_that_means_something_else_is_left_out() {
        let text = told(&seen("ws://h/a;b{c}", None));
        assert_eq!(text, lines(Lines::Upgrade, None).join("\n"));
        assert!(Proxy::Nginx.name() == "nginx" && text.contains("location /ws {"));
    }
}
