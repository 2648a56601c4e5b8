//! The largest message that passes, and whether compression does.

use tokio::time::Instant;

use super::{
    Way,
    http::{Asking, ask},
    socket::{Live, Seen},
};
use crate::doctor::evidence::{By, End, Size};

/// Finds the limit up to `most` by halving. Every size has a connection of its own.
pub(in crate::doctor) async fn bisect(way: Way<'_>, asking: &Asking, most: usize) -> Option<Size> {
    let plain = Asking { deflate: false, ..asking.clone() };
    let mut size = Size { tried: most, passes: 0, fails: None, deflate_fails: None };
    // A server that ends on any message has no limit of size.
    if attempt(way, &plain, 1).await?.is_some() {
        return None;
    }
    size.passes = 1;
    let compressed = Asking { deflate: true, ..asking.clone() };
    if let (None, Some(Some(end))) =
        (attempt(way, &plain, 1_000).await?, attempt(way, &compressed, 1_000).await)
    {
        size.deflate_fails = Some(end);
    }
    let Some(end) = attempt(way, &plain, most).await? else {
        size.passes = most;
        return Some(size);
    };
    let mut fails = (most, end);
    while fails.0 - size.passes > 1 {
        let middle = size.passes + (fails.0 - size.passes) / 2;
        match attempt(way, &plain, middle).await? {
            None => size.passes = middle,
            Some(end) => fails = (middle, end),
        }
    }
    size.fails = Some(fails);
    Some(size)
}

/// Sends a message and a ping. `Some(None)` when the pong comes, the end when that comes instead.
async fn attempt(way: Way<'_>, asking: &Asking, length: usize) -> Option<Option<End>> {
    let mut live = Live::new(ask(way, asking).await.open?);
    live.send(&"x".repeat(length)).await;
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
