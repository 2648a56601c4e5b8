//! Real-time messaging server and library.

pub mod broker;
pub mod hub;
pub mod websocket;

pub use websocket::{WebSocket, connect};
