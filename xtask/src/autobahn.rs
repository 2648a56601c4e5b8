//! The Autobahn test suite against our server and our client.

use crate::process::{Log, Server, command, free_port, run};
use crate::project::Project;
use crate::steps::Outcome;
use crate::tools::{Stop, need, outcome};
use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Groups 12 and 13 (compression) repeat 216 times what these twelve show; `soak` runs them all.
const SAMPLE: &str = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*,\
    12.1.1,12.2.1,12.3.1,12.4.1,12.5.1,13.1.1,13.2.1,13.3.1,13.4.1,13.5.1,13.6.1,13.7.1";
const ALL: &str = "*";

pub(crate) fn server(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge_server(project, log, SAMPLE, false))
}

pub(crate) fn secure_server(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge_server(project, log, SAMPLE, true))
}

pub(crate) fn client(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge_client(project, log, SAMPLE))
}

pub(crate) fn server_all(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge_server(project, log, ALL, false))
}

pub(crate) fn secure_server_all(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge_server(project, log, ALL, true))
}

pub(crate) fn client_all(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge_client(project, log, ALL))
}

/// The suite speaks HTTP/1.1 to nghttpx, which speaks HTTP/2 to our server and makes each WebSocket
/// an extended CONNECT (RFC 8441).
pub(crate) fn http2(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge_http2(project, log, SAMPLE))
}

pub(crate) fn http2_all(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(judge_http2(project, log, ALL))
}

fn judge_http2(project: &Project, log: &Log, cases: &str) -> Result<String, Stop> {
    need("nghttpx", &["nghttp2-proxy"], log)?;
    let port = free_port()?;
    let program = project.release_binary("conformance");
    let conformance = command(program, &["--port".to_owned(), port.to_string()], &project.root);
    let server = Server::start(conformance, port, log)?;
    let front = free_port()?;
    let args = [
        "--conf=/dev/null".to_owned(),
        format!("--frontend=127.0.0.1,{front};no-tls"),
        format!("--backend=127.0.0.1,{};;proto=h2", server.port),
        "--workers=1".to_owned(),
        // One process, so that it ends with the step.
        "--single-process".to_owned(),
    ];
    let proxy = Server::start(command("nghttpx", &args, &project.root), front, log)?;
    let url = format!("ws://127.0.0.1:{}/", proxy.port);
    judge(project, log, cases, "madang-http2", &["--jobs", "2", &url])
}

fn judge_server(
    project: &Project,
    log: &Log,
    cases: &str,
    is_secure: bool,
) -> Result<String, Stop> {
    let port = free_port()?;
    let program = project.release_binary("conformance");
    let mut arguments = vec!["--port".to_owned(), port.to_string()];
    arguments.extend(is_secure.then(|| "--tls-self-signed".to_owned()));
    let server = Server::start(command(program, &arguments, &project.root), port, log)?;
    let (scheme, agent) =
        if is_secure { ("wss", "madang-server-tls") } else { ("ws", "madang-server") };
    let url = format!("{scheme}://127.0.0.1:{}/", server.port);
    judge(project, log, cases, agent, &["--jobs", "2", &url])
}

fn judge_client(project: &Project, log: &Log, cases: &str) -> Result<String, Stop> {
    let program = project.release_binary("conformance").to_string_lossy().into_owned();
    judge(project, log, cases, "madang-client", &["--client", "--", &program, "--client", "{}"])
}

fn judge(
    project: &Project,
    log: &Log,
    cases: &str,
    agent: &str,
    rest: &[&str],
) -> Result<String, Stop> {
    let judges = project.shared_copy("conformance", "judges").map_err(Stop::Missing)?;
    let out = project.scratch("autobahn-reports")?.join(agent).to_string_lossy().into_owned();
    let mut args = vec!["autobahn.sh", "--cases", cases, "--agent", agent, "--out", &out];
    args.extend(rest);
    let mut script = command("bash", &args, &judges);
    script.env("AUTOBAHN_CACHE", cache(project)?);
    let result = run(script, log, Duration::from_hours(1));
    let text = log.text();
    let sums =
        text.lines().find_map(|l| l.strip_prefix("autobahn: ").filter(|l| l.contains(" cases, ")));
    match (result, sums) {
        (Ok(()), Some(sums)) => Ok(sums.to_owned()),
        (Ok(()), None) => Err(Stop::Failed("autobahn.sh gave no sums".into())),
        (Err(_), Some(sums)) => Err(Stop::Failed(sums.to_owned())),
        (Err(why), None) => Err(Stop::Failed(why)),
    }
}

/// The suite itself: where it was put before, else below the target folder.
fn cache(project: &Project) -> Result<PathBuf, Stop> {
    if let Some(dir) = env::var_os("AUTOBAHN_CACHE") {
        return Ok(dir.into());
    }
    let usual = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/madang-autobahn"));
    match usual {
        Some(dir) if dir.join("ready").exists() => Ok(dir),
        _ => Ok(project.scratch("autobahn")?),
    }
}
