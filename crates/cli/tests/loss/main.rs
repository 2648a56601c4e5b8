//! Nothing is lost, nothing comes twice, and what was lost is told: clients of each door, cut in the
//! middle of what they read again and again, while messages come by WebSocket and by POST.
//!
//! `LOSS_MINUTES` makes it longer, `LOSS_SEED` makes other cuts.

#![expect(clippy::unwrap_used, reason = "panics are how a test fails")]

mod attack;
mod bodies;
mod client;
mod door;
mod publish;
mod random;
mod server;
mod wire;

use std::{env, time::Duration};

use self::attack::Attack;

/// How long messages come, and clients are cut.
fn lasts(default: Duration) -> Duration {
    let minutes = env::var("LOSS_MINUTES").ok().map(|minutes| minutes.parse().unwrap());
    minutes.map_or(default, Duration::from_mins)
}

#[test]
fn each_message_comes_once_and_in_order_at_every_door() {
    let attack = Attack { clients: 20, lasts: lasts(Duration::from_secs(30)), absent: false };
    for (door, figures) in attack.run(&["--history", "20000"]) {
        println!("{door}: {figures}");
        assert_eq!(figures.gaps, 0, "{door}: something was lost");
        assert!(figures.cuts >= 20 * 10, "{door}: there were few cuts: {figures}");
        assert!(figures.ends <= figures.cuts / 10, "{door}: the server does not stay: {figures}");
    }
}

#[test]
fn what_is_lost_is_told_at_every_door() {
    let attack = Attack { clients: 6, lasts: lasts(Duration::from_secs(30)) / 3, absent: true };
    for (door, figures) in attack.run(&["--history", "100"]) {
        println!("{door}: {figures}");
        assert!(figures.gaps > 0 && figures.missed > 0, "{door}: nobody missed anything");
        assert!(figures.cuts >= 6 * 3, "{door}: there were few cuts: {figures}");
    }
}
