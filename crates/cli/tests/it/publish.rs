//! `madang publish`, against a server that is played by hand.

use std::{fs, process::Stdio, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::{
    config::File,
    madang,
    peer::{Client, Peer, Program, taken},
    run,
};

const TAKEN: &str = "200 OK\r\nContent-Type: application/json";

/// Publishes; the body and its type as they came.
fn published(arguments: &[&str], input: &[u8]) -> (Vec<u8>, String) {
    let peer = Peer::new();
    let program = peer.program(&[&["publish", "t"], arguments].concat()).input(input);
    let (mut client, request) = peer.asked();
    client.answer(TAKEN, r#"{"id":"7-1"}"#);
    assert_eq!(program.end(), (Some(0), "7-1\n".into(), String::new()));
    let kind = request.header("content-type").unwrap().to_owned();
    (request.body, kind)
}

#[test]
fn a_text_is_published_and_its_id_printed() {
    let peer = Peer::new();
    let url = peer.url().replace("http://", "http://ana:p%40ss@") + "/yard/";
    let program = Program::start(&[
        "publish",
        "a/b",
        "안녕",
        "--event",
        "x y",
        "--url",
        &url,
        "--header",
        "X-Key: v",
        "--header",
        "user-agent: me",
        "--idempotency-key",
        "k1",
    ]);
    let (mut client, request) = peer.asked();
    assert_eq!(request.line, "POST /yard/topics/a%2Fb?event=x%20y");
    for (name, value) in [
        ("host", &peer.url()["http://".len()..]),
        ("content-type", "text/plain; charset=utf-8"),
        ("authorization", "Basic YW5hOnBAc3M="),
        ("x-key", "v"),
        ("user-agent", "me"),
        ("idempotency-key", "k1"),
    ] {
        assert_eq!(request.header(name), Some(value), "{:?}", request.headers);
    }
    assert_eq!(request.body, "안녕".as_bytes());
    // What comes before the answer is not the answer.
    client.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    client.answer(TAKEN, r#"{"id":"7-1"}"#);
    assert_eq!(program.end(), (Some(0), "7-1\n".into(), String::new()));
}

#[test]
fn a_payload_goes_by_its_kind() {
    let (text, json, bytes) =
        ("text/plain; charset=utf-8", "application/json", "application/octet-stream");
    let of = |arguments: &[&str], input: &[u8]| published(arguments, input).1;
    assert_eq!(published(&["-"], b"two\nlines\n"), (b"two\nlines\n".to_vec(), text.into()));
    assert_eq!(published(&["-"], b"\xff\0"), (b"\xff\0".to_vec(), bytes.into()));
    assert_eq!(of(&["-", "--json"], b" [1]"), json);
    assert_eq!(of(&["", "--header", "Content-Type: text/css"], b""), "text/css");
    for (name, kind) in
        [("a.txt", text), ("a.MD", text), ("a.json", json), ("a.png", bytes), ("a", bytes)]
    {
        let path = std::env::temp_dir().join(format!("madang-{}-{name}", std::process::id()));
        fs::write(&path, "\"x\"").unwrap();
        let made = published(&["--file", path.to_str().unwrap()], b"");
        fs::remove_file(&path).unwrap();
        assert_eq!(made, (b"\"x\"".to_vec(), kind.into()), "{name}");
    }
}

#[test]
fn lines_go_one_after_the_other_over_one_connection() {
    let peer = Peer::new();
    let arguments = ["publish", "t", "--lines", "--json", "--idempotency-key", "k"];
    let mut program = peer.program(&arguments).input(b"[1]\n{\"a\":2}\r\n\"last\"");
    let mut client = Client::new(peer.connection());
    for (number, line) in [(1, "[1]"), (2, "{\"a\":2}"), (3, "\"last\"")] {
        let request = client.request();
        assert_eq!(request.body, line.as_bytes());
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("idempotency-key"), Some(format!("k-{number}").as_str()));
        client.answer(TAKEN, &format!("{{\"id\":\"7-{number}\"}}"));
        assert_eq!(program.line(), format!("7-{number}\n"));
    }
    assert_eq!(program.end(), (Some(0), String::new(), String::new()));
}

#[test]
fn a_connection_that_the_server_ends_between_lines_is_opened_again() {
    let peer = Peer::new();
    let program = peer.program(&["publish", "t", "--lines"]).input(b"one\ntwo\n");
    let (mut client, request) = peer.asked();
    assert_eq!(request.body, b"one");
    client.answer(&format!("{TAKEN}\r\nConnection: close"), r#"{"id":"7-1"}"#);
    drop(client);
    let (mut client, request) = peer.asked();
    assert_eq!(request.body, b"two");
    client.answer(TAKEN, r#"{"ids":["7-2","7-3"]}"#);
    assert_eq!(program.end(), (Some(0), "7-1\n7-2\n7-3\n".into(), String::new()));
}

#[test]
fn a_bad_line_is_named_and_what_stood_before_it_is_published() {
    let peer = Peer::new();
    let program = peer.program(&["publish", "t", "--lines", "--json"]).input(b"1\n[2\n3\n");
    let (mut client, _) = peer.asked();
    client.answer(TAKEN, r#"{"id":"7-1"}"#);
    let (code, output, errors) = program.end();
    assert_eq!((code, output.as_str()), (Some(2), "7-1\n"), "{errors}");
    assert!(errors.contains("line 2: it is no JSON: column 2"), "{errors}");
    assert!(errors.contains("published before it: 1"), "{errors}");
}

#[test]
fn a_refusal_is_told_with_its_code_and_sentence() {
    for (head, body, told) in [
        (
            "403 Forbidden\r\nMadang-Code: M401",
            "M401: the page may not.\nName it.\u{1b}[2J\n",
            "403 Forbidden: M401: the page may not. Name it.\\u001b[2J (`madang explain M401`",
        ),
        (
            "413 Content Too Large\r\nMadang-Code: M506\r\nContent-Type: application/problem+json",
            r#"{"title":"too big","detail":"Send less."}"#,
            "413 Payload Too Large: M506: too big. Send less.",
        ),
        ("502 Bad Gateway\r\nContent-Type: text/html", "<h1>no</h1>", "502 Bad Gateway\n"),
        ("302 Found\r\nLocation: /x", "", "302 Found\n"),
        ("200 OK", "<html>", "without an id; is --url that of a Madang server?"),
    ] {
        let peer = Peer::new();
        let program = peer.program(&["publish", "t", "x"]);
        let (mut client, _) = peer.asked();
        client.answer(head, body);
        let (code, output, errors) = program.end();
        assert_eq!((code, output.as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains(told), "{told}: {errors}");
    }
}

#[test]
fn of_a_long_refusal_the_beginning_is_told() {
    let peer = Peer::new();
    let program = peer.program(&["publish", "t", "x"]);
    let (mut client, _) = peer.asked();
    // It has no end, and is not waited for.
    client.send("HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.chunk(&format!("No. {}", "x".repeat(70_000)));
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(1));
    assert!(errors.contains("400 Bad Request: No. xxx") && errors.len() < 1000, "{errors}");
}

#[test]
fn a_refusal_may_come_before_the_body_is_read() {
    let peer = Peer::new();
    let file = File::new("large", &"x".repeat(16 << 20));
    let program = peer.program(&["publish", "t", "--file", file.path()]);
    let mut client = Client::new(peer.connection());
    assert_eq!(client.head().header("content-length"), Some("16777216"));
    client.answer("413 Content Too Large\r\nMadang-Code: M506", "M506: too big.");
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(1));
    assert!(errors.contains("M506: too big."), "{errors}");
}

#[test]
fn without_an_answer_it_is_sent_again_only_with_a_key() {
    let peer = Peer::new();
    let program = peer.program(&["publish", "t", "x"]);
    drop(peer.asked());
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(1));
    assert!(errors.contains("may have been published all the same"), "{errors}");

    let program = peer.program(&["publish", "t", "x", "--idempotency-key", "k"]);
    drop(peer.asked());
    let (mut client, request) = peer.asked();
    assert_eq!(request.header("idempotency-key"), Some("k"));
    client.answer(TAKEN, r#"{"id":"7-1"}"#);
    assert_eq!(program.end(), (Some(0), "7-1\n".into(), String::new()));
}

#[test]
fn what_cannot_be_sent_is_a_slip_of_the_user() {
    let json = File::new("bad-json", "{\n  \"a\" 1\n}");
    let broken = File::new("no-ca", "");
    for (arguments, hint) in [
        (&["t"][..], "<TEXT"),
        (&["", "x"], "cannot be empty"),
        (&["t", "[1,", "--json"], "line 1, column 3"),
        (&["t", "--json", "--file", json.path()], "line 2, column 7"),
        (&["t", "--file", "/no/such.txt"], "/no/such.txt"),
        (&["t", "x", "--lines"], "--lines"),
        (&["t", "x", "--header", "nothing"], "Authorization: Bearer"),
        (&["t", "x", "--url", "localhost:8000"], "http://127.0.0.1:8000"),
        (&["t", "x", "--url", "ws://localhost"], "write http://"),
        (&["t", "x", "--url", "https://h", "--ca", broken.path()], "BEGIN CERTIFICATE"),
        (&["t", "x", "--ca", "a", "--insecure"], "--insecure"),
        (&["t", "x", "--idempotency-key", ""], "--idempotency-key"),
    ] {
        let output = run(&[&["publish"], arguments].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(hint), "{arguments:?}: {errors}");
    }
}

#[test]
fn the_server_may_be_named_by_a_variable_that_serve_does_not_mind() {
    let peer = Peer::new();
    let program = madang(&["publish", "t", "x"])
        .env("MADANG_URL", peer.url())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut client, _) = peer.asked();
    client.answer(TAKEN, r#"{"id":"7-1"}"#);
    assert_eq!(program.wait_with_output().unwrap().stdout, b"7-1\n");

    let output = madang(&["serve", "--print-config"]).env("MADANG_URL", "x").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (_held, url) = taken();
    let output = run(&["publish", "t", "x", "--url", &url]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains(&format!("{url} cannot be reached")), "{errors}");
}

#[test]
fn tls_is_believed_as_the_flags_say() {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().self_signed(&key).unwrap();
    let file = File::new("ca", &certificate.pem());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        );
    let config = Arc::new(config.unwrap());
    let peer = Peer::new();
    let url = peer.url().replace("http", "https");
    for trust in [&["--ca", file.path()][..], &["--insecure"]] {
        let program = Program::start(&[&["publish", "t", "x", "--url", &url], trust].concat());
        let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut client = Client::new(StreamOwned::new(tls, peer.connection()));
        assert_eq!(client.request().body, b"x");
        client.answer(TAKEN, r#"{"id":"7-1"}"#);
        assert_eq!(program.end(), (Some(0), "7-1\n".into(), String::new()), "{trust:?}");
    }
    // A stranger's authority is not this server's.
    let other = KeyPair::generate().unwrap();
    let other = CertificateParams::new(vec!["x".into()]).unwrap().self_signed(&other).unwrap();
    let file = File::new("other-ca", &other.pem());
    let program = Program::start(&["publish", "t", "x", "--url", &url, "--ca", file.path()]);
    let mut stream = peer.connection();
    let mut tls = ServerConnection::new(config).unwrap();
    assert!(tls.complete_io(&mut stream).is_err());
    drop(stream);
    let (code, _, errors) = program.end();
    assert_eq!(code, Some(1));
    assert!(errors.contains("TLS with https://") && errors.contains("--insecure"), "{errors}");
}
