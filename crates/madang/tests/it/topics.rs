//! Topics over plain HTTP, byte by byte.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use http::Method;
use madang::{
    Running, Server,
    hub::{Draft, HistoryConfig, Hub, HubConfig, Limits},
    proto::{Body, Topic, raw},
};

use super::{
    client::Client,
    h2::peer::{Peer, soon},
    start,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn topics() -> (SocketAddr, Running) {
    start(Server::new().workers(2).topics().protocol(&raw::PROTOCOL))
}

/// A connection of HTTP/1.
struct Http(BufReader<TcpStream>);

#[derive(Debug)]
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Http {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, head: &str, body: &str) {
        let request = format!("{head}\r\n\r\n{body}");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "the connection ended: {head}");
        }
        head
    }

    fn answer(&mut self) -> Answer {
        let mut answer = Answer { head: self.head(), body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: yard\r\nContent-Length: {length}{headers}");
        self.send(&head, body);
        self.answer()
    }

    fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    fn post(&mut self, path: &str, headers: &str, body: &str) -> Answer {
        self.ask("POST", path, headers, body)
    }

    /// The next line of a body, in chunks or not; `None` at its end.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 || line == "0\r\n" {
                return None;
            }
            // Each line of these bodies that is not empty begins with a letter, a colon or a brace.
            let is_framing = line == "\r\n" || line.ends_with("\r\n");
            if !is_framing {
                return Some(line.trim_end_matches('\n').to_owned());
            }
        }
    }

    fn line_after(&mut self, start: &str) -> String {
        loop {
            let line = self.line().unwrap();
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }
}

fn code(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status(), answer.header("madang-code"))
}

#[test]
fn a_body_is_what_its_content_type_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, _running) = topics();
    let mut http = Http::connect(address);
    let sent = [
        ("text/plain", "a", r#""a""#),
        ("Application/JSON; charset=utf-8", "{\"a\":\n1}", r#"{"a":1}"#),
        ("application/vnd.x+json", "[2]", "[2]"),
        ("application/octet-stream", "\0", r#""AA==""#),
        ("application/x-www-form-urlencoded", "as=curl&does", r#""as=curl&does""#),
    ];
    for (kind, body, _) in sent {
        let answer = http.post("/topics/t", &format!("\r\nContent-Type: {kind}"), body);
        assert_eq!(answer.status(), 200, "{answer:?}");
    }
    let messages = http.get("/topics/t/messages").json();
    for (number, (kind, _, data)) in sent.iter().enumerate() {
        let message = &messages["messages"][number];
        assert_eq!(message["data"].to_string(), *data, "{kind}");
        assert_eq!(message.get("encoding").is_some(), *kind == "application/octet-stream");
    }
    let nested = |depth: usize| format!("{}\"]\\\"[\"{}", "[".repeat(depth), "]".repeat(depth));
    let (deep, too_deep) = (nested(127), nested(128));
    assert_eq!(http.post("/topics/d", "\r\nContent-Type: application/json", &deep).status(), 200);
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", &too_deep),
        ("application/x-ndjson", "1\n{\n2"),
        ("application/x-ndjson", &too_deep),
        ("application/json", "\"\u{1}\""),
    ] {
        let answer = http.post("/topics/t", &format!("\r\nContent-Type: {kind}"), body);
        assert_eq!(code(&answer), (400, Some("M303")), "{kind} {body}");
    }
    let next = messages["next"].as_str().unwrap();
    let after = http.get(&format!("/topics/t/messages?since={next}")).json();
    assert_eq!(after["messages"].as_array().unwrap().len(), 0, "nothing of what was refused");
}

#[test]
fn a_batch_is_published_whole_and_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, _running) = topics();
    let mut http = Http::connect(address);
    let lines = "\r\nContent-Type: application/x-ndjson\r\nX-Event: tick\r\nX-Message-Trace: 7";
    let answer = http.post("/topics/b", lines, "1\n\n{\"a\":2}\r\n\"3\"");
    assert_eq!(answer.json()["ids"].as_array().unwrap().len(), 3);
    let messages = http.get("/topics/b/messages").json();
    let messages = messages["messages"].as_array().unwrap();
    let data: Vec<_> = messages.iter().map(|message| message["data"].to_string()).collect();
    assert_eq!(data, ["1", "{\"a\":2}", "\"3\""]);
    assert!(messages.iter().all(|m| m["event"] == "tick" && m["headers"]["trace"] == "7"));
    let many = "1\n".repeat(1_001);
    assert_eq!(code(&http.post("/topics/b", lines, &many)), (400, Some("M303")));
}

