//! Real-time messaging server and library.

pub mod broker;
pub mod hub;
