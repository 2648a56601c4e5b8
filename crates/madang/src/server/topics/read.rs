//! `GET /topics/{t}/messages` and `GET /topics/{t}/presence`.

use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, header};
use madang_proto::{
    Cursor, Opening, Position, Topic,
    session::Present,
    topics::{self, Cursors, Message},
    who,
};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::{Refused, Topics, json, refuse, wait::Bell};
use crate::{
    codes::Code,
    hub::{HistoryPage, Hub},
    server::http::{Body, Visit, stopped},
};

/// The longest that a reader may wait.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// Messages in one answer, unless it asks for fewer, or for more.
const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
/// A longer answer, in bytes, ends with the message that makes it so.
const MAX_ANSWER: usize = 1024 * 1024;
/// Names in one answer.
const MAX_USERS: usize = 1000;

/// What a reader asks for.
struct Wish {
    cursors: Cursors,
    limit: usize,
    wait: Duration,
    who: Option<Present>,
}

impl Wish {
    fn read(opening: &Opening<'_>) -> Result<Self, Refused> {
        let bad = |detail: &str| refuse(Code::M213, StatusCode::BAD_REQUEST, detail);
        let cursors =
            Cursors::read(opening, Cursor::Earliest).map_err(|error| bad(&error.to_string()))?;
        let (mut limit, mut wait) = (LIMIT, Duration::ZERO);
        for (name, value) in opening.query_pairs() {
            match &*name {
                "limit" => {
                    limit = count(&value)
                        .ok_or_else(|| bad("limit is a whole number from 1 to 1,000"))?;
                }
                "wait" => {
                    wait = seconds(&value)
                        .ok_or_else(|| bad("wait is a number of seconds, up to 60"))?;
                }
                _ => {}
            }
        }
        let who = who::read(opening).map_err(|refusal| bad(&refusal.reason))?;
        // A poll comes and goes; only who has a key is somebody who stays.
        let who = who.key.is_some().then_some(who);
        Ok(Self { cursors, limit, wait, who })
    }
}

/// A number of messages. However many are asked for, there are no more than the limit.
fn count(text: &str) -> Option<usize> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = text.parse().unwrap_or(MAX_LIMIT).min(MAX_LIMIT);
    (count > 0).then_some(count)
}

/// A time to wait. However long is asked for, it is no longer than the limit.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok().filter(|seconds| *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds.min(MAX_WAIT.as_secs_f64())).ok()
}

/// What a reader has not had yet.
#[derive(Default)]
struct Found {
    /// As JSON.
    messages: Vec<Vec<u8>>,
    gap: bool,
}

