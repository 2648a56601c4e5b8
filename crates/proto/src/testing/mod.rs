//! Sessions without a server: a driver in memory whose clock the test moves, and transcripts that are
//! played against it, or against a real one.

mod pair;
mod script;

pub use pair::Pair;
pub use script::{Heard, Player, Script, Wrong};
