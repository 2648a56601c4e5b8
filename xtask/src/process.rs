//! Programs that a task starts: each writes to a log, has a time limit and does not outlive it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Where the output of a step's programs goes.
pub(crate) struct Log {
    pub(crate) path: PathBuf,
}

impl Log {
    /// An empty log at `path`.
    pub(crate) fn create(path: PathBuf) -> Result<Self, String> {
        File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self { path })
    }

    /// Everything written so far.
    pub(crate) fn text(&self) -> String {
        fs::read(&self.path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    /// Adds a line.
    pub(crate) fn line(&self, text: &str) {
        if let Ok(mut file) = self.append() {
            // A log that cannot be written must not fail the step whose words it holds.
            let _ = writeln!(file, "{text}");
        }
    }

    fn append(&self) -> Result<File, String> {
        OpenOptions::new()
            .append(true)
            .open(&self.path)
            .map_err(|e| format!("{}: {e}", self.path.display()))
    }

    fn attach(&self, command: &mut Command) -> Result<(), String> {
        self.line(&format!("$ {}", spell(command)));
        let (out, err) = (self.append()?, self.append()?);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        Ok(())
    }
}

/// A command with its arguments, in `dir`.
pub(crate) fn command<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: &[S],
    dir: &Path,
) -> Command {
    let mut command = Command::new(program);
    // Ours alone: a server refuses variables of its own prefix that it does not know.
    command.args(args).current_dir(dir).env_remove("MADANG_SHARED");
    command
}

/// Runs a command to its end; not zero, or longer than `limit`, is an error.
pub(crate) fn run(mut command: Command, log: &Log, limit: Duration) -> Result<(), String> {
    log.attach(&mut command)?;
    let name = program(&command);
    let mut child = command.spawn().map_err(|e| format!("{name}: {e}"))?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{name}: {status}")),
            Ok(None) if Instant::now() >= deadline => {
                kill_tree(&mut child);
                return Err(format!("{name}: not done after {} s", limit.as_secs()));
            }
            Ok(None) => thread::sleep(POLL),
            Err(e) => return Err(format!("{name}: {e}")),
        }
    }
}

/// Runs a command and returns what it printed, or nothing where it failed.
pub(crate) fn output<S: AsRef<OsStr>>(program: &str, args: &[S], dir: &Path) -> Option<String> {
    let out = command(program, args, dir).stdin(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server that was told to listen on 127.0.0.1:`port`, and waits until it does.
    pub(crate) fn start(mut command: Command, port: u16, log: &Log) -> Result<Self, String> {
        log.attach(&mut command)?;
        let name = program(&command);
        let child = command.spawn().map_err(|e| format!("{name}: {e}"))?;
        let mut server = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("{name} ended before it listened: {status}"));
            }
            if Instant::now() >= deadline {
                return Err(format!("{name} does not listen on port {port}"));
            }
            thread::sleep(POLL);
        }
        Ok(server)
    }

    /// The process that was started; wrappers `exec`, so that it is the server's own.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        signal("TERM", &[self.child.id()]);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(POLL);
        }
        kill_tree(&mut self.child);
    }
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|l| l.local_addr())
        .map(|a| a.port())
        .map_err(|e| format!("no free port on 127.0.0.1: {e}"))
}

fn program(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned()
}

fn spell(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

/// Sends a signal to processes.
pub(crate) fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(ToString::to_string);
    // A process that is gone already is what was wanted.
    let _ = Command::new("kill").arg(format!("-{name}")).args(pids).stderr(Stdio::null()).status();
}

/// Ends a child with everything it started, so that no server keeps its port.
fn kill_tree(child: &mut Child) {
    let mut pids = vec![child.id()];
    let mut next = 0;
    while let Some(&pid) = pids.get(next) {
        pids.extend(children(pid));
        next += 1;
    }
    signal("KILL", &pids);
    let _ = child.wait();
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<_>>())
        .collect()
}
