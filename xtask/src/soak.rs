//! `cargo xtask soak`: what takes too long for each change.

use crate::process::{Log, Server, command, free_port, output, run as run_logged};
use crate::project::Project;
use crate::steps::{self, Outcome, Step};
use crate::tools::has;
use crate::{autobahn, checks, foreign};
use std::env;
use std::fs;
use std::time::Duration;

const STEPS: &[Step] = &[
    Step { name: "build", what: "release build for the steps below", run: checks::build },
    Step {
        name: "autobahn-server",
        what: "all of Autobahn against our server",
        run: autobahn::server_all,
    },
    Step {
        name: "autobahn-tls",
        what: "every case of Autobahn over wss://",
        run: autobahn::secure_server_all,
    },
    Step {
        name: "autobahn-http2",
        what: "every case of Autobahn through nghttpx, over HTTP/2",
        run: autobahn::http2_all,
    },
    Step {
        name: "autobahn-client",
        what: "all of Autobahn against our client",
        run: autobahn::client_all,
    },
    Step {
        name: "schedules",
        what: "a hundred times as many schedules of the hub",
        run: schedules,
    },
    Step {
        name: "churn",
        what: "clients come and go for CHURN_MINUTES (default 60): memory stays flat",
        run: churn,
    },
    Step {
        name: "loss",
        what: "clients of each door are cut for LOSS_MINUTES (default 10): nothing is lost",
        run: loss,
    },
    Step {
        name: "sessions",
        what: "200 sessions a second are left behind for SESSIONS_MINUTES (default 10): memory stays",
        run: sessions,
    },
    Step { name: "miri", what: "close frames and masks under Miri", run: miri },
    Step { name: "fuzz", what: "each fuzz target, FUZZ_MINUTES (default 5) each", run: fuzz },
    Step {
        name: "browser",
        what: "the chat page in Chromium, BROWSER_ROUNDS (default 10) times",
        run: browser,
    },
];

pub(crate) fn run(project: &Project, args: &[String]) -> Result<bool, String> {
    steps::run("soak", project, STEPS, args)
}

fn schedules(project: &Project, log: &Log) -> Result<Outcome, String> {
    checks::many_schedules(project, log, 100)
}

/// No byte that was never written leaves the core, and what is `unsafe` in it keeps its promises.
fn miri(project: &Project, log: &Log) -> Result<Outcome, String> {
    if output("cargo", &["+nightly", "miri", "--version"], &project.root).is_none() {
        return Ok(Outcome::Skipped(
            "needs `rustup component add miri rust-src --toolchain nightly`".into(),
        ));
    }
    // One test goes through so many cases that it would take Miri hours.
    let skip = ["--skip", "every_length_alignment"];
    let tests = ["--", "close::", "mask::", "close_payloads", "reason_of_a_failure"];
    let mut miri = command(
        "cargo",
        &[&["+nightly", "miri", "test", "-p", "madang-ws", "--lib"][..], &tests, &skip].concat(),
        &project.root,
    );
    miri.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "2");
    run_logged(miri, log, Duration::from_hours(1))?;
    Ok(Outcome::Passed("close frames, their reasons, masks".into()))
}

fn fuzz(project: &Project, log: &Log) -> Result<Outcome, String> {
    let nightly = output("cargo", &["+nightly", "--version"], &project.root);
    if !has("cargo-fuzz") || nightly.is_none() {
        return Ok(Outcome::Skipped(
            "needs `cargo install cargo-fuzz` and a nightly toolchain".into(),
        ));
    }
    let minutes = number("FUZZ_MINUTES", 5);
    let targets = fs::read_dir(project.root.join("fuzz/fuzz_targets"))
        .map_err(|e| format!("fuzz/fuzz_targets: {e}"))?;
    let mut fuzzed = 0;
    for target in targets.flatten() {
        let name = target.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let limit = format!("-max_total_time={}", minutes * 60);
        let args = ["+nightly", "fuzz", "run", &name, "--", &limit];
        run_logged(
            command("cargo", &args, &project.root),
            log,
            Duration::from_secs(minutes * 60 + 900),
        )?;
        fuzzed += 1;
    }
    Ok(Outcome::Passed(format!("{fuzzed} targets, {minutes} minutes each")))
}

