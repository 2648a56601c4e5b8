//! A WebSocket that says back what it hears.

fn main() {}
