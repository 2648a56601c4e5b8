//! The project's own tasks. `cargo xtask help` lists them.

mod autobahn;
mod bench;
mod checks;
mod deny;
mod doctor;
mod foreign;
mod layering;
mod openapi;
mod process;
mod project;
mod soak;
mod socketio;
mod steps;
mod test;
mod tools;

use project::Project;
use std::process::ExitCode;

/// One subcommand: what is typed, what it does, and the function that does it.
struct Task {
    name: &'static str,
    what: &'static str,
    run: fn(&Project, &[String]) -> Result<bool, String>,
}

const TASKS: &[Task] = &[
    Task { name: "test", what: "every check that a change must pass", run: test::run },
    Task {
        name: "soak",
        what: "the long checks: all of Autobahn, many schedules, fuzzing",
        run: soak::run,
    },
    Task {
        name: "bench",
        what: "compare with other servers, write bench/RESULTS.md",
        run: bench::run,
    },
    Task {
        name: "layering",
        what: "only the check that imports point downwards",
        run: layering::run,
    },
    Task {
        name: "deny",
        what: "only the check of dependencies: bans, licences, sources",
        run: deny::run,
    },
];

fn help() {
    println!("usage: cargo xtask TASK [OPTIONS]\n");
    for task in TASKS {
        println!("  {:10} {}", task.name, task.what);
    }
    println!("\n`cargo xtask TASK --help` lists the options of a task.");
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "help".into());
    let rest: Vec<String> = args.collect();
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        help();
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|t| t.name == name) else {
        eprintln!("xtask: there is no task `{name}`; `cargo xtask help` lists them");
        return ExitCode::from(2);
    };
    match Project::find().and_then(|project| (task.run)(&project, &rest)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask {name}: {why}");
            ExitCode::from(2)
        }
    }
}
