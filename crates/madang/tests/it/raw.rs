//! The raw door: what goes in by one client comes out at the others.

use super::{
    client::{Client, News},
    yard,
};

#[tokio::test]
async fn everybody_in_a_topic_hears_a_message_its_publisher_included() {
    let (address, _running) = yard(1);
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(address, "/ws/room")).collect();
    let mut elsewhere = Client::connect(address, "/ws/other");
    // A client that was answered has joined.
    for client in &mut clients {
        client.ping(b"there?");
        assert_eq!(client.next(), News::Pong(b"there?".to_vec()));
    }
    clients[0].text("안녕");
    clients[0].binary(&[0, 1, 255]);
    for client in &mut clients {
        assert_eq!(client.next(), News::Text("안녕".into()));
        assert_eq!(client.next(), News::Binary(vec![0, 1, 255]));
    }
    elsewhere.text("here");
    assert_eq!(elsewhere.next_text(), "here");
}

#[tokio::test]
async fn no_topic_is_the_lobby() {
    let (address, _running) = yard(1);
    let mut bare = Client::connect(address, "/ws");
    let mut named = Client::connect(address, "/ws/lobby");
    named.ping(b"");
    named.next();
    bare.text("hi");
    assert_eq!(named.next_text(), "hi");
}

#[tokio::test]
async fn a_client_that_returns_gets_what_it_missed_once_and_in_order() {
    let (address, _running) = yard(2);
    let mut writer = Client::connect(address, "/ws/room?envelope=json");
    for number in 0..10 {
        writer.text(&format!("m{number}"));
    }
    let ids: Vec<String> = (0..10)
        .map(|number| {
            let message = writer.next_json();
            assert_eq!(message["data"], format!("m{number}"));
            message["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut back = Client::connect(address, &format!("/ws/room?since={}", ids[6]));
    writer.text("m10");
    for expected in ["m7", "m8", "m9", "m10"] {
        assert_eq!(back.next_text(), expected);
    }
    let mut new = Client::connect(address, "/ws/room?since=earliest");
    assert_eq!(new.next_text(), "m0");
}

#[tokio::test]
async fn a_cursor_that_cannot_be_served_says_so() {
    let (address, _running) = yard(1);
    let mut client = Client::connect(address, "/ws/room");
    client.text("held");
    client.next();
    for foreign in ["nonsense", "abc-5"] {
        let mut back = Client::connect(address, &format!("/ws/room?envelope=json&since={foreign}"));
        assert_eq!(back.next_json()["event"], "gap");
        assert_eq!(back.next_json()["data"], "held");
    }
}

#[tokio::test]
async fn presence_tells_who_comes_and_goes() {
    let (address, _running) = yard(2);
    let path = |name: &str| format!("/ws/room?presence=1&envelope=json&name={name}");
    let mut ana = Client::connect(address, &path("Ana"));
    let own = ana.next_json();
    assert_eq!((&own["event"], &own["count"]), (&"join".into(), &1.into()));
    assert_eq!(own["users"], serde_json::json!(["Ana"]));
    let mut bo = Client::connect(address, &path("__proto__"));
    let own = bo.next_json();
    assert_eq!(own["count"], 2);
    assert_eq!(own["users"].as_array().unwrap().len(), 2);
    let join = ana.next_json();
    let expected = ("join".into(), "__proto__".into(), 2.into());
    assert_eq!(
        (&join["event"], &join["user"], &join["count"]),
        (&expected.0, &expected.1, &expected.2)
    );
    bo.close();
    let leave = ana.next_json();
    assert_eq!((&leave["event"], &leave["count"]), (&"leave".into(), &1.into()));
}

#[tokio::test]
async fn a_cut_session_that_returns_with_its_key_was_never_away() {
    let (address, _running) = yard(2);
    let mut ana = Client::connect(address, "/ws/room?presence=1&name=Ana");
    ana.next();
    let path = "/ws/room?presence=1&name=Bo&session=k1";
    let mut bo = Client::connect(address, path);
    bo.next();
    assert_eq!(ana.next_json()["count"], 2);
    drop(bo);
    let mut bo = Client::connect(address, path);
    assert_eq!(bo.next_json()["count"], 2);
    bo.text("back");
    // Neither a leave nor a join came between.
    assert_eq!(ana.next_text(), "back");
}

#[tokio::test]
async fn binary_in_the_envelope_has_a_head() {
    let (address, _running) = yard(1);
    let mut client = Client::connect(address, "/ws/room?envelope=json&name=Ana");
    client.binary(b"\x89PNG");
    let News::Binary(bytes) = client.next() else { panic!("no binary message") };
    let length = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
    let head: serde_json::Value = serde_json::from_slice(&bytes[4..4 + length]).unwrap();
    assert_eq!((&head["topic"], &head["user"]), (&"room".into(), &"Ana".into()));
    assert_eq!(&bytes[4 + length..], b"\x89PNG");
}

#[tokio::test]
async fn compressed_and_plain_clients_share_a_topic() {
    let (address, _running) = yard(1);
    let mut plain = Client::connect(address, "/ws/room");
    let mut packed = Client::compressed(address, "/ws/room");
    assert!(packed.response.headers().contains_key("sec-websocket-extensions"));
    plain.ping(b"");
    plain.next();
    let long = "마당 ".repeat(500);
    packed.text(&long);
    packed.text("short");
    for client in [&mut plain, &mut packed] {
        assert_eq!(client.next_text(), long);
        assert_eq!(client.next_text(), "short");
    }
}
