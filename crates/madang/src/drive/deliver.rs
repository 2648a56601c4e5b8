//! From the mailbox, and from sessions, to the outboxes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use madang_proto::{Form, Input, Kind, Rendered, publication::Except};
use madang_ws::{deflate, frame};
use smallvec::SmallVec;

use super::{
    carrier::{self, Framing},
    client::{Cold, Flags},
    mail::{Mail, Protocols},
    outbox::{Part, Run},
    worker::Worker,
};
use crate::hub::{self, FormKey, Member, Published, Told};

/// Mail of so many bytes leaves before more is looked at, so that what piles up for a client is
/// seen, and bounded, by its outbox. An empty message counts too.
const FLUSH_AT: usize = 256 * 1024;
/// After so long the rest of the mail waits for the next turn, and HTTP has its go.
const LONGEST: Duration = Duration::from_millis(10);

/// A replay of more than so many bytes is not compressed.
const COMPRESS_UP_TO: usize = 256 * 1024;

impl Worker {
    /// Delivers what the mailbox holds, as far as the time goes. Neighbouring publications of one topic leave as one run; the order of
    /// everything else is kept as it came.
    pub(super) fn deliver_mail(&mut self) {
        let mut run = std::mem::take(&mut self.run);
        if self.mail.is_empty() {
            // Neither way allocates: the two buffers serve in turn.
            let mut mail = Vec::from(std::mem::take(&mut self.mail));
            self.handle.take_mail(&mut mail);
            self.mail = mail.into();
        }
        let begun = self.now;
        let mut bytes = 0;
        while let Some(item) = self.mail.pop_front() {
            bytes += item.weight();
            match item {
                Mail::Hub(hub::Mail::Published(published)) => {
                    // What is not for all leaves alone.
                    let is_next = run.first().is_none_or(|first: &Arc<Published>| {
                        first.key() == published.key()
                            && first.publication().except.is_none()
                            && published.publication().except.is_none()
                    });
                    if !is_next {
                        self.deliver(&mut run);
                    }
                    run.push(published);
                }
                other => {
                    self.deliver(&mut run);
                    self.handle_mail(other);
                }
            }
            if bytes >= FLUSH_AT {
                self.deliver(&mut run);
                self.flush_dirty();
                self.handle.delivered(bytes);
                bytes = 0;
                if Instant::now().duration_since(begun) >= LONGEST {
                    break;
                }
            }
        }
        self.deliver(&mut run);
        if bytes > 0 {
            self.handle.delivered(bytes);
        }
        self.run = run;
    }

