//! One connection publishes, all clients receive; so many messages are in flight in all.

use std::{
    collections::VecDeque,
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::event::{Timespec, epoll};

use crate::{
    events::{DIGITS, MARK},
    options::Options,
    proc::Used,
    publisher::Publisher,
    subscriber::Subscriber,
};

/// The publisher's token; clients have their indices.
const PUBLISHER: u64 = u64::MAX;
/// How long may pass without anything before what lacks is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a wait for the sockets is at most, so that the time is seen.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// A message in flight.
struct Flight {
    since: Instant,
    /// How many clients have not received it.
    missing: usize,
}

/// What was published, and who has what of it.
struct Tally {
    /// How many messages were published.
    sent: u64,
    /// The last of them, from the first that some client lacks.
    flights: VecDeque<Flight>,
    /// The number that each client is to receive next.
    next: Vec<u64>,
    deliveries: u64,
    /// How often a client received a number that was not the next one.
    disorder: u64,
    /// Events that are not ours.
    bad: u64,
    /// How long messages took until the last client had them, in microseconds.
    times: Vec<u32>,
}

impl Tally {
    fn sends(&mut self, clients: usize) -> u64 {
        self.flights.push_back(Flight { since: Instant::now(), missing: clients });
        self.sent += 1;
        self.sent - 1
    }

    fn received(&mut self, client: usize, number: Option<u64>) {
        let Some(number) = number.filter(|number| *number < self.sent) else {
            self.bad += 1;
            return;
        };
        self.disorder += u64::from(number != self.next[client]);
        self.next[client] = number + 1;
        self.deliveries += 1;
        let first = self.sent - self.flights.len() as u64;
        if let Some(flight) =
            number.checked_sub(first).and_then(|at| self.flights.get_mut(at as usize))
        {
            flight.missing = flight.missing.saturating_sub(1);
        }
        while self.flights.front().is_some_and(|flight| flight.missing == 0) {
            let flight = self.flights.pop_front().expect("it was there");
            let micros = flight.since.elapsed().as_micros();
            self.times.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }
}

/// A measurement under way.
struct Start {
    at: Instant,
    used: Used,
    deliveries: u64,
    times: usize,
}

impl Start {
    fn now(options: &Options, tally: &Tally) -> Self {
        let used = Used::now(options);
        let (deliveries, times) = (tally.deliveries, tally.times.len());
        Self { at: Instant::now(), used, deliveries, times }
    }

    /// The part of the line that has what was measured since.
    fn end(&self, options: &Options, tally: &Tally) -> String {
        let wall = self.at.elapsed();
        let deliveries = tally.deliveries - self.deliveries;
        let cost = Used::now(options).since(&self.used, wall, deliveries);
        let mut times = tally.times[self.times..].to_vec();
        times.sort_unstable();
        let time = |percent: usize| {
            let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(at).copied().unwrap_or(0)
        };
        format!(
            "\"deliveries_per_s\":{:.0},\"last_p50_us\":{},\"last_p99_us\":{},{cost}",
            deliveries as f64 / wall.as_secs_f64(),
            time(50),
            time(99),
        )
    }
}

pub fn run(options: &Options) -> io::Result<String> {
    let size = options.size.max(MARK.len() + DIGITS);
    let mut clients = (0..options.clients)
        .map(|_| Subscriber::connect(options))
        .collect::<io::Result<Vec<_>>>()?;
    let mut publisher = Publisher::connect(options, size)?;
    let epoll = watch(&clients, &publisher)?;
    // A server that subscribes whoever it has answered already may take a moment for it.
    std::thread::sleep(Duration::from_millis(100));
    let mut tally = Tally {
        sent: 0,
        flights: VecDeque::with_capacity(options.window),
        next: vec![0; clients.len()],
        deliveries: 0,
        disorder: 0,
        bad: 0,
        times: Vec::with_capacity(1 << 20),
    };
    let mut buffer = vec![0; 256 * 1024];
    let mut events = Vec::with_capacity(1024);
    let warm = Instant::now() + options.warmup;
    let mut progress = Instant::now();
    let (mut start, mut end) = (None::<Start>, None::<String>);
    loop {
        let now = Instant::now();
        match &start {
            None if now >= warm => start = Some(Start::now(options, &tally)),
            Some(start) if end.is_none() && now >= start.at + options.measured => {
                end = Some(start.end(options, &tally));
            }
            _ => {}
        }
        let idle = tally.flights.is_empty() && publisher.unanswered() == 0;
        if end.is_some() && (idle || progress.elapsed() > PATIENCE) {
            break;
        }
        if end.is_none() {
            let window = options.window.saturating_sub(tally.flights.len());
            let due = window.min(options.unanswered.saturating_sub(publisher.unanswered()));
            if due > 0 {
                (0..due).for_each(|_| publisher.queue(tally.sends(options.clients)));
                publisher.flush(&epoll, PUBLISHER)?;
            }
        }
        wait(&epoll, &mut events)?;
        for event in &events {
            progress = Instant::now();
            let token = event.data.u64();
            if token == PUBLISHER {
                publisher.receive(&mut buffer)?;
                publisher.flush(&epoll, PUBLISHER)?;
                continue;
            }
            let client = token as usize;
            let each = |number| tally.received(client, number);
            clients[client].receive(&mut buffer, size, each)?;
        }
    }
    let Some(measured) = end else { return Err(io::Error::other("nothing measured")) };
    let due = tally.sent * options.clients as u64;
    Ok(format!(
        "{{\"mode\":\"sse-fanout\",\"label\":\"{}\",\"conns\":{},\"size\":{size},\"window\":{},\
         \"deliveries\":{},\"lost\":{},\"disorder\":{},\"bad\":{},{measured}}}",
        options.label,
        options.clients,
        options.window,
        tally.deliveries,
        due.saturating_sub(tally.deliveries),
        tally.disorder,
        tally.bad,
    ))
}

fn watch(clients: &[Subscriber], publisher: &Publisher) -> io::Result<OwnedFd> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let sockets = clients.iter().map(|client| &client.socket).zip(0_u64..);
    for (socket, token) in sockets.chain([(&publisher.socket, PUBLISHER)]) {
        let token = epoll::EventData::new_u64(token);
        epoll::add(&epoll, socket, token, epoll::EventFlags::IN)?;
    }
    Ok(epoll)
}

fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> io::Result<()> {
    events.clear();
    match epoll::wait(epoll, rustix::buffer::spare_capacity(events), Some(&TICK)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_out_of_order_is_counted() {
        let mut tally = Tally {
            sent: 0,
            flights: VecDeque::new(),
            next: vec![0; 2],
            deliveries: 0,
            disorder: 0,
            bad: 0,
            times: Vec::new(),
        };
        (0..3).for_each(|number| assert_eq!(tally.sends(2), number));
        for number in [0, 1, 2] {
            tally.received(0, Some(number));
        }
        assert_eq!((tally.flights.len(), tally.disorder), (3, 0));
        tally.received(1, Some(0));
        assert_eq!(tally.flights.len(), 2);
        // The second is missing, a fourth was never sent.
        tally.received(1, Some(2));
        tally.received(1, Some(3));
        tally.received(1, None);
        assert_eq!((tally.flights.len(), tally.disorder, tally.bad), (2, 1, 2));
        assert_eq!((tally.deliveries, tally.times.len()), (5, 1));
    }
}
