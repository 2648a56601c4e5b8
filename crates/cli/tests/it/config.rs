//! The configuration: file, environment, flags; and what a reload changes.

use std::{fs, io::Write as _, path::PathBuf, process::Output};

use rustix::process::Signal;

use super::{Serving, connect, madang, upgraded};

/// A file that is removed at the end.
pub(super) struct File(PathBuf);

impl File {
    pub(super) fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("madang-{name}-{}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn print_config(file: &File, variables: &[(&str, &str)], flags: &[&str]) -> Output {
    let mut command = madang(&["serve", "--print-config", "--config", file.path()]);
    command.args(flags).envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn a_flag_goes_before_a_variable_before_the_file_before_the_default() {
    let file = File::new(
        "order",
        "[websocket]\nmax_message = \"1KiB\"\nping_interval = 7\nping_timeout = 8\n",
    );
    let variables =
        [("MADANG_MAX_MESSAGE", "2KiB"), ("MADANG_PING_INTERVAL", "9"), ("MADANG_WORKERS", "")];
    let output = print_config(&file, &variables, &["--max-message", "3KiB"]);
    let shown = text(&output.stdout);
    let line = |line: &str| assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    line("max_message = 3072 # --max-message");
    line("ping_interval = 9 # MADANG_PING_INTERVAL");
    line(&format!("ping_timeout = 8 # {}:4", file.path()));
    line("max_control_rate = 100 # default");
    line("# workers is not set");
    // What is shown is a configuration, too.
    let again = File::new("again", &shown);
    let output = madang(&["check-config", again.path()]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let file = File::new("wrong", "[websocket]\nmax_mesage = 1\n[tls]\ncert = \"a.pem\"\n");
    let mut command = madang(&["check-config", file.path()]);
    let output =
        command.env("MADANG_WORKER", "3").env("MADANG_SERVICE_HOST", "x").output().unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    for part in ["do you mean `websocket.max_message`?", "tls.cert", "MADANG_WORKERS?"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    assert_eq!(errors.lines().count(), 3, "{errors}");
    let output = print_config(&file, &[], &[]);
    assert_eq!(output.status.code(), Some(2));
    let output = madang(&["check-config", "/no/such.toml"]).output().unwrap();
    assert!(text(&output.stderr).contains("/no/such.toml"));
}

/// The status of a handshake from a page of another origin.
fn foreign(serving: &Serving) -> String {
    use std::io::Read as _;
    let mut stream = connect(serving.address());
    let head = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Origin: https://app.example\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: bWFkYW5nIGlzIGEgeWFyZA==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    text(&status)
}

#[test]
fn a_reload_changes_what_can_change_and_cuts_nobody() {
    let file = File::new("reload", "");
    let serving = Serving::local(&["--config", file.path()]);
    let mut client = upgraded(serving.address(), "/ws/room");
    assert_eq!(foreign(&serving), "HTTP/1.1 403");
    fs::write(&file.0, "[server]\nallowed_origins = [\"https://app.example\"]\n").unwrap();
    serving.signal(Signal::HUP);
    while foreign(&serving) != "HTTP/1.1 101" {
        std::thread::yield_now();
    }
    // A wrong one changes nothing.
    fs::write(&file.0, "[server]\nworkers = 0\n").unwrap();
    serving.signal(Signal::HUP);
    // An empty ping of the client is still answered.
    client.get_mut().write_all(b"\x89\x80\0\0\0\0").unwrap();
    let mut pong = [0; 2];
    std::io::Read::read_exact(&mut client, &mut pong).unwrap();
    assert_eq!(pong, [0x8a, 0]);
    assert_eq!(foreign(&serving), "HTTP/1.1 101");
    serving.signal(Signal::TERM);
    let (code, errors) = serving.end();
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("was read again"), "{errors}");
}
