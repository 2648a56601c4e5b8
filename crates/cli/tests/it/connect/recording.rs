//! The recording in `docs/connect.md`: what the screen shows of a session, played again here.

use std::io::Write as _;

use super::screen::Screen;
use crate::{Serving, peer::Program};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connect.md");
const START: &str = "<!-- recording -->\n";
const END: &str = "<!-- end of the recording -->\n";

/// What is different each time: the port, and how long a pong takes.
fn masked(rows: &[String], port: &str) -> String {
    let mask = |row: &String| {
        let row = row.replace(port, "8000");
        match row.split_once(" after ") {
            Some((before, time)) if time.ends_with(" ms") => format!("{before} after 0.3 ms"),
            _ => row,
        }
    };
    rows.iter().map(mask).collect::<Vec<_>>().join("\n")
}

fn scene(about: &str, screen: &str) -> String {
    format!("{about}\n\n```text\n{screen}\n```\n\n")
}

fn played() -> String {
    let serving = Serving::local(&["--no-deflate"]);
    let url = format!("ws://{}/ws/kitchen", serving.address());
    let port = serving.address().port().to_string();
    let mut screen = Screen::start(&[&format!("{url}?name=Ana"), "--pretty"], (24, 100));
    screen.until_prompt("> ", 2);
    screen.keys("The soup is ready\r");
    screen.until_text("< The soup is ready");
    screen.keys("/ping\r");
    screen.until_text("* pong after");
    screen.keys("Who brings the bre");
    screen.until_prompt("> Who brings the bre", 20);
    let mut ben = Program::start(&["connect", &format!("{url}?name=Ben")]);
    let mut lines = ben.stdin();
    lines
        .write_all(
            "마당에 가는 중 (on my way)\n{\"bowls\":3,\"spoons\":[\"wood\",\"steel\"]}\n"
                .as_bytes(),
        )
        .unwrap();
    screen.until_text("steel");
    let torn = masked(&screen.until_prompt("> Who brings the bre", 20), &port);
    let mut text = scene(
        "Ana is in the middle of a line when two messages come. They are printed above it; the line \
         and the cursor stay where they were, behind `bre`:",
        &torn,
    );
    screen.keys("ad?\r");
    screen.until_text("< Who brings the bread?");
    screen.keys("/binary 4d 61 64 61 6e 67 00 ff\r");
    screen.until_text("|Madang..|");
    screen.keys("/help\r");
    screen.until_text("list the commands\n");
    serving.signal(rustix::process::Signal::TERM);
    let (code, _) = screen.end_of(|screen| {
        text.push_str(&scene(
            "She finishes it, sends bytes, asks for the commands, and then the server is stopped:",
            &masked(&screen.history(), &port),
        ));
    });
    assert_eq!(code, Some(0));
    text
}

#[test]
fn the_recording_in_the_docs_is_what_the_screen_shows() {
    let played = played();
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(START).unwrap();
    let (recorded, after) = rest.split_once(END).unwrap();
    if recorded.trim() == played.trim() {
        return;
    }
    if std::env::var_os("MADANG_RECORD").is_some() {
        std::fs::write(PAGE, format!("{before}{START}\n{played}{END}{after}")).unwrap();
        return;
    }
    panic!("MADANG_RECORD=1 writes it anew; the screen shows now:\n{played}");
}
