//! Runs a list of steps: one line each with its time, then the sums.

use crate::process::Log;
use crate::project::Project;
use std::time::Instant;

/// Lines of a failed step's log that are printed.
const TAIL: usize = 60;
/// Lines before that which tell of a failure, each with two that follow it.
const FAILURES: usize = 20;

/// What a step came to when it did not fail.
pub(crate) enum Outcome {
    /// It passed; the note (which may be empty) is printed beside it.
    Passed(String),
    /// It could not run here; the text says what is missing and how to cure it.
    Skipped(String),
}

impl Outcome {
    pub(crate) fn passed() -> Self {
        Self::Passed(String::new())
    }
}

/// One check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Project, &Log) -> Result<Outcome, String>,
}

/// Which steps were asked for, from the arguments of `test` and `soak`.
struct Choice {
    only: Vec<String>,
    skip: Vec<String>,
}

/// Runs `steps` as `args` ask. True when nothing failed.
pub(crate) fn run(
    task: &str,
    project: &Project,
    steps: &[Step],
    args: &[String],
) -> Result<bool, String> {
    let Some(choice) = parse(task, steps, args)? else { return Ok(true) };
    let logs = project.scratch("xtask")?;
    let (mut passed, mut skipped, mut failed) = (0, 0, 0);
    let mut notes = Vec::new();
    for step in steps.iter().filter(|s| choice.takes(s.name)) {
        let log = Log::create(logs.join(format!("{}.log", step.name)))?;
        println!("{:18} ...", step.name);
        let began = Instant::now();
        let outcome = (step.run)(project, &log);
        let secs = began.elapsed().as_secs_f32();
        let name = step.name;
        match outcome {
            Ok(Outcome::Passed(note)) => {
                passed += 1;
                println!("{name:18} PASS {secs:6.1} s  {note}");
            }
            Ok(Outcome::Skipped(why)) if !project.ci => {
                skipped += 1;
                println!("{name:18} not run: {why}");
                notes.push(format!("not run: {name}: {why}"));
            }
            Ok(Outcome::Skipped(why)) => {
                failed += 1;
                println!("{name:18} FAIL {secs:6.1} s  not run: {why}");
                notes.push(format!("failed: {name}: not run, and CI=true wants it run: {why}"));
            }
            Err(why) => {
                failed += 1;
                println!("{name:18} FAIL {secs:6.1} s  {why}");
                print_tail(&log);
                notes.push(format!("failed: {name}: {why}"));
            }
        }
    }
    println!();
    for note in notes {
        println!("{note}");
    }
    match skipped {
        0 => println!("{passed} passed, {failed} failed"),
        n => println!("{passed} passed, {failed} failed, {n} skipped"),
    }
    Ok(failed == 0)
}

impl Choice {
    fn takes(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|n| n == name);
        (self.only.is_empty() || listed(&self.only)) && !listed(&self.skip)
    }
}

/// Nothing to run where help or the list was asked for.
fn parse(task: &str, steps: &[Step], args: &[String]) -> Result<Option<Choice>, String> {
    let mut choice = Choice { only: Vec::new(), skip: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let list = match arg.as_str() {
            "--only" => &mut choice.only,
            "--skip" => &mut choice.skip,
            "--list" => {
                list(steps);
                return Ok(None);
            }
            "--help" | "-h" => {
                println!("usage: cargo xtask {task} [--only STEP,…] [--skip STEP,…] [--list]\n");
                list(steps);
                return Ok(None);
            }
            other => {
                return Err(format!("unknown option {other}; see `cargo xtask {task} --help`"));
            }
        };
        let names = args.next().ok_or_else(|| format!("{arg} takes names of steps"))?;
        for name in names.split(',').filter(|n| !n.is_empty()) {
            if !steps.iter().any(|s| s.name == name) {
                return Err(format!("there is no step `{name}`; see `cargo xtask {task} --list`"));
            }
            list.push(name.to_owned());
        }
    }
    Ok(Some(choice))
}

fn list(steps: &[Step]) {
    for step in steps {
        println!("  {:18} {}", step.name, step.what);
    }
}

fn print_tail(log: &Log) {
    let text = log.text();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL);
    let failures = (0..from).filter(|at| tells_of_failure(lines[*at])).take(FAILURES);
    for at in failures {
        for line in &lines[at..(at + 3).min(from)] {
            println!("    {line}");
        }
        println!("    …");
    }
    for line in &lines[from..] {
        println!("    {line}");
    }
    println!("    (all of it: {})", log.path.display());
}

/// As the runners say it whose output a log may hold: cargo, npm's, Python's, the judges.
fn tells_of_failure(line: &str) -> bool {
    const BEGINNINGS: [&str; 8] =
        ["FAIL", "not ok", "error", "ERROR", "✖", "✗", "thread '", "AssertionError"];
    let line = line.trim_start();
    BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
        || line.ends_with("... FAILED")
        || line.ends_with("... FAIL")
}
