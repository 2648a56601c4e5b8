//! The `madang` program.
fn main() {}
