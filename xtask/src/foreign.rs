//! Other people's clients against our servers, their servers against our client, and a browser.

use crate::checks::node_sums;
use crate::process::{Log, Server, command, free_port, run};
use crate::project::Project;
use crate::steps::Outcome;
use crate::tools::{self, files_ending, npm_judge, npm_package, outcome, python_package};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(5);

/// The servers that foreign clients talk to, and the addresses they are told.
struct Ours {
    echo: Server,
    serve: Server,
}

impl Ours {
    fn start(project: &Project, log: &Log) -> Result<Self, String> {
        let port = free_port()?;
        let program = project.release_binary("conformance");
        let args = ["--port".to_owned(), port.to_string()];
        let echo = Server::start(command(program, &args, &project.root), port, log)?;
        let port = free_port()?;
        let program = project.release_binary("madang");
        let listen = format!("127.0.0.1:{port}");
        // Two workers, so that members of one topic sit on different threads.
        let args = [
            "serve",
            "--listen",
            &listen,
            "--workers",
            "2",
            "--subprotocol",
            "yard.v2",
            "--subprotocol",
            "yard.v1",
            "--allowed-origin",
            "https://friend.example",
        ];
        let serve = Server::start(command(program, &args, &project.root), port, log)?;
        Ok(Self { echo, serve })
    }

    fn tell(&self, client: &mut Command) {
        client.env("ECHO_URL", format!("ws://127.0.0.1:{}/", self.echo.port));
        client.env("SERVE_URL", format!("ws://127.0.0.1:{}", self.serve.port));
    }
}

pub(crate) fn ws_npm(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        let dir = npm_package(project, "conformance/ws-npm", log)?;
        let ours = Ours::start(project, log)?;
        let mut client = command("node", &["--test", "client.test.mjs"], &dir);
        ours.tell(&mut client);
        run(client, log, LIMIT)?;
        let mut server = command("node", &["server.mjs"], &dir);
        our_client(project, &mut server);
        run(server, log, LIMIT)?;
        Ok(format!("{}{}", node_sums(log), scenarios(log)))
    })())
}

pub(crate) fn websockets_py(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        let (dir, python) = python_package(project, "conformance/websockets-py", log)?;
        let ours = Ours::start(project, log)?;
        let mut client = command(&python, &["-m", "unittest", "-v", "test_client"], &dir);
        ours.tell(&mut client);
        run(client, log, LIMIT)?;
        let mut server = command(&python, &["server.py"], &dir);
        our_client(project, &mut server);
        run(server, log, LIMIT)?;
        let text = log.text();
        let ran = text.lines().find_map(|l| l.strip_prefix("Ran ")?.split(" in ").next());
        Ok(format!("{}{}", ran.unwrap_or_default(), scenarios(log)))
    })())
}

/// The scripts start our client themselves, with their address as its last argument.
fn our_client(project: &Project, server: &mut Command) {
    server.arg(project.release_binary("conformance")).arg("--client");
}

/// The sums of a server script, which speaks of scenarios.
fn scenarios(log: &Log) -> String {
    let text = log.text();
    let line = text.lines().rev().find(|l| l.ends_with(" scenarios passed"));
    line.map(|l| format!(", {l}")).unwrap_or_default()
}

/// What goes in by one door and comes out at another.
pub(crate) fn doors(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        tools::need("curl", &["curl"], log)?;
        npm_tests(project, "conformance/doors", log)
    })())
}

/// The tests of an npm package against the release build; how many there were.
pub(crate) fn npm_tests(
    project: &Project,
    package: &str,
    log: &Log,
) -> Result<String, tools::Stop> {
    let dir = npm_package(project, package, log)?;
    let mut args = vec!["--test".to_owned()];
    args.extend(files_ending(&dir, &[".test.mjs"]));
    let mut node = command("node", &args, &dir);
    node.env("MADANG_BIN", project.release_binary("madang"));
    run(node, log, LIMIT)?;
    Ok(node_sums(log))
}

/// The shared judge of publishing by POST and reading by Server-Sent Events.
pub(crate) fn sse_judge(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        let dir = npm_judge(project, "wamp-sse", log)?;
        let port = free_port()?;
        let listen = format!("127.0.0.1:{port}");
        let args = ["serve", "--listen", &listen, "--workers", "2", "--allowed-origin", "*"];
        let program = project.release_binary("madang");
        let _server = Server::start(command(program, &args, &project.root), port, log)?;
        let base = format!("http://{listen}");
        let mut args = vec!["sse.mjs", "--base", &base, "--subscribe", "/topics/{topic}/sse"];
        args.extend(["--publish", "POST /topics/{topic}?event={event}"]);
        args.extend(["--keepalive-ms", "20000", "--expect-retry"]);
        run(command("node", &args, &dir), log, LIMIT)?;
        let text = log.text();
        let sums = text.lines().rev().find(|l| l.ends_with(" failed")).unwrap_or_default();
        let skipped = text.lines().rev().find(|l| l.contains(" skipped, "));
        let skipped = skipped.map(|l| format!(", {l}")).unwrap_or_default();
        Ok(format!("{sums}{skipped}"))
    })())
}

pub(crate) fn browser(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        tools::need("chromium", &["chromium"], log)?;
        tools::need_korean_font(log)?;
        let dir = npm_package(project, "conformance/browser", log)?;
        let screenshots = project.scratch("screenshots")?;
        run(browser_tests(project, &dir, &screenshots), log, LIMIT)?;
        Ok(format!("{}, screenshots in {}", node_sums(log), screenshots.display()))
    })())
}

fn browser_tests(project: &Project, dir: &Path, screenshots: &Path) -> Command {
    let mut args = vec!["--test".to_owned(), "--test-concurrency=1".to_owned()];
    args.extend(files_ending(dir, &[".test.mjs", ".test.js"]));
    let mut node = command("node", &args, dir);
    node.env("MADANG_BIN", project.release_binary("madang")).env("SCREENSHOT_DIR", screenshots);
    node
}
