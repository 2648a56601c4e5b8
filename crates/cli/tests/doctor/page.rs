//! `docs/doctor.md`: what the doctor, wscat and websocat print for the bed.
//!
//! It is made by `MADANG_DOCTOR_PAGE=docs/doctor.md cargo test -p madang-cli --test doctor page`, with
//! `MADANG_BED=all`, `MADANG_BED_NODE` (conformance/doctor with its packages) and `MADANG_WEBSOCAT` (the program) for the others.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    answers, apache,
    bed::{Bed, Case, doctor},
    doors, handshake, haproxy, network, nginx, sockets, statuses, streams, tls, tokens,
};

const GROUPS: &[(&str, &[Case])] = &[
    ("Before HTTP", network::CASES),
    ("TLS", tls::CASES),
    ("The answer to the upgrade", handshake::CASES),
    ("Answers that look like others", answers::CASES),
    ("Walls, and other statuses", statuses::CASES),
    ("Tokens", tokens::CASES),
    ("After the upgrade", sockets::CASES),
    ("Polling, streams, protocols", doors::CASES),
    ("Streams of events", streams::CASES),
    ("nginx", nginx::CASES),
    ("HAProxy", haproxy::CASES),
    ("Apache", apache::CASES),
];

/// Others are cut after so long.
const PATIENCE: Duration = Duration::from_secs(6);
/// Lines of the doctor's that are kept; the rest are those for proxies.
const LINES: usize = 26;

fn page_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor.md"))
}

fn heading(case: &Case) -> String {
    format!("### {}: {}", case.codes.join(", "), case.name)
}

#[test]
fn page() {
    if std::env::var_os("MADANG_DOCTOR_PAGE").is_some() {
        std::fs::write(page_path(), made()).unwrap();
    }
    let page = std::fs::read_to_string(page_path()).unwrap();
    let cases: Vec<_> = GROUPS.iter().flat_map(|(_, cases)| cases.iter()).collect();
    assert!(cases.len() >= 45);
    for case in &cases {
        assert!(
            page.contains(&heading(case)),
            "docs/doctor.md lacks “{}”; see page.rs",
            heading(case)
        );
    }
    let told = page.lines().filter(|line| line.starts_with("### D")).count();
    assert_eq!(told, cases.len(), "docs/doctor.md has cases that are gone; see page.rs");
}

fn made() -> String {
    let count: usize = GROUPS.iter().map(|(_, cases)| cases.len()).sum();
    let mut page = format!(
        "# What is wrong, and who says so\n\n\
         {count} broken servers and proxies, each with its real behaviour on the wire: hand-made sockets, certificates made for \
         the purpose, and nginx, HAProxy and Apache of Debian with the mistakes that people make. For each of them what \
         `madang doctor` prints, and what wscat {WSCAT} and websocat {WEBSOCAT} print (default verbosity, wscat on a terminal, cut after 6 s). The tests (`crates/cli/tests/doctor`) run the same bed and want the same codes; this page is \
         made by them. Ports are written as 8000; of long answers the end is left out (`…`).\n\n\
         `madang explain CODE` says what a diagnosis means in general, also in Korean (`--lang ko`).\n"
    );
    let all: Vec<&Case> = GROUPS.iter().flat_map(|(_, cases)| cases.iter()).collect();
    let (next, sections) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(case) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let section = section(case);
                    sections.lock().unwrap().insert(case.name, section);
                }
            });
        }
    });
    let sections = sections.into_inner().unwrap();
    for (name, cases) in GROUPS {
        let _ = write!(page, "\n## {name}\n");
        for case in *cases {
            page.push_str(&sections[case.name]);
        }
    }
    page
}

fn section(case: &Case) -> String {
    let Some(bed) = (case.make)() else { panic!("not here: {}", case.name) };
    let mut section = format!("\n{}\n\n```console\n{}\n```\n", heading(case), said(&bed));
    // A server that counts has to be a new one for each.
    for (tool, run) in [("wscat", wscat as fn(&Bed) -> Option<String>), ("websocat", websocat)] {
        let bed = (case.make)().unwrap();
        if let Some(told) = run(&bed) {
            let _ = writeln!(section, "\n{tool}: {told}");
        }
    }
    section
}

const WSCAT: &str = "6.1.0";
const WEBSOCAT: &str = "1.14.1";

/// What the doctor prints, without what differs from machine to machine.
fn said(bed: &Bed) -> String {
    let output = doctor(&bed.arguments).output().unwrap();
    let text = stable(&String::from_utf8(output.stdout).unwrap(), bed);
    let mut lines: Vec<_> = text.lines().map(str::trim_end).skip(2).collect();
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines.push("              …");
    }
    let shown: Vec<_> =
        bed.arguments.iter().map(|argument| quoted(&stable(argument, bed))).collect();
    format!("$ madang doctor {}\n{}", shown.join(" "), lines.join("\n").trim_end())
}

