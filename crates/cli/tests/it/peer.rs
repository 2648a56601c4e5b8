//! A server that a test plays by hand, and a program that talks to it.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream},
    os::fd::OwnedFd,
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{AddressFamily, SocketType, bind, getsockname, socket},
    process::{Pid, Signal, kill_process},
};

use super::madang;

pub(super) const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A port that the test listens on.
pub(super) struct Peer(TcpListener);

impl Peer {
    pub(super) fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// The program with these arguments, and this server.
    pub(super) fn program(&self, arguments: &[&str]) -> Program {
        Program::start(&[arguments, &["--url", &self.url()]].concat())
    }

    pub(super) fn connection(&self) -> TcpStream {
        let limit = Timespec { tv_sec: 30, tv_nsec: 0 };
        let mut waits = [PollFd::new(&self.0, PollFlags::IN)];
        assert_eq!(poll(&mut waits, Some(&limit)).unwrap(), 1, "nobody came");
        let stream = self.0.accept().unwrap().0;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// The next connection, and its first request.
    pub(super) fn asked(&self) -> (Client<TcpStream>, Request) {
        let mut client = Client::new(self.connection());
        let request = client.request();
        (client, request)
    }
}

/// An address that nobody listens on, nor can begin to while it is held.
pub(super) fn taken() -> (OwnedFd, String) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = SocketAddrV4::try_from(getsockname(&socket).unwrap()).unwrap().port();
    (socket, format!("http://127.0.0.1:{port}"))
}

/// A request, read.
pub(super) struct Request {
    /// Method and path.
    pub(super) line: String,
    /// `name: value`, the name in small letters.
    pub(super) headers: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A connection of the program.
pub(super) struct Client<S: Read>(BufReader<S>);

impl<S: Read + Write> Client<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(super) fn request(&mut self) -> Request {
        let mut request = self.head();
        let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        request.body = vec![0; length];
        self.0.read_exact(&mut request.body).unwrap();
        request
    }

    /// A request without its body.
    pub(super) fn head(&mut self) -> Request {
        let mut line = self.line();
        let at = line.find(" HTTP/1.1").unwrap();
        line.truncate(at);
        let mut request = Request { line, headers: Vec::new(), body: Vec::new() };
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            request.headers.push(format!("{}:{value}", name.to_ascii_lowercase()));
        }
        request
    }

    pub(super) fn stream(&mut self) -> &mut S {
        self.0.get_mut()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(super) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// A chunk of a stream.
    pub(super) fn chunk(&mut self, text: &str) {
        self.send(&format!("{:x}\r\n{text}\r\n", text.len()));
    }

    /// An answer with a status line, headers and a body.
    pub(super) fn answer(&mut self, head: &str, body: &str) {
        let length = body.len();
        self.send(&format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}"));
    }
}

/// A program that runs, until it is dropped.
pub(super) struct Program {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    _watch: Sender<()>,
}

/// Ends a program that hangs, so that its test fails; until the sender is dropped.
pub(super) fn watch(child: &Child) -> Sender<()> {
    let (sender, dropped) = channel();
    let id = Pid::from_child(child);
    std::thread::spawn(move || {
        if dropped.recv_timeout(Duration::from_mins(1)) == Err(RecvTimeoutError::Timeout) {
            // It may just have ended.
            let _ = kill_process(id, Signal::KILL);
        }
    });
    sender
}

impl Program {
    pub(super) fn start(arguments: &[&str]) -> Self {
        let mut child = madang(arguments)
            .env_remove("MADANG_URL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().map(BufReader::new);
        let watch = watch(&child);
        Self { child, out, _watch: watch }
    }

    /// Gives it all of its standard input.
    pub(super) fn input(mut self, bytes: &[u8]) -> Self {
        self.child.stdin.take().unwrap().write_all(bytes).unwrap();
        self
    }

    /// Its standard input.
    pub(super) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// A line of its standard output.
    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    pub(super) fn out(&mut self) -> &mut BufReader<ChildStdout> {
        self.out.as_mut().unwrap()
    }

    /// Closes what it writes to.
    pub(super) fn stop_reading(&mut self) {
        self.out = None;
    }

    pub(super) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Waits for its end while its output is open, and nobody reads it.
    pub(super) fn without_reading(mut self) -> (Option<i32>, String, String) {
        let _unread = self.out.take();
        self.end()
    }

    /// Waits for its end: exit code, what was not yet read of its output, and its errors.
    pub(super) fn end(mut self) -> (Option<i32>, String, String) {
        let (mut output, mut errors) = (String::new(), String::new());
        if let Some(mut out) = self.out.take() {
            out.read_to_string(&mut output).unwrap();
        }
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code(), output, errors)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
