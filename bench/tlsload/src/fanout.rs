//! One connection publishes, all receive; so many messages are in flight in all.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    client::{self, Buffers, Client},
    echo::{wait, watch},
    options::Options,
    proc::Used,
};

/// A message starts with its number.
const NUMBER: usize = 16;
/// How long may pass without anything before what lacks is given up.
const PATIENCE: Duration = Duration::from_secs(1);

/// A measurement under way.
struct Start {
    at: Instant,
    used: Used,
    deliveries: u64,
}

/// What has come of it.
struct End {
    wall: Duration,
    cost: String,
    deliveries: u64,
}

/// What was published, and who has what of it.
struct Tally {
    /// How many messages were published.
    sent: u64,
    /// How many clients have not received message `sent - missing.len() + at`.
    missing: std::collections::VecDeque<usize>,
    /// The number that each client is to receive next.
    next: Vec<u64>,
    deliveries: u64,
    disorder: u64,
    bad: u64,
}

impl Tally {
    fn received(&mut self, client: usize, payload: &[u8], size: usize) {
        let text = payload.get(..NUMBER).and_then(|text| std::str::from_utf8(text).ok());
        let number = text.and_then(|text| u64::from_str_radix(text, 16).ok());
        let Some(number) = number.filter(|number| *number < self.sent && payload.len() == size)
        else {
            self.bad += 1;
            return;
        };
        self.disorder += u64::from(number != self.next[client]);
        self.next[client] = number + 1;
        self.deliveries += 1;
        let first = self.sent - self.missing.len() as u64;
        if let Some(missing) =
            number.checked_sub(first).and_then(|at| self.missing.get_mut(at as usize))
        {
            *missing = missing.saturating_sub(1);
        }
        while self.missing.front() == Some(&0) {
            self.missing.pop_front();
        }
    }
}

pub fn run(options: &Options) -> io::Result<String> {
    let config = client::config();
    let size = options.size.max(NUMBER);
    let mut payload = vec![b'x'; size];
    let mut clients = (0..options.connections)
        .map(|_| Client::connect(options, &config))
        .collect::<io::Result<Vec<_>>>()?;
    // A server that lets in whoever it has answered already may take a moment for it.
    std::thread::sleep(Duration::from_millis(100));
    let epoll = watch(&clients)?;
    let mut buffers = Buffers::new();
    let mut events = Vec::with_capacity(1024);
    let mut tally = Tally {
        sent: 0,
        missing: std::collections::VecDeque::new(),
        next: vec![0; clients.len()],
        deliveries: 0,
        disorder: 0,
        bad: 0,
    };
    let warm = Instant::now() + options.warmup;
    let mut progress = Instant::now();
    let (mut start, mut end) = (None::<Start>, None::<End>);
    loop {
        let now = Instant::now();
        if start.is_none() && now >= warm {
            let used = Used::now(options);
            start = Some(Start { at: Instant::now(), used, deliveries: tally.deliveries });
        }
        if let Some(start) = &start
            && end.is_none()
            && now >= start.at + options.measured
        {
            let wall = start.at.elapsed();
            let deliveries = tally.deliveries - start.deliveries;
            let cost = Used::now(options).since(&start.used, wall, deliveries);
            end = Some(End { wall, cost, deliveries });
        }
        if end.is_some() && (tally.missing.is_empty() || progress.elapsed() > PATIENCE) {
            break;
        }
        let due = options.window.saturating_sub(tally.missing.len());
        if end.is_none() && due > 0 {
            for _ in 0..due {
                payload[..NUMBER].copy_from_slice(format!("{:016x}", tally.sent).as_bytes());
                clients[0].queue(&client::frame(&payload))?;
                tally.sent += 1;
                tally.missing.push_back(options.connections);
            }
            clients[0].flush(&epoll, 0)?;
        }
        wait(&epoll, &mut events)?;
        for event in &events {
            let token = event.data.u64();
            let client = &mut clients[token as usize];
            client.receive(&mut buffers, |payload| {
                tally.received(token as usize, payload, size);
            })?;
            client.flush(&epoll, token)?;
            progress = Instant::now();
        }
    }
    let Some(End { wall, cost, deliveries }) = end else {
        return Err(io::Error::other("nothing measured"));
    };
    let lost = tally.sent * options.connections as u64 - tally.deliveries;
    Ok(format!(
        "{{\"mode\":\"fanout\",\"label\":\"{}\",\"conns\":{},\"size\":{size},\"window\":{},\
         \"deliveries_per_s\":{:.0},\"lost\":{lost},\"disorder\":{},\"bad\":{},{cost}}}",
        options.label,
        options.connections,
        options.window,
        deliveries as f64 / wall.as_secs_f64(),
        tally.disorder,
        tally.bad
    ))
}
