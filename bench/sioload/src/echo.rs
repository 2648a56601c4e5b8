//! Each session sends `message` and is answered by `message-back`, with so many in flight.

use std::{io, time::Instant};

use crate::{
    crowd::{Crowd, Load},
    drive::{Measured, drive},
    frames,
    options::Options,
    packets::{Event, SHORTEST},
};

struct Echo {
    /// One frame for each event that may be in flight, with numbers from 0, all of one length.
    frames: Vec<u8>,
    frame: usize,
    /// Their answers.
    answers: Vec<Vec<u8>>,
    places: Vec<Place>,
    stopped: bool,
    sent: u64,
    received: u64,
    /// Answers that were not the next one's.
    disorder: u64,
    /// Packets that are not ours.
    bad: u64,
    times: Vec<u32>,
}

/// How far a session is. The frames go round.
struct Place {
    sent: u64,
    received: u64,
    /// When number 0 was last sent; only its time is taken.
    since: Instant,
}

impl Echo {
    fn new(sessions: usize, depth: usize, size: usize) -> Self {
        let (mut message, mut back) =
            (Event::new("message", size), Event::new("message-back", size));
        let mut frames = Vec::new();
        (0..depth as u64)
            .for_each(|n| frames::write(&mut frames, frames::TEXT, message.numbered(n)));
        Self {
            frame: frames.len() / depth,
            frames,
            answers: (0..depth as u64).map(|number| back.numbered(number).to_vec()).collect(),
            places: (0..sessions)
                .map(|_| Place { sent: 0, received: 0, since: Instant::now() })
                .collect(),
            stopped: false,
            sent: 0,
            received: 0,
            disorder: 0,
            bad: 0,
            times: Vec::with_capacity(1 << 20),
        }
    }
}

impl Load for Echo {
    fn packet(&mut self, session: usize, packet: &[u8]) {
        let place = &mut self.places[session];
        let expected = (place.received % self.answers.len() as u64) as usize;
        if packet != self.answers[expected] {
            if !self.answers.iter().any(|answer| answer == packet) {
                self.bad += 1;
                return;
            }
            self.disorder += 1;
        } else if expected == 0 {
            let micros = place.since.elapsed().as_micros();
            self.times.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
        place.received += 1;
        self.received += 1;
    }

    fn refill(&mut self, session: usize, out: &mut Vec<u8>) {
        let (place, depth) = (&mut self.places[session], self.answers.len() as u64);
        if self.stopped {
            return;
        }
        let mut due = depth.saturating_sub(place.sent.saturating_sub(place.received));
        self.sent += due;
        while due > 0 {
            let from = place.sent % depth;
            if from == 0 {
                place.since = Instant::now();
            }
            let count = due.min(depth - from);
            let bytes = from as usize * self.frame..(from + count) as usize * self.frame;
            out.extend_from_slice(&self.frames[bytes]);
            place.sent += count;
            due -= count;
        }
    }
}

impl Measured for Echo {
    fn units(&self) -> u64 {
        self.received
    }

    fn under_way(&self) -> u64 {
        self.sent.saturating_sub(self.received)
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
    let mut echo = Echo::new(crowd.len(), options.depth, options.size);
    let measured = drive(options, &mut crowd, &mut echo, "msgs")?;
    Ok(format!(
        "{{\"mode\":\"sio-echo\",\"label\":\"{}\",\"conns\":{},\"size\":{},\"depth\":{},\
         \"msgs\":{},\"lost\":{},\"disorder\":{},\"bad\":{},{measured}}}",
        options.label,
        crowd.len(),
        options.size.max(SHORTEST),
        options.depth,
        echo.received,
        echo.under_way(),
        echo.disorder,
        echo.bad,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_its_depth_in_flight_and_each_answer_frees_a_place() {
        let mut echo = Echo::new(2, 3, 24);
        let mut out = Vec::new();
        echo.refill(1, &mut out);
        assert_eq!(out, echo.frames);
        out.clear();
        echo.refill(1, &mut out);
        assert!(out.is_empty());
        let answers = echo.answers.clone();
        echo.packet(1, &answers[0]);
        echo.packet(1, &answers[1]);
        echo.refill(1, &mut out);
        assert_eq!(out, echo.frames[..2 * echo.frame]);
        out.clear();
        // The third and, past the end of the round, the first.
        echo.packet(1, &answers[2]);
        echo.packet(1, &answers[0]);
        echo.refill(1, &mut out);
        assert_eq!(out, [&echo.frames[2 * echo.frame..], &echo.frames[..echo.frame]].concat());
        assert_eq!((echo.units(), echo.under_way(), echo.times.len()), (4, 3, 2));
        assert_eq!((echo.disorder, echo.bad), (0, 0));
        echo.stop();
        echo.packet(1, &answers[1]);
        out.clear();
        echo.refill(1, &mut out);
        assert!(out.is_empty() && echo.under_way() == 2);
    }

    #[test]
    fn what_is_out_of_order_or_not_ours_is_counted() {
        let mut echo = Echo::new(1, 3, 24);
        echo.refill(0, &mut Vec::new());
        let answers = echo.answers.clone();
        echo.packet(0, &answers[1]);
        echo.packet(0, b"42[\"message-back\",\"\"]");
        assert_eq!((echo.disorder, echo.bad, echo.units(), echo.under_way()), (1, 1, 1, 2));
    }
}
