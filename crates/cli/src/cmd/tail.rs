//! `madang tail`: prints what is published, as it comes.

use std::{
    fmt,
    io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _},
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::Args;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{sync::oneshot, time::timeout};

use super::{Failure, message::Message, notice, runtime, topic};
use crate::client::{Client, HttpError, Keep, Lines, Refusal, ServerFlags, encoded, escaped};

/// Flags of `madang tail`.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// What to follow.
    #[arg(required = true, value_name = "TOPIC", value_parser = topic)]
    topics: Vec<String>,

    /// Where to begin: behind the message with this id, at the `earliest` that is kept, or `now`.
    #[arg(long, value_name = "CURSOR", default_value = "now", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    since: String,

    /// Print the lines as they come: JSON with topic, id, event and data.
    #[arg(long)]
    json: bool,

    /// Stop after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Stop when the stream ends, instead of going on where it was cut.
    #[arg(long)]
    no_reconnect: bool,

    /// Silence after which a stream is taken for dead; servers send a byte every 15 seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 45, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle_timeout: u64,

    #[command(flatten)]
    server: ServerFlags,
}

/// Follows until it is stopped.
pub(crate) fn run(tail: Tail) -> Result<(), Failure> {
    let mut follower = Follower::new(tail)?;
    let stopped = stop()?;
    runtime()?.block_on(async {
        tokio::select! {
            ended = follower.follow() => ended,
            // It never comes where the signal's thread has died; then there is no stopping.
            Ok(()) = stopped => Ok(()),
        }
    })
}

/// Completes with Ctrl-C. A thread of its own sees to it that the program ends even while nobody
/// reads its standard output.
fn stop() -> Result<oneshot::Receiver<()>, Failure> {
    let failed = |error: io::Error| Failure::Runtime(format!("cannot start: {error}"));
    let (told, stopped) = oneshot::channel();
    let runtime = runtime()?;
    let stop = runtime.block_on(async { madang::stop_signal() }).map_err(failed)?;
    let wait = move || {
        runtime.block_on(stop);
        // Nobody listens any more when it is about to end anyway.
        let _ = told.send(());
        std::thread::sleep(Duration::from_secs(1));
        std::process::exit(0);
    };
    std::thread::Builder::new().spawn(wait).map_err(failed)?;
    Ok(stopped)
}

/// How a stream ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// All that was asked for is printed, or nobody reads it.
    Done,
    /// The server ended it.
    Closed,
}

/// Why a stream failed.
#[derive(Debug)]
enum Cut {
    Http(HttpError),
    Idle(Duration),
    /// What is wrong is on this side.
    Here(Failure),
}

impl From<HttpError> for Cut {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => error.fmt(f),
            Self::Idle(time) => write!(f, "nothing came for {} s", time.as_secs()),
            Self::Here(failure) => failure.fmt(f),
        }
    }
}

impl Cut {
    /// Whether another try could do better.
    fn is_passing(&self) -> bool {
        match self {
            Self::Http(HttpError::Refused(refusal)) => refusal.status.is_server_error(),
            Self::Http(HttpError::Stranger(_) | HttpError::LongLine) | Self::Here(_) => false,
            _ => true,
        }
    }
}

struct Follower {
    client: Client,
    topics: Vec<String>,
    cursor: String,
    /// Messages still to be printed.
    left: Option<u64>,
    idle: Duration,
    reconnects: bool,
    /// Whether the server has ever answered. One that never has is most likely another.
    was_reached: bool,
    pauses: Pauses,
    out: Printer,
}

