//! The Socket.IO door: with the clients that people have, and with the shared judge.

use crate::foreign::npm_tests;
use crate::process::{Log, Server, command, free_port, run};
use crate::project::Project;
use crate::steps::Outcome;
use crate::tools::{Stop, need, npm_judge, npm_package, outcome, python_package};
use std::{path::Path, time::Duration};

const LIMIT: Duration = Duration::from_mins(5);
/// What the judge asks of the wire; its other groups are about applications and extensions.
const GROUPS: &str = "eio,sio,v4,v3,legacy";
/// Milliseconds in which a client has to answer a ping, as the judge wants it.
const PING_TIMEOUT: &str = "200";
/// The same where 12 MB stand before that answer, or before the ping: at 200 ms clients are given up,
/// or give up, for that alone where both cores are busy.
const FLOOD_PING_TIMEOUT: &str = "600";

/// Each version of `socket.io-client` by each carrier, and the mixed room.
pub(crate) fn npm(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        need("curl", &["curl"], log)?;
        // The other clients of the mixed room.
        npm_package(project, "conformance/doors", log)?;
        npm_tests(project, "conformance/socketio", log)
    })())
}

/// `python-socketio` by each carrier.
pub(crate) fn python(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        let (dir, python) = python_package(project, "conformance/socketio-py", log)?;
        let mut client = command(&python, &["-m", "unittest", "-v", "test_client"], &dir);
        client.env("MADANG_BIN", project.release_binary("madang"));
        run(client, log, LIMIT)?;
        let text = log.text();
        let ran = text.lines().find_map(|l| l.strip_prefix("Ran ")?.split(" in ").next());
        Ok(ran.unwrap_or_default().to_owned())
    })())
}

/// The shared judge against the application that it describes.
pub(crate) fn judge(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        let dir = npm_judge(project, "socketio", log)?;
        let strict = judged(project, &dir, log, GROUPS, PING_TIMEOUT)?;
        let robust = judged(project, &dir, log, "robust", FLOOD_PING_TIMEOUT)?;
        Ok(format!("{strict}; under load {robust}"))
    })())
}

/// Some groups, with the time that a client has for his pong; the judge's sums.
fn judged(
    project: &Project,
    dir: &Path,
    log: &Log,
    groups: &str,
    ping_timeout: &str,
) -> Result<String, Stop> {
    let port = free_port()?;
    let program = project.release_binary("conformance");
    let number = port.to_string();
    let args = ["--port", &number, "--workers", "2", "--ping-timeout", ping_timeout];
    let _server = Server::start(command(program, &args, &project.root), port, log)?;
    let url = format!("http://127.0.0.1:{port}");
    let urls = ["check.mjs", "--url", &url, "--legacy-url", &url];
    let rest = ["--groups", groups, "--ping-timeout", ping_timeout];
    run(command("node", &[&urls[..], &rest].concat(), dir), log, LIMIT)?;
    let text = log.text();
    let sums = text.lines().rev().find(|l| l.ends_with(" failed"));
    // The judge fails by its status; without its sums it has judged nothing.
    Ok(sums.ok_or_else(|| "the judge said nothing of its sums".to_owned())?.trim().to_owned())
}