    fn handle_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Hub(hub::Mail::Presence(told)) => self.deliver_presence(&told),
            Mail::Hub(_) => {}
            Mail::Reserve(newcomer, reply) => self.reserve(*newcomer, reply),
            Mail::Adopt(id, stream, early) => self.adopt(id, stream, &early),
            Mail::Forget(id) => {
                if let Some(slot) = self.clients.find(id) {
                    self.cut(slot);
                }
            }
            Mail::Command(id, command) => {
                if let Some(slot) = self.clients.find(id) {
                    self.command(slot, command);
                }
            }
            Mail::Exchange(exchange) => self.exchange(*exchange),
            Mail::Announce(key, ticket, reply) => self.announce(&key, ticket, reply),
            Mail::HangUp(key, ticket) => self.hang_up(&key, ticket),
            Mail::Link(id, link, word) => {
                if let Some(slot) = self.clients.find(id) {
                    self.hear(slot, link, word);
                }
            }
            Mail::GoAway { until } => self.go_away(until),
        }
    }

    /// Hands neighbouring publications of one topic to all members that they are for.
    fn deliver(&mut self, publications: &mut Vec<Arc<Published>>) {
        let (Some(first), Some(last)) = (publications.first(), publications.last()) else { return };
        let (first, last) = (first.order(), last.order());
        let Some(room) = publications.first().and_then(|p| self.members.room(p.key())) else {
            publications.clear();
            return;
        };
        let except = publications.first().and_then(|p| p.publication().except.clone());
        let mut runs = Runs::new(&self.renderer, publications);
        let mut slow = SmallVec::<[u32; 8]>::new();
        let mut each = SmallVec::<[(u32, u64); 8]>::new();
        let mut dropped = 0;
        for member in room.members() {
            if member.seen >= last {
                continue;
            }
            let Some(hot) = self.clients.hot.get_mut(member.slot as usize) else { continue };
            if hot.generation != member.generation || hot.flags.has(Flags::MUTE) {
                continue;
            }
            if let Some(except) = &except
                && is_out(except, &self.clients.cold, member)
            {
                continue;
            }
            let form = FormKey(member.form);
            if is_each(form) {
                each.push((member.slot, member.seen));
                continue;
            }
            let run =
                if member.seen < first { runs.whole(form) } else { &runs.after(form, member.seen) };
            match hot.outbox.push_run(run, &self.config.outbox) {
                Ok(count) => dropped += count,
                Err(_) => slow.push(member.slot),
            }
            if hot.flags.set(Flags::DIRTY) {
                self.dirty.push(member.slot);
            }
        }
        for (slot, seen) in each {
            let due = publications.iter().filter(|published| published.order() > seen);
            self.hand_each(slot as usize, due);
        }
        publications.clear();
        if dropped > 0 {
            tracing::debug!(dropped, "deliveries to slow consumers were dropped");
        }
        for slot in slow {
            self.disconnect_slow(slot as usize);
        }
    }

    /// Hands publications to a session that makes something of its own of each.
    fn hand_each<'p>(&mut self, slot: usize, due: impl Iterator<Item = &'p Arc<Published>>) {
        for published in due {
            // As with a command: one may go over the limit, the next is refused.
            if self.clients.hot[slot].outbox.is_over(&self.config.outbox) {
                return self.disconnect_slow(slot);
            }
            let Some(mut cold) = self.clients.cold[slot].take() else { return };
            self.tell(slot, &mut cold, Input::Delivery(published.publication()));
            self.transmit(slot, &mut cold);
            self.put_back(slot, cold);
        }
    }

    fn deliver_presence(&mut self, told: &Told) {
        let Some(room) = self.members.room(told.key) else { return };
        let mut runs = SmallVec::<[(u32, Arc<Run>); 2]>::new();
        let mut slow = SmallVec::<[u32; 8]>::new();
        for member in room.due(told.order).filter(|member| member.watch) {
            let Some(hot) = self.clients.hot.get_mut(member.slot as usize) else { continue };
            let is_mute = hot.flags.has(Flags::MUTE) || is_each(FormKey(member.form));
            if hot.generation != member.generation || is_mute {
                continue;
            }
            let at = runs.iter().position(|(form, _)| *form == member.form).unwrap_or_else(|| {
                runs.push((member.form, self.renderer.presence_run(FormKey(member.form), told)));
                runs.len() - 1
            });
            if hot.outbox.push_run(&runs[at].1, &self.config.outbox).is_err() {
                slow.push(member.slot);
            }
            if hot.flags.set(Flags::DIRTY) {
                self.dirty.push(member.slot);
            }
        }
        for slot in slow {
            self.disconnect_slow(slot as usize);
        }
    }

    /// Hands a newcomer what its topic held; false when too much history is on its way already.
    pub(super) fn replay(
        &mut self,
        slot: usize,
        history: &[Arc<Published>],
        form: FormKey,
    ) -> bool {
        if history.is_empty() {
            return true;
        }
        if self.replaying > self.config.outbox.max_replay {
            // What has left since was counted still.
            self.count_replays();
            if self.replaying > self.config.outbox.max_replay {
                return false;
            }
        }
        // Compressing it all now would hold everybody up.
        let all: usize = history.iter().map(|one| one.publication().body.bytes().len()).sum();
        let form = if all > COMPRESS_UP_TO { plain(form) } else { form };
        for published in history {
            let frame = published.form(form, || self.renderer.frame(form, published));
            self.replaying += frame.len();
            self.clients.hot[slot].outbox.push_replay(frame);
        }
        self.mark_dirty(slot);
        true
    }

    /// Counts what of history is on its way.
    pub(super) fn count_replays(&mut self) {
        self.replaying = self.clients.hot.iter().map(|hot| hot.outbox.replay_bytes()).sum();
    }

    /// Sends a message of the client's own session.
    #[inline]
    pub(super) fn send(&mut self, slot: usize, cold: &mut Cold, kind: Kind, bytes: &[u8]) {
        let own = self.clients.hot[slot].outbox.own(&mut self.pool);
        // After a close frame nothing is sent any more; the session is told that it is closed.
        if cold.carrier.send(ws_kind(kind), bytes, own).is_ok() {
            self.mark_dirty(slot);
        }
    }

    /// [`send`](Self::send) before what waits, see [`Intent::SendAhead`](madang_proto::Intent).
    pub(super) fn send_ahead(&mut self, slot: usize, cold: &mut Cold, kind: Kind, bytes: &[u8]) {
        let outbox = &mut self.clients.hot[slot].outbox;
        let carrier = &mut cold.carrier;
        if outbox.ahead(&mut self.pool, |own| carrier.send_plain(ws_kind(kind), bytes, own)).is_ok()
        {
            self.mark_dirty(slot);
        }
    }
}

