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

fn checks(json: &Value) -> &Value {
    &json["server"]["checks"]
}

fn codes(json: &Value) -> Vec<&str> {
    checks(json).as_array().unwrap().iter().filter_map(|check| check["code"].as_str()).collect()
}

fn text(json: &Value) -> String {
    checks(json).to_string()
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
    assert_eq!((exit, &json["exit"], &json["healthy"]), (60, &60.into(), &false.into()), "{json}");
    for code in ["D03", "D10", "D56"] {
        assert!(codes(&json).contains(&code), "{code}: {json}");
    }
    // The server of this configuration, and no other, is to be started.
    for part in ["512 descriptors", "days ago, at 2021", "madang serve --config /"] {
        assert!(text(&json).contains(part), "{part}: {json}");
    }
    assert!(!text(&json).contains("-1 days"), "{json}");
}

#[test]
fn another_program_on_the_port_is_no_server() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!("[server]\nlisten = [\"{}\"]\n", taken.local_addr().unwrap());
    let (exit, json) = look(&config, false);
    assert_eq!(exit, 60, "{json}");
    let process = format!("({})", std::process::id());
    let told = text(&json);
    assert!(codes(&json).contains(&"M101") && !codes(&json).contains(&"D03"), "{json}");
    assert!(told.contains("taken by another program") && told.contains(&process), "{json}");
    // Somebody needs it.
    assert!(told.contains("needs another port") && !told.contains("kill"), "{json}");
}

#[test]
fn a_listener_by_name_is_looked_up_as_the_server_does() {
    let yard = Yard::start(&["--listen", "localhost:0"]);
    let config = format!("[server]\nlisten = [\"localhost:{}\"]\n", yard.address.port());
    let (_, json) = look(&config, false);
    assert!(!codes(&json).contains(&"D03") && text(&json).contains("madang ("), "{json}");
    let (exit, json) = look("[server]\nlisten = [\"no-such-host.invalid:80\"]\n", false);
    assert!(exit == 60 && codes(&json).contains(&"D01"), "{json}");
}

#[test]
fn a_loopback_listener_is_not_one_for_all_addresses() {
    let yard = Yard::start(&[]);
    let config = format!("[server]\nlisten = [\"0.0.0.0:{}\"]\n", yard.address.port());
    let (exit, json) = look(&config, false);
    assert!(exit == 60 && codes(&json).contains(&"D03"), "{json}");
    assert!(text(&json).contains(&format!("only {} listens", yard.address)), "{json}");
}

#[test]
fn the_program_is_known_under_another_name() {
    let program = env!("CARGO_BIN_EXE_madang");
    let other = format!("{program}-chatd-{}", std::process::id());
    std::fs::hard_link(program, &other).unwrap();
    let yard = Yard::of(&other, &[]);
    std::fs::remove_file(&other).unwrap();
    let (_, json) = look(&format!("[server]\nlisten = [\"{}\"]\n", yard.address), false);
    assert!(!codes(&json).contains(&"M101") && text(&json).contains("descriptors open"), "{json}");
}

/// The process behind a unix socket is not looked for; its answer tells.
#[test]
fn an_answer_tells_madang_from_others() {
    use std::io::{Read as _, Write as _};
    let path = |name: &str| {
        std::env::temp_dir().join(format!("madang-{name}-{}.sock", std::process::id()))
    };
    let (ours, others) = (path("ours"), path("others"));
    let _yard = Yard::start(&["--listen", &format!("unix:{}", ours.display())]);
    let listener = std::os::unix::net::UnixListener::bind(&others).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 512]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nServer: other\r\n\r\n").unwrap();
    });
    let listen = |path: &std::path::Path| {
        look(&format!("[server]\nlisten = [\"unix:{}\"]\n", path.display()), false)
    };
    let (_, json) = listen(&ours);
    assert!(text(&json).contains("Madang answers"), "{json}");
    let (exit, json) = listen(&others);
    assert!(exit == 60 && codes(&json).contains(&"M101"), "{json}");
    assert!(text(&json).contains("something that is not Madang"), "{json}");
    answering.join().unwrap();
    std::fs::remove_file(&others).unwrap();
}

