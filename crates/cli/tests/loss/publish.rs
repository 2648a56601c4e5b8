//! The two publishers: one WebSocket and one HTTP connection.

use std::{
    io::Write as _,
    net::{Shutdown, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use madang_ws::{Connection, Kind, Limits, Role};

use super::{
    attack::{Scene, TOPIC},
    bodies::Message,
    door::{Door, Reader, json},
    random::Random,
    wire::{Body, End, Wire},
};

/// Messages a second of each.
pub(crate) const EACH: u32 = 100;
/// They come a few at a time, so that long polls have something to wait for.
const TICK: Duration = Duration::from_millis(20);

/// How long it takes to send so many.
pub(crate) fn length(count: u32) -> Duration {
    Duration::from_secs(1) * count / EACH
}

/// Publishes what is there before everything else; its id.
pub(crate) fn first(address: SocketAddr) -> Result<String, End> {
    post(&mut Wire::connect(address, None)?, "the first")
}

fn post(wire: &mut Wire, text: &str) -> Result<String, End> {
    let request = format!(
        "POST /topics/{TOPIC} HTTP/1.1\r\nHost: yard.example\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{text}",
        text.len()
    );
    wire.send(request.as_bytes())?;
    let answer = json(&Body::begin(wire, 200)?.whole(wire)?)?;
    let id = answer["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| End::Wrong(format!("a post was answered with {answer}")))
}

/// Calls `send` with 0, 1 … `count` at the pace of [`EACH`].
fn paced(
    scene: &Scene,
    count: u32,
    mut send: impl FnMut(u32) -> Result<(), End>,
) -> Result<(), String> {
    let start = Instant::now();
    let mut next = 0;
    while next < count {
        scene.check()?;
        let due = start.elapsed().as_millis() * u128::from(EACH) / 1000;
        while u128::from(next) < due && next < count {
            send(next).map_err(|end| format!("publishing message {next}: {end:?}"))?;
            next += 1;
        }
        thread::sleep(TICK);
    }
    Ok(())
}

pub(crate) fn by_post(scene: &Scene, count: u32) -> Result<(), String> {
    let mut wire = Wire::connect(scene.address, None).map_err(|end| format!("{end:?}"))?;
    paced(scene, count, |number| {
        let message = Message::Post(number);
        let id = post(&mut wire, &message.text())?;
        scene.posted();
        scene.says(scene.seq(&id)?, message)
    })
}

/// Hears everything, as every member does, and is never cut: it is the first witness of what came.
pub(crate) fn by_websocket(scene: &Scene, count: u32) -> Result<(), String> {
    let said = |end: End| format!("the publisher's WebSocket: {end:?}");
    let mut wire = Wire::connect(scene.address, None).map_err(said)?;
    let reader = Reader::open(
        Door::WebSocket,
        &mut wire,
        &scene.id(scene.first),
        &mut Random::new(0), // It draws nothing.
    );
    let reader = reader.map_err(said)?;
    let mut socket = wire.sender().map_err(|error| error.to_string())?;
    let mut connection = Connection::new(Role::Client, &Limits::default(), None);
    thread::scope(|threads| {
        let hearing = threads.spawn(move || hear(scene, wire, reader).map_err(said));
        let sent = paced(scene, count, |number| {
            let mut out = Vec::new();
            let text = Message::WebSocket(number).text();
            let framed = connection.send(Kind::Text, text.as_bytes(), &mut out);
            framed.map_err(|error| End::Wrong(error.to_string()))?;
            socket.write_all(&out).map_err(|error| End::Wrong(error.to_string()))
        });
        if sent.is_err() {
            // Ends the hearing.
            drop(socket.shutdown(Shutdown::Both));
        }
        let heard = hearing.join().unwrap();
        sent.and(heard)
    })
}

fn hear(scene: &Scene, mut wire: Wire, mut reader: Reader) -> Result<(), End> {
    let (mut last, mut news) = (scene.first, Vec::new());
    while last < scene.last() {
        reader.next(&mut wire, &mut news)?;
        for one in news.drain(..) {
            last = scene.hears(last, &one)?;
        }
        scene.check().map_err(End::Wrong)?;
    }
    Ok(())
}
