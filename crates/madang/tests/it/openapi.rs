//! The doors over HTTP, where programs that go by their description would be misled.

use std::net::SocketAddr;

use madang::{
    Running, Server,
    hub::{Hub, HubConfig},
};
use serde_json::Value;

use super::{
    client::{Refused, ask},
    start,
};

fn doors() -> (SocketAddr, Running) {
    start(Server::new().workers(1).topics())
}

fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> Refused {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    ask(address, &head)
}

#[tokio::test]
async fn the_description_is_served_like_everything_else() {
    let (address, _running) = doors();
    let answer = request(address, "GET", "/openapi.json", "");
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let description: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(description["paths"]["/topics/{topic}"]["post"].is_object());
    let local = request(address, "GET", "/openapi.json", "Origin: http://localhost:3000\r\n");
    assert_eq!(local.headers["access-control-allow-origin"], "http://localhost:3000");
    let evil = request(address, "GET", "/openapi.json", "Origin: https://evil.example\r\n");
    assert_eq!((evil.status, &evil.headers["madang-code"]), (403, &"M401".parse().unwrap()));
    let put = request(address, "PUT", "/openapi.json", "");
    assert_eq!((put.status, &put.headers["allow"]), (405, &"GET, HEAD, OPTIONS".parse().unwrap()));
}

#[tokio::test]
async fn topics_with_the_names_of_doors_are_topics() {
    let (address, _running) = doors();
    for name in ["messages", "sse", "stream", "presence"] {
        let path = format!("/topics/{name}");
        let posted = request(address, "POST", &path, "Content-Length: 0\r\n");
        assert_eq!(posted.status, 200, "{name}: {}", posted.body);
        let read = request(address, "GET", &format!("{path}/messages"), "");
        let read: Value = serde_json::from_str(&read.body).unwrap();
        assert_eq!(read["messages"].as_array().map(Vec::len), Some(1), "{name}");
        let may = if name == "presence" { "POST, OPTIONS" } else { "GET, HEAD, POST, OPTIONS" };
        for method in ["OPTIONS", "PUT"] {
            assert_eq!(
                request(address, method, &path, "").headers["allow"],
                may,
                "{method} {name}"
            );
        }
    }
    let several = request(address, "GET", "/topics/messages?topic=sse&topic=stream", "");
    let several: Value = serde_json::from_str(&several.body).unwrap();
    assert_eq!(several["messages"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_is_no_topic_is_none_at_every_door() {
    let (address, _running) = doors();
    for door in ["", "/messages", "/presence", "/sse", "/stream"] {
        for segment in ["%FF", "madang.x", "a%0Ab", ""] {
            let method = if door.is_empty() { "POST" } else { "GET" };
            let answer = request(
                address,
                method,
                &format!("/topics/{segment}{door}"),
                "Content-Length: 0\r\n",
            );
            let code = answer.headers.get("madang-code").map(|code| code.to_str().unwrap());
            assert_eq!(
                (answer.status, code),
                (400, Some("M213")),
                "{segment}{door}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn a_problem_says_what_is_wrong_as_the_sentence_does() {
    let (address, _running) = doors();
    for (path, wrong) in [
        ("/messages", "?topic=NAME"),
        ("/topics/t/messages?wait=soon", "wait is a number"),
        ("/topics/t/sse?session=%20", "session key"),
    ] {
        let sentence = request(address, "GET", path, "");
        assert!(sentence.body.contains(wrong), "{}", sentence.body);
        let problem = request(address, "GET", path, "Accept: application/json\r\n");
        assert_eq!(problem.headers["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(&problem.body).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(wrong), "{problem}");
        assert_eq!((&problem["status"], &problem["code"]), (&400.into(), &"M213".into()));
    }
}

#[tokio::test]
async fn an_event_that_does_not_count_is_checked_too() {
    let (address, _running) = doors();
    for (query, header, status) in [
        ("?event=a", "X-Event: b\r\n", 200),
        ("?event=a", "X-Event: \u{84}\r\n", 400),
        ("?event=%0A", "X-Event: b\r\n", 400),
        ("", "X-Event: \u{84}\r\n", 400),
    ] {
        let headers = format!("Content-Length: 0\r\n{header}");
        let answer = request(address, "POST", &format!("/topics/t{query}"), &headers);
        assert_eq!(answer.status, status, "{query} {header:?}: {}", answer.body);
    }
    let read = request(address, "GET", "/topics/t/messages", "");
    let read: Value = serde_json::from_str(&read.body).unwrap();
    assert_eq!(read["messages"][0]["event"], "a");
}

#[tokio::test]
async fn where_there_is_no_room_it_says_when_to_come_again() {
    let hub = Hub::new(HubConfig { max_topics: 1, ..HubConfig::default() });
    let (address, _running) = start(Server::with_hub(hub).workers(1).topics());
    assert_eq!(request(address, "POST", "/topics/a", "Content-Length: 1\r\n\r\nx").status, 200);
    for (method, path) in [("POST", "/topics/b"), ("GET", "/topics/b/messages?wait=1")] {
        let answer = request(address, method, path, "Content-Length: 0\r\n");
        assert_eq!(
            (answer.status, &answer.headers["madang-code"]),
            (503, &"M511".parse().unwrap())
        );
        let after: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!(after > 0);
    }
}
