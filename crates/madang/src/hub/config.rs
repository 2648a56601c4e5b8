//! What a hub keeps, and how much of it.

use std::time::Duration;

use madang_proto::Topic;

/// The limits of a [`Hub`](super::Hub).
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// What is kept of each topic for those who come later.
    pub history: HistoryConfig,
    /// How long a session whose connection was cut still counts as present. 10 seconds.
    pub presence_grace: Duration,
    /// How many sessions one topic shows as present; one more is refused. 100,000.
    pub max_present: usize,
    /// How many topics exist at a time; use of one more is refused. 1,000,000.
    pub max_topics: usize,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            history: HistoryConfig::default(),
            presence_grace: Duration::from_secs(10),
            max_present: 100_000,
            max_topics: 1_000_000,
        }
    }
}

/// How much history a hub holds.
#[derive(Debug, Clone)]
pub struct HistoryConfig {
    /// For topics that no rule names.
    pub limits: Limits,
    /// Limits for topics whose name fits a pattern; the first that fits decides.
    pub rules: Vec<(Pattern, Limits)>,
    /// The bytes of all topics' history together, with what the bookkeeping and the rendered forms
    /// take; beyond it the oldest publications go first, whatever their topic. 64 MiB.
    pub max_bytes: usize,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { limits: Limits::default(), rules: Vec::new(), max_bytes: 64 * 1024 * 1024 }
    }
}

impl HistoryConfig {
    /// The limits for a topic.
    pub fn limits_for(&self, topic: &Topic) -> Limits {
        if topic.is_reserved() {
            // Rooms of one door's own: nobody reads what was said there before.
            return Limits { count: 0, age: Duration::ZERO };
        }
        let rule = self.rules.iter().find(|(pattern, _)| pattern.fits(topic));
        rule.map_or(self.limits, |(_, limits)| *limits)
    }
}

/// How much of one topic is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The newest so many publications; 0 keeps none. 100.
    pub count: usize,
    /// None that is older. 5 minutes.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { count: 100, age: Duration::from_mins(5) }
    }
}

/// Which topics a rule is for: one name, or all names that begin with what stands before a final
/// `*`.
///
/// ```
/// use madang::hub::Pattern;
/// use madang_proto::Topic;
/// let chat = Pattern::new("chat.*");
/// assert!(chat.fits(&Topic::new("chat.lobby").unwrap()));
/// assert!(!chat.fits(&Topic::new("chat").unwrap()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Any text is a pattern; a `*` before the end is an ordinary character.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether the rule is for this topic.
    pub fn fits(&self, topic: &Topic) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => topic.as_str().starts_with(prefix),
            None => topic.as_str() == &*self.0,
        }
    }
}
