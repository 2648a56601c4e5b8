//! What is secret in names, URLs and texts, wherever they came from: output is pasted into questions
//! and bug reports.

mod fields;
mod keys;
mod names;
mod pairs;
mod prose;
mod text;

pub(crate) use names::{Kind, harmless_header, kind, subprotocols};
pub(crate) use pairs::cookies;
pub(crate) use text::{hidden, login, looks_random, url, without_tokens};