impl Follower {
    fn new(tail: Tail) -> Result<Self, Failure> {
        let mut topics = Vec::new();
        for topic in tail.topics {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        let stdout = io::stdout().lock();
        let out = Printer {
            is_json: tail.json,
            is_one_of_many: topics.len() > 1,
            is_terminal: stdout.is_terminal(),
            out: BufWriter::new(stdout),
        };
        Ok(Self {
            client: Client::new(tail.server)?,
            topics,
            cursor: tail.since,
            left: tail.limit,
            idle: Duration::from_secs(tail.idle_timeout),
            reconnects: !tail.no_reconnect,
            was_reached: false,
            pauses: Pauses::default(),
            out,
        })
    }

    async fn follow(&mut self) -> Result<(), Failure> {
        loop {
            let began = Instant::now();
            let ended = self.stream().await;
            if began.elapsed() > Pauses::MOST {
                self.pauses.reset();
            }
            let (why, least) = match ended {
                Ok(End::Done) => return Ok(()),
                Ok(End::Closed) if !self.reconnects => return Ok(()),
                Ok(End::Closed) => ("the server ended the stream".to_owned(), None),
                Err(Cut::Here(failure)) => return Err(failure),
                Err(cut) if !(self.reconnects && self.was_reached && cut.is_passing()) => {
                    return Err(Failure::Runtime(cut.to_string()));
                }
                Err(cut) => (cut.to_string(), asked_pause(&cut)),
            };
            let pause = self.pauses.next(least);
            let seconds = pause.as_secs_f32();
            // Loss is never silent: without an id there is nothing to go on from.
            let loss = if self.cursor == "now" {
                "; what is published until then is not seen"
            } else {
                ""
            };
            notice(&format!("{why}; trying again in {seconds:.1} s{loss}"));
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks once, and prints what comes.
    async fn stream(&mut self) -> Result<End, Cut> {
        let accept = HeaderValue::from_static("application/x-ndjson");
        let request = self
            .client
            .request(Method::GET, &self.path(), &[(header::ACCEPT, accept)], Bytes::new())
            .map_err(Cut::Here)?;
        let mut connection = self.client.connect().await?;
        let response = connection.send(request).await.map_err(|lost| lost.error)?;
        self.was_reached = true;
        let mut body = checked(response).await?;
        let mut lines = Lines::default();
        loop {
            let frame = match timeout(self.idle, body.frame()).await {
                Err(_) => return Err(Cut::Idle(self.idle)),
                Ok(None) => break,
                Ok(Some(frame)) => {
                    frame.map_err(|error| HttpError::Lost(crate::client::told(&error)))?
                }
            };
            let Ok(chunk) = frame.into_data() else { continue };
            lines.push(&chunk);
            while let Some(line) = lines.next_line()? {
                if self.take(&line)? == End::Done {
                    return Ok(End::Done);
                }
            }
            if self.out.flush()? == End::Done {
                return Ok(End::Done);
            }
        }
        // A last line may lack its end. Half a line comes again after the cursor.
        let rest = lines.rest();
        if Message::read(&rest).is_some() && self.take(&rest)? == End::Done {
            return Ok(End::Done);
        }
        self.out.flush()
    }

    fn path(&self) -> String {
        let since = encoded(&self.cursor);
        if let [topic] = self.topics.as_slice() {
            return format!("/topics/{}/stream?since={since}", encoded(topic));
        }
        let topics: Vec<_> =
            self.topics.iter().map(|topic| format!("topic={}", encoded(topic))).collect();
        format!("/stream?{}&since={since}", topics.join("&"))
    }

    /// Prints a line, and remembers its cursor.
    fn take(&mut self, line: &[u8]) -> Result<End, Cut> {
        // Blank lines only say that the stream lives.
        if line.trim_ascii().is_empty() {
            return Ok(End::Closed);
        }
        let message = Message::read(line).ok_or_else(|| {
            let start = String::from_utf8_lossy(line.get(..80).unwrap_or(line)).into_owned();
            let start = escaped(&start, Keep::None).into_owned();
            HttpError::Stranger(format!("the server sent a line that is no message: {start}"))
        })?;
        if let Some(reason) = message.refusal() {
            return Err(HttpError::Ended(reason.into_owned()).into());
        }
        self.pauses.reset();
        let is_gap = message.is_gap();
        if is_gap {
            let topic = message.topic();
            notice(&format!("messages of `{topic}` are missing here: they are no longer kept"));
        }
        let mut end = self.out.print(line, &message)?;
        if !is_gap && let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.out.flush()?;
                end = End::Done;
            }
        }
        if let Some(cursor) = message.cursor() {
            self.cursor = cursor;
        }
        Ok(end)
    }
}

/// The stream in an answer, where it is one.
async fn checked(response: Response<Incoming>) -> Result<Incoming, Cut> {
    if response.status() != StatusCode::OK {
        return Err(HttpError::Refused(Box::new(Refusal::read(response).await)).into());
    }
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = String::from_utf8_lossy(kind.unwrap_or_default()).into_owned();
    if kind.to_ascii_lowercase().starts_with("application/x-ndjson") {
        return Ok(response.into_body());
    }
    let kind = escaped(&kind, Keep::None);
    Err(HttpError::Stranger(format!("the server answered `{kind}` instead of a stream")).into())
}

/// Standard output.
struct Printer {
    is_json: bool,
    is_one_of_many: bool,
    is_terminal: bool,
    out: BufWriter<StdoutLock<'static>>,
}

impl Printer {
    fn print(&mut self, line: &[u8], message: &Message<'_>) -> Result<End, Cut> {
        let written = match std::str::from_utf8(line) {
            // It is the same JSON.
            Ok(text) if self.is_json && self.is_terminal => {
                writeln!(self.out, "{}", escaped(text, Keep::None))
            }
            _ if self.is_json => self.out.write_all(line).and_then(|()| self.out.write_all(b"\n")),
            _ if message.is_gap() => Ok(()),
            _ => message.show(&mut self.out, self.is_one_of_many, self.is_terminal),
        };
        ended(written)
    }

    fn flush(&mut self) -> Result<End, Cut> {
        ended(self.out.flush())
    }
}

/// Whoever reads no more has enough.
fn ended(written: io::Result<()>) -> Result<End, Cut> {
    match written {
        Ok(()) => Ok(End::Closed),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(End::Done),
        Err(error) => Err(Cut::Here(Failure::Runtime(format!(
            "cannot write to the standard output: {error}"
        )))),
    }
}

/// How long to wait before the next try.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    tried: u32,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(250);
    pub(crate) const MOST: Duration = Duration::from_secs(30);

    /// The server does its work: the next cut is a new one.
    pub(crate) fn reset(&mut self) {
        self.tried = 0;
    }

    /// Twice as long as before, and not the same for all, so that they do not come together.
    pub(crate) fn next(&mut self, least: Option<Duration>) -> Duration {
        let whole = Self::FIRST.saturating_mul(1 << self.tried.min(16)).min(Self::MOST);
        self.tried = self.tried.saturating_add(1);
        // Without chance it is the whole.
        let chance = getrandom::u32().unwrap_or(u32::MAX);
        let pause = whole.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX));
        pause.max(least.unwrap_or_default())
    }
}

/// What the server asked for, a minute at most.
fn asked_pause(cut: &Cut) -> Option<Duration> {
    match cut {
        Cut::Http(HttpError::Refused(refusal)) => {
            refusal.retry_after.map(|pause| pause.min(Duration::from_mins(1)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew() {
        let mut pauses = Pauses::default();
        for millis in [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            let (pause, whole) = (pauses.next(None), Duration::from_millis(millis));
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
        }
        pauses.tried = u32::MAX;
        assert!(pauses.next(None) <= Pauses::MOST);
        pauses.reset();
        assert!(pauses.next(None) <= Pauses::FIRST);
        assert_eq!(pauses.next(Some(Duration::from_secs(7))), Duration::from_secs(7));
    }
}
