//! Flags of `madang serve`, made from the list of keys.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{
    keys::{KEYS, Key},
    kind::{Kind, Value},
};

/// What was written on the command line.
#[derive(Debug, Clone)]
pub(crate) struct Flags {
    /// The configuration's file.
    pub(crate) file: Option<PathBuf>,
    pub(super) values: Vec<(&'static Key, Value)>,
}

impl Flags {
    /// None but the file's.
    pub(crate) fn of_file(file: Option<PathBuf>) -> Self {
        Self { file, values: Vec::new() }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Configuration [default: madang.toml, where there is one; also MADANG_CONFIG]");
        let command = command.after_help(
            "Each flag is also a key of madang.toml and a variable, such as MADANG_LOG for --log.\n\
             A flag goes before a variable, a variable before the file.",
        );
        KEYS.iter().map(flag).fold(command.arg(file), Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(key: &'static Key) -> Arg {
    let mut about = key.about.to_owned();
    if !key.default.is_empty() && !matches!(key.default, "[]" | "true" | "false") {
        let default = key.default.replace(['"', '[', ']'], "");
        about = format!("{about} [default: {default}]");
    }
    let arg = Arg::new(key.flag).long(key.flag).help(about);
    let Some(place) = key.kind.place() else { return arg.action(ArgAction::SetTrue) };
    let arg = arg.value_name(place).value_parser(move |text: &str| key.kind.read(text));
    // The flag's old name.
    let arg = if key.flag == "drain" { arg.alias("close-timeout") } else { arg };
    match key.kind {
        Kind::List(..) => arg.action(ArgAction::Append),
        _ => arg.action(ArgAction::Set),
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self { file: matches.get_one("config").cloned(), values: Vec::new() };
        for key in KEYS {
            let value = match key.kind {
                Kind::Switch => matches.get_flag(key.flag).then_some(Value::Switch(true)),
                Kind::Off => matches.get_flag(key.flag).then_some(Value::Switch(false)),
                Kind::List(..) => matches.get_many::<Value>(key.flag).map(|given| {
                    let all = given.flat_map(|value| match value {
                        Value::List(list) => list.clone(),
                        _ => Vec::new(),
                    });
                    Value::List(all.collect())
                }),
                _ => matches.get_one::<Value>(key.flag).cloned(),
            };
            flags.values.extend(value.map(|value| (key, value)));
        }
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
