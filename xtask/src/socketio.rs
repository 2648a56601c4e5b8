//! The Socket.IO door: with the clients that people have, and with the shared judge.

use crate::foreign::npm_tests;
use crate::process::{Log, Server, command, free_port, run};
use crate::project::Project;
use crate::steps::Outcome;
use crate::tools::{need, npm_judge, npm_package, outcome, python_package};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(5);
/// What the judge asks of the wire; its other groups are about applications and extensions.
const GROUPS: &str = "eio,sio,v4,v3,robust,legacy";
/// Milliseconds in which a client has to answer a ping. The judge has its clients, 12 MB of messages
/// and the server on the same two cores; 200 ms, which is its default, a busy machine takes by itself.
const PING_TIMEOUT: &str = "600";
/// Milliseconds in which a client has to enter a namespace. Some of the judge's never do, and count
/// three pings, which takes 900.
const CONNECT_TIMEOUT: &str = "1500";

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
        let port = free_port()?;
        let program = project.release_binary("conformance");
        let number = port.to_string();
        let place = ["--port", &number, "--workers", "2"];
        let times = ["--ping-timeout", PING_TIMEOUT, "--connect-timeout", CONNECT_TIMEOUT];
        let args = [&place[..], &times].concat();
        let _server = Server::start(command(program, &args, &project.root), port, log)?;
        let url = format!("http://127.0.0.1:{port}");
        let urls = ["check.mjs", "--url", &url, "--legacy-url", &url];
        let rest = ["--groups", GROUPS, "--ping-timeout", PING_TIMEOUT];
        run(command("node", &[&urls[..], &rest].concat(), &dir), log, LIMIT)?;
        let text = log.text();
        let sums = text.lines().rev().find(|l| l.ends_with(" failed"));
        // The judge fails by its status; without its sums it has judged nothing.
        Ok(sums.ok_or("the judge said nothing of its sums".to_owned())?.trim().to_owned())
    })())
}