/// Answers with what there is after the reader's cursor; with `wait`, once there is something.
pub(super) async fn messages(
    visit: &Visit,
    topics: &Topics,
    topic: Option<&Topic>,
    request: &Request<()>,
) -> Result<Response<Body>, Refused> {
    let last = request.headers().get("last-event-id").and_then(|last| last.to_str().ok());
    let opening = Opening {
        segment: topic.map(Topic::as_str),
        query: request.uri().query().unwrap_or_default(),
        last_event_id: last,
    };
    let mut wish = Wish::read(&opening)?;
    let found = if wish.wait.is_zero() {
        take(&topics.hub, &mut wish.cursors, wish.limit)
    } else {
        wait(visit, topics, &mut wish).await?
    };
    let next = wish.cursors.to_string();
    let tag = format!("\"{next}\"");
    let is_known = wish.wait.is_zero() && knows(request, &tag);
    let mut response = if is_known {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        // RFC 9110 §15.4.5: what a 200 would have had.
        let cache = HeaderValue::from_static("no-cache");
        response.headers_mut().insert(header::CACHE_CONTROL, cache);
        response
    } else {
        let answer = topics::messages(&found.messages, &next, found.gap);
        let place = topics.room.take(answer.len()).ok_or_else(|| {
            refuse(Code::M512, StatusCode::SERVICE_UNAVAILABLE, Code::M512.what())
        })?;
        json(answer).map(|body| Body::holding(body.into_inner(), place))
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// RFC 9110 §13.1.2.
fn knows(request: &Request<()>, tag: &str) -> bool {
    let lines = request.headers().get_all(header::IF_NONE_MATCH);
    let lines = lines.iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(','));
    tags.any(|known| known.trim() == "*" || known.trim().trim_start_matches("W/") == tag)
}

/// Waits until there is something, or the time is up. The bell hangs before the first look, so that
/// nothing comes between.
async fn wait(visit: &Visit, topics: &Topics, wish: &mut Wish) -> Result<Found, Refused> {
    let deadline = Instant::now() + wish.wait;
    let names = wish.cursors.places().iter().map(|(topic, _)| topic);
    let bell = Bell::hang(&topics.hub, names, wish.who.as_ref())
        .map_err(|error| refuse(Code::M511, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()))?;
    let mut stop = visit.stop.clone();
    loop {
        let found = take(&topics.hub, &mut wish.cursors, wish.limit);
        if !found.messages.is_empty() || found.gap {
            return Ok(found);
        }
        tokio::select! {
            () = bell.rung() => {}
            () = sleep_until(deadline) => return Ok(found),
            () = stopped(&mut stop) => return Ok(found),
        }
    }
}

/// Takes what comes after the cursors, in the order of time, and moves them.
fn take(hub: &Hub, cursors: &mut Cursors, limit: usize) -> Found {
    let mut found = Found::default();
    let mut pages: Vec<(Topic, HistoryPage)> = Vec::new();
    for (topic, from) in cursors.places() {
        let page = hub.history(topic, *from, limit);
        found.gap |= page.gap;
        pages.push((topic.clone(), page));
    }
    let mut lists = Vec::with_capacity(pages.len());
    for (topic, page) in pages {
        // Before its first message, until that is taken.
        let first = page.messages.first().map(|first| first.publication().id);
        let start = first.map_or(page.next, |id| Position { seq: id.seq.saturating_sub(1), ..id });
        cursors.advance(&topic, start);
        lists.push(page.messages);
    }
    let mut bytes = 0;
    for published in by_time(lists, |published| published.publication().time).iter().take(limit) {
        if bytes >= MAX_ANSWER {
            break;
        }
        let publication = published.publication();
        let message = Message { publication, next: None }.to_json();
        bytes += message.len();
        found.messages.push(message);
        cursors.advance(&publication.topic, publication.id);
    }
    found
}

/// One list in the order of time, in which each list's own order stays whatever its times say: the
/// clock goes back now and then, if only by a millisecond.
fn by_time<T>(lists: Vec<Vec<T>>, time: impl Fn(&T) -> u64) -> Vec<T> {
    let timed = lists.into_iter().flat_map(|list| {
        let latest = list.iter().scan(0, |latest, one| {
            *latest = time(one).max(*latest);
            Some(*latest)
        });
        let latest: Vec<u64> = latest.collect();
        latest.into_iter().zip(list)
    });
    let mut timed: Vec<(u64, T)> = timed.collect();
    timed.sort_by_key(|(time, _)| *time);
    timed.into_iter().map(|(_, one)| one).collect()
}

#[derive(Serialize)]
struct Somebody<'a> {
    user: Option<&'a str>,
    door: &'a str,
    since: u64,
}

/// Answers with who is here.
pub(super) fn presence(topics: &Topics, topic: &Topic) -> Response<Body> {
    let present = topics.hub.presence(topic);
    let users: Vec<_> = present
        .iter()
        .take(MAX_USERS)
        .map(|one| Somebody { user: one.user.as_deref(), door: one.door, since: one.since })
        .collect();
    let body = serde_json::json!({ "count": present.len(), "users": users });
    json(format!("{body}\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_limit_is_the_limit() {
        for (text, read) in [
            ("1", Some(1)),
            ("1000", Some(1000)),
            ("1001", Some(1000)),
            ("99999999999999999999999", Some(1000)),
            ("0", None),
            ("00", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(count(text), read, "{text}");
        }
    }

    #[test]
    fn longer_than_the_limit_is_the_limit() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (text, read) in [
            ("0", ms(0)),
            ("0.25", ms(250)),
            ("60", ms(60_000)),
            ("61", ms(60_000)),
            ("1e300", ms(60_000)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), read, "{text}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_does_not_reorder_a_topic() {
        let lists = vec![vec![("a1", 5), ("a2", 4), ("a3", 7)], vec![("b1", 4), ("b2", 6)]];
        let names: Vec<&str> =
            by_time(lists, |(_, time)| *time).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b1", "a1", "a2", "b2", "a3"]);
    }
}
