//! Holding connections open, to see when they are cut.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    Way,
    http::{self, Asking},
    login::{Beats, login},
    socket::{Live, Seen},
};
use crate::doctor::{
    ask::{Ask, Door},
    evidence::{End, Hold, Login, Socket},
};

/// Holds two connections: one that says nothing but what its protocol demands, and, opened a little
/// later, one that pings. Which of them is cut, and when, tells an idle limit from a lifetime and
/// from a restart.
pub(in crate::doctor) async fn hold(
    ask: &Ask,
    way: Way<'_>,
    asking: &Asking,
    wanted: Duration,
) -> Hold {
    let pause = (wanted / 8).clamp(Duration::from_millis(200), Duration::from_secs(10));
    let began = Instant::now();
    let until = began + wanted;
    let idle = async {
        let live = open(ask, way, asking, Beats::None).await.ok_or(Refused)?;
        Ok::<_, Refused>(quiet(live, until).await)
    };
    let pinging = async {
        sleep_until(began + pause).await;
        let live = open(ask, way, asking, Beats::Some).await.ok_or(Refused)?;
        Ok::<_, Refused>(busy(live, until, pause, ask.door == Door::Stomp).await)
    };
    // Where one is missing nothing can be compared, and the other need not be waited for.
    let Ok(((idle, pings, first_ping), pinging)) = tokio::try_join!(idle, pinging) else {
        return Hold { wanted, is_refused: true, later: pause, ..Hold::default() };
    };
    let mut hold =
        Hold { idle, pinging, later: pause, pings, first_ping, wanted, ..Hold::default() };
    // Constant? The same once more, if it was cut soon enough.
    if let (Some(end), None) = (&hold.idle, &hold.pinging)
        && let Some(live) = open(ask, way, asking, Beats::None).await
    {
        let until = Instant::now() + end.after * 2 + pause;
        hold.again = quiet(live, until).await.0.map(|end| end.after);
    }
    hold
}

/// A connection that does not open any more.
struct Refused;

/// Logged in, where the door has a login: who does not is cut for that.
async fn open(ask: &Ask, way: Way<'_>, asking: &Asking, beats: Beats) -> Option<Live> {
    let mut live = Live::new(http::ask(way, asking).await.open?);
    match login(ask, beats, &mut live, &mut Socket::default()).await {
        Some(Login::Refused(_) | Login::Nothing) => None,
        Some(Login::In { .. }) | None => Some(live),
    }
}

async fn quiet(mut live: Live, until: Instant) -> (Option<End>, u32, Option<Duration>) {
    let (mut pings, mut first) = (0, None);
    while let Some(seen) = live.next(until).await {
        match seen {
            Seen::Ping => {
                pings += 1;
                first = first.or(Some(live.age()));
            }
            Seen::End(end) => return (Some(end), pings, first),
            _ => {}
        }
    }
    live.close().await;
    (None, pings, first)
}

async fn busy(mut live: Live, until: Instant, pause: Duration, beats: bool) -> Option<End> {
    // Well below an idle limit that cuts the other one.
    let pause = (pause / 2).max(Duration::from_millis(100));
    while Instant::now() < until && !live.is_over() {
        live.ping().await;
        if beats {
            live.send("\n").await;
        }
        let next = (Instant::now() + pause).min(until);
        while let Some(seen) = live.next(next).await {
            if let Seen::End(end) = seen {
                return Some(end);
            }
        }
    }
    live.close().await;
    None
}
