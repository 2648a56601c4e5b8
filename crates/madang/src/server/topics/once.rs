//! `Idempotency-Key`: what is posted twice is published once.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    time::{Duration, Instant},
};

use madang_proto::Topic;
use parking_lot::Mutex;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_mins(5);
/// How many bytes keys and answers may have together.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What an entry costs beside its texts.
const ENTRY: usize = 160;

/// The answers to what was posted with a key.
pub(in super::super) struct Once {
    seen: Mutex<Seen>,
    hasher: RandomState,
    most: usize,
}

type Key = (Topic, Box<str>);

#[derive(Default)]
struct Seen {
    answers: HashMap<Key, Entry>,
    /// In order of time.
    ages: VecDeque<(Instant, Key)>,
    bytes: usize,
}

struct Entry {
    /// Of what was posted.
    hash: u64,
    answer: Box<[u8]>,
}

/// The key was used for something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reused;

impl Once {
    /// Keeps at most so many keys.
    pub(in super::super) fn new(most: usize) -> Self {
        Self { seen: Mutex::default(), hasher: RandomState::new(), most }
    }

    /// The answer that was given to this key, or the one that `publish` gives now. `what` is all that
    /// makes two posts the same. Whoever comes with the same key meanwhile waits.
    pub(super) fn run<E>(
        &self,
        topic: &Topic,
        key: &str,
        what: &[&[u8]],
        now: Instant,
        publish: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Result<Vec<u8>, E>, Reused> {
        let hash = self.hasher.hash_one(what);
        let key = (topic.clone(), key.into());
        let mut seen = self.seen.lock();
        seen.forget(now);
        if let Some(entry) = seen.answers.get(&key) {
            return if entry.hash == hash { Ok(Ok(entry.answer.to_vec())) } else { Err(Reused) };
        }
        // What was refused may be tried again.
        let answer = match publish() {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        seen.bytes += weight(&key, &answer);
        let entry = Entry { hash, answer: answer.clone().into() };
        seen.answers.insert(key.clone(), entry);
        seen.ages.push_back((now, key));
        while seen.ages.len() > self.most || seen.bytes > MAX_BYTES {
            seen.forget_oldest();
        }
        Ok(Ok(answer))
    }
}

impl Seen {
    fn forget(&mut self, now: Instant) {
        while self.ages.front().is_some_and(|(at, _)| now.duration_since(*at) >= KEPT) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, key)) = self.ages.pop_front() else { return };
        if let Some(entry) = self.answers.remove(&key) {
            self.bytes -= weight(&key, &entry.answer);
        }
    }
}

/// The key stands in both places.
fn weight((topic, key): &Key, answer: &[u8]) -> usize {
    ENTRY + topic.as_str().len() + 2 * key.len() + answer.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(
        once: &Once,
        key: &str,
        body: &str,
        now: Instant,
        answer: &str,
    ) -> Result<String, Reused> {
        let topic = Topic::new("t").unwrap();
        let run = once.run(&topic, key, &[body.as_bytes()], now, || Ok::<_, ()>(answer.into()));
        run.map(|answer| String::from_utf8(answer.unwrap()).unwrap())
    }

    #[test]
    fn the_first_answer_is_given_again() {
        let (once, now) = (Once::new(10), Instant::now());
        assert_eq!(post(&once, "k", "x", now, "1"), Ok("1".into()));
        assert_eq!(post(&once, "k", "x", now, "2"), Ok("1".into()));
        assert_eq!(post(&once, "k", "y", now, "3"), Err(Reused));
        assert_eq!(post(&once, "other", "y", now, "4"), Ok("4".into()));
        assert_eq!(post(&once, "k", "y", now + KEPT, "5"), Ok("5".into()));
    }

    #[test]
    fn what_is_refused_may_be_tried_again() {
        let (once, now, topic) = (Once::new(10), Instant::now(), Topic::new("t").unwrap());
        let refused = once.run(&topic, "k", &[], now, || Err("full"));
        assert_eq!(refused, Ok(Err("full")));
        assert_eq!(once.run(&topic, "k", &[], now, || Ok::<_, ()>(vec![1])), Ok(Ok(vec![1])));
    }

    #[test]
    fn memory_is_bounded_by_count_and_by_bytes() {
        let (once, now) = (Once::new(10), Instant::now());
        for number in 0..100 {
            post(&once, &number.to_string(), "x", now, "1").unwrap();
        }
        assert_eq!(once.seen.lock().answers.len(), 10);
        assert_eq!(post(&once, "99", "x", now, "2"), Ok("1".into()));
        assert_eq!(post(&once, "0", "x", now, "2"), Ok("2".into()));
        let large = "x".repeat(MAX_BYTES / 3);
        for number in 0..5 {
            post(&once, &format!("large{number}"), "x", now, &large).unwrap();
        }
        let seen = once.seen.lock();
        assert!(seen.bytes <= MAX_BYTES && seen.answers.len() == seen.ages.len());
    }
}
