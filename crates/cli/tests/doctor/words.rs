//! What is said about a case: that it fits, and that it is not what fits another.

use super::{
    answers,
    bed::{Case, examine},
    doors, haproxy, network, sockets, statuses, streams, tokens,
};

/// By the name of the case: what must be said, and what must not.
const TOLD: &[(&str, &[&str], &[&str])] = &[
    (
        "a start page, and the server behind is well",
        &["start page|asked directly", "without the upgrade 426"],
        &["saw an ordinary"],
    ),
    (
        "the 404 that the server behind gives to a GET",
        &["directly and without the upgrade: 404"],
        &[],
    ),
    ("an empty 400, and the server behind is well", &["PROXY header"], &[]),
    (
        "a 404 behind a proxy, and nobody was asked directly",
        &["nginx drops `Upgrade`", "--direct"],
        &[],
    ),
    ("503 of a proxy with nobody behind it", &["limit_conn", "ingress-nginx"], &["Retry-After"]),
    ("503 of a balancer without targets", &["no target"], &[]),
    (
        "Rails wants its own host as origin, and none was sent",
        &["--origin https://PAGE", "Rails"],
        &[],
    ),
    ("SockJS sees no upgrade behind nginx", &["location /echo {"], &["location /ws"]),
    ("SockJS with its WebSocket switched off", &["switched off"], &["Correct the path"]),
    ("python-socketio does not take the origin", &["https://app.example"], &[]),
    ("Engine.IO, and no query", &["/socket.io/?EIO=4&transport=websocket"], &[]),
    (
        "OPTIONS does not allow the header that a page sends",
        &["does not name authorization"],
        &["content-type"],
    ),
    ("a wildcard beside credentials", &["Allow-Credentials: true beside"], &[]),
    ("events as plain text", &["Content-Type is wrong (text/plain)"], &["Upgrade", "WebSockets"]),
    ("204 to a stream of events", &["stop for good"], &["Upgrade"]),
    ("Cloudflare's rule refuses (1020)", &["wall (Cloudflare)"], &[]),
    ("403, and no origin was sent", &["--origin https://PAGE"], &[]),
    ("403 for want of an origin", &["wants an Origin"], &[]),
    ("Cloudflare 524", &["took the request"], &["was not reached", "DNS"]),
    ("a tunnel of Cloudflare's that is not connected", &["cloudflared"], &[]),
    ("a cache says 304", &["a cache answered"], &["520"]),
    ("fails only the first time", &["now and then"], &["limit of connections"]),
    ("SSH listens on the port", &["Another program (SSH)"], &["balancer"]),
    ("the network's proxy is SSH", &["no HTTP proxy"], &[]),
    ("the network's proxy does not reach the server", &["did not reach chat.invalid:443"], &[]),
    ("breaks off in the middle of the head", &["in the middle of its answer"], &[]),
    ("IPv4 and IPv6 lead to different servers", &["over IPv6: HTTP 101|over IPv6: no answer"], &[]),
    ("HAProxy wants a PROXY header, and then TLS", &["speaks TLS", "by wss://"], &["ulimit"]),
    ("any message is hung up on", &["answer to a small message"], &[]),
    ("a page in the open WebSocket", &["A page was written"], &["Send binary data"]),
    ("a close frame with 1006", &["the code 1006"], &[]),
    ("WAMP wants a ticket", &["by ticket (CHALLENGE)"], &[]),
    ("SockJS frames, and STOMP is spoken", &["A SockJS server"], &[]),
    ("Socket.IO is spoken to a plain WebSocket server", &["--as raw"], &["$http_upgrade"]),
    ("gzip holds even the head back", &["with Accept-Encoding: gzip", "compression"], &[]),
    ("not even the head of a stream comes", &["flushHeaders"], &[]),
    ("a token for somebody else", &["for somebody else: the server"], &["fresh token"]),
    ("a token with its date in milliseconds", &["exp: 4500000000000"], &[]),
    ("426 for TLS", &["wss://"], &["$http_upgrade"]),
    ("426 for HTTP/2", &["h2c"], &["$http_upgrade"]),
    ("nginx's own number for a long head (494)", &["HTTP/1.1 494"], &["Request Header Too Large"]),
];

const GROUPS: [&[Case]; 8] = [
    answers::CASES,
    statuses::CASES,
    network::CASES,
    sockets::CASES,
    doors::CASES,
    streams::CASES,
    tokens::CASES,
    haproxy::CASES,
];

#[test]
fn the_words_are_those_of_the_case() {
    for (name, wanted, unwanted) in TOLD {
        let case = GROUPS.iter().copied().flatten().find(|case| case.name == *name).unwrap();
        let Some(bed) = (case.make)() else { continue };
        let told = examine(&bed.arguments);
        let text = all_words(&told.json["findings"]);
        for any in *wanted {
            assert!(any.split('|').any(|word| text.contains(word)), "{name}: {any}: {text}");
        }
        for word in *unwanted {
            assert!(!text.contains(word), "{name}: {word}: {text}");
        }
    }
}

/// All texts but the titles and the other language.
fn all_words(findings: &serde_json::Value) -> String {
    let mut text = String::new();
    for finding in findings.as_array().unwrap() {
        for part in ["means", "cure"] {
            text.push_str(finding[part]["en"].as_str().unwrap());
            text.push('\n');
        }
        for seen in finding["seen"].as_array().unwrap() {
            text.push_str(seen["en"].as_str().unwrap());
            text.push('\n');
        }
        for line in finding["lines"].as_array().unwrap() {
            text.push_str(line.as_str().unwrap());
            text.push('\n');
        }
    }
    text
}

#[test]
fn a_login_page_is_no_final_url() {
    let bed = answers::says("/ws", "302 Found\r\nLocation: /login?next=/ws", "").unwrap();
    let text = all_words(&examine(&bed.arguments).json["findings"]);
    assert!(text.contains("Log in") && !text.contains("Use the final URL"), "{text}");
}
