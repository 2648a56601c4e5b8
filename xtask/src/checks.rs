//! Steps that need no more than a Rust toolchain (and Node for the page's own tests).

use crate::process::{Log, command, run};
use crate::project::Project;
use crate::steps::Outcome;
use crate::tools::{self, Stop, files_ending, has, outcome};
use std::fs;
use std::time::Duration;

/// A cold build of everything on two slow cores fits.
const BUILD: Duration = Duration::from_mins(25);

fn cargo(project: &Project, log: &Log, args: &[&str]) -> Result<(), String> {
    run(command("cargo", args, &project.root), log, BUILD)
}

pub(crate) fn fmt(project: &Project, log: &Log) -> Result<Outcome, String> {
    cargo(project, log, &["fmt", "--all", "--check"])?;
    Ok(Outcome::passed())
}

pub(crate) fn clippy(project: &Project, log: &Log) -> Result<Outcome, String> {
    let deny = ["--", "-D", "warnings"];
    cargo(project, log, &[&["clippy", "--workspace", "--all-targets"][..], &deny].concat())?;
    if has_feature(project, "crates/madang", "shuttle") {
        let hub = ["clippy", "--package", "madang", "--features", "shuttle", "--all-targets"];
        cargo(project, log, &[&hub[..], &deny].concat())?;
    }
    Ok(Outcome::passed())
}

pub(crate) fn docs(project: &Project, log: &Log) -> Result<Outcome, String> {
    // Libraries only: the program and the library are both called `madang`, and would overwrite
    // each other's pages.
    let mut doc = command("cargo", &["doc", "--no-deps", "--workspace", "--lib"], &project.root);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run(doc, log, BUILD)?;
    if log.text().contains("\nwarning") {
        return Err("cargo doc warns".into());
    }
    Ok(Outcome::passed())
}

pub(crate) fn tests(project: &Project, log: &Log) -> Result<Outcome, String> {
    let targets = ["--workspace", "--lib", "--bins", "--tests"];
    if has("cargo-nextest") {
        let nextest = [
            "nextest",
            "run",
            "--no-fail-fast",
            "--status-level",
            "slow",
            "--final-status-level",
            "fail",
            // All of it runs in its own step, with the proxies.
            "-E",
            "not (package(madang-cli) and binary(doctor))",
        ];
        cargo(project, log, &[&nextest[..], &targets].concat())?;
        let sums = log
            .text()
            .lines()
            .rev()
            .find(|l| l.contains(" tests run"))
            .map(str::trim)
            .unwrap_or_default()
            .to_owned();
        return Ok(Outcome::Passed(sums));
    }
    cargo(project, log, &[&["test", "--no-fail-fast"][..], &targets].concat())?;
    Ok(Outcome::Passed(format!("{} tests", ran(log)?)))
}

pub(crate) fn doctests(project: &Project, log: &Log) -> Result<Outcome, String> {
    cargo(project, log, &["test", "--workspace", "--doc", "--no-fail-fast"])?;
    Ok(Outcome::Passed(format!("{} examples", ran(log)?)))
}

/// The hub under random schedules of its threads.
pub(crate) fn schedules(project: &Project, log: &Log) -> Result<Outcome, String> {
    many_schedules(project, log, 1)
}

/// The same `times` over; each run draws other schedules.
pub(crate) fn many_schedules(project: &Project, log: &Log, times: u32) -> Result<Outcome, String> {
    let args = ["test", "--package", "madang", "--lib", "--features", "shuttle", "shuttle_"];
    for _ in 0..times {
        cargo(project, log, &args)?;
    }
    Ok(Outcome::Passed(format!("{} tests", ran(log)?)))
}

/// Every recorded input of the fuzz targets, through the same functions that the fuzzer calls.
pub(crate) fn corpus(project: &Project, log: &Log) -> Result<Outcome, String> {
    cargo(project, log, &["test", "--workspace", "--lib", "--tests", "corpus"])?;
    Ok(Outcome::Passed(format!("{} tests", ran(log)?)))
}

/// Tests that a filter or a doc run came to. None at all means that the filter is wrong.
fn ran(log: &Log) -> Result<u32, String> {
    let text = log.text();
    let results = text.lines().filter_map(|l| l.strip_prefix("test result: ok. "));
    let sum = results.filter_map(|l| l.split(' ').next()?.parse::<u32>().ok()).sum();
    if sum == 0 { Err("no test ran".into()) } else { Ok(sum) }
}

pub(crate) fn web(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome(web_tests(project, log))
}

fn web_tests(project: &Project, log: &Log) -> Result<String, Stop> {
    let files = files_ending(&project.root.join("web/tests"), &[".test.js", ".test.mjs"]);
    if files.is_empty() {
        return Err(Stop::Failed("web/tests has no tests".into()));
    }
    tools::need("node", &["nodejs"], log)?;
    let mut args = vec!["--test".to_owned()];
    args.extend(files);
    run(command("node", &args, &project.root), log, Duration::from_mins(2))?;
    Ok(node_sums(log))
}

/// The sums that Node's test runner prints, as `12 tests`.
pub(crate) fn node_sums(log: &Log) -> String {
    let text = log.text();
    let count =
        text.lines().rev().find_map(|l| l.strip_prefix("ℹ pass ").or(l.strip_prefix("# pass ")));
    count.map(|n| format!("{n} tests")).unwrap_or_default()
}

/// The optimised programs that the steps after this one talk to.
pub(crate) fn build(project: &Project, log: &Log) -> Result<Outcome, String> {
    cargo(
        project,
        log,
        &["build", "--release", "--package", "madang-cli", "--package", "conformance"],
    )?;
    Ok(Outcome::passed())
}

fn has_feature(project: &Project, dir: &str, feature: &str) -> bool {
    let manifest =
        fs::read_to_string(project.root.join(dir).join("Cargo.toml")).unwrap_or_default();
    let features = manifest.split("[features]").nth(1).unwrap_or_default();
    features.lines().any(|l| l.split('=').next().is_some_and(|name| name.trim() == feature))
}
