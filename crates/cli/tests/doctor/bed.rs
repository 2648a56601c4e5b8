//! A case of the bed, and running it.

use std::{
    any::Any,
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;

/// A broken server.
pub(crate) struct Case {
    /// A few words, unique.
    pub(crate) name: &'static str,
    /// The codes that are right, in any order.
    pub(crate) codes: &'static [&'static str],
    pub(crate) exit: i32,
    /// Sets it up; `None` where the machine cannot.
    pub(crate) make: fn() -> Option<Bed>,
}

/// A server that runs, and what the doctor is asked.
pub(crate) struct Bed {
    pub(crate) arguments: Vec<String>,
    /// What must live as long.
    pub(crate) keep: Vec<Box<dyn Any + Send>>,
}

impl Bed {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            keep: Vec::new(),
        }
    }

    pub(crate) fn keep(mut self, what: impl Any + Send) -> Self {
        self.keep.push(Box::new(what));
        self
    }

    pub(crate) fn and(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }
}

/// What the doctor said.
pub(crate) struct Told {
    pub(crate) exit: i32,
    pub(crate) codes: Vec<String>,
    pub(crate) json: Value,
}

pub(crate) fn doctor(arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_madang"));
    command.arg("doctor").args(arguments).stdin(Stdio::null());
    if !arguments.iter().any(|argument| argument == "--lang") {
        command.args(["--lang", "en"]);
    }
    if !arguments.iter().any(|argument| argument == "--timeout") {
        command.args(["--timeout", "3s"]);
    }
    command
}

pub(crate) fn examine(arguments: &[String]) -> Told {
    let output = doctor(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let json: Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?}: {text} {errors}"));
    let codes = json["findings"].as_array().unwrap().iter();
    let codes = codes.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
    Told { exit: output.status.code().unwrap(), codes, json }
}

/// Runs cases side by side, and tells all that are wrong at once.
pub(crate) fn check(cases: &[Case]) {
    let wrong = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let Some(bed) = (case.make)() else {
                        eprintln!("not run here: {}", case.name);
                        continue;
                    };
                    let told = examine(&bed.arguments);
                    let mut codes = told.codes.clone();
                    codes.sort();
                    let mut wanted = case.codes.to_vec();
                    wanted.sort_unstable();
                    if codes != wanted || told.exit != case.exit {
                        let steps = serde_json::to_string(&told.json["steps"]).unwrap();
                        let looks = serde_json::to_string(&told.json["evidence"]["looks"]).unwrap();
                        wrong.lock().unwrap().push(format!(
                            "{}: {codes:?} exit {}, wanted {wanted:?} exit {}\n    {steps}\n    {looks}",
                            case.name, told.exit, case.exit
                        ));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
