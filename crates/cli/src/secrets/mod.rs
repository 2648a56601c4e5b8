//! What is secret in names, URLs and texts, wherever they came from: output is pasted into questions
//! and bug reports.

mod fields;
mod names;
mod pairs;
mod text;

pub(crate) use names::{Kind, harmless_header, kind, subprotocols};
pub(crate) use pairs::cookies;
pub(crate) use text::{hidden, login, looks_random, url, without_tokens};