/// The runs of one batch of publications, one for each form that a member takes.
struct Runs<'a> {
    renderer: &'a Renderer,
    publications: &'a [Arc<Published>],
    made: SmallVec<[(FormKey, Arc<Run>); 2]>,
}

impl<'a> Runs<'a> {
    fn new(renderer: &'a Renderer, publications: &'a [Arc<Published>]) -> Self {
        Self { renderer, publications, made: SmallVec::new() }
    }

    /// The run of all publications.
    #[inline]
    fn whole(&mut self, form: FormKey) -> &Arc<Run> {
        let made = self.made.iter().position(|(made, _)| *made == form);
        let at = made.unwrap_or_else(|| {
            self.made.push((form, self.make(form, self.publications)));
            self.made.len() - 1
        });
        &self.made[at].1
    }

    /// The run for a member that has had some of them already.
    #[cold]
    fn after(&self, form: FormKey, seen: u64) -> Arc<Run> {
        let from = self.publications.partition_point(|published| published.order() <= seen);
        self.make(form, &self.publications[from..])
    }

    fn make(&self, form: FormKey, publications: &[Arc<Published>]) -> Arc<Run> {
        let frames: SmallVec<[(Bytes, u64); 16]> = publications
            .iter()
            .map(|published| {
                let frame = published.form(form, || self.renderer.frame(form, published));
                (frame, delivery_key(published))
            })
            .collect();
        join(&frames)
    }
}

/// Joins frames into one run.
fn join(frames: &[(Bytes, u64)]) -> Arc<Run> {
    if let [(frame, key)] = frames {
        return Run::new(frame.clone(), [Part { end: frame.len(), key: *key }]);
    }
    let mut bytes = Vec::with_capacity(frames.iter().map(|(frame, _)| frame.len()).sum());
    let mut parts = Vec::with_capacity(frames.len());
    for (frame, key) in frames {
        bytes.extend_from_slice(frame);
        parts.push(Part { end: bytes.len(), key: *key });
    }
    Run::new(bytes.into(), parts)
}

/// Tells deliveries of one topic and event from all others, for
/// [`SlowConsumer::Latest`](super::SlowConsumer::Latest).
fn delivery_key(published: &Published) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    published.key().hash(&mut hasher);
    published.publication().event.hash(&mut hasher);
    hasher.finish()
}

/// Makes frames of publications.
pub(super) struct Renderer {
    pub(super) protocols: Protocols,
    pub(super) deflate: deflate::Settings,
}

