//! All sessions of a run, and the wait for what they receive.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::event::{Timespec, epoll};

use crate::{options::Options, session::Session};

/// While sessions are opened, those that are there have their pings answered so often.
const OPENED_AT_ONCE: usize = 16;

/// What sessions send and are sent.
pub trait Load {
    /// A packet came to this session, no ping.
    fn packet(&mut self, session: usize, packet: &[u8]);
    /// All that was there has been received: what this session sends now.
    fn refill(&mut self, session: usize, out: &mut Vec<u8>);
}

/// Nobody sends anything, and nothing should come.
#[derive(Default)]
pub struct Silence {
    pub unasked: Option<String>,
}

impl Load for Silence {
    fn packet(&mut self, _: usize, packet: &[u8]) {
        self.unasked = Some(String::from_utf8_lossy(packet).into_owned());
    }

    fn refill(&mut self, _: usize, _: &mut Vec<u8>) {}
}

impl Silence {
    /// An error when something came.
    pub fn check(self) -> io::Result<()> {
        match self.unasked {
            Some(packet) => Err(io::Error::other(format!("unasked came {packet}"))),
            None => Ok(()),
        }
    }
}

pub struct Crowd {
    sessions: Vec<Session>,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
}

impl Crowd {
    /// Opens the sessions, one after the other.
    pub fn open(options: &Options) -> io::Result<Self> {
        let mut crowd = Self {
            sessions: Vec::with_capacity(options.sessions),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
        };
        let mut silence = Silence::default();
        for number in 0..options.sessions {
            let session = Session::open(options)
                .map_err(|error| io::Error::other(format!("session {number}: {error}")))?;
            let token = epoll::EventData::new_u64(number as u64);
            epoll::add(&crowd.epoll, &session.socket, token, epoll::EventFlags::IN)?;
            crowd.sessions.push(session);
            if number % OPENED_AT_ONCE == 0 {
                crowd.turn(Duration::ZERO, &mut silence)?;
            }
        }
        silence.check()?;
        Ok(crowd)
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Lets every session send what it has to send at first.
    pub fn begin(&mut self, load: &mut impl Load) -> io::Result<()> {
        for (number, session) in self.sessions.iter_mut().enumerate() {
            load.refill(number, &mut session.out);
            session.flush(&self.epoll, number as u64)?;
        }
        Ok(())
    }

    /// Waits for sockets, no longer than `most`, and serves each once: whether there were any.
    pub fn turn(&mut self, most: Duration, load: &mut impl Load) -> io::Result<bool> {
        let Self { sessions, epoll, events, buffer } = self;
        events.clear();
        let most = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: most.subsec_nanos().into() };
        match epoll::wait(&*epoll, rustix::buffer::spare_capacity(events), Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &*events {
            let token = event.data.u64();
            let number = token as usize;
            let session = &mut sessions[number];
            session.receive(buffer, |packet| load.packet(number, packet))?;
            load.refill(number, &mut session.out);
            session.flush(epoll, token)?;
        }
        Ok(!events.is_empty())
    }
}
