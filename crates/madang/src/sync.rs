//! The locks and atomics of the hub and the broker: `parking_lot`'s and std's, or shuttle's in their
//! random schedules.
//!
//! Shuttle's primitives hand every step to a scheduler that tries random interleavings. Only
//! `cargo test -p madang --features shuttle shuttle_` has them; no other build does.

#[cfg(not(all(test, feature = "shuttle")))]
mod imp {
    pub(crate) use std::{
        collections::hash_map::RandomState as Seed,
        sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    };

    pub(crate) use parking_lot::{Mutex, MutexGuard};
}

#[cfg(all(test, feature = "shuttle"))]
mod imp {
    pub(crate) use shuttle::sync::{
        MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    };

    /// A schedule can only be played again when no hash is random.
    pub(crate) type Seed = std::hash::BuildHasherDefault<std::collections::hash_map::DefaultHasher>;

    /// Shuttle's mutex with the interface of `parking_lot`'s.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }
}

pub(crate) use imp::*;
