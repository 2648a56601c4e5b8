//! The largest message that passes, and whether compression does.

use tokio::time::Instant;

use super::{
    Way,
    http::{self, Asking},
    login::{Beats, login},
    socket::{Live, Seen},
};
use crate::doctor::{
    ask::{Ask, Door},
    evidence::{By, End, Size, Socket},
};

/// Finds the limit up to `most` by halving. Every size has a connection of its own.
pub(in crate::doctor) async fn bisect(
    ask: &Ask,
    way: Way<'_>,
    asking: &Asking,
    most: usize,
) -> Option<Size> {
    let attempt = async |asking: &Asking, length| attempt(ask, way, asking, length).await;
    let least = message(ask.door, 0).len();
    let most = most.max(least + 1);
    let plain = Asking { deflate: false, ..asking.clone() };
    let mut size = Size { tried: most, passes: 0, fails: None, deflate_fails: None };
    // A server that ends on any message has no limit of size.
    if let Some(end) = attempt(&plain, least + 1).await? {
        size.fails = Some((least + 1, end));
        return Some(size);
    }
    size.passes = least + 1;
    let compressed = Asking { deflate: true, ..asking.clone() };
    if let (None, Some(Some(end))) =
        (attempt(&plain, 1_000.min(most)).await?, attempt(&compressed, 1_000.min(most)).await)
    {
        size.deflate_fails = Some(end);
    }
    let Some(end) = attempt(&plain, most).await? else {
        size.passes = most;
        return Some(size);
    };
    let mut fails = (most, end);
    while fails.0 - size.passes > 1 {
        let middle = size.passes + (fails.0 - size.passes) / 2;
        match attempt(&plain, middle).await? {
            None => size.passes = middle,
            Some(end) => fails = (middle, end),
        }
    }
    size.fails = Some(fails);
    Some(size)
}

/// A message of so many bytes, or a few more, that is no error in the protocol.
fn message(door: Door, length: usize) -> String {
    let (start, end) = match door {
        Door::Socketio => ("42[\"madang-doctor\",\"", "\"]"),
        Door::Stomp => {
            ("SEND\ndestination:/topic/madang-doctor\ncontent-type:text/plain\n\n", "\0")
        }
        Door::Wamp => ("[16,1,{},\"madang.doctor\",[\"", "\"]]"),
        Door::Sockjs => ("[\"", "\"]"),
        Door::Raw | Door::Sse | Door::Topics => ("", ""),
    };
    let filling = length.saturating_sub(start.len() + end.len());
    format!("{start}{}{end}", "x".repeat(filling))
}

/// Sends a message and a ping. `Some(None)` when the pong comes, the end when that comes instead.
async fn attempt(ask: &Ask, way: Way<'_>, asking: &Asking, length: usize) -> Option<Option<End>> {
    let mut live = Live::new(http::ask(way, asking).await.open?);
    // Whoever is refused here was not a moment ago.
    login(ask, Beats::Some, &mut live, &mut Socket::default()).await;
    live.send(&message(ask.door, length)).await;
    live.ping().await;
    let deadline = Instant::now() + way.timeout;
    loop {
        match live.next(deadline).await {
            Some(Seen::Pong) => {
                live.close().await;
                return Some(None);
            }
            Some(Seen::End(end)) => return Some(Some(end)),
            Some(_) => {}
            // Neither: swallowed.
            None => {
                let reason = String::new();
                return Some(Some(End { code: 1006, reason, by: By::Cut, after: way.timeout }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_length() {
        for door in [Door::Raw, Door::Socketio, Door::Stomp, Door::Wamp, Door::Sockjs] {
            let least = message(door, 0).len();
            assert_eq!(message(door, least).len(), least);
            assert_eq!(message(door, 1_000).len(), 1_000);
        }
    }
}
