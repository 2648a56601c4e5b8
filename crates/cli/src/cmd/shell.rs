//! What shells and `man` read, made from the same definitions as `--help`.

use std::sync::LazyLock;

use clap::{
    Args, Command,
    builder::{PossibleValue, Resettable, TypedValueParser},
};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use super::{Failure, say};

/// Flags of `madang completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Where shells look for them:
  bash  madang completions bash > ~/.local/share/bash-completion/completions/madang
  zsh   madang completions zsh > ~/.zfunc/_madang (with ~/.zfunc in fpath)
  fish  madang completions fish > ~/.config/fish/completions/madang.fish")]
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
    #[arg(value_parser = Offered(commands), hide_possible_values = true)]
    command: Option<String>,
}

/// A text for which shells offer these values; the command itself says what is wrong with another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offered(pub(super) fn() -> Vec<PossibleValue>);

impl TypedValueParser for Offered {
    type Value = String;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        Ok(value.to_string_lossy().into_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0().into_iter()))
    }
}

fn commands() -> Vec<PossibleValue> {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        crate::program().get_subcommands().map(|command| command.get_name().to_owned()).collect()
    });
    NAMES.iter().map(|name| PossibleValue::new(name.as_str())).collect()
}

/// Prints completions.
pub(crate) fn completions(arguments: &Completions, mut program: Command) -> Result<(), Failure> {
    let mut out = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "madang", &mut out);
    if arguments.shell == Shell::Fish {
        out.extend(program.get_subcommands().flat_map(fish_values).flat_map(String::into_bytes));
    }
    say(&out)
}

/// What the generator leaves out for fish: values of arguments without a flag.
fn fish_values(command: &Command) -> Vec<String> {
    let name = command.get_name();
    let line = |value: PossibleValue| {
        let about = value.get_help().map(|help| help.to_string().replace('\'', "\\'"));
        let about = about.map_or(String::new(), |about| format!(" -d '{about}'"));
        let value = value.get_name();
        format!(
            "complete -c madang -n \"__fish_madang_using_subcommand {name}\" -f -a {value}{about}\n"
        )
    };
    command.get_positionals().flat_map(clap::Arg::get_possible_values).map(line).collect()
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
    let notes = command.get_after_long_help().or_else(|| command.get_after_help());
    let notes = notes.map(ToString::to_string).unwrap_or_default();
    let command = command.after_help(Resettable::Reset).after_long_help(Resettable::Reset);
    let date = env!("MADANG_BUILD_DATE").get(..10).unwrap_or_default();
    let mut out = Vec::new();
    let page = Man::new(command).date(date).source(concat!("madang ", env!("CARGO_PKG_VERSION")));
    page.render(&mut out)
        .and_then(|()| sections(&notes).to_writer(&mut out))
        .map_err(|error| Failure::Runtime(format!("the page: {error}")))?;
    say(&out)
}

/// What stands below `--help`, as sections: paragraphs are filled, and lists stay lists.
fn sections(notes: &str) -> Roff {
    let mut roff = Roff::new();
    let mut section = "";
    // The exit codes first, as is the custom; the order is kept otherwise.
    let (codes, others): (Vec<_>, Vec<_>) = notes
        .split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .partition(|block| is_codes(block));
    for block in codes.into_iter().chain(others) {
        let new = if is_codes(block) { "EXIT STATUS" } else { "NOTES" };
        if new == section {
            roff.control("PP", []);
        } else {
            roff.control("SH", [new]);
        }
        section = new;
        // The section says so already; items begin with spaces.
        let text = block.strip_prefix(CODES).unwrap_or(block);
        let text = text.strip_prefix(['\n', ' ']).unwrap_or(text);
        paragraph(text, &mut roff);
    }
    roff
}

fn paragraph(block: &str, roff: &mut Roff) {
    let mut was_item = false;
    for line in block.lines() {
        let item = item(line);
        if let Some((name, about)) = item {
            roff.control("TP", ["8"]);
            roff.text([roman(name)]);
            roff.text([roman(about)]);
        } else {
            if was_item {
                roff.control("PP", []);
            }
            roff.text([roman(line)]);
        }
        was_item = item.is_some();
    }
}

/// How the paragraph begins that has the exit codes.
const CODES: &str = "Exit codes:";

fn is_codes(block: &str) -> bool {
    block.starts_with(CODES)
}

/// `  10  what it means`: a line of a list.
fn item(line: &str) -> Option<(&str, &str)> {
    let (name, about) = line.strip_prefix("  ")?.split_once("  ")?;
    let is_name = !name.is_empty() && !name.contains(' ');
    is_name.then(|| (name, about.trim()))
}