fn quoted(argument: &str) -> String {
    if argument.len() > 200 {
        return format!("'{}…'", &argument[..40]);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:.-_=[]".contains(c);
    if argument.chars().all(plain) { argument.to_owned() } else { format!("'{argument}'") }
}

/// Without what differs from run to run and from machine to machine.
fn stable(text: &str, bed: &Bed) -> String {
    let mut text = text.to_owned();
    for (at, argument) in bed.arguments.iter().enumerate() {
        if let Some((_, rest)) = argument.split_once("://")
            && let Some((_, port)) = rest.split('/').next().unwrap().rsplit_once(':')
        {
            text = text.replace(port, if at == 0 { "8000" } else { "9000" });
        }
        if argument.contains("madang-bed-") {
            text = text.replace(argument.as_str(), "root.pem");
        }
    }
    if let Some(own) = network::own_address() {
        text = text.replace(&own.to_string(), "192.0.2.10");
    }
    text.lines().map(stable_line).collect::<Vec<_>>().join("\n")
}

fn stable_line(line: &str) -> String {
    if let Some((before, _)) = line.split_once("resolvers of this machine: ") {
        return format!("{before}resolvers of this machine: nameserver 192.0.2.53");
    }
    // Another server's port.
    match line.split_once("http://127.0.0.1:") {
        Some((before, rest)) if rest.contains("/issuer.crt") => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}http://127.0.0.1:7000{rest}")
        }
        _ => line.to_owned(),
    }
}

/// The value behind a flag.
fn value<'a>(bed: &'a Bed, flag: &str) -> Option<&'a str> {
    let at = bed.arguments.iter().position(|argument| argument == flag)?;
    bed.arguments.get(at + 1).map(String::as_str)
}

/// A URL that another tool can be given: no other protocol, no address of its own.
fn plain_url(bed: &Bed) -> Option<String> {
    let url = &bed.arguments[0];
    let is_own = value(bed, "--resolve").is_some() && !url.contains("localhost");
    let other = value(bed, "--as").is_some_and(|door| !matches!(door, "stomp" | "wamp"));
    (!is_own && !other && url.starts_with("ws")).then(|| url.clone())
}

/// On a terminal, as people use it: only there does it tell how a connection ended.
fn wscat(bed: &Bed) -> Option<String> {
    let program =
        PathBuf::from(std::env::var_os("MADANG_BED_NODE")?).join("node_modules/.bin/wscat");
    let mut line = format!("exec {} --no-color -c '{}'", program.display(), plain_url(bed)?);
    for (flag, theirs) in
        [("--ca", "--ca"), ("--origin", "-o"), ("--header", "-H"), ("--subprotocol", "-s")]
    {
        if let Some(value) = value(bed, flag) {
            line.push_str(&format!(" {theirs} '{value}'"));
        }
    }
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    Some(told(command, bed))
}

fn websocat(bed: &Bed) -> Option<String> {
    let mut command = Command::new(std::env::var_os("MADANG_WEBSOCAT")?);
    for (flag, theirs) in
        [("--origin", "--origin"), ("--header", "-H"), ("--subprotocol", "--protocol")]
    {
        if let Some(value) = value(bed, flag) {
            command.arg(format!("{theirs}={value}"));
        }
    }
    if let Some(ca) = value(bed, "--ca") {
        command.env("SSL_CERT_FILE", ca);
    }
    command.arg(plain_url(bed)?);
    Some(told(command, bed))
}

/// Everything that a program prints until it ends, or until it is ended.
fn told(mut command: Command, bed: &Bed) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = std::thread::spawn(move || {
        let mut text = Vec::new();
        drop(out.read_to_end(&mut text));
        drop(errors.read_to_end(&mut text));
        text
    });
    let until = Instant::now() + PATIENCE;
    let mut code = None;
    while code.is_none() && Instant::now() < until {
        code = child.try_wait().unwrap();
        std::thread::park_timeout(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
    let text = String::from_utf8_lossy(&read.join().unwrap()).into_owned();
    let words = stable(&without_sequences(&text), bed);
    let is_told =
        |line: &&str| !line.is_empty() && *line != ">" && !line.starts_with("Connected (press");
    let lines: Vec<_> =
        words.lines().map(|line| line.trim().trim_start_matches("> ")).filter(is_told).collect();
    let end = match code {
        None => "runs until it is ended".to_owned(),
        Some(status) => format!("exit {}", status.code().unwrap_or(-1)),
    };
    if lines.is_empty() {
        return format!("*prints nothing* ({end})");
    }
    let shown: String = lines.join(" / ").replace('`', "'").chars().take(300).collect();
    format!("`{shown}` ({end})")
}

/// A terminal's control sequences (ECMA-48 §5.4), taken out.
fn without_sequences(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            // To the final byte.
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else if letter != '\r' && letter != '\u{7}' {
            plain.push(letter);
        }
    }
    plain
}
