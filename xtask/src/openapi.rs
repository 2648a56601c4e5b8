//! The doors over HTTP against their own description: by schemathesis, and by reading their streams.

use crate::process::{Log, Server, command, free_port, run};
use crate::project::Project;
use crate::steps::Outcome;
use crate::tools::{Stop, outcome, python_package};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(4);
/// The same cases each time.
const SEED: &str = "4";

pub(crate) fn step(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge(project, log))
}

fn judge(project: &Project, log: &Log) -> Result<String, Stop> {
    let (dir, python) = python_package(project, "conformance/openapi", log)?;
    let port = free_port()?;
    let listen = format!("127.0.0.1:{port}");
    let args = ["serve", "--listen", &listen, "--workers", "2", "--log", "warn"];
    let program = project.release_binary("madang");
    let serve = Server::start(command(program, &args, &project.root), port, log)?;
    let base = format!("http://127.0.0.1:{}", serve.port);
    run(command(&python, &["streams.py", &base], &dir), log, LIMIT)?;
    schemathesis(&python, &dir, &base, &["--phases", "examples,coverage,fuzzing"], log)?;
    // For who asks for JSON, refusals are problems.
    let problems = [
        "--phases=coverage",
        "--mode=negative",
        "--exclude-operation-id=sse",
        "--exclude-operation-id=sseSeveral",
        "--header=Accept: application/json",
    ];
    schemathesis(&python, &dir, &base, &problems, log)?;
    Ok(sums(log))
}

fn schemathesis(
    python: &Path,
    dir: &Path,
    base: &str,
    more: &[&str],
    log: &Log,
) -> Result<(), String> {
    let description = format!("{base}/openapi.json");
    let args = [&["--no-color", "run", &description, "--seed", SEED], more].concat();
    run(command(python.with_file_name("schemathesis"), &args, dir), log, LIMIT)
}

/// What each run says of its cases, such as `1049 generated, 1049 passed`.
fn sums(log: &Log) -> String {
    let text = log.text();
    let lines = text.lines().map(str::trim).filter(|line| line.contains(" generated, "));
    lines.collect::<Vec<_>>().join("; ")
}
