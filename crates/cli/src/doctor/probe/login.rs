//! The first words of the protocols that are spoken on a WebSocket.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::socket::{Live, Seen, note};
use crate::doctor::{
    ask::{Ask, Door},
    evidence::{Login, Socket},
};

/// The subprotocols of a door, unless the user named some.
pub(in crate::doctor) fn subprotocols(door: Door) -> Vec<String> {
    let names: &[&str] = match door {
        Door::Stomp => &["v12.stomp", "v11.stomp", "v10.stomp"],
        Door::Wamp => &["wamp.2.json"],
        _ => &[],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

/// STOMP's heart-beat, in milliseconds.
const BEAT: u32 = 10_000;

/// Whether the client says that it beats: STOMP, Heart-beating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) enum Beats {
    Some,
    None,
}

/// Logs in as the protocol wants it; `None` where there is nothing to say.
pub(in crate::doctor) async fn login(
    ask: &Ask,
    beats: Beats,
    live: &mut Live,
    socket: &mut Socket,
) -> Option<Login> {
    let hello = match ask.door {
        Door::Stomp => Some(stomp_connect(ask, beats)),
        Door::Wamp => {
            Some(json!([1, "madang", {"roles": {"subscriber": {}, "publisher": {}}}]).to_string())
        }
        Door::Socketio | Door::Sockjs => None,
        Door::Raw | Door::Sse | Door::Topics => return None,
    };
    if ask.door == Door::Socketio {
        live.speaks_engine();
    }
    if let Some(hello) = hello {
        live.send(&hello).await;
    }
    let deadline = Instant::now() + ask.timeout.max(Duration::from_secs(1));
    while let Some(seen) = live.next(deadline).await {
        let text = match &seen {
            Seen::Text(text) => Some(text.clone()),
            // Some brokers write STOMP's frames as binary messages.
            Seen::Binary(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
            _ => None,
        };
        note(socket, seen);
        let Some(text) = text else { continue };
        if ask.door == Door::Socketio && text.starts_with('0') {
            // Engine.IO is open; the login is Socket.IO's CONNECT.
            let auth = ask.token.as_ref().map(|token| json!({ "token": token }).to_string());
            live.send(&format!("40{}", auth.unwrap_or_default())).await;
            continue;
        }
        if let Some(login) = verdict(ask.door, &text) {
            return Some(login);
        }
    }
    Some(Login::Nothing)
}

/// A word after the login that takes it back.
pub(in crate::doctor) fn taken_back(door: Door, message: &str) -> bool {
    match door {
        Door::Stomp => message.starts_with("ERROR"),
        // GOODBYE and ABORT.
        Door::Wamp => message.starts_with("[6,") || message.starts_with("[3,"),
        Door::Socketio => message.starts_with("41") || message.starts_with("44"),
        _ => false,
    }
}

fn stomp_connect(ask: &Ask, beats: Beats) -> String {
    let token = ask.token.as_ref().map(|token| format!("Authorization:Bearer {token}\n"));
    let beats = if beats == Beats::Some { BEAT } else { 0 };
    format!(
        "CONNECT\naccept-version:1.2,1.1,1.0\nhost:/\nheart-beat:{beats},{beats}\n{}\n\0",
        token.unwrap_or_default()
    )
}

/// What a first message says of the login.
fn verdict(door: Door, text: &str) -> Option<Login> {
    let shown = |text: &str| -> String {
        crate::client::escaped(text.trim_end_matches('\0'), crate::client::Keep::Lines)
            .chars()
            .take(500)
            .collect()
    };
    match door {
        Door::Stomp => {
            let frame = text.trim_start_matches(['\n', '\r']);
            if frame.starts_with("CONNECTED") {
                return Some(Login::In { heartbeat: Some(heartbeat(frame)) });
            }
            frame.starts_with("ERROR").then(|| Login::Refused(shown(frame)))
        }
        Door::Wamp => {
            let message: Value = serde_json::from_str(text).ok()?;
            match message.get(0)?.as_u64()? {
                2 => Some(Login::In { heartbeat: None }),
                // ABORT; CHALLENGE, which wants more than we have; GOODBYE.
                3 | 4 | 6 => Some(Login::Refused(shown(text))),
                _ => None,
            }
        }
        Door::Socketio => match text.get(..2)? {
            "40" => Some(Login::In { heartbeat: None }),
            "41" | "44" => Some(Login::Refused(shown(text))),
            _ => None,
        },
        Door::Sockjs => (text == "o").then_some(Login::In { heartbeat: None }),
        _ => None,
    }
}

/// STOMP 1.2, Heart-beating: what the server sends, and what it wants, in milliseconds.
fn heartbeat(frame: &str) -> (u32, u32) {
    let line = frame.lines().find_map(|line| line.strip_prefix("heart-beat:"));
    let parts = line.and_then(|line| line.trim().split_once(','));
    // "The heart-beat header is OPTIONAL: its absence is the same as 0,0."
    parts.map_or((0, 0), |(send, want)| (send.parse().unwrap_or(0), want.parse().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let stomp = "CONNECTED\nversion:1.2\nheart-beat:5000,0\n\n\0";
        assert_eq!(verdict(Door::Stomp, stomp), Some(Login::In { heartbeat: Some((5000, 0)) }));
        assert!(matches!(verdict(Door::Stomp, "ERROR\n\n\0"), Some(Login::Refused(_))));
        assert!(matches!(verdict(Door::Wamp, "[3,{},\"wamp.error\"]"), Some(Login::Refused(_))));
        assert_eq!(verdict(Door::Wamp, "[2,1,{}]"), Some(Login::In { heartbeat: None }));
        assert!(matches!(
            verdict(Door::Socketio, "44{\"message\":\"x\"}"),
            Some(Login::Refused(_))
        ));
        assert!(matches!(verdict(Door::Wamp, "[4,\"ticket\",{}]"), Some(Login::Refused(_))));
        assert_eq!(verdict(Door::Sockjs, "h"), None);
        assert!(taken_back(Door::Socketio, "41") && !taken_back(Door::Socketio, "42[]"));
    }
}