#[test]
fn what_is_posted_twice_with_a_key_is_published_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, _running) = topics();
    let mut http = Http::connect(address);
    let key = "\r\nIdempotency-Key: 8e03978e";
    let first = http.post("/topics/t", key, "once");
    assert_eq!(http.post("/topics/t", key, "once").body, first.body);
    assert_eq!(code(&http.post("/topics/t", key, "other")), (422, Some("M305")));
    assert_eq!(http.post("/topics/u", key, "other").status(), 200, "a topic has keys of its own");
    let messages = http.get("/topics/t/messages").json();
    assert_eq!(messages["messages"].as_array().unwrap().len(), 1);
    let empty = http.post("/topics/t", "\r\nIdempotency-Key: ", "x");
    assert_eq!(code(&empty), (400, Some("M305")));
}

#[test]
fn what_is_wrong_has_a_code_and_the_connection_goes_on() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let limits = madang::ws::Limits { max_message: 100, ..Default::default() };
    let (address, _running) = start(Server::new().workers(1).topics().limits(limits));
    let mut http = Http::connect(address);
    for (method, path, headers, body, expected) in [
        ("POST", "/topics/a%0Ab", "", "x", (400, "M213")),
        ("POST", "/topics/", "", "x", (400, "M213")),
        ("POST", "/topics/madang.x", "", "x", (400, "M213")),
        ("POST", "/topics/%FF", "", "x", (400, "M213")),
        ("POST", "/topics/t?event=a%0Ab", "", "x", (400, "M304")),
        ("POST", "/topics/t?event=gap", "", "x", (400, "M304")),
        ("POST", "/topics/t", "\r\nX-Message-A: \u{e9}", "x", (400, "M304")),
        ("GET", "/topics/t", "", "", (405, "M214")),
        ("DELETE", "/topics/t/messages", "", "", (405, "M214")),
        ("POST", "/topics/t/sse", "", "x", (405, "M214")),
        ("GET", "/topics/t/messages?limit=0", "", "", (400, "M213")),
        ("GET", "/topics/t/messages?wait=-1", "", "", (400, "M213")),
        ("GET", "/topics/t/messages?wait=x", "", "", (400, "M213")),
        ("GET", "/sse", "", "", (400, "M213")),
        ("GET", "/messages", "", "", (400, "M213")),
        ("GET", "/topics/t/stream", "\r\nOrigin: https://evil.example", "", (403, "M401")),
        ("POST", "/topics/t", "\r\nOrigin: https://evil.example", "x", (403, "M401")),
    ] {
        let answer = http.ask(method, path, headers, body);
        assert_eq!(code(&answer), (expected.0, Some(expected.1)), "{method} {path}");
    }
    let problem = http.ask("GET", "/topics/t", "\r\nAccept: application/json", "");
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    assert_eq!(problem.json()["code"], "M214");
    assert_eq!(http.get("/topics/t/nothing").status(), 404);
    let messages = http.get("/topics/t/messages").json();
    assert_eq!(messages["messages"].as_array().unwrap().len(), 0, "what was refused is not there");
    let large = http.post("/topics/t", "", &"x".repeat(101));
    assert_eq!(code(&large), (413, Some("M506")));
}

