//! The session of a client that only reads.

use std::time::{Duration, Instant};

use crate::{
    Cursor, Form, Input, Kind, Opening, Out, Publication, Session, Token, Topic,
    session::{Outcome, Present, Refusal, Subscribe},
    who,
};

use super::Cursors;

/// How one kind of stream says things.
#[derive(Debug)]
pub(super) struct Style {
    /// The first bytes.
    pub(super) opening: &'static [u8],
    /// What says that the line is alive.
    pub(super) keep_alive: &'static [u8],
    /// A publication, with the cursor after it where it is not the publication's own.
    pub(super) message: fn(&Publication, Option<&str>) -> Vec<u8>,
    /// Where the reader stands before anything has come, where that can be said.
    pub(super) at: Option<fn(&str) -> Vec<u8>>,
    /// Something was lost before what follows this cursor.
    pub(super) gap: fn(&Topic, &str) -> Vec<u8>,
    /// Nothing follows, and why.
    pub(super) refused: fn(&str) -> Vec<u8>,
}

/// How often a stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One client.
#[derive(Debug)]
struct Reader {
    style: &'static Style,
    cursors: Cursors,
    who: Present,
    /// When it next says that it is alive.
    due: Option<Instant>,
}

pub(super) fn open(
    opening: &Opening<'_>,
    style: &'static Style,
) -> Result<Box<dyn Session>, Refusal> {
    let cursors = Cursors::read(opening, Cursor::Now)
        .map_err(|error| Refusal { reason: error.to_string() })?;
    let who = who::read(opening)?;
    Ok(Box::new(Reader { style, cursors, who, due: None }))
}

impl Reader {
    /// Readers of one topic share what is rendered. Of several, each has a cursor of its own.
    fn form(&self) -> Form {
        if self.cursors.places().len() == 1 { Form::default() } else { Form::EACH }
    }

    fn subscribe(&self, out: &mut Out) {
        for (number, (topic, from)) in self.cursors.places().iter().enumerate() {
            out.subscribe(Subscribe {
                token: Token(number as u32),
                topic: topic.clone(),
                from: *from,
                form: self.form(),
                watch: false,
                present: Some(self.who.clone()),
            });
        }
    }
}

impl Session for Reader {
    fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut Out) {
        match input {
            Input::Opened => {
                self.due = Some(now + KEEP_ALIVE);
                out.send(Kind::Text, self.style.opening);
                self.subscribe(out);
            }
            Input::Done(Token(number), Ok(Outcome::Joined { after, gap, .. })) => {
                let Some((topic, from)) = self.cursors.places().get(number as usize) else {
                    return;
                };
                let topic = topic.clone();
                let has_none = !matches!(from, Cursor::After(_));
                if gap || has_none {
                    self.cursors.advance(&topic, after);
                }
                let is_last = number as usize + 1 == self.cursors.places().len();
                if let Some(at) = self.style.at.filter(|_| has_none && is_last && !gap) {
                    out.send(Kind::Text, &at(&self.cursors.to_string()));
                }
                if gap {
                    let bytes = (self.style.gap)(&topic, &self.cursors.to_string());
                    out.send(Kind::Text, &bytes);
                }
            }
            Input::Delivery(publication) => {
                self.cursors.advance(&publication.topic, publication.id);
                let next = self.cursors.to_string();
                out.send(Kind::Text, &(self.style.message)(publication, Some(&next)));
            }
            Input::Timeout => {
                self.due = Some(now + KEEP_ALIVE);
                out.send(Kind::Text, self.style.keep_alive);
            }
            // 1013 "try again later": a body has no place for it, but the words have been said.
            Input::Done(_, Err(refusal)) => {
                out.send(Kind::Text, &(self.style.refused)(&refusal.reason));
                out.close(1013, refusal.reason);
            }
            Input::Closed(_) => self.due = None,
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }
}
