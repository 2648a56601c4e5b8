//! The messages of one connection, compressed and inflated.

use zlib_rs::{Deflate, Inflate, InflateFlush, Status};

use super::Agreement;
use super::pool::{self, Setting, TAIL};
use crate::Role;

/// The largest window, 2 to the power of 15 bytes.
const WINDOW: usize = 1 << 15;
/// The least and most output that is made room for at the start of a message. Later there is room
/// for as much again as there is.
const FIRST_ROOM: (usize, usize) = (256, 4096);
/// Most final blocks in one message. Each makes us build the window anew, which a peer could
/// otherwise have us do for every two bytes that it sends.
const MAX_FINAL_BLOCKS: u32 = 256;

/// Why a message did not inflate. The connection must be failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a deflate stream, or one that stops in the middle of a block (RFC 7692 §7.2.2).
    #[error("invalid compressed data")]
    Corrupt,
    /// The message is longer than the limit.
    #[error("message too big")]
    TooBig,
}

/// Compresses what a connection sends and inflates what it receives.
///
/// In a direction that keeps its window from message to message it owns its compressor (about
/// 370 KiB) or inflater (46 KiB) from the first message on. Otherwise both come from a pool of the
/// thread, for one message.
pub struct State {
    sending: Option<Setting>,
    min_size: usize,
    keeps_send_window: bool,
    keeps_receive_window: bool,
    deflate: Option<Deflate>,
    inflate: Option<Inflate>,
    /// Whether `inflate` has read a part of the message, or of what followed a final block.
    touched: bool,
    final_blocks: u32,
    /// The newest [`WINDOW`] bytes that came in, kept from the first final block on.
    history: Option<Vec<u8>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("sending", &self.sending)
            .field("keeps_send_window", &self.keeps_send_window)
            .field("keeps_receive_window", &self.keeps_receive_window)
            .finish_non_exhaustive()
    }
}

impl State {
    /// What `role` needs under `agreement`. Takes no memory beyond itself until a message comes.
    pub fn new(role: Role, agreement: &Agreement) -> Self {
        let (bits, send_fresh, receive_fresh) = match role {
            Role::Server => (
                agreement.server_max_window_bits,
                agreement.server_no_context_takeover,
                agreement.client_no_context_takeover,
            ),
            Role::Client => (
                agreement.client_max_window_bits,
                agreement.client_no_context_takeover,
                agreement.server_no_context_takeover,
            ),
        };
        Self {
            sending: Setting::new(agreement.level, bits, agreement.mem_level),
            min_size: agreement.min_size as usize,
            keeps_send_window: !send_fresh,
            keeps_receive_window: !receive_fresh,
            deflate: None,
            inflate: None,
            touched: false,
            final_blocks: 0,
            history: None,
        }
    }

