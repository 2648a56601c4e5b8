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
    let smaller = compress(&mut deflate, payload, out);
    deflate.reset();
    give_compressor(setting, deflate);
    smaller
}

/// Appends `payload`, compressed, to `out`. When that would not be smaller it returns false, `out`
/// is as it was, and `deflate` must be reset before it is used again.
pub(super) fn compress(deflate: &mut Deflate, payload: &[u8], out: &mut Vec<u8>) -> bool {
    if payload.is_empty() {
        return false;
    }
    let start = out.len();
    // One byte more than a result may have, tail included, that is worth sending: a result that
    // fills the room is too big, or is not known to be complete.
    out.resize(start + payload.len() + TAIL.len(), 0);
    let (read, written) = (deflate.total_in(), deflate.total_out());
    let done = deflate.compress(payload, &mut out[start..], DeflateFlush::SyncFlush).is_ok();
    let read = usize::try_from(deflate.total_in() - read).unwrap_or(usize::MAX);
    let written = usize::try_from(deflate.total_out() - written).unwrap_or(usize::MAX);
    if done && read == payload.len() && written < payload.len() + TAIL.len() {
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
