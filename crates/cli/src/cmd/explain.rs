//! `madang explain`: what a code means.

use std::fmt::Write as _;

use clap::{Args, builder::PossibleValue};
use madang::codes::Code;

use super::{Failure, say, shell::Offered};
use crate::doctor::{diagnoses, lang::Lang, print::explained};

/// Flags of `madang explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, such as M204 of a refusal or D22 of `madang doctor`; without one, all are listed.
    #[arg(value_parser = Offered(codes), hide_possible_values = true)]
    code: Option<String>,

    /// Print the page of all codes, as Markdown.
    #[arg(long, conflicts_with = "code")]
    markdown: bool,

    /// Language of diagnoses (D01 to D56) [default: from the locale].
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

/// Prints what was asked for.
pub(crate) fn run(arguments: &Explain) -> Result<(), Failure> {
    let lang = arguments.lang.unwrap_or_else(Lang::of_locale);
    let text = match &arguments.code {
        _ if arguments.markdown => markdown(),
        None => list(lang),
        Some(name) => match (diagnoses::by_code(name), Code::find(name)) {
            (Some(diagnosis), _) => explained(diagnosis, lang),
            (_, Some(code)) => text(code),
            _ => {
                return Err(Failure::Usage(format!(
                    "there is no code `{name}`; `madang explain` lists all of them"
                )));
            }
        },
    };
    say(text.as_bytes())
}

fn codes() -> Vec<PossibleValue> {
    let refusals = Code::all().map(|code| PossibleValue::new(code.name()).help(code.what()));
    let diagnosis = |it: &diagnoses::Diagnosis| PossibleValue::new(it.code).help(it.title.en);
    refusals.chain(diagnoses::sorted().into_iter().map(diagnosis)).collect()
}

fn list(lang: Lang) -> String {
    let mut list = String::new();
    for code in Code::all() {
        // Writing to a string does not fail.
        let _ = writeln!(list, "{code}  {}", code.what());
    }
    for diagnosis in diagnoses::sorted() {
        let _ = writeln!(list, "{}   {}", diagnosis.code, diagnosis.title.get(lang));
    }
    list
}

fn text(code: Code) -> String {
    let mut text = format!("{code}: {}\n\n{}\n\n", code.what(), code.why());
    // Writing to a string does not fail.
    let _ = writeln!(text, "What to do: {}", code.cure());
    if let Some(status) = code.status() {
        let _ = writeln!(text, "HTTP status {status}, with the header Madang-Code: {code}.");
    }
    if let Some(close) = code.close() {
        let _ = writeln!(text, "WebSockets are closed with {close}.");
    }
    text
}

fn markdown() -> String {
    let mut page = String::from(
        "# Codes\n\nA refusal has a code: it is in the answer (the header `Madang-Code`, and the body), in the log, and \
         `madang explain CODE` prints what is here.\nThis page is made by `madang explain --markdown`.\n",
    );
    for code in Code::all() {
        let _ = write!(page, "\n## {code}: {}\n\n", code.what());
        let of = |name: &str, number: Option<u16>| number.map(|number| format!("{name} {number}"));
        let numbers = [of("HTTP status", code.status()), of("close code", code.close())];
        let numbers: Vec<_> = numbers.into_iter().flatten().collect();
        if !numbers.is_empty() {
            let _ = writeln!(page, "*{}*\n", numbers.join(", "));
        }
        let _ = writeln!(page, "{}\n\n**What to do:** {}", code.why(), code.cure());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_docs_is_the_one_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codes.md");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == markdown(), "run `cargo run -- explain --markdown > docs/codes.md`");
    }

    #[test]
    fn a_code_is_explained_and_a_slip_is_answered() {
        let ask = |code: &str| Explain { code: Some(code.into()), markdown: false, lang: None };
        assert!(run(&ask("m204")).is_ok());
        assert!(run(&ask("d22")).is_ok());
        assert!(run(&ask("M999")).is_err() && run(&ask("D99")).is_err());
        let text = text(Code::M501);
        assert!(text.contains("--max-connections") && text.contains("HTTP status 503"), "{text}");
    }
}
