//! `madang doctor --server`.

use std::process::Command;

use serde_json::Value;

use super::{
    certificates::{Authority, File, Wrong},
    yard::Yard,
};

fn look(config: &str, few: bool) -> (i32, Value) {
    let config = File::new("madang.toml", config);
    let program = env!("CARGO_BIN_EXE_madang");
    let line = format!(
        "{}exec {program} doctor --server --json --config {}",
        if few { "ulimit -n 512; " } else { "" },
        config.path()
    );
    let output =
        Command::new("sh").args(["-c", &line]).env_remove("MADANG_CONFIG").output().unwrap();
    let json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), json)
}

fn codes(json: &Value) -> Vec<&str> {
    json["checks"].as_array().unwrap().iter().filter_map(|check| check["code"].as_str()).collect()
}

fn text(json: &Value) -> String {
    serde_json::to_string(&json["checks"]).unwrap()
}

#[test]
fn the_listener_and_its_limits_are_found() {
    let yard = Yard::start(&[]);
    let config = format!("[server]\nlisten = [\"{}\"]\n", yard.address);
    let (_, json) = look(&config, false);
    assert!(!codes(&json).contains(&"D03"), "{json}");
    // The process that listens was found by its socket.
    assert!(text(&json).contains("madang (") && text(&json).contains("descriptors open"), "{json}");
}

#[test]
fn what_is_wrong_with_the_node_is_found() {
    let expired = Authority::new()
        .wrong(&["localhost"], &Wrong { years: Some((2020, 2021)), ..Wrong::default() });
    let certificate = File::new("c.pem", &expired.pem);
    let key = File::new("k.pem", &expired.key_pem);
    // Port 9 is nobody's here.
    let config = format!(
        "[server]\nlisten = [\"127.0.0.1:9\"]\n[tls]\ncert = \"{}\"\nkey = \"{}\"\n",
        certificate.path(),
        key.path()
    );
    let (exit, json) = look(&config, true);
    assert_eq!(exit, 60, "{json}");
    for code in ["D03", "D10", "D56"] {
        assert!(codes(&json).contains(&code), "{code}: {json}");
    }
    assert!(text(&json).contains("512 descriptors"), "{json}");
}

#[test]
fn with_a_url_it_is_still_one_piece_of_json() {
    let server = super::wire::echo();
    let told = super::bed::examine(&[server.url("/ws"), "--server".into()]);
    assert_eq!(told.json["healthy"], true);
    assert!(told.json["server"]["checks"].is_array(), "{}", told.json);
}
