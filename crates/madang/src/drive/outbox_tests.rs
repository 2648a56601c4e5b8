//! An outbox against a socket that takes a few bytes at a time.

use super::*;
use proptest::prelude::*;

/// A socket that takes `room` bytes and then blocks.
#[derive(Default)]
struct Socket {
    room: usize,
    got: Vec<u8>,
}

impl Socket {
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut taken = 0;
        for slice in slices {
            let step = slice.len().min(self.room);
            self.got.extend_from_slice(&slice[..step]);
            self.room -= step;
            taken += step;
        }
        Ok(taken)
    }
}

fn flush(outbox: &mut Outbox, socket: &mut Socket, room: usize) -> Flushed {
    socket.room = room;
    outbox.flush(&mut Pool::default(), Instant::now(), &mut |slices| socket.write(slices)).unwrap()
}

fn run(deliveries: &[(&[u8], u64)]) -> Arc<Run> {
    let mut bytes = Vec::new();
    let mut parts = Vec::new();
    for (delivery, key) in deliveries {
        bytes.extend_from_slice(delivery);
        parts.push(Part { end: bytes.len(), key: *key });
    }
    Run::new(bytes.into(), parts)
}

fn limits(policy: SlowConsumer, max_bytes: usize) -> OutboxLimits {
    OutboxLimits { max_bytes, policy, ..OutboxLimits::default() }
}

/// An outbox whose first run of 4 bytes is half written.
fn blocked(policy: &OutboxLimits) -> (Outbox, Socket) {
    let (mut outbox, mut socket) = (Outbox::default(), Socket::default());
    outbox.push_run(&run(&[(b"[00]", 0)]), policy).unwrap();
    assert_eq!(flush(&mut outbox, &mut socket, 2), Flushed::Blocked);
    (outbox, socket)
}

#[test]
fn a_run_that_fits_leaves_nothing_behind() {
    let (mut outbox, mut socket) = (Outbox::default(), Socket::default());
    outbox.push_run(&run(&[(b"ab", 1), (b"cd", 1)]), &OutboxLimits::default()).unwrap();
    assert_eq!(flush(&mut outbox, &mut socket, 100), Flushed::Done);
    assert!(outbox.is_empty());
    assert_eq!(socket.got, b"abcd");
}

#[test]
fn over_the_limit_a_slow_consumer_is_disconnected() {
    let limits = limits(SlowConsumer::Disconnect, 6);
    let (mut outbox, _) = blocked(&limits);
    assert_eq!(outbox.push_run(&run(&[(b"1111", 1)]), &limits), Ok(0));
    assert_eq!(outbox.push_run(&run(&[(b"2", 1)]), &limits), Err(Overflow));
}

#[test]
fn the_oldest_whole_deliveries_are_dropped_and_never_a_part() {
    let limits = limits(SlowConsumer::DropOldest, 6);
    let (mut outbox, mut socket) = blocked(&limits);
    assert_eq!(outbox.push_run(&run(&[(b"<11>", 1), (b"<22>", 1)]), &limits), Ok(1));
    assert_eq!(flush(&mut outbox, &mut socket, 100), Flushed::Done);
    assert_eq!(socket.got, b"[00]<22>");
}

#[test]
fn latest_keeps_the_newest_of_each_topic_and_event() {
    let limits = limits(SlowConsumer::Latest, 1000);
    let (mut outbox, mut socket) = blocked(&limits);
    let deliveries: [(&[u8], u64); 4] = [(b"a1", 1), (b"b1", 2), (b"a2", 1), (b"a3", 1)];
    assert_eq!(outbox.push_run(&run(&deliveries), &limits), Ok(2));
    flush(&mut outbox, &mut socket, 100);
    assert_eq!(socket.got, b"[00]b1a3");
}

#[test]
fn own_frames_are_kept_in_order_and_never_dropped() {
    let limits = limits(SlowConsumer::DropOldest, 4);
    let (mut outbox, mut socket) = blocked(&limits);
    outbox.own(&mut Pool::default()).extend_from_slice(b"pong");
    assert_eq!(outbox.push_run(&run(&[(b"11", 1)]), &limits), Ok(1));
    flush(&mut outbox, &mut socket, 100);
    assert_eq!(socket.got, b"[00]pong");
}