#[test]
fn polls_go_through_pages_and_know_what_has_not_changed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, running) = topics();
    let hub = running.hub().clone();
    let (a, b) = (Topic::new("a").unwrap(), Topic::new("b").unwrap());
    for number in 0..5 {
        hub.publish(&a, format!("a{number}")).unwrap();
        hub.publish(&b, format!("b{number}")).unwrap();
    }
    let mut http = Http::connect(address);
    let (mut since, mut read) = ("earliest".to_owned(), Vec::new());
    loop {
        let page = http.get(&format!("/messages?topic=b&topic=a&limit=3&since={since}")).json();
        assert_eq!(page["gap"], false);
        let messages = page["messages"].as_array().unwrap();
        if messages.is_empty() {
            break;
        }
        read.extend(messages.iter().map(|message| message["data"].as_str().unwrap().to_owned()));
        page["next"].as_str().unwrap().clone_into(&mut since);
    }
    let of =
        |letter| read.iter().filter(|data| data.starts_with(letter)).cloned().collect::<Vec<_>>();
    assert_eq!(of('a'), ["a0", "a1", "a2", "a3", "a4"]);
    assert_eq!(of('b'), ["b0", "b1", "b2", "b3", "b4"]);
    let page = http.get("/topics/a/messages?since=now");
    let tag = page.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("{}", page.json()["next"]));
    let path = format!("/topics/a/messages?since={}", tag.trim_matches('"'));
    let known = format!("\r\nIf-None-Match: \"x\", {tag}");
    let same = http.ask("GET", &path, &known, "");
    assert_eq!((same.status(), &*same.body), (304, ""));
    hub.publish(&a, "news").unwrap();
    assert_eq!(http.ask("GET", &path, &known, "").json()["messages"][0]["data"], "news");
    let foreign = http.get("/topics/a/messages?since=zzz-9").json();
    assert_eq!(
        (foreign["gap"].as_bool(), foreign["messages"].as_array().unwrap().len()),
        (Some(true), 6)
    );
}

#[test]
fn a_long_poll_answers_as_soon_as_there_is_something() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, running) = topics();
    let mut http = Http::connect(address);
    let none = http.get("/topics/t/messages?since=now&wait=0.05").json();
    assert_eq!(none["messages"].as_array().unwrap().len(), 0);
    let head = "GET /topics/t/messages?since=now&wait=60&session=k&name=Ana HTTP/1.1\r\nHost: yard";
    http.send(head, "");
    let mut other = Http::connect(address);
    // Present as soon as it waits.
    while other.get("/topics/t/presence").json()["users"][0]["user"] != "Ana" {}
    other.post("/topics/t", "", "here");
    assert_eq!(http.answer().json()["messages"][0]["data"], "here");
    // When the server stops, nobody is kept waiting.
    // Ana stays present for a while between polls, so that she would not tell of this one.
    http.send(&head.replace("session=k&name=Ana", "session=b&name=Bea"), "");
    let is_bea = |user: &serde_json::Value| user["user"] == "Bea";
    while !other.get("/topics/t/presence").json()["users"].as_array().unwrap().iter().any(is_bea) {}
    drop(other);
    let stopped = runtime.spawn(running.shutdown(Duration::from_secs(20)));
    assert_eq!(http.answer().json()["messages"].as_array().unwrap().len(), 0);
    runtime.block_on(stopped).unwrap().unwrap();
}

