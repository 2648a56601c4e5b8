//! One client: what it has, where it was cut, and what it may be told next.

use std::{
    fmt,
    ops::AddAssign,
    time::{Duration, Instant},
};

use super::{
    attack::Scene,
    door::{self, Door, News, Reader},
    random::Random,
    wire::{Cut, End, Wire},
};

/// The time between two cuts.
const PERIOD: u64 = 200;
/// Messages that are posted while a client is away: more than a history of 100 holds, as many as
/// come in two seconds.
const AWAY: u64 = 400;

/// What came to one client, or to all of a door.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) clients: u64,
    pub(crate) messages: u64,
    pub(crate) cuts: u64,
    /// Connections that the server ended.
    pub(crate) ends: u64,
    pub(crate) gaps: u64,
    /// What the gaps were about.
    pub(crate) missed: u64,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.clients += other.clients;
        self.messages += other.messages;
        self.cuts += other.cuts;
        self.ends += other.ends;
        self.gaps += other.gaps;
        self.missed += other.missed;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, messages, cuts, ends, gaps, missed } = self;
        write!(f, "{clients} clients, {messages} messages, {cuts} cuts, {gaps} gaps of {missed}")?;
        if *ends > 0 { write!(f, ", {ends} ended by the server") } else { Ok(()) }
    }
}

pub(crate) struct Client<'a> {
    pub(crate) door: Door,
    pub(crate) scene: &'a Scene,
    pub(crate) random: Random,
    /// The number of the last message that it has, or was told that it missed.
    last: u64,
    figures: Figures,
}

impl<'a> Client<'a> {
    /// Has the first message already, so that it has a cursor.
    pub(crate) fn new(door: Door, scene: &'a Scene, random: Random) -> Self {
        let figures = Figures { clients: 1, ..Figures::default() };
        Self { door, scene, random, last: scene.first, figures }
    }

    /// Reads, cut again and again, until it has the last message.
    pub(crate) fn run(mut self) -> Result<Figures, String> {
        let end = self.read_all();
        let wrong = end.err().map(|why| {
            format!("{} after message {} of {}: {why}", self.door, self.last, self.scene.total)
        });
        wrong.map_or(Ok(self.figures), Err)
    }

    fn read_all(&mut self) -> Result<(), String> {
        while self.last < self.scene.last() {
            match self.visit() {
                Ok(()) => {}
                Err(End::Cut) => {
                    self.figures.cuts += 1;
                    if self.scene.absent && self.random.once_in(8) {
                        self.scene.wait_for_posts(AWAY / 2)?;
                    }
                }
                Err(End::Server) => self.figures.ends += 1,
                Err(End::Wrong(why)) => return Err(why),
            }
            self.scene.check()?;
        }
        self.nothing_follows()
    }

    /// One connection.
    fn visit(&mut self) -> Result<(), End> {
        let cut = self.cut();
        let mut wire = Wire::connect(self.scene.address, cut)?;
        let cursor = self.scene.id(self.last);
        let mut reader = Reader::open(self.door, &mut wire, &cursor, &mut self.random)?;
        let mut news = Vec::new();
        while self.last < self.scene.last() {
            let end = reader.next(&mut wire, &mut news);
            for one in news.drain(..) {
                self.take(&one)?;
            }
            end?;
            self.scene.check().map_err(End::Wrong)?;
        }
        Ok(())
    }

    /// In the period, give or take half of it; sometimes at once, which cuts heads and handshakes.
    fn cut(&mut self) -> Option<Cut> {
        if self.scene.is_over() {
            return None;
        }
        let is_early = self.random.once_in(8);
        let after = if is_early { 0 } else { PERIOD / 2 + self.random.below(PERIOD) };
        let at = Instant::now() + Duration::from_millis(after);
        Some(Cut { at, bytes: self.random.below(2000) as usize })
    }

    fn take(&mut self, news: &News) -> Result<(), End> {
        let seq = self.scene.hears(self.last, news)?;
        match news {
            News::Message { .. } => self.figures.messages += 1,
            News::Gap { .. } => {
                self.figures.gaps += 1;
                self.figures.missed += seq - self.last;
            }
        }
        self.last = seq;
        Ok(())
    }

    /// Who has everything is told nothing more.
    fn nothing_follows(&mut self) -> Result<(), String> {
        let mut news = Vec::new();
        let mut ask = || {
            let mut wire = Wire::connect(self.scene.address, None)?;
            door::poll(&mut wire, &self.scene.id(self.last), false, &mut news)
        };
        match ask() {
            Ok(_) if news.is_empty() => Ok(()),
            Ok(_) => Err(format!("there is more: {} messages or gaps", news.len())),
            Err(end) => Err(format!("asking for more: {end:?}")),
        }
    }
}
