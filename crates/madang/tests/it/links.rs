//! Sessions that outlive their carriers, over real sockets: the transcripts that the protocols' own
//! tests play in memory, on servers with one worker and with several.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use madang::{
    Server,
    proto::{
        Carrier, Cursor, Form, Input, Kind, Out, PresenceChange, Protocol, Rendered, Session,
        Token, Topic,
        engineio::{self, Data, Echo, Engine, Malformed, Upper},
        session::{Refusal, Subscribe},
        sockjs,
        testing::{Heard, Player, Script},
    },
};

use crate::{
    client::{Client, News},
    start,
};

/// Engine.IO and SockJS with sessions that echo.
pub(super) static ENGINE: Protocol = links("engineio");
pub(super) static SOCKJS: Protocol = links("sockjs");

const fn links(name: &'static str) -> Protocol {
    Protocol {
        name,
        carrier: Carrier::Links(|| Arc::new(engineio::Reception::new(settings(), |_| Echo))),
        subprotocols: &[],
        mounts: &[],
        open: |_| Err(Refusal { reason: "it has links".into() }),
        render: |_, publication| {
            let text = [b"4", &**publication.body.bytes()].concat();
            Rendered::new(Kind::Text, text.into())
        },
        render_presence: |_, _: &PresenceChange| Rendered::new(Kind::Text, "".into()),
    }
}

fn settings() -> engineio::Settings {
    engineio::Settings {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        upgrade_timeout: Duration::from_secs(1),
        ..engineio::Settings::default()
    }
}

pub(super) struct Repeat;

impl Session for Repeat {
    fn handle(&mut self, input: Input<'_>, _: Instant, out: &mut Out) {
        if let Input::Text(text) = input {
            out.text(text);
        }
    }
}

fn server(workers: usize) -> (SocketAddr, madang::Running) {
    let engine = engineio::Reception::new(settings(), |_| Echo);
    let short = sockjs::Settings { response_limit: 4096, ..sockjs::Settings::default() };
    let sockjs = sockjs::Reception::new(short, |_| Box::new(Repeat));
    start(
        Server::new()
            .workers(workers)
            .reception("/engine.io", &ENGINE, Arc::new(engine))
            .reception("/echo", &SOCKJS, Arc::new(sockjs)),
    )
}

/// Plays scripts against a server. Each request and each WebSocket has a connection of its own, which
/// any of the workers may have.
struct Sockets {
    address: SocketAddr,
    mount: &'static str,
    calls: HashMap<String, Call>,
    wires: HashMap<String, Result<Client, u16>>,
}

/// A request whose answer is under way.
struct Call {
    stream: TcpStream,
    bytes: Vec<u8>,
    status: Option<u16>,
    is_chunked: bool,
    length: Option<usize>,
    ended: bool,
    body: Vec<u8>,
}

/// What a test waits for; nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

impl Sockets {
    fn play(address: SocketAddr, mount: &'static str, script: &str) {
        let mut player = Self { address, mount, calls: HashMap::new(), wires: HashMap::new() };
        Script::new(script).play(&mut player).unwrap_or_else(|wrong| panic!("{wrong}"));
    }

    fn path(&self, target: &str) -> String {
        format!("{}/{target}", self.mount)
    }
}

