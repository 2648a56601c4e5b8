//! Every connection keeps so many messages in flight, and each answer sends the next.

use std::{
    io,
    time::{Duration, Instant},
};

use rustix::event::{Timespec, epoll};

use crate::{
    client::{self, Buffers, Client},
    options::Options,
    proc::Used,
};

pub fn run(options: &Options) -> io::Result<String> {
    let config = client::config();
    let payload: Vec<u8> = (0..options.size).map(|at| b'a' + (at % 23) as u8).collect();
    let frame = client::frame(&payload);
    let frames = frame.repeat(options.depth);
    let mut clients = (0..options.connections)
        .map(|_| Client::connect(options, &config))
        .collect::<io::Result<Vec<_>>>()?;
    let epoll = watch(&clients)?;
    for (token, client) in clients.iter_mut().enumerate() {
        client.queue(&frames)?;
        client.flush(&epoll, token as u64)?;
    }
    let mut buffers = Buffers::new();
    let mut events = Vec::with_capacity(1024);
    let (mut done, mut bad) = (0_u64, 0_u64);
    let warm = Instant::now() + options.warmup;
    let mut start = None;
    loop {
        let now = Instant::now();
        if start.is_none() && now >= warm {
            done = 0;
            start = Some((Instant::now(), Used::now(options)));
        }
        if start.as_ref().is_some_and(|(start, _)| now >= *start + options.measured) {
            break;
        }
        wait(&epoll, &mut events)?;
        for event in &events {
            let token = event.data.u64();
            let client = &mut clients[token as usize];
            let mut answers = 0;
            client.receive(&mut buffers, |echo| {
                answers += 1;
                bad += u64::from(echo != payload);
            })?;
            done += answers as u64;
            if answers > options.depth {
                return Err(io::Error::other("more answers than messages"));
            }
            client.queue(&frames[..answers * frame.len()])?;
            client.flush(&epoll, token)?;
        }
    }
    let Some((start, before)) = start else { return Err(io::Error::other("nothing measured")) };
    let wall = start.elapsed();
    let cost = Used::now(options).since(&before, wall, done);
    Ok(format!(
        "{{\"mode\":\"echo\",\"label\":\"{}\",\"conns\":{},\"size\":{},\"depth\":{},\
         \"msgs_per_s\":{:.0},\"msgs\":{done},\"bad\":{bad},{cost}}}",
        options.label,
        options.connections,
        options.size,
        options.depth,
        done as f64 / wall.as_secs_f64()
    ))
}

/// An epoll that tells which client has something to read, by its place.
pub fn watch(clients: &[Client]) -> io::Result<std::os::fd::OwnedFd> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (token, client) in clients.iter().enumerate() {
        let data = epoll::EventData::new_u64(token as u64);
        epoll::add(&epoll, &client.socket, data, epoll::EventFlags::IN)?;
    }
    Ok(epoll)
}

/// Waits a moment for events.
pub fn wait(epoll: &std::os::fd::OwnedFd, events: &mut Vec<epoll::Event>) -> io::Result<()> {
    const MOMENT: Duration = Duration::from_millis(20);
    events.clear();
    let moment = Timespec { tv_sec: 0, tv_nsec: MOMENT.subsec_nanos().into() };
    match epoll::wait(epoll, rustix::buffer::spare_capacity(events), Some(&moment)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
