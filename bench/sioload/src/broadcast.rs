//! One session publishes by `everyone`, all receive `said`, the publisher too. So many events are
//! published whose own copy the publisher lacks.

use std::{collections::VecDeque, io, time::Instant};

use crate::{
    crowd::{Crowd, Load},
    drive::{Measured, drive},
    frames,
    options::Options,
    packets::{Event, SHORTEST},
};

/// An event that some session has not received.
struct Flight {
    since: Instant,
    missing: usize,
}

/// What was published, and who has what of it.
struct Broadcast {
    everyone: Event,
    said: Event,
    window: u64,
    stopped: bool,
    /// How many events were published.
    sent: u64,
    /// The last of them, from the first that some session lacks.
    flights: VecDeque<Flight>,
    /// The number that each session is to receive next. The last session publishes: most servers go
    /// through their sessions as they came, and so it has its copy when the others have theirs.
    next: Vec<u64>,
    /// How many copies the publisher has.
    own: u64,
    deliveries: u64,
    /// How often a session received a number that was not the next one.
    disorder: u64,
    /// Packets that are not ours.
    bad: u64,
    /// How long events took until the last session had them, in microseconds.
    times: Vec<u32>,
}

impl Broadcast {
    fn new(sessions: usize, window: usize, size: usize) -> Self {
        Self {
            everyone: Event::new("everyone", size),
            said: Event::new("said", size),
            window: window as u64,
            stopped: false,
            sent: 0,
            flights: VecDeque::with_capacity(4 * window),
            next: vec![0; sessions],
            own: 0,
            deliveries: 0,
            disorder: 0,
            bad: 0,
            times: Vec::with_capacity(1 << 20),
        }
    }

    fn publisher(&self) -> usize {
        self.next.len() - 1
    }
}

impl Load for Broadcast {
    fn packet(&mut self, session: usize, packet: &[u8]) {
        let Some(number) = self.said.number(packet).filter(|number| *number < self.sent) else {
            self.bad += 1;
            return;
        };
        self.disorder += u64::from(number != self.next[session]);
        self.next[session] = number + 1;
        self.deliveries += 1;
        self.own += u64::from(session == self.publisher());
        let first = self.sent - self.flights.len() as u64;
        if let Some(flight) =
            number.checked_sub(first).and_then(|at| self.flights.get_mut(at as usize))
        {
            flight.missing = flight.missing.saturating_sub(1);
        }
        while self.flights.front().is_some_and(|flight| flight.missing == 0) {
            let Some(flight) = self.flights.pop_front() else { break };
            let micros = flight.since.elapsed().as_micros();
            self.times.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    fn refill(&mut self, session: usize, out: &mut Vec<u8>) {
        if self.stopped || session != self.publisher() {
            return;
        }
        for _ in self.sent.saturating_sub(self.own)..self.window {
            frames::write(out, frames::TEXT, self.everyone.numbered(self.sent));
            self.flights.push_back(Flight { since: Instant::now(), missing: self.next.len() });
            self.sent += 1;
        }
    }
}

impl Measured for Broadcast {
    fn units(&self) -> u64 {
        self.deliveries
    }

    fn under_way(&self) -> u64 {
        (self.sent * self.next.len() as u64).saturating_sub(self.deliveries)
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn times(&self) -> &[u32] {
        &self.times
    }
}

pub fn run(options: &Options) -> io::Result<String> {
    let mut crowd = Crowd::open(options)?;
    let mut broadcast = Broadcast::new(crowd.len(), options.window, options.size);
    let measured = drive(options, &mut crowd, &mut broadcast, "deliveries")?;
    Ok(format!(
        "{{\"mode\":\"sio-broadcast\",\"label\":\"{}\",\"conns\":{},\"size\":{},\"window\":{},\
         \"deliveries\":{},\"lost\":{},\"disorder\":{},\"bad\":{},{measured}}}",
        options.label,
        crowd.len(),
        options.size.max(SHORTEST),
        options.window,
        broadcast.deliveries,
        broadcast.under_way(),
        broadcast.disorder,
        broadcast.bad,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(load: &mut Broadcast, session: usize, number: u64) {
        let packet = Event::new("said", 32).numbered(number).to_vec();
        load.packet(session, &packet);
    }

    #[test]
    fn the_publishers_own_copies_open_the_window() {
        let mut load = Broadcast::new(3, 2, 32);
        let mut out = Vec::new();
        load.refill(0, &mut out);
        assert!(out.is_empty());
        load.refill(2, &mut out);
        let two = out.len();
        assert_eq!((load.sent, load.under_way()), (2, 6));
        hear(&mut load, 0, 0);
        hear(&mut load, 0, 1);
        load.refill(2, &mut out);
        assert_eq!(load.sent, 2);
        hear(&mut load, 2, 0);
        load.refill(2, &mut out);
        assert_eq!((load.sent, out.len()), (3, two + two / 2));
        assert!(load.times.is_empty());
        hear(&mut load, 1, 0);
        assert_eq!((load.times.len(), load.units(), load.under_way()), (1, 4, 5));
        load.stop();
        hear(&mut load, 2, 1);
        load.refill(2, &mut out);
        assert_eq!(load.sent, 3);
    }

    #[test]
    fn what_is_lost_out_of_order_or_not_ours_is_counted() {
        let mut load = Broadcast::new(1, 3, 32);
        load.refill(0, &mut Vec::new());
        hear(&mut load, 0, 0);
        // The second is missing, a fourth was never sent.
        hear(&mut load, 0, 2);
        hear(&mut load, 0, 3);
        load.packet(0, b"42[\"told\"]");
        assert_eq!((load.disorder, load.bad, load.under_way()), (1, 2, 1));
        assert_eq!((load.flights.len(), load.times.len()), (2, 1));
    }
}
