//! What shells and `man` read, made from the same definitions as `--help`.

use std::io::{self, Write};

use clap::{Args, Command, builder::Resettable};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Failure;

/// Flags of `madang completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
  bash: madang completions bash > ~/.local/share/bash-completion/completions/madang
  zsh:  madang completions zsh > ~/.zfunc/_madang      (with ~/.zfunc in fpath)
  fish: madang completions fish > ~/.config/fish/completions/madang.fish")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Flags of `madang man`.
#[derive(Debug, Args)]
#[command(after_help = "madang man connect | man -l -    shows a page")]
pub(crate) struct ManPage {
    /// The command to describe; without one, the program.
    command: Option<String>,
}

/// Prints completions.
pub(crate) fn completions(arguments: &Completions, mut program: Command) -> Result<(), Failure> {
    let mut out = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "madang", &mut out);
    print(&out)
}

/// Prints a page in the language of `man`.
pub(crate) fn man(arguments: &ManPage, mut program: Command) -> Result<(), Failure> {
    // The facts of the build have no place in a page.
    program = program.long_version(Resettable::Reset);
    program.build();
    let command = match &arguments.command {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| {
            Failure::Usage(format!("there is no command `{name}`; `madang --help` lists them"))
        })?,
    };
    let mut out = Vec::new();
    Man::new(command).render(&mut out).map_err(|error| unwritable(&error))?;
    print(&out)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    match io::stdout().write_all(text) {
        // Whoever reads no more has enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritable(&error)),
        _ => Ok(()),
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::Runtime(format!("cannot write to the standard output: {error}"))
}
