//! Every key of the configuration. Flags, environment variables, the file, `--print-config` and the
//! sample in `docs/` all come from this list: a new key is one entry here, and one line where
//! `madang serve` applies it.

use super::kind::{Check, Kind, anything, cookie_name, history_rule, origin, proxy, subprotocol};

/// One key.
pub(crate) struct Key {
    /// Section and name in the file, such as `websocket.max_message`.
    pub(crate) name: &'static str,
    /// The flag, without its dashes.
    pub(crate) flag: &'static str,
    pub(crate) kind: Kind,
    /// The default as it is written in the file. Empty where there is none, and then `about` says
    /// what happens without.
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
    /// A reload (SIGHUP) applies it; everything else waits for a restart.
    pub(crate) live: bool,
}

impl Key {
    /// The environment variable.
    pub(crate) fn variable(&self) -> String {
        let flag = match self.kind {
            Kind::Off => self.flag.trim_start_matches("no-"),
            _ => self.flag,
        };
        format!("MADANG_{}", flag.to_ascii_uppercase().replace('-', "_"))
    }

    const fn new(
        name: &'static str,
        flag: &'static str,
        kind: Kind,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self { name, flag, kind, default, about, live: false }
    }

    const fn live(self) -> Self {
        Self { live: true, ..self }
    }
}

const FILE: Kind = Kind::Text("FILE", anything as Check);
/// The largest window of HTTP/2 (RFC 9113 §6.9.1); what is like one has the same bound.
const WINDOW: Kind = Kind::BytesTo(i32::MAX as u64);
const COUNT: Kind = Kind::Number(1, u32::MAX as u64);

