//! Where a reader stands in the topics that it reads.

use std::fmt;

use crate::{Cursor, Opening, Position, Topic, topic::TopicError};

/// The topics of one reader, and its place in each.
///
/// Its text is one cursor: of one topic that topic's own, of several the topics' in the order of
/// their names, with dots between. Clients treat it as opaque.
///
/// ```
/// use madang_proto::{Cursor, Opening, topics::Cursors};
///
/// let opening = Opening { query: "topic=b&topic=a&since=k3-6.k4-1", ..Opening::default() };
/// let cursors = Cursors::read(&opening, Cursor::Now)?;
/// assert_eq!(cursors.to_string(), "k3-6.k4-1");
/// assert_eq!(cursors.places()[0].0.as_str(), "a");
/// # Ok::<_, madang_proto::topics::TopicsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursors(Vec<(Topic, Cursor)>);

/// Why it is not clear what is to be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicsError {
    /// Neither the path nor the query has a topic.
    #[error("name a topic, as /topics/NAME/… or with ?topic=NAME")]
    None,
    /// More than [`Cursors::MAX_TOPICS`].
    #[error("one reader can read {} topics at most", Cursors::MAX_TOPICS)]
    TooMany,
    /// A name is no topic's.
    #[error(transparent)]
    Name(#[from] TopicError),
}

impl Cursors {
    /// Topics that one reader may read.
    pub const MAX_TOPICS: usize = 100;

    /// Reads the topics out of the path or the query, and where to start: the header `Last-Event-ID`,
    /// `last_event_id`, `since`, or else `default`. What is no cursor of ours does not refuse the
    /// reader: it is a gap.
    ///
    /// # Errors
    /// See [`TopicsError`].
    pub fn read(opening: &Opening<'_>, default: Cursor) -> Result<Self, TopicsError> {
        let mut names: Vec<Topic> = Vec::new();
        let (mut since, mut last) = (None, None);
        if let Some(segment) = opening.segment {
            names.push(Topic::new(segment)?);
        }
        for (key, value) in opening.query_pairs() {
            match &*key {
                "topic" if opening.segment.is_none() => {
                    if names.len() >= Self::MAX_TOPICS {
                        return Err(TopicsError::TooMany);
                    }
                    names.push(Topic::new(&value)?);
                }
                "since" => since = Some(value),
                "last_event_id" => last = Some(value),
                _ => {}
            }
        }
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Err(TopicsError::None);
        }
        let told = [opening.last_event_id, last.as_deref(), since.as_deref()];
        let text = told.into_iter().flatten().find(|text| !text.is_empty());
        Ok(Self::at(names, text, default))
    }

    fn at(names: Vec<Topic>, text: Option<&str>, default: Cursor) -> Self {
        let count = names.len();
        let places: Vec<Cursor> = match text {
            None => vec![default; count],
            Some("now") => vec![Cursor::Now; count],
            Some("earliest") => vec![Cursor::Earliest; count],
            Some(text) if text.split('.').count() == count => {
                text.split('.').map(Cursor::parse).collect()
            }
            Some(_) => vec![Cursor::Foreign; count],
        };
        Self(names.into_iter().zip(places).collect())
    }

    /// The topics in the order of their names, and the place in each.
    pub fn places(&self) -> &[(Topic, Cursor)] {
        &self.0
    }

    /// The reader has all of a topic up to this place.
    pub fn advance(&mut self, topic: &Topic, to: Position) {
        if let Ok(at) = self.0.binary_search_by(|(name, _)| name.cmp(topic)) {
            self.0[at].1 = Cursor::After(to);
        }
    }
}

impl fmt::Display for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (_, cursor)) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(".")?;
            }
            match cursor {
                Cursor::After(position) => position.fmt(f)?,
                Cursor::Now => f.write_str("now")?,
                Cursor::Earliest => f.write_str("earliest")?,
                // No place of ours: whoever comes back with it is told of the gap again.
                Cursor::Foreign => f.write_str("lost")?,
            }
        }
        Ok(())
    }
}