    /// Compresses one message and appends it to `out` (RFC 7692 §7.2.1).
    ///
    /// Returns false, and leaves `out` as it was, when the message should go uncompressed: it is
    /// below `min_size`, or would not become smaller, or the peer allows only a window of 8 bits.
    pub fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(setting) = self.sending else { return false };
        if payload.len() < self.min_size {
            return false;
        }
        if !self.keeps_send_window {
            return pool::compress_pooled(setting, payload, out);
        }
        let deflate = self.deflate.get_or_insert_with(|| setting.compressor());
        let smaller = pool::compress(deflate, setting, payload, out);
        if !smaller {
            // The message goes uncompressed and never enters the peer's window (RFC 7692
            // §7.2.3.2), so that it must not stay in ours.
            deflate.reset();
        }
        smaller
    }

    /// Forgets what was sent. To be called when a compressed message that this state did not make,
    /// such as one of [`compress_fresh`](super::compress_fresh), is sent on the connection: it
    /// enters the window of the peer, but not ours.
    pub fn restart(&mut self) {
        if let Some(deflate) = &mut self.deflate {
            deflate.reset();
        }
    }

    /// Inflates the next piece of a message and appends it to `out` (RFC 7692 §7.2.2). `last` says
    /// that the message ends with this piece.
    ///
    /// `out` holds what the earlier pieces of this message gave, and is never made longer than
    /// `limit` bytes. The memory it takes grows with what was inflated, not with `limit`.
    pub fn decompress(
        &mut self,
        input: &[u8],
        last: bool,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let result = self.inflate_message(input, last, limit, out);
        if last || result.is_err() {
            self.touched = false;
            self.final_blocks = 0;
            if !self.keeps_receive_window || result.is_err() {
                self.history = None;
                self.inflate.take().into_iter().for_each(pool::give_inflater);
            }
        }
        result
    }

    fn inflate_message(
        &mut self,
        mut input: &[u8],
        last: bool,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut inflate = self.inflate.take().unwrap_or_else(pool::take_inflater);
        let result = loop {
            if input.is_empty() {
                break if last { self.finish(&mut inflate, limit, out) } else { Ok(()) };
            }
            let before = out.len();
            match inflate_piece(&mut inflate, input, InflateFlush::NoFlush, limit, out) {
                Ok((read, ended)) => {
                    self.touched = true;
                    input = input.get(read..).unwrap_or_default();
                    self.remember(&out[before..]);
                    if ended && let Err(error) = self.begin_anew(&mut inflate, out) {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        self.inflate = Some(inflate);
        result
    }

    /// RFC 7692 §7.2.3.4: a block with BFINAL set may end a message or stand within one; blocks
    /// that follow begin at the next byte and may still refer to what came before.
    fn begin_anew(&mut self, inflate: &mut Inflate, out: &[u8]) -> Result<(), Error> {
        self.final_blocks += 1;
        if self.final_blocks > MAX_FINAL_BLOCKS {
            return Err(Error::Corrupt);
        }
        self.touched = false;
        if self.history.is_none() {
            self.history = Some(newest(out).to_vec());
        }
        let window = self.history.as_deref().unwrap_or_default();
        inflate.reset(false);
        inflate.set_dictionary(newest(window)).map_err(|_| Error::Corrupt)?;
        Ok(())
    }

    fn remember(&mut self, inflated: &[u8]) {
        if let Some(history) = &mut self.history {
            history.extend_from_slice(newest(inflated));
            if history.len() > 2 * WINDOW {
                history.drain(..history.len() - WINDOW);
            }
        }
    }

    /// RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of
    /// the message", which completes an empty stored block.
    fn finish(
        &mut self,
        inflate: &mut Inflate,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        // Nothing was begun that the tail could complete: an empty payload, or one that stops
        // after a final block. Both are taken as complete.
        if !self.touched {
            return Ok(());
        }
        // One byte too many is offered, and reading is to stop between blocks. If the byte is
        // taken, the tail did not complete a block: the message was cut short.
        let tail = [TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0];
        let before = out.len();
        let (read, ended) = inflate_piece(inflate, &tail, InflateFlush::Block, limit, out)?;
        self.remember(&out[before..]);
        if ended || read != TAIL.len() { Err(Error::Corrupt) } else { Ok(()) }
    }
}

/// Inflates until `input` is used up, a final block ends (then the second value is true), or, with
/// [`InflateFlush::Block`], any block ends. Returns how much of `input` was read.
fn inflate_piece(
    inflate: &mut Inflate,
    input: &[u8],
    flush: InflateFlush,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(usize, bool), Error> {
    let first_room = input.len().saturating_mul(4).clamp(FIRST_ROOM.0, FIRST_ROOM.1);
    let mut read = 0;
    loop {
        let length = out.len();
        // At the limit a single byte of room tells the end of the message from a longer one.
        let room = limit.saturating_sub(length).min(length.max(first_room)).max(1);
        out.reserve_exact(room);
        out.resize(length + room, 0);
        let (in_before, out_before) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(&input[read..], &mut out[length..], flush);
        let written = usize::try_from(inflate.total_out() - out_before).unwrap_or(room).min(room);
        out.truncate(length + written);
        read += usize::try_from(inflate.total_in() - in_before).unwrap_or_default();
        if out.len() > limit {
            out.truncate(limit);
            return Err(Error::TooBig);
        }
        match status {
            Err(_) => return Err(Error::Corrupt),
            Ok(Status::StreamEnd) => return Ok((read, true)),
            // Room is left, so that nothing waits to be written.
            Ok(_) if written < room && (flush == InflateFlush::Block || read >= input.len()) => {
                return Ok((read, false));
            }
            Ok(Status::BufError) if written < room => return Err(Error::Corrupt),
            Ok(_) => {}
        }
    }
}

/// The end of `bytes` that fits the window.
fn newest(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(WINDOW)..]
}