/// What `madang serve` would not start with, neither `--server` nor `check-config` calls good.
#[test]
fn keys_and_folders_are_read_as_the_server_reads_them() {
    let (one, two) = (Authority::new(), Authority::new());
    let (one, two) = (
        one.wrong(&["localhost"], &Wrong::default()),
        two.wrong(&["localhost"], &Wrong::default()),
    );
    let certificate = File::new("one.pem", &one.pem);
    let right = File::new("one.key", &one.key_pem);
    let wrong = File::new("two.key", &two.key_pem);
    let empty = File::new("empty.pem", "");
    let tls = |certificate: &str, key: &str| {
        format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\n[tls]\ncert = \"{certificate}\"\nkey = \"{key}\"\n"
        )
    };
    for (config, code, why) in [
        (tls(certificate.path(), "/no/such.key"), "M102", "cannot read /no/such.key"),
        (tls("/no/such.pem", right.path()), "M102", "cannot read /no/such.pem"),
        (tls(certificate.path(), wrong.path()), "M102", "is not the one of the first certificate"),
        (tls(empty.path(), right.path()), "M102", "has no certificate"),
        ("[server]\nstatic = \"/no/such\"\n".into(), "M107", "/no/such: does not exist"),
    ] {
        let (exit, json) = look(&config, false);
        assert!(exit == 60 && codes(&json).contains(&code), "{json}");
        assert!(text(&json).contains(why) && text(&json).contains("madang check-config"), "{json}");
        let (exit, errors) = check_config(&config);
        assert!(exit == Some(2) && errors.contains(why), "{errors}");
    }
    let good = tls(certificate.path(), right.path());
    assert_eq!(check_config(&good), (Some(0), String::new()));
    let (_, json) = look(&good, false);
    assert!(!codes(&json).contains(&"M102") && text(&json).contains("days left"), "{json}");
}

fn check_config(config: &str) -> (Option<i32>, String) {
    let file = File::new("checked.toml", config);
    let output = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args(["check-config", file.path()])
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_cannot_be_wrong_is_not_called_so() {
    let config = "[server]\nlisten = [\"127.0.0.1:0\"]\n[tls]\ncert = \"/no/such.pem\"\nkey = \"/no/such.key\"\n";
    let (_, json) = look(config, false);
    assert!(text(&json).contains("a server takes a free port"), "{json}");
    // The file is missing; that says nothing of dates.
    assert!(text(&json).contains("/no/such.pem: No such file"), "{json}");
    assert!(codes(&json).contains(&"M102"), "{json}");
    assert!(!codes(&json).contains(&"D03") && !codes(&json).contains(&"D10"), "{json}");
    assert!(text(&json).contains("clock 20"), "{json}");
}

/// With and without a URL it is the same shape, and says what the process says.
#[test]
fn the_json_has_one_shape() {
    let server = super::wire::echo();
    let config = File::new("madang.toml", "[server]\nlisten = [\"127.0.0.1:9\"]\n");
    let arguments = ["--server", "--config", config.path()].map(str::to_owned);
    let alone = super::bed::examine(&arguments);
    let with = super::bed::examine(&[&[server.url("/ws")], &arguments[..]].concat());
    for told in [&alone, &with] {
        assert_eq!(told.exit, 60, "{}", told.json);
        assert_eq!(told.json["exit"], 60, "{}", told.json);
        assert_eq!(told.json["healthy"], false, "{}", told.json);
        for member in ["url", "findings", "steps", "evidence", "server"] {
            assert!(told.json.get(member).is_some(), "{member}: {}", told.json);
        }
    }
    assert!(with.json["steps"][0]["text"]["ko"].is_string(), "{}", with.json);
}

#[test]
fn with_a_url_it_is_still_one_piece_of_json() {
    let server = super::wire::echo();
    let told = super::bed::examine(&[server.url("/ws"), "--server".into()]);
    // This machine may be ill; then all is not healthy.
    assert_eq!(told.json["healthy"], told.exit == 0, "{}", told.json);
    assert!(told.json["server"]["checks"].is_array(), "{}", told.json);
}
