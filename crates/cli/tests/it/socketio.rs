//! What `madang serve` does at `/socket.io` besides talking to clients.

use std::fs;

use super::{Serving, ask, refused::refusal};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

#[test]
fn pages_are_told_where_the_client_comes_from() {
    let serving = Serving::local(&[]);
    let (head, body) = ask(serving.address(), "GET", "/socket.io/socket.io.js");
    assert!(head.starts_with("http/1.1 404"), "{head}");
    assert!(body.contains("npm package socket.io-client"), "{body}");
    assert!(body.contains("--socketio-client DIR"), "{body}");
    let (head, body) = ask(serving.address(), "GET", "/socket.io/elsewhere");
    assert!(head.starts_with("http/1.1 404") && body.contains("/socket.io/"), "{head}{body}");
}

#[test]
fn the_client_is_served_from_a_folder() {
    let folder = std::env::temp_dir().join(format!("madang-client-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let name = folder.to_str().unwrap();
    let without = refusal(&["serve", "--socketio-client", name]);
    assert!(without.contains("there is no socket.io.js in it"), "{without}");
    fs::write(folder.join("socket.io.js"), "/* the client */").unwrap();
    fs::write(folder.join("socket.io.js.map"), "{}").unwrap();
    fs::write(folder.join("secret.txt"), "not for you").unwrap();
    let serving = Serving::local(&["--socketio-client", name]);
    let (head, body) = ask(serving.address(), "GET", "/socket.io/socket.io.js");
    assert!(head.contains("content-type: text/javascript; charset=utf-8"), "{head}");
    assert_eq!(body, "/* the client */");
    let (head, _) = ask(serving.address(), "GET", "/socket.io/socket.io.js.map");
    assert!(head.contains("content-type: application/json"), "{head}");
    for path in ["/socket.io/secret.txt", "/socket.io/../socket.io.js", "/socket.io/%2e%2e/x.js"] {
        let (head, _) = ask(serving.address(), "GET", path);
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn flags_reach_the_door() {
    let serving = Serving::local(&[
        "--socketio-cookie",
        "madang-session",
        "--no-socketio-v2",
        "--socketio-ping-interval",
        "7",
        "--socketio-ping-timeout",
        "3",
        "--socketio-max-payload",
        "100KiB",
    ]);
    let (head, body) = ask(serving.address(), "GET", POLLING);
    let open = body.strip_prefix('0').and_then(|open| serde_json::from_str(open).ok());
    let open: serde_json::Value = open.unwrap_or_else(|| panic!("{body}"));
    assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&7000.into(), &3000.into()));
    assert_eq!(open["maxPayload"], 102_400);
    let cookie = format!("set-cookie: madang-session={}; ", open["sid"].as_str().unwrap());
    assert!(head.contains(&cookie.to_ascii_lowercase()), "{head}");
    let (head, body) = ask(serving.address(), "GET", "/socket.io/?EIO=3&transport=polling");
    assert!(head.starts_with("http/1.1 400") && body.contains("\"code\":5"), "{head}{body}");
}
