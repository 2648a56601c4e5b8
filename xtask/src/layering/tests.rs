use super::*;

fn wrong(dir: &str, file: &str, text: &str) -> Vec<(usize, String)> {
    let rules = RULES.iter().find(|r| r.dir == dir).unwrap();
    let aliases =
        exports("mod hub; pub use server::{Server, acceptor::Acceptor as Door}; pub use hub::Hub;");
    rules.source(&module_path(Path::new(file)), text, &aliases)
}

fn lines(dir: &str, file: &str, text: &str) -> Vec<usize> {
    wrong(dir, file, text).into_iter().map(|(line, _)| line).collect()
}

#[test]
fn an_upward_import_is_found_with_its_line() {
    let found = wrong("crates/madang", "hub/topic.rs", "use std::fmt;\nuse crate::drive::Slot;\n");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, 2);
    assert!(found[0].1.contains("`hub` uses `drive`"), "{}", found[0].1);
}

#[test]
fn downward_imports_pass() {
    let text =
        "use crate::{app::App, hub::{Hub, topic::Topic}};\nuse crate::broker;\nuse super::ws;";
    assert!(lines("crates/madang", "drive/http.rs", text).is_empty());
}

#[test]
fn groups_paths_in_full_and_supers_are_read() {
    let text = "use crate::{\n  hub::Hub,\n  server::Server,\n};\nfn f() {\n  super::super::app::run();\n}\n";
    assert_eq!(lines("crates/madang", "hub/member.rs", text), [3, 6]);
}

#[test]
fn a_name_that_the_root_reexports_counts_as_its_module() {
    assert_eq!(lines("crates/madang", "hub/mod.rs", "use crate::Server;"), [1]);
    assert_eq!(lines("crates/madang", "broker/memory.rs", "use crate::{Door, Hub};"), [1, 1]);
    assert!(lines("crates/madang", "server/mod.rs", "use crate::Hub;").is_empty());
}

#[test]
fn modules_inside_a_file_are_one_super_further_down() {
    let text = "mod tests {\n  use super::super::drive::X;\n}\nuse super::drive::Y;";
    assert_eq!(lines("crates/madang", "hub.rs", text), [2, 4]);
    let text = "mod tests { use super::drive::X; }";
    assert!(lines("crates/madang", "hub.rs", text).is_empty());
}

#[test]
fn comments_and_strings_are_not_code() {
    let text = "// crate::server\n/* use crate::drive; /* */ */\nconst A: &str = \"crate::server\";\n\
                const B: &str = r#\"crate::app \"quoted\" \"#;\nfn f<'a>(x: &'a u8) -> char { '\"' }\n";
    assert!(lines("crates/madang", "broker/memory.rs", text).is_empty());
    let after = format!("{text}use crate::app::X;");
    assert_eq!(lines("crates/madang", "broker/memory.rs", &after), [6]);
}

#[test]
fn the_cores_know_no_runtime_and_not_each_other() {
    assert_eq!(lines("crates/ws", "conn.rs", "use std::io;\nuse tokio::net::TcpStream;"), [2]);
    assert_eq!(lines("crates/ws", "conn.rs", "fn f() { madang_proto::raw() }"), [1]);
    assert_eq!(lines("crates/proto", "raw/mod.rs", "use madang_ws::Message;"), [1]);
    assert!(
        lines("crates/madang", "drive/ws.rs", "use madang_ws::Message; use tokio::net;").is_empty()
    );
}

#[test]
fn protocols_do_not_know_each_other() {
    assert_eq!(lines("crates/proto", "stomp/mod.rs", "use crate::sockjs::Frame;"), [1]);
    assert!(lines("crates/proto", "socketio/mod.rs", "use crate::engineio::Packet;").is_empty());
    assert_eq!(lines("crates/proto", "engineio/mod.rs", "use crate::socketio::Packet;"), [1]);
    assert_eq!(lines("crates/proto", "session.rs", "use crate::raw::Raw;"), [1]);
    assert!(lines("crates/proto", "protocol.rs", "use crate::raw::PROTOCOL;").is_empty());
    assert!(lines("crates/proto", "lib.rs", "pub use crate::raw::Raw;").is_empty());
}

#[test]
fn manifests_are_read_but_for_tests() {
    let rules = &RULES[0];
    let text = "[dependencies]\nbytes = \"1\"\ntokio.workspace = true\n\n[dev-dependencies]\ntokio = \"1\"\n";
    let found: Vec<usize> = rules.manifest(text).into_iter().map(|(line, _)| line).collect();
    assert_eq!(found, [3]);
    let text = "[dependencies.hyper]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nmadang-proto = \"1\"\n\
                [dev-dependencies.tokio]\nversion = \"1\"\n";
    let found: Vec<usize> = rules.manifest(text).into_iter().map(|(line, _)| line).collect();
    assert_eq!(found, [1, 4]);
}
