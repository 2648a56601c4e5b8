//! The program itself, started as its user starts it.

#![expect(clippy::unwrap_used, reason = "panics are how a test fails")]

mod config;
mod connect;
mod peer;
mod publish;
mod refused;
mod serve;
mod shell;
mod socketio;
mod stop;
mod tail;
mod tls;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

fn madang(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_madang"));
    command
        .args(arguments)
        .env_remove("MADANG_LOG")
        .env_remove("MADANG_CONFIG")
        .stdin(Stdio::null());
    command
}

/// Runs it to its end.
fn run(arguments: &[&str]) -> Output {
    madang(arguments).output().unwrap()
}

/// A program that serves, until it is dropped.
struct Serving {
    child: Child,
    /// The lines that it greets with.
    greeting: Vec<String>,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let child = madang(&["serve", "--workers", "2"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut serving = Self { child, greeting: Vec::new() };
        for line in BufReader::new(serving.child.stdout.take().unwrap()).lines() {
            serving.greeting.push(line.unwrap());
            if serving.greeting.last().is_some_and(|line| line.contains("Ctrl-C")) {
                return serving;
            }
        }
        let (code, errors) = serving.end();
        panic!("it did not start: {code:?} {errors}");
    }

    /// On a free port of this machine.
    fn local(arguments: &[&str]) -> Self {
        Self::start(&[&["--listen", "127.0.0.1:0"], arguments].concat())
    }

    /// The pages' addresses that the greeting names.
    fn pages(&self) -> Vec<SocketAddr> {
        let page = |line: &String| {
            let url = line.trim().strip_prefix("chat page")?.trim().strip_prefix("http://")?;
            Some(url.trim_end_matches('/').parse().unwrap())
        };
        self.greeting.iter().filter_map(page).collect()
    }

    fn address(&self) -> SocketAddr {
        self.pages()[0]
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; its exit code, and what it wrote to its standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code(), errors)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// An answer of the server: its head and its body.
fn ask(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let mut stream = connect(address);
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// An open WebSocket, as bytes; what was read of it so far is the head of the answer.
fn upgraded(address: SocketAddr, path: &str) -> BufReader<TcpStream> {
    let mut stream = connect(address);
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWFkYW5nIGlzIGEgeWFyZA==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 101"), "{line}");
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).unwrap();
    }
    stream
}
