//! A WebSocket beside other routes of axum.

fn main() {}
