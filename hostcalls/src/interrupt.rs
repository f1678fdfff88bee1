//! Interruption from outside: flags that running code looks at.

use core::pin::Pin;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

/// The bit of a store's flag that a handle sets.
const BY_HANDLE: u32 = 1;

/// The bit of a store's flag that the epoch sets.
pub(crate) const BY_EPOCH: u32 = 2;

/// Interrupts one store from any thread; see [`Store::interrupt_handle`](crate::Store::interrupt_handle).
#[derive(Clone, Debug)]
pub struct InterruptHandle(pub(crate) Arc<AtomicU32>);

impl InterruptHandle {
    /// Makes the store's running call, or its next one, end with [`Trap::Interrupt`](crate::Trap::Interrupt) at the
    /// next function entry or loop head. One call is enough for one interruption.
    pub fn interrupt(&self) {
        self.0.fetch_or(BY_HANDLE, Ordering::Relaxed);
    }

    /// Takes back an interruption that has not been seen yet.
    pub fn clear(&self) {
        self.0.fetch_and(!BY_HANDLE, Ordering::Relaxed);
    }
}

/// What is to be done at a deadline; see [`Store::epoch_deadline_callback`](crate::Store::epoch_deadline_callback).
#[non_exhaustive]
pub enum UpdateDeadline {
    /// The call ends with [`Trap::Interrupt`](crate::Trap::Interrupt).
    Interrupt,
    /// The call goes on; the next deadline is in that many ticks.
    Continue(u64),
    /// An async call lets others have their turn, then goes on; the next deadline is in that many ticks. A call that
    /// cannot wait fails.
    Yield(u64),
    /// As `Yield`; it goes on when the future is ready.
    YieldCustom(u64, YieldFuture),
}

/// What [`UpdateDeadline::YieldCustom`] waits for.
pub(crate) type YieldFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

impl core::fmt::Debug for UpdateDeadline {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            UpdateDeadline::Interrupt => f.write_str("Interrupt"),
            UpdateDeadline::Continue(ticks) => f.debug_tuple("Continue").field(ticks).finish(),
            UpdateDeadline::Yield(ticks) => f.debug_tuple("Yield").field(ticks).finish(),
            UpdateDeadline::YieldCustom(ticks, _) => f
                .debug_tuple("YieldCustom")
                .field(ticks)
                .finish_non_exhaustive(),
        }
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
                    flag.fetch_or(BY_EPOCH, Ordering::Relaxed);
                    false
                }
                flag => flag.is_some(),
            });
    }

    /// Sets `flag` in `ticks` ticks; an earlier deadline of it is forgotten.
    pub(crate) fn set_deadline(&mut self, flag: &Arc<AtomicU32>, ticks: u64) {
        self.waiting
            .retain(|(_, f)| f.as_ptr() != Arc::as_ptr(flag) && f.strong_count() > 0);
        flag.fetch_and(!BY_EPOCH, Ordering::Relaxed);
        if ticks == 0 {
            flag.fetch_or(BY_EPOCH, Ordering::Relaxed);
        } else {
            self.waiting
                .push((self.now.saturating_add(ticks), Arc::downgrade(flag)));
        }
    }
}