/// A release build of the server with two workers, and the example `churn`. The step's log has a
/// line of figures for every ten seconds.
fn churn(project: &Project, log: &Log) -> Result<Outcome, String> {
    let build = ["build", "--release", "-p", "madang-cli", "-p", "churn"];
    run_logged(command("cargo", &build, &project.root), log, Duration::from_mins(25))?;
    let minutes = number("CHURN_MINUTES", 60);
    let port = free_port()?;
    let address = format!("127.0.0.1:{port}");
    let serve = ["serve", "--workers", "2", "--listen", &address];
    let program = project.release_binary("madang");
    let server = Server::start(command(program, &serve, &project.root), port, log)?;
    let (port, pid) = (port.to_string(), server.pid().to_string());
    let lasts = minutes.to_string();
    let args = ["--port", &port, "--pid", &pid, "--minutes", &lasts];
    let program = project.release_binary("churn");
    let limit = Duration::from_secs(minutes * 60 + 120);
    run_logged(command(program, &args, &project.root), log, limit)?;
    Ok(Outcome::Passed(format!("{minutes} minutes")))
}

/// The loss test of `cargo xtask test`, longer and optimised. The log has a line of figures for each
/// door.
fn loss(project: &Project, log: &Log) -> Result<Outcome, String> {
    let minutes = number("LOSS_MINUTES", 10);
    let test = ["test", "--release", "--package", "madang-cli", "--test", "loss"];
    let build = [&test[..], &["--no-run"]].concat();
    run_logged(command("cargo", &build, &project.root), log, Duration::from_mins(25))?;
    let args = [&test[..], &["--", "--nocapture", "--test-threads", "1"]].concat();
    let mut attack = command("cargo", &args, &project.root);
    attack.env("LOSS_MINUTES", minutes.to_string());
    // Four times as long on a machine that does not keep pace; the second test is a third as long.
    run_logged(attack, log, Duration::from_mins(6 * minutes + 10))?;
    let text = log.text();
    let figures: Vec<&str> = text.lines().filter(|l| l.contains(" clients, ")).collect();
    Ok(Outcome::Passed(format!("{minutes} minutes; {}", figures.join("; "))))
}

/// The test of `cargo xtask test`, longer and optimised.
fn sessions(project: &Project, log: &Log) -> Result<Outcome, String> {
    let minutes = number("SESSIONS_MINUTES", 10);
    let test = ["test", "--release", "--package", "madang-cli", "--test", "hostile"];
    let build = [&test[..], &["--no-run"]].concat();
    run_logged(command("cargo", &build, &project.root), log, Duration::from_mins(25))?;
    let name = "sessions::sessions_that_are_left_behind_leave_nothing_behind";
    let args = [&test[..], &["--", "--nocapture", "--exact", name]].concat();
    let mut attack = command("cargo", &args, &project.root);
    attack.env("ABANDON_SECONDS", (minutes * 60).to_string());
    run_logged(attack, log, Duration::from_mins(minutes + 5))?;
    let text = log.text();
    let figures = text.lines().find(|line| line.contains(" sessions left behind: "));
    Ok(Outcome::Passed(figures.unwrap_or_default().trim().to_owned()))
}

fn browser(project: &Project, log: &Log) -> Result<Outcome, String> {
    let rounds = number("BROWSER_ROUNDS", 10);
    for round in 1..=rounds {
        log.line(&format!("round {round} of {rounds}"));
        match foreign::browser(project, log)? {
            Outcome::Passed(_) => {}
            skipped @ Outcome::Skipped(_) => return Ok(skipped),
        }
    }
    Ok(Outcome::Passed(format!("{rounds} rounds")))
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}