impl Call {
    /// Reads until `is_enough`, or the end.
    fn read(&mut self, is_enough: impl Fn(&Self) -> bool) -> bool {
        let mut buffer = [0; 16 * 1024];
        loop {
            self.parse();
            if is_enough(self) {
                return true;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => {
                    self.ended = true;
                    return is_enough(self);
                }
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn parse(&mut self) {
        if self.status.is_none() {
            let Some(end) = find(&self.bytes, b"\r\n\r\n") else { return };
            let head = String::from_utf8(self.bytes.drain(..end + 4).collect()).unwrap();
            let head = head.to_ascii_lowercase();
            self.status = head.get(9..12).and_then(|status| status.parse().ok());
            self.is_chunked = head.contains("transfer-encoding: chunked");
            let length = head.split("content-length: ").nth(1);
            self.length = length.map(|rest| rest.split("\r\n").next().unwrap().parse().unwrap());
            if self.status == Some(204) {
                self.length = Some(0);
            }
        }
        if !self.is_chunked {
            self.body.append(&mut self.bytes);
            self.ended |= self.length.is_some_and(|length| self.body.len() >= length);
            return;
        }
        while let Some(end) = find(&self.bytes, b"\r\n") {
            let size = std::str::from_utf8(&self.bytes[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if self.bytes.len() < end + 2 + size + 2 {
                return;
            }
            self.body.extend_from_slice(&self.bytes[end + 2..end + 2 + size]);
            self.bytes.drain(..end + 2 + size + 2);
            self.ended |= size == 0;
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

impl Player for Sockets {
    fn call(&mut self, who: &str, method: &str, target: &str, body: &str) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (path, length) = (self.path(target), body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let call = Call {
            stream,
            bytes: Vec::new(),
            status: None,
            is_chunked: false,
            length: None,
            ended: false,
            body: Vec::new(),
        };
        self.calls.insert(who.to_owned(), call);
    }

    fn open(&mut self, who: &str, target: &str) {
        let options = madang::ws::handshake::client::Options::default();
        let opened = Client::with(self.address, &self.path(target), &options);
        self.wires.insert(who.to_owned(), opened.map_err(|refused| refused.status));
    }

    fn say(&mut self, who: &str, message: Heard) {
        let Some(Ok(wire)) = self.wires.get_mut(who) else { return };
        match message {
            Heard::Text(text) => wire.text(&text),
            Heard::Binary(bytes) => wire.binary(&bytes),
            _ => unreachable!("the scripts do not close"),
        }
    }

    fn hang_up(&mut self, who: &str) {
        self.calls.remove(who);
        self.wires.remove(who);
    }

    fn pass(&mut self, time: Duration) {
        // The one place where a test waits for the clock: the server's is the real one.
        thread::sleep(time);
    }

    fn answer(&mut self, who: &str) -> Option<(u16, String)> {
        let mut call = self.calls.remove(who)?;
        call.read(|call| call.ended).then_some(())?;
        Some((call.status?, String::from_utf8(call.body).unwrap()))
    }

    fn head(&mut self, who: &str) -> Option<u16> {
        let call = self.calls.get_mut(who)?;
        call.read(|call| call.status.is_some());
        call.status
    }

    fn line(&mut self, who: &str) -> Option<Option<String>> {
        let call = self.calls.get_mut(who)?;
        call.read(|call| call.body.contains(&b'\n') || call.ended);
        match call.body.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line: Vec<u8> = call.body.drain(..=end).collect();
                Some(Some(String::from_utf8(line[..end].to_vec()).unwrap()))
            }
            None => call.ended.then_some(None),
        }
    }

    fn heard(&mut self, who: &str) -> Option<Heard> {
        match self.wires.get_mut(who)? {
            Err(status) => Some(Heard::Refused(*status)),
            Ok(wire) => Some(match wire.next() {
                News::Text(text) => Heard::Text(text),
                News::Binary(bytes) => Heard::Binary(bytes),
                News::Closed(code, _) => Heard::Closed(code),
                News::Pong(_) => return None,
            }),
        }
    }
}

/// Passes on what is published to a topic.
pub(super) struct Feed;

impl Upper for Feed {
    fn opened(&mut self, engine: &mut Engine<'_>) {
        engine.out().subscribe(Subscribe {
            token: Token(0),
            topic: Topic::new("room").unwrap(),
            from: Cursor::Now,
            form: Form::default(),
            watch: false,
            present: None,
        });
    }

    fn message(&mut self, _: Data<'_>, _: &mut Engine<'_>) -> Result<(), Malformed> {
        Ok(())
    }

    fn input(&mut self, input: Input<'_>, engine: &mut Engine<'_>) {
        if let Input::Delivery(publication) = input {
            engine.send_text(|out| out.extend_from_slice(publication.body.bytes()));
        }
    }
}

/// Several times, as which worker gets which connection is the kernel's choice.
fn everywhere(mount: &'static str, script: &str) {
    for (workers, times) in [(1, 1), (2, 6), (4, 4)] {
        let (address, _running) = server(workers);
        thread::scope(|scope| {
            for _ in 0..times {
                scope.spawn(|| Sockets::play(address, mount, script));
            }
        });
    }
}

#[test]
fn polling_moves_to_a_websocket() {
    everywhere("/engine.io", engineio::transcripts::UPGRADE);
}

#[test]
fn an_abandoned_upgrade_leaves_polling_as_it_was() {
    everywhere("/engine.io", engineio::transcripts::ABANDONED);
}

#[test]
fn two_polls_at_a_time_end_the_session() {
    everywhere("/engine.io", engineio::transcripts::OVERLAP);
}

#[test]
fn who_does_not_answer_is_gone() {
    everywhere("/engine.io", engineio::transcripts::SILENT);
}

#[test]
fn a_streaming_body_brings_what_is_said() {
    // Its client chooses the session's name, so each server has one at a time.
    for workers in [1, 2, 4] {
        for _ in 0..3 {
            let (address, _running) = server(workers);
            Sockets::play(address, "/echo", sockjs::transcripts::STREAMING);
            Sockets::play(address, "/echo", sockjs::transcripts::POLLING);
        }
    }
}

/// Publications come once and in order, before, while and after a client moves to its WebSocket.
#[test]
fn nothing_is_lost_or_doubled_on_the_way_to_a_websocket() {
    const LAST: u32 = 3000;
    let reception = engineio::Reception::new(engineio::Settings::default(), |_| Feed);
    let (address, running) =
        start(Server::new().workers(2).reception("/engine.io", &ENGINE, Arc::new(reception)));
    let begun = std::sync::Barrier::new(9);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut feed = Reader::open(address);
                begun.wait();
                feed.follow(LAST);
            });
        }
        begun.wait();
        let topic = Topic::new("room").unwrap();
        for number in 1..=LAST {
            running.hub().publish(&topic, number.to_string()).unwrap();
            if number % 10 == 0 {
                // As fast as clients can come and go; all at once would be one answer to one poll.
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

/// A client of the feed, which polls a few times and then moves.
struct Reader {
    player: Sockets,
    sid: String,
    seen: u32,
}

impl Reader {
    fn open(address: SocketAddr) -> Self {
        let (calls, wires) = (HashMap::new(), HashMap::new());
        let mut player = Sockets { address, mount: "/engine.io", calls, wires };
        player.call("a", "GET", "?EIO=4&transport=polling", "");
        let (_, open) = player.answer("a").unwrap();
        let open: serde_json::Value = serde_json::from_str(&open[1..]).unwrap();
        Self { player, sid: open["sid"].as_str().unwrap().to_owned(), seen: 0 }
    }

    fn see(&mut self, packet: &str) {
        if let Some(number) = packet.strip_prefix('4') {
            self.seen += 1;
            assert_eq!(number, self.seen.to_string());
        }
    }

    fn poll(&mut self) {
        let target = format!("?EIO=4&transport=polling&sid={}", self.sid);
        self.player.call("p", "GET", &target, "");
    }

    fn take(&mut self) {
        let (status, body) = self.player.answer("p").unwrap();
        assert_eq!(status, 200, "{body}");
        body.split('\u{1e}').for_each(|packet| self.see(packet));
    }

    fn follow(&mut self, last: u32) {
        while self.seen < 100 {
            self.poll();
            self.take();
        }
        self.poll();
        let target = format!("?EIO=4&transport=websocket&sid={}", self.sid);
        self.player.open("w", &target);
        self.player.say("w", Heard::Text("2probe".into()));
        assert_eq!(self.player.heard("w"), Some(Heard::Text("3probe".into())));
        self.take();
        self.player.say("w", Heard::Text("5".into()));
        while self.seen < last {
            match self.player.heard("w") {
                Some(Heard::Text(packet)) => self.see(&packet),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Two bodies on their way at a time.
#[test]
fn two_posts_at_a_time_end_the_session() {
    for workers in [1, 2] {
        let reception = engineio::Reception::new(engineio::Settings::default(), |_| Echo);
        let server = Server::new().workers(workers);
        let (address, _running) =
            start(server.reception("/engine.io", &ENGINE, Arc::new(reception)));
        let (calls, wires) = (HashMap::new(), HashMap::new());
        let mut player = Sockets { address, mount: "/engine.io", calls, wires };
        player.call("a", "GET", "?EIO=4&transport=polling", "");
        let (_, open) = player.answer("a").unwrap();
        let open: serde_json::Value = serde_json::from_str(&open[1..]).unwrap();
        let sid = open["sid"].as_str().unwrap();
        let target = format!("?EIO=4&transport=polling&sid={sid}");
        // One body that comes in pieces is as good as another.
        let mut slow = begin_post(&mut player, "slow", &target);
        slow.write_all(b"lo").unwrap();
        assert_eq!(player.answer("slow"), Some((200, "ok".into())));
        player.call("b", "GET", &target, "");
        assert_eq!(player.answer("b"), Some((200, "4hello".into())));
        let _first = begin_post(&mut player, "first", &target);
        player.call("second", "POST", &target, "4hello");
        let bad = (400, r#"{"code":3,"message":"Bad request"}"#.to_owned());
        assert_eq!(player.answer("second"), Some(bad));
        // Nobody is there any more for the one that is still on its way.
        let gone = (400, r#"{"code":1,"message":"Session ID unknown"}"#.to_owned());
        assert_eq!(player.answer("first"), Some(gone));
        player.call("c", "GET", &target, "");
        assert_eq!(player.answer("c").map(|(status, _)| status), Some(400));
    }
}

/// A POST of `4hello` whose last two bytes do not come. When this returns, the server has it: an
/// interim answer says so.
fn begin_post(player: &mut Sockets, who: &str, target: &str) -> TcpStream {
    // A packet that says nothing.
    player.call(who, "POST", target, "6");
    let call = player.calls.get_mut(who).unwrap();
    assert!(call.read(|call| call.ended), "the connection is to be used again");
    let mut stream = call.stream.try_clone().unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n",
        player.path(target)
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"), "{interim:?}");
    stream.write_all(b"4hel").unwrap();
    let call = player.calls.get_mut(who).unwrap();
    (call.status, call.length, call.ended) = (None, None, false);
    call.body.clear();
    stream
}
