//! Interruption from outside: flags that running code looks at.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

/// Interrupts one store from any thread; see [`Store::interrupt_handle`](crate::Store::interrupt_handle).
#[derive(Clone, Debug)]
pub struct InterruptHandle(pub(crate) Arc<AtomicU32>);

impl InterruptHandle {
    /// Makes the store's running call, or its next one, end with [`Trap::Interrupt`](crate::Trap::Interrupt) at the
    /// next function entry or loop head. One call is enough for one interruption.
    pub fn interrupt(&self) {
        self.0.store(1, Ordering::Relaxed);
    }

    /// Takes back an interruption that has not been seen yet.
    pub fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The engine's clock, and the stores that wait for a tick of it.
#[derive(Default, Debug)]
pub(crate) struct Epochs {
    now: u64,
    waiting: Vec<(u64, Weak<AtomicU32>)>,
}

impl Epochs {
    pub(crate) fn increment(&mut self) {
        self.now += 1;
        let now = self.now;
        self.waiting
            .retain(|(deadline, flag)| match flag.upgrade() {
                Some(flag) if *deadline <= now => {
                    flag.store(1, Ordering::Relaxed);
                    false
                }
                flag => flag.is_some(),
            });
    }

    /// Sets `flag` in `ticks` ticks; an earlier deadline of it is forgotten.
    pub(crate) fn set_deadline(&mut self, flag: &Arc<AtomicU32>, ticks: u64) {
        self.waiting
            .retain(|(_, f)| f.as_ptr() != Arc::as_ptr(flag) && f.strong_count() > 0);
        if ticks == 0 {
            flag.store(1, Ordering::Relaxed);
        } else {
            flag.store(0, Ordering::Relaxed);
            self.waiting
                .push((self.now.saturating_add(ticks), Arc::downgrade(flag)));
        }
    }
}
