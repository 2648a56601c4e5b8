//! The program that is attacked.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
};

use rustix::process::{Resource, getrlimit, setrlimit};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    /// Held open, so that the program never writes to a closed pipe.
    _greeting: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        // As many descriptors as may be; the program inherits it.
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_madang"))
            .args(["serve", "--workers", "2", "--listen", "127.0.0.1:0", "--log", "off"])
            .args(arguments)
            .env_remove("MADANG_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut greeting = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let mut address = None;
        while address.is_none() {
            line.clear();
            assert!(greeting.read_line(&mut line).unwrap() > 0, "the program did not start");
            let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://"));
            address = url.and_then(|url| url.trim_end_matches('/').parse().ok());
        }
        Self { address: address.unwrap(), child, _greeting: greeting }
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