/// All keys, in the order in which they are shown.
pub(crate) const KEYS: &[Key] = &[
    Key::new("log", "log", Kind::Text("FILTER", crate::log::check as Check), "\"info\"",
        "What to log: off, error, warn, info, debug, trace, or a filter such as madang=debug.").live(),
    // -- server
    Key::new("server.listen", "listen", Kind::List("ADDR:PORT", anything as Check), "[\"127.0.0.1:8000\"]",
        "Address to listen on, such as 127.0.0.1:8000 or unix:/run/madang.sock; may be given several times. Port 0 takes a free one. With ?proxy-protocol=1 behind it, connections begin with a PROXY header, which is believed of anybody unless trusted_proxies names somebody."),
    Key::new("server.workers", "workers", Kind::Number(1, 1024), "",
        "Worker threads [default: one for each core that the process may use]."),
    Key::new("server.static", "static", Kind::Text("DIR", anything as Check), "",
        "Folder whose files are served at `/`, before the chat page."),
    Key::new("server.allowed_origins", "allowed-origin", Kind::List("ORIGIN", origin as Check), "[]",
        "Origin whose pages may connect besides the server's own, such as https://app.example; * is all. May be given several times.").live(),
    Key::new("server.max_connections", "max-connections", COUNT, "",
        "Most connections at once [default: as many as the process may have descriptors]."),
    Key::new(
        "server.max_connections_per_address",
        "max-connections-per-address",
        COUNT,
        "",
        "Most connections of one IPv4 address, or of the first 64 bits of an IPv6 address [default: no limit].",
    )
    .live(),
    Key::new(
        "server.trusted_proxies",
        "trusted-proxy",
        Kind::List("PROXY", proxy as Check),
        "[]",
        "Proxy whose X-Forwarded-… and PROXY headers are believed: an address, a network such as 10.0.0.0/8, or loopback, private, unix. With none, nobody's X-Forwarded-… is believed, but at a listener with ?proxy-protocol=1 anybody's PROXY header is. May be given several times.",
    )
    .live(),
    Key::new("server.drain", "drain", Kind::Seconds(0), "10",
        "Seconds over which clients are told to go when the server stops, and that they have to say goodbye; a second signal does not wait for them."),
    // -- tls
    Key::new("tls.cert", "tls-cert", FILE, "",
        "Speak TLS (https and wss) with this certificate chain, a PEM file; it is read again when it changes."),
    Key::new("tls.key", "tls-key", FILE, "", "The private key of --tls-cert, a PEM file."),
    Key::new("tls.self_signed", "tls-self-signed", Kind::Switch, "false",
        "Speak TLS with a certificate made at the start, for a first try: browsers will warn of it."),
    Key::new("tls.client_ca", "tls-client-ca", FILE, "",
        "Ask clients for a certificate that one of these authorities has signed, a PEM file."),
    Key::new("tls.client_optional", "tls-client-optional", Kind::Switch, "false",
        "Let clients without a certificate in, too."),
    // -- http
    Key::new("http.head_timeout", "head-timeout", Kind::Seconds(1), "5",
        "Seconds that the head of a request may take, a TLS handshake, and a PROXY header."),
    Key::new("http.max_head", "max-head", WINDOW, "16384", "Largest head of a request."),
    Key::new("http.max_headers", "max-headers", Kind::Number(1, 1000), "100", "Most headers of a request."),
    Key::new("http.max_streams", "max-streams", COUNT, "128",
        "Most streams that a connection of HTTP/2 may have open; each WebSocket among them counts as a connection."),
    Key::new("http.max_pending", "max-pending", COUNT, "8192",
        "Most connections whose first request or TLS handshake has begun and is not whole, a quarter of them of one address; more are turned away."),
    Key::new("http.stream_window", "stream-window", WINDOW, "65536",
        "How much may come in one stream of HTTP/2 before it is read."),
    Key::new("http.connection_window", "connection-window", WINDOW, "1048576",
        "The same for all streams of a connection together."),
    Key::new("http.send_buffer", "send-buffer", WINDOW, "32768",
        "How much may wait in one stream of HTTP/2 to be sent."),
    Key::new("http.max_resets", "max-resets", COUNT, "20",
        "Most streams of HTTP/2 that are reset before they were looked at; more end the connection."),
    Key::new("http.max_error_resets", "max-error-resets", COUNT, "256",
        "Most streams of HTTP/2 that are reset for the peer's errors; more end the connection."),
    Key::new("http.max_idle_frames", "max-idle-frames", COUNT, "100",
        "Most frames of HTTP/2 a second that cost work and carry nothing; more end the connection."),
    Key::new("http.max_idempotency_keys", "max-idempotency-keys", COUNT, "10000",
        "Most posts with an Idempotency-Key whose answers are kept, for five minutes each."),
    Key::new("http.idle_timeout", "idle-timeout", Kind::Seconds(1), "60",
        "Seconds that a connection of HTTP/2 may have no stream."),
    Key::new("http.stall_timeout", "stall-timeout", Kind::Seconds(1), "30",
        "Seconds that a peer may take nothing of a page over HTTP/2."),
    // -- websocket
    Key::new("websocket.subprotocols", "subprotocol", Kind::List("NAME", subprotocol as Check), "[]",
        "Subprotocol that plain WebSockets may ask for; may be given several times. The client's order decides."),
    Key::new("websocket.subprotocol_server_order", "subprotocol-server-order", Kind::Switch, "false",
        "Let the server's order of --subprotocol decide."),
    Key::new("websocket.ping_interval", "ping-interval", Kind::Seconds(1), "25",
        "Seconds of silence after which a client is pinged."),
    Key::new("websocket.ping_timeout", "ping-timeout", Kind::Seconds(1), "20",
        "Seconds after which a client that left a ping unanswered is gone."),
    Key::new("websocket.max_message", "max-message", Kind::Bytes, "1048576",
        "Largest message, such as 1048576, 512KiB or 1MiB; larger ones close with 1009."),
    Key::new("websocket.max_fragments", "max-fragments", COUNT, "65536",
        "Most fragments of one message; more close with 1008."),
    Key::new("websocket.message_timeout", "message-timeout", Kind::Seconds(1), "60",
        "Seconds from a message's first fragment to its last; later ones close with 1008."),
    Key::new("websocket.max_control_rate", "max-control-rate", Kind::Number(0, u32::MAX as u64), "100",
        "Most control frames a second of one client; more close with 1008. 0 is no limit."),
    Key::new("websocket.max_subscriptions", "max-subscriptions", COUNT, "1000",
        "Most topics that one client may be in."),
    Key::new("websocket.max_join_rate", "max-join-rate", Kind::Number(0, u32::MAX as u64), "100",
        "Most topics that one client may join in a second, once it has joined as many as --max-subscriptions; 0 is no limit."),
    Key::new("websocket.deflate", "no-deflate", Kind::Off, "true",
        "Do not compress (permessage-deflate), even for clients that offer it."),
    Key::new("websocket.deflate_min_size", "deflate-min-size", Kind::Bytes, "128",
        "Smaller messages are not compressed."),
    // -- socketio
    Key::new("socketio.client", "socketio-client", Kind::Text("DIR", anything as Check), "",
        "Folder with the files of the npm package socket.io-client (its dist), to be served at /socket.io/socket.io.js and beside it."),
    Key::new("socketio.cookie", "socketio-cookie", Kind::Text("NAME", cookie_name as Check), "",
        "Name of a cookie with the session's name that answers to polling set, for balancers that go by one."),
    Key::new("socketio.v2", "no-socketio-v2", Kind::Off, "true",
        "Turn away socket.io-client 1 and 2, which speak Engine.IO 3."),
    Key::new("socketio.ping_interval", "socketio-ping-interval", Kind::Seconds(1), "25",
        "Seconds from one ping to the next."),
    Key::new("socketio.ping_timeout", "socketio-ping-timeout", Kind::Seconds(1), "20",
        "Seconds that a client may leave that unanswered."),
    Key::new("socketio.upgrade_timeout", "socketio-upgrade-timeout", Kind::Seconds(1), "10",
        "Seconds that a client may take to move from polling to its WebSocket."),
    Key::new("socketio.connect_timeout", "socketio-connect-timeout", Kind::Seconds(1), "45",
        "Seconds that a client may take to join its first namespace."),
    Key::new("socketio.max_payload", "socketio-max-payload", Kind::Bytes, "1000000",
        "Largest message of Socket.IO, and largest body of a POST; at most --max-message."),
    Key::new("socketio.max_attachments", "socketio-max-attachments", COUNT, "10",
        "Most buffers in one event."),
    Key::new("socketio.max_namespaces", "socketio-max-namespaces", COUNT, "64",
        "Most namespaces that one connection may be in."),
    // -- outbox
    Key::new("outbox.policy", "slow-consumer", Kind::Choice(&["disconnect", "drop-oldest", "latest"]), "\"disconnect\"",
        "What becomes of a client that reads too slowly: disconnect, drop-oldest, or latest (only the newest of each topic and event is kept)."),
    Key::new("outbox.max_bytes", "outbox", Kind::Bytes, "1048576",
        "How much may wait for a client that reads slowly."),
    Key::new("outbox.max_messages", "outbox-messages", COUNT, "16384",
        "How many messages may wait for such a client."),
    Key::new("outbox.max_replay", "max-replay", Kind::Bytes, "268435456",
        "How much history may wait for all clients of a worker together; who asks for more is told to come back."),
    Key::new("outbox.max_stall", "max-stall", Kind::Seconds(1), "10",
        "Seconds after which a client that takes nothing of what waits for it is disconnected, whatever the policy."),
    // -- history
    Key::new("history.count", "history", Kind::Number(0, 1_000_000_000), "100",
        "Publications that each topic keeps for those who come later."),
    Key::new("history.age", "history-age", Kind::Seconds(0), "300",
        "Seconds after which a kept publication is forgotten."),
    Key::new("history.rules", "history-rule", Kind::List("PATTERN=COUNT/SECONDS", history_rule as Check), "[]",
        "What some topics keep instead, such as chat.*=1000/3600; the first rule that fits counts. May be given several times."),
    Key::new("history.max_bytes", "history-bytes", Kind::Bytes, "67108864",
        "How much all topics keep together; the oldest goes first."),
];

/// The key of this name.
pub(crate) fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Of several names the one that is nearest to a slip, if one is near.
pub(crate) fn nearest<'a>(slip: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = |name: &&str| distance(slip, name);
    let best = names.min_by_key(near)?;
    (distance(slip, best) <= slip.len().max(best.len()) / 3).then_some(best)
}

/// How many letters are to be added, dropped or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_flags_and_variables_are_each_used_once() {
        let all = |of: fn(&Key) -> String| KEYS.iter().map(of).collect::<HashSet<_>>().len();
        assert_eq!(all(|key| key.name.to_owned()), KEYS.len());
        assert_eq!(all(|key| key.flag.to_owned()), KEYS.len());
        assert_eq!(all(Key::variable), KEYS.len());
    }

    #[test]
    fn a_slip_has_a_nearest_name() {
        let names = || KEYS.iter().map(|key| key.name);
        assert_eq!(nearest("websocket.max_mesage", names()), Some("websocket.max_message"));
        assert_eq!(nearest("server.worker", names()), Some("server.workers"));
        assert_eq!(nearest("entirely.different", names()), None);
    }
}