#[test]
fn what_goes_ahead_waits_for_the_frame_that_was_begun_and_for_no_other() {
    let limits = limits(SlowConsumer::Latest, 1000);
    let (mut outbox, mut socket) = blocked(&limits);
    let mut pool = Pool::default();
    outbox.push_run(&run(&[(b"<11>", 1), (b"<22>", 2)]), &limits).unwrap();
    outbox.own(&mut pool).extend_from_slice(b"pong");
    let ping = |own: &mut Vec<u8>| {
        own.extend_from_slice(b"ping");
        Ok::<_, ()>(())
    };
    outbox.ahead(&mut pool, ping).unwrap();
    let again = |own: &mut Vec<u8>| {
        own.extend_from_slice(b"next");
        Ok::<_, ()>(())
    };
    outbox.ahead(&mut pool, again).unwrap();
    assert_eq!(outbox.ahead(&mut pool, |_| Err(Overflow)), Err(Overflow));
    // It is no delivery that another could take the place of.
    assert_eq!(outbox.push_run(&run(&[(b"<33>", 1)]), &limits), Ok(1));
    assert_eq!(outbox.backlog_bytes(), 2 + 5 * 4);
    assert_eq!(flush(&mut outbox, &mut socket, 100), Flushed::Done);
    assert_eq!(socket.got, b"[00]pingnext<22>pong<33>");
    // Where nothing waits there is nothing to go before.
    outbox.own(&mut pool).extend_from_slice(b"own");
    outbox.ahead(&mut pool, ping).unwrap();
    flush(&mut outbox, &mut socket, 100);
    assert!(socket.got.ends_with(b"ownping"));
}

#[test]
fn history_does_not_count_towards_the_limit() {
    let limits = limits(SlowConsumer::Disconnect, 8);
    let (mut outbox, mut socket) = blocked(&limits);
    outbox.push_replay(Bytes::from_static(&[b'h'; 100]));
    assert_eq!(outbox.push_run(&run(&[(b"11", 1)]), &limits), Ok(0));
    assert_eq!(outbox.backlog_bytes(), 104);
    flush(&mut outbox, &mut socket, 1000);
    assert_eq!(socket.got.len(), 106);
}

#[test]
fn a_client_is_stalled_from_its_last_progress() {
    let (mut outbox, mut socket) = blocked(&OutboxLimits::default());
    let before = outbox.stalled_since().unwrap();
    let later = before + Duration::from_secs(3);
    socket.room = 1;
    let mut pool = Pool::default();
    outbox.flush(&mut pool, later, &mut |slices| socket.write(slices)).unwrap();
    assert_eq!(outbox.stalled_since(), Some(later));
    outbox.flush(&mut pool, later + Duration::from_secs(1), &mut |s| socket.write(s)).unwrap();
    assert_eq!(outbox.stalled_since(), Some(later));
}

#[test]
fn an_abandoned_outbox_finishes_the_frame_that_was_begun() {
    let limits = OutboxLimits::default();
    let (mut outbox, mut socket) = blocked(&limits);
    outbox.push_run(&run(&[(b"11", 1)]), &limits).unwrap();
    outbox.abandon();
    outbox.own(&mut Pool::default()).extend_from_slice(b"close");
    flush(&mut outbox, &mut socket, 100);
    assert_eq!(socket.got, b"[00]close");
}

#[derive(Debug, Clone)]
enum Step {
    Run(u8),
    Own,
    Replay,
    Flush(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1u8..4).prop_map(Step::Run),
        Just(Step::Own),
        Just(Step::Replay),
        (0usize..40).prop_map(Step::Flush),
    ]
}

proptest! {
    /// Whatever is queued and however the socket takes it, nothing is lost, torn or reordered.
    #[test]
    fn bytes_come_out_as_they_went_in(steps in prop::collection::vec(step(), 1..60)) {
        let limits = OutboxLimits::default();
        let (mut outbox, mut socket) = (Outbox::default(), Socket::default());
        let mut pool = Pool::default();
        let mut expected = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            let frame = format!("<{number}>").into_bytes();
            match step {
                Step::Run(count) => {
                    let deliveries: Vec<_> = (0..count).map(|_| (&frame[..], 1)).collect();
                    outbox.push_run(&run(&deliveries), &limits).unwrap();
                    (0..count).for_each(|_| expected.extend_from_slice(&frame));
                }
                Step::Own => {
                    outbox.own(&mut pool).extend_from_slice(&frame);
                    expected.extend_from_slice(&frame);
                }
                Step::Replay => {
                    outbox.push_replay(frame.clone().into());
                    expected.extend_from_slice(&frame);
                }
                Step::Flush(room) => {
                    flush(&mut outbox, &mut socket, room);
                    prop_assert!(expected.starts_with(&socket.got));
                }
            }
        }
        while flush(&mut outbox, &mut socket, 1_000_000) == Flushed::Blocked {}
        prop_assert_eq!(socket.got, expected);
        prop_assert!(outbox.is_empty());
    }
}
