//! What answers at which path.

use std::{borrow::Cow, sync::Arc};

use http::Request;
use madang_proto::{Mount, Opening, Protocol, session::Refusal};
use percent_encoding::percent_decode_str;
use tokio::runtime::Handle;

use super::exchange::Links;
use crate::{
    app::{self, Begin, Handler, Inline, InlineHandler},
    hub::Hub,
};

/// A WebSocket's way in.
#[derive(Clone)]
pub(super) enum Door {
    /// A protocol, by its place in the server's list.
    Protocol(u8, &'static Protocol),
    Handler(Handler, Handle, Hub),
    Inline(InlineHandler),
    /// Whatever is below a path, sorted to sessions that are reached over links.
    Links(Links),
}

impl Door {
    /// Begins a session for a client, or says why not.
    pub(super) fn open(
        &self,
        segment: Option<&str>,
        request: &Request<()>,
    ) -> Result<Begin, Refusal> {
        match self {
            Self::Protocol(_, protocol) => {
                let query = request.uri().query().unwrap_or_default();
                (protocol.open)(&Opening { segment, query, last_event_id: None })
                    .map(Begin::Session)
            }
            Self::Handler(handler, runtime, hub) => {
                let handler = Arc::clone(handler);
                Ok(app::begin(handler, runtime.clone(), hub.clone(), request.clone()))
            }
            Self::Inline(handler) => Ok(Begin::Session(Box::new(Inline(Arc::clone(handler))))),
            Self::Links(_) => Err(Refusal { reason: "sessions begin elsewhere here".into() }),
        }
    }
}

/// All ways in.
#[derive(Default)]
pub(super) struct Routes {
    doors: Vec<(Place, Door)>,
    mounts: u16,
}

struct Place {
    path: Cow<'static, str>,
    behind: Behind,
    tail: &'static str,
}

/// What follows a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// One segment.
    Segment,
    /// Any path.
    All,
}

/// A door that a path leads to, and the segment behind it.
pub(super) struct Found<'a> {
    pub(super) door: &'a Door,
    pub(super) segment: Option<Cow<'a, str>>,
}

impl Routes {
    pub(super) fn mount(&mut self, mount: &Mount, door: Door) {
        let behind = if mount.segment { Behind::Segment } else { Behind::Nothing };
        self.add(mount.path.into(), behind, mount.tail, door);
    }

    pub(super) fn exact(&mut self, path: String, door: Door) {
        self.add(path.into(), Behind::Nothing, "", door);
    }

    /// Mounts a door at a path and at everything below it.
    pub(super) fn below(&mut self, path: &str, door: Door) {
        let path = path.trim_end_matches('/').to_owned();
        self.add(path.into(), Behind::All, "", door);
    }

    /// A number for a mount whose sessions have names.
    pub(super) fn next_mount(&mut self) -> u16 {
        self.mounts += 1;
        self.mounts
    }

    fn add(&mut self, path: Cow<'static, str>, behind: Behind, tail: &'static str, door: Door) {
        self.doors.push((Place { path, behind, tail }, door));
    }

    /// The door for a request's path. A segment that is no UTF-8 leads nowhere; what is below a door
    /// that takes all stays as it was sent.
    pub(super) fn find<'a>(&'a self, path: &'a str) -> Option<Found<'a>> {
        self.doors.iter().find_map(|(mount, door)| {
            let rest = path.strip_prefix(&*mount.path)?;
            if mount.behind == Behind::Nothing {
                return rest.is_empty().then_some(Found { door, segment: None });
            }
            if mount.behind == Behind::All {
                let below = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
                return Some(Found { door, segment: Some(below.into()) });
            }
            let segment = rest.strip_prefix('/')?.strip_suffix(mount.tail)?;
            if segment.contains('/') {
                return None;
            }
            let segment = percent_decode_str(segment).decode_utf8().ok()?;
            Some(Found { door, segment: Some(segment) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use madang_proto::raw;

    /// Empty brackets for a path that leads to a door without a segment.
    fn segment(path: &str) -> Option<String> {
        let mut routes = Routes::default();
        for mount in raw::PROTOCOL.mounts {
            routes.mount(mount, Door::Protocol(0, &raw::PROTOCOL));
        }
        let found = routes.find(path)?;
        Some(found.segment.map_or_else(|| "()".to_owned(), Cow::into_owned))
    }

    #[test]
    fn a_topic_is_one_percent_encoded_segment() {
        assert_eq!(segment("/ws"), Some("()".into()));
        assert_eq!(segment("/ws/chat"), Some("chat".into()));
        assert_eq!(segment("/ws/ns%2FT"), Some("ns/T".into()));
        assert_eq!(segment("/ws/%EB%A7%88%EB%8B%B9"), Some("마당".into()));
        assert_eq!(segment("/ws/"), Some(String::new()));
        for nowhere in ["/", "/wsx", "/ws/a/b", "/ws/%FF"] {
            assert_eq!(segment(nowhere), None, "{nowhere}");
        }
    }
}
