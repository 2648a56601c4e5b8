//! Real-time messaging server and library.

pub mod broker;
mod drive;
pub mod hub;
