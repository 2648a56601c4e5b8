//! Compressors and inflaters that no connection holds on to.
//!
//! A compressor costs about 370 KiB and an inflater 46 KiB. Where the window is not kept between
//! messages, one of each per thread serves all connections of that thread.

use std::cell::RefCell;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate};

/// Most idle compressors of one setting, and most idle inflaters, that a thread keeps.
const PER_SETTING: usize = 4;
/// Most idle compressors of all settings that a thread keeps. The peer has a say in the window, so
/// that there may be many settings.
const IN_ALL: usize = 16;
/// What a sync flush ends with, and a message leaves out (RFC 7692 §7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What two compressors must have in common to stand in for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    level: u8,
    window_bits: u8,
    mem_level: u8,
}

impl Setting {
    /// Levels are brought into range. `None` for a window of 8 bits, which the deflate library
    /// cannot write without a header.
    pub(super) fn new(level: u8, window_bits: u8, mem_level: u8) -> Option<Self> {
        (9..=15).contains(&window_bits).then_some(Self {
            level: level.min(9),
            window_bits,
            mem_level: mem_level.clamp(1, 9),
        })
    }

    /// How much is compressed between two flushes. At level 1, zlib-rs 0.6.8 panics when a block
    /// ends while its internal buffer is all but full. That has four times the room of this, so
    /// with a flush after each piece it never is.
    fn piece(self) -> usize {
        if self.level == 1 { 1 << (self.mem_level + 6) } else { usize::MAX }
    }

    /// A new compressor.
    pub(super) fn compressor(self) -> Deflate {
        Deflate::new_with_config(DeflateConfig {
            level: self.level.into(),
            window_bits: -i32::from(self.window_bits),
            mem_level: self.mem_level.into(),
            ..DeflateConfig::default()
        })
    }
}

#[derive(Default)]
struct Pool {
    compressors: Vec<(Setting, Deflate)>,
    inflaters: Vec<Inflate>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// Compresses one message with an empty window and appends it to `out`, in the form that
/// `permessage-deflate` sends (RFC 7692 §7.2.1). The result stands for itself: the same bytes may
/// go to every member whose agreed window is at least `window_bits`. To a member whose compressor
/// keeps its window, say [`State::restart`](super::State::restart) as well.
///
/// `level` is 0 to 9 and `window_bits` 9 to 15. Returns false, and leaves `out` as it was, when
/// the result would not be smaller than `payload`, or the window is out of range.
pub fn compress_fresh(payload: &[u8], level: u8, window_bits: u8, out: &mut Vec<u8>) -> bool {
    let mem_level = super::Settings::default().mem_level;
    Setting::new(level, window_bits, mem_level)
        .is_some_and(|setting| compress_pooled(setting, payload, out))
}

/// [`compress_fresh`] for a known setting.
pub(super) fn compress_pooled(setting: Setting, payload: &[u8], out: &mut Vec<u8>) -> bool {
    let mut deflate = take_compressor(setting);
    let smaller = compress(&mut deflate, setting, payload, out);
    deflate.reset();
    give_compressor(setting, deflate);
    smaller
}

/// Appends `payload`, compressed, to `out`. When that would not be smaller it returns false, `out`
/// is as it was, and `deflate` must be reset before it is used again.
pub(super) fn compress(
    deflate: &mut Deflate,
    setting: Setting,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    if payload.is_empty() {
        return false;
    }
    let start = out.len();
    let piece = setting.piece();
    // Room for the worst case, although a larger result is thrown away: what does not fit stays
    // inside, and zlib-rs 0.6.8 does not forget it when it is reset.
    out.resize(start + bound(payload.len(), piece), 0);
    let mut written = 0;
    let done = payload.chunks(piece).all(|piece| {
        let step = compress_piece(deflate, piece, &mut out[start + written..]);
        written += step.unwrap_or_default();
        step.is_some()
    });
    if done && written < payload.len() + TAIL.len() {
        out.truncate(start + written);
        // RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
        if out[start..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
            return true;
        }
    }
    out.truncate(start);
    false
}

/// What `length` bytes take at most: a literal has up to 9 bits, and each piece ends with a block
/// of its own.
fn bound(length: usize, piece: usize) -> usize {
    length + length / 8 + 64 + 16 * (length / piece)
}

/// Compresses one piece up to a byte boundary; `None` when it does not fit into `room`.
fn compress_piece(deflate: &mut Deflate, piece: &[u8], room: &mut [u8]) -> Option<usize> {
    let (read, written) = (deflate.total_in(), deflate.total_out());
    let whole = room.len();
    deflate.compress(piece, room, DeflateFlush::SyncFlush).ok()?;
    let read = usize::try_from(deflate.total_in() - read).ok()?;
    let written = usize::try_from(deflate.total_out() - written).ok()?;
    // Room that is left says that nothing stayed behind inside.
    (read == piece.len() && written < whole).then_some(written)
}

fn take_compressor(setting: Setting) -> Deflate {
    let pooled = POOL.with_borrow_mut(|pool| {
        let at = pool.compressors.iter().rposition(|(is, _)| *is == setting)?;
        Some(pool.compressors.swap_remove(at).1)
    });
    pooled.unwrap_or_else(|| setting.compressor())
}

/// Takes back a compressor that has been reset.
fn give_compressor(setting: Setting, deflate: Deflate) {
    POOL.with_borrow_mut(|pool| {
        let same = pool.compressors.iter().filter(|(is, _)| *is == setting).count();
        if same < PER_SETTING {
            if pool.compressors.len() == IN_ALL {
                pool.compressors.swap_remove(0);
            }
            pool.compressors.push((setting, deflate));
        }
    });
}

/// An inflater with an empty window of 15 bits. It also reads what was written with less: zlib-rs
/// reserves the whole window in any case, and resets to 15 bits.
pub(super) fn take_inflater() -> Inflate {
    POOL.with_borrow_mut(|pool| pool.inflaters.pop()).unwrap_or_else(|| Inflate::new(false, 15))
}

/// Takes back an inflater in any state.
pub(super) fn give_inflater(mut inflate: Inflate) {
    POOL.with_borrow_mut(|pool| {
        if pool.inflaters.len() < PER_SETTING {
            inflate.reset(false);
            pool.inflaters.push(inflate);
        }
    });
}

#[cfg(test)]
pub(super) fn idle() -> (usize, usize) {
    POOL.with_borrow(|pool| (pool.compressors.len(), pool.inflaters.len()))
}
