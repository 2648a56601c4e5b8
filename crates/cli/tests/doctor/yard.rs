//! `madang serve`, as the server that is well or stands behind a proxy.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

pub(crate) struct Yard {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Yard {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::of(env!("CARGO_BIN_EXE_madang"), arguments)
    }

    /// The same program under another name.
    pub(crate) fn of(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["serve", "--workers", "1", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env_remove("MADANG_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut address = None;
        for line in lines {
            if let Some(url) = line.trim().strip_prefix("chat page") {
                let (_, authority) = url.trim().split_once("://").unwrap();
                address = Some(authority.trim_end_matches('/').parse().unwrap());
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        Self { child, address: address.unwrap() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