impl Renderer {
    /// The name of the protocol that a form is of.
    pub(super) fn door(&self, form: u32) -> &'static str {
        let (protocol, ..) = parts_of(FormKey(form));
        self.protocols.get(protocol).map_or("", |protocol| protocol.name)
    }

    fn presence_run(&self, form: FormKey, told: &Told) -> Arc<Run> {
        let (protocol, form, bits) = parts_of(form);
        let Some(protocol) = self.protocols.get(protocol) else { return join(&[]) };
        let rendered = (protocol.render_presence)(form, &told.change);
        join(&[(self.wrap(&rendered, bits), told.key.0)])
    }

    fn frame(&self, form: FormKey, published: &Published) -> Bytes {
        let (protocol, form, bits) = parts_of(form);
        let Some(protocol) = self.protocols.get(protocol) else { return Bytes::new() };
        self.wrap(&(protocol.render)(form, published.publication()), bits)
    }

    /// A piece of a body; or a whole frame from server to client (RFC 6455 §5.2), compressed with a fresh window (RFC
    /// 7692 §7.2.1) where that was agreed and is worth it.
    fn wrap(&self, rendered: &Rendered, bits: u8) -> Bytes {
        if let Some(framing) = Framing::of_bits(bits) {
            let mut out = Vec::new();
            framing.append(&rendered.segments, &mut out);
            return out.into();
        }
        let opcode = ws_kind(rendered.kind).opcode();
        let length = rendered.len();
        if bits > 0 && length >= self.deflate.min_size as usize {
            let payload = rendered.segments.concat();
            let mut packed = Vec::new();
            if deflate::compress_fresh(&payload, self.deflate.level, bits, &mut packed) {
                let mut out = Vec::with_capacity(frame::MAX_HEADER + packed.len());
                frame::encode_header(&mut out, true, true, opcode, packed.len() as u64, None);
                out.extend_from_slice(&packed);
                attach(&rendered.attachments, &mut out);
                return out.into();
            }
        }
        let mut out = Vec::with_capacity(frame::header_len(length as u64, false) + length);
        frame::encode_header(&mut out, true, false, opcode, length as u64, None);
        for segment in &rendered.segments {
            out.extend_from_slice(segment);
        }
        attach(&rendered.attachments, &mut out);
        out.into()
    }
}

/// Appends binary messages that belong to the one before.
fn attach(attachments: &[Bytes], out: &mut Vec<u8>) {
    for bytes in attachments {
        frame::encode_header(
            out,
            true,
            false,
            ws_kind(Kind::Binary).opcode(),
            bytes.len() as u64,
            None,
        );
        out.extend_from_slice(bytes);
    }
}

/// The same form, not compressed (RFC 7692 §6: each message is or is not).
fn plain(form: FormKey) -> FormKey {
    let (.., bits) = parts_of(form);
    if Framing::of_bits(bits).is_some() { form } else { FormKey(form.0 & !0xff) }
}

/// Whether a publication is not for a member.
fn is_out(except: &Except, clients: &[Option<Box<Cold>>], member: &Member) -> bool {
    let Some(cold) = clients.get(member.slot as usize).and_then(|cold| cold.as_deref()) else {
        return false;
    };
    except.session == Some(cold.id)
        || cold.subscriptions.iter().any(|held| except.topics.contains(&held.topic))
}

/// Whether the session itself makes something of each publication: it wishes so, or has no carrier
/// that would take what others share.
#[inline]
pub(super) fn is_each(form: FormKey) -> bool {
    let (_, form, bits) = parts_of(form);
    form == Form::EACH || bits == carrier::NONE
}

/// A [`FormKey`] is the protocol's index, its own form, and the window of the compression.
fn parts_of(form: FormKey) -> (usize, Form, u8) {
    (form.0 as usize >> 16, Form((form.0 >> 8) as u8), form.0 as u8)
}

/// The window with which frames for a connection can be compressed once and shared; 0 for none.
/// A server that keeps its context between messages cannot take what another compressor made.
pub(super) fn shared_window(agreement: &deflate::Agreement) -> u8 {
    if agreement.server_no_context_takeover { agreement.server_max_window_bits } else { 0 }
}

fn ws_kind(kind: Kind) -> madang_ws::Kind {
    match kind {
        Kind::Text => madang_ws::Kind::Text,
        Kind::Binary => madang_ws::Kind::Binary,
    }
}