#[test]
fn streams_begin_at_their_cursor_and_tell_of_gaps() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let limits = Limits { count: 3, ..Limits::default() };
    let history = HistoryConfig { limits, ..HistoryConfig::default() };
    let hub = Hub::new(HubConfig { history, ..HubConfig::default() });
    let (address, _running) = start(Server::with_hub(hub.clone()).workers(2).topics());
    let topic = Topic::new("t").unwrap();
    let ids: Vec<_> = (0..5).map(|n| hub.publish(&topic, format!("m{n}")).unwrap()).collect();
    for version in ["1.1", "1.0"] {
        let mut sse = Http::connect(address);
        let last = format!("\r\nLast-Event-ID: {}", ids[2]);
        sse.send(&format!("GET /topics/t/sse HTTP/{version}\r\nHost: yard{last}"), "");
        let answer = Answer { head: sse.head(), body: String::new() };
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("transfer-encoding").is_some(), version == "1.1", "{answer:?}");
        assert_eq!(sse.line_after("id: "), ids[3].to_string());
        assert_eq!(sse.line_after("data: "), "m3");
        assert_eq!(sse.line_after("data: "), "m4");
        // The oldest that is held is m2: m1 is lost.
        let mut gap = Http::connect(address);
        gap.send(&format!("GET /topics/t/sse?since={} HTTP/{version}\r\nHost: yard", ids[0]), "");
        gap.head();
        assert_eq!(gap.line_after("id: "), ids[1].to_string());
        assert_eq!(gap.line_after("event: "), "gap");
        assert_eq!(gap.line_after("id: "), ids[2].to_string());
        let mut lines = Http::connect(address);
        lines.send(
            &format!("GET /stream?topic=t&topic=u&since=earliest HTTP/{version}\r\nHost: yard"),
            "",
        );
        lines.head();
        let line: serde_json::Value =
            serde_json::from_str(&format!("{{{}", lines.line_after("{"))).unwrap();
        assert_eq!(line["next"], format!("{}.{}", ids[2], "earliest"));
        drop(lines);
        let mut now = Http::connect(address);
        now.send(&format!("GET /topics/t/stream HTTP/{version}\r\nHost: yard"), "");
        now.head();
        let draft =
            Draft { event: Some("bell".into()), ..Draft::new(Body::Binary(vec![0, 255].into())) };
        hub.publish(&Topic::new("v").unwrap(), draft).unwrap();
        hub.publish(&topic, "m3").unwrap();
        hub.publish(&topic, "m4").unwrap();
        let line: serde_json::Value =
            serde_json::from_str(&format!("{{{}", now.line_after("{"))).unwrap();
        assert_eq!(line["data"], "m3");
        // As at the start, for the other version.
        let again: Vec<_> = (2..5).map(|n| hub.publish(&topic, format!("m{n}")).unwrap()).collect();
        assert_eq!(again.len(), 3);
        if version == "1.1" {
            break;
        }
    }
}

#[test]
fn a_stream_on_a_used_connection_is_carried_too() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, running) = topics();
    let mut http = Http::connect(address);
    assert_eq!(http.get("/healthz").status(), 200);
    http.send("GET /topics/t/sse HTTP/1.1\r\nHost: yard", "");
    assert!(http.head().contains("text/event-stream"));
    let mut socket = Client::connect(address, "/ws/t");
    socket.text("from a WebSocket");
    assert_eq!(http.line_after("data: "), "from a WebSocket");
    // Its client goes: the worker's part goes, too.
    drop(http);
    let topic = Topic::new("t").unwrap();
    drop(socket);
    while !running.hub().presence(&topic).is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn a_server_that_stops_ends_streams_in_good_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, running) = topics();
    let mut whole = Http::connect(address);
    whole.send("GET /topics/t/sse HTTP/1.1\r\nHost: yard", "");
    whole.head();
    let mut used = Http::connect(address);
    assert_eq!(used.get("/healthz").status(), 200);
    used.send("GET /topics/t/stream HTTP/1.1\r\nHost: yard", "");
    used.head();
    let stopped = runtime.spawn(running.shutdown(Duration::from_secs(20)));
    while whole.line().is_some() {}
    while used.line().is_some() {}
    drop((whole, used));
    runtime.block_on(stopped).unwrap().unwrap();
}

