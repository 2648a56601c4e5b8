//! `madang connect`, in a pipe and on a terminal.

mod doors;
mod failing;
mod pipe;
mod recording;
mod refused;
mod screen;
mod terminal;
mod tls;
mod ws;