#[test]
fn pages_of_other_origins_are_told_what_they_may() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, _running) = start(Server::new().topics().allowed_origin("https://app.example"));
    let mut http = Http::connect(address);
    let origin = "\r\nOrigin: https://app.example";
    let asked = format!(
        "{origin}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: last-event-id"
    );
    let preflight = http.ask("OPTIONS", "/topics/t", &asked, "");
    assert_eq!(preflight.status(), 204);
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("Last-Event-ID"));
    let asked = format!("{origin}\r\nAccess-Control-Request-Headers: x-message-trace, x-other");
    let preflight = http.ask("OPTIONS", "/topics/t", &asked, "").head.to_ascii_lowercase();
    assert!(preflight.contains("x-message-trace") && !preflight.contains("x-other"), "{preflight}");
    let evil = "\r\nHost: evil.example\r\nOrigin: http://evil.example";
    assert_eq!(code(&http.ask("GET", "/topics/t/messages", evil, "")), (403, Some("M401")));
    let answer = http.ask("GET", "/topics/t/messages", origin, "");
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    let (address, _everybody) = start(Server::new().topics().allowed_origin("*"));
    let mut stream = Http::connect(address);
    stream.send(&format!("GET /topics/t/sse HTTP/1.1\r\nHost: yard{origin}"), "");
    let answer = Answer { head: stream.head(), body: String::new() };
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn everything_works_over_http_2() {
    let (address, running) = topics();
    let mut peer = Peer::connect(address).await;
    let request = peer.request(Method::GET, "/topics/t/sse");
    let (response, asked) = peer.begin(request, true).await.unwrap();
    let mut stream = soon(response).await.unwrap().into_body();
    let request = peer.request(Method::POST, "/topics/t?event=bell");
    let (response, mut to) = peer.begin(request, false).await.unwrap();
    to.send_data("ding".into(), true).unwrap();
    assert_eq!(soon(response).await.unwrap().status(), 200);
    let mut read = String::new();
    while !read.contains("event: bell\ndata: ding\n\n") {
        let data = soon(stream.data()).await.unwrap().unwrap();
        stream.flow_control().release_capacity(data.len()).unwrap();
        read.push_str(std::str::from_utf8(&data).unwrap());
    }
    assert_eq!(peer.ask(Method::GET, "/topics/t/messages").await.body.matches("ding").count(), 1);
    assert_eq!(peer.ask(Method::DELETE, "/topics/t").await.status, 405);
    let topic = Topic::new("t").unwrap();
    assert_eq!(running.hub().presence(&topic).len(), 1);
    // A stream that its client resets leaves nothing behind.
    drop((stream, asked));
    while !running.hub().presence(&topic).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_reader_of_several_topics_comes_back_for_what_is_too_much_at_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let outbox = madang::OutboxLimits { max_bytes: 10_000, ..Default::default() };
    let server = Server::new().workers(1).topics().outbox(outbox);
    let hub = server.hub().clone();
    let (address, _running) = start(server);
    let topic = Topic::new("t").unwrap();
    for number in 0..50 {
        hub.publish(&topic, format!("{number} {}", "x".repeat(1_000))).unwrap();
    }
    let (mut since, mut read, mut visits) = ("earliest".to_owned(), Vec::new(), 0);
    while read.len() < 50 {
        let mut lines = Http::connect(address);
        lines
            .send(&format!("GET /stream?topic=t&topic=u&since={since} HTTP/1.1\r\nHost: yard"), "");
        lines.head();
        visits += 1;
        // The stream ends by itself, in good order, until the rest is little enough.
        while read.len() < 50
            && let Some(line) = lines.line()
        {
            if line.starts_with('{') {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                read.push(line["data"].as_str().unwrap().split(' ').next().unwrap().to_owned());
                line["next"].as_str().unwrap().clone_into(&mut since);
            }
        }
    }
    let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(read, expected);
    assert!((5..=10).contains(&visits), "{visits}");
}

#[test]
fn an_answer_to_a_poll_is_bounded_as_it_is_written() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, running) = topics();
    let topic = Topic::new("t").unwrap();
    // Six bytes of JSON each.
    let text = "\u{1}".repeat(300_000);
    for _ in 0..3 {
        running.hub().publish(&topic, text.clone()).unwrap();
    }
    let (mut http, mut since) = (Http::connect(address), "earliest".to_owned());
    for _ in 0..3 {
        let page = http.get(&format!("/topics/t/messages?since={since}")).json();
        assert_eq!(page["messages"].as_array().unwrap().len(), 1);
        assert_eq!(page["messages"][0]["data"].as_str().unwrap().len(), 300_000);
        page["next"].as_str().unwrap().clone_into(&mut since);
    }
    let page = http.get(&format!("/topics/t/messages?since={since}")).json();
    assert_eq!(page["messages"].as_array().unwrap().len(), 0);
}

#[test]
fn who_is_cut_before_the_first_event_misses_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let (address, running) = topics();
    let mut quiet = Http::connect(address);
    quiet.send("GET /topics/t/sse HTTP/1.1\r\nHost: yard", "");
    quiet.head();
    let id = quiet.line_after("id: ");
    drop(quiet);
    running.hub().publish(&Topic::new("t").unwrap(), "meanwhile").unwrap();
    let mut again = Http::connect(address);
    again.send(&format!("GET /topics/t/sse HTTP/1.1\r\nHost: yard\r\nLast-Event-ID: {id}"), "");
    again.head();
    assert_eq!(again.line_after("data: "), "meanwhile");
}
