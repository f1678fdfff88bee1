//! Fibers as threads of the system, of which one at a time runs: for Miri, and for targets without assembly.
//!
//! A switch hands the turn over under a mutex and waits for it to come back. Whoever calls `suspend` waits for the
//! fiber's turn, whichever thread that is: so an inner fiber can suspend an outer one, as with real stacks.
#![allow(
    unsafe_code,
    reason = "moves what is not `Send` between threads that take turns (F6)"
)]

use std::cell::Cell;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::body::Body;
use crate::fiber::FiberError;
use crate::stack::StackBounds;
use crate::words::{NOTHING, Transfer, to_fiber};

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Resumer,
    Fiber,
    /// The fiber's thread may end.
    Nobody,
}

struct Turn {
    side: Side,
    /// What the other side sent when it gave the turn away.
    transfer: Transfer,
}

/// What both threads know of the fiber. In a box, freed by `retire`.
pub(crate) struct Control {
    turn: Mutex<Turn>,
    given: Condvar,
    /// Used by whoever has the turn.
    bounds: Cell<StackBounds>,
    thread: Cell<Option<JoinHandle<()>>>,
}

impl Control {
    pub(crate) fn bounds(&self) -> StackBounds {
        self.bounds.get()
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, side: Side, transfer: Transfer) {
        *self.lock() = Turn { side, transfer };
        self.given.notify_all();
    }

    /// Waits until it is the turn of `side`.
    fn wait(&self, side: Side) -> Transfer {
        let guard = self.given.wait_while(self.lock(), |turn| turn.side != side);
        guard.unwrap_or_else(PoisonError::into_inner).transfer
    }
}

/// What the new thread takes along.
struct Parcel<B> {
    control: NonNull<Control>,
    body: B,
}

// SAFETY: F6: one of the threads runs at a time, and the mutex orders what they do.
unsafe impl<B> Send for Parcel<B> {}

impl<B: Body> Parcel<B> {
    /// What the fiber's thread does.
    fn run(self) {
        // SAFETY: F2: the control stays until `retire`, which waits for this thread.
        let control = unsafe { self.control.as_ref() };
        let first = control.wait(Side::Fiber);
        let mut out = MaybeUninit::<ManuallyDrop<B::Out>>::uninit();
        // The top of this thread's stack is about here. The pointer is for comparing only.
        let top = (&raw mut out).cast::<u8>();
        let len = control.bounds().len();
        if let Some(lowest) = NonNull::new(top.wrapping_sub(len)) {
            control.bounds.set(StackBounds::new(lowest, len));
        }
        // SAFETY: F2, F4: it is this fiber's, and `out` stays until the turn is nobody's.
        let last = unsafe { self.body.run(self.control, first, &mut out) };
        control.give(Side::Resumer, last);
        control.wait(Side::Nobody);
    }
}

/// A thread that waits for its first turn.
///
/// # Safety
/// F2: the control is retired before what `body` borrows ends.
pub(crate) unsafe fn create<B: Body>(
    bounds: StackBounds,
    body: B,
) -> Result<NonNull<Control>, FiberError> {
    let control = Box::new(Control {
        turn: Mutex::new(Turn {
            side: Side::Resumer,
            transfer: Transfer {
                kind: to_fiber::GO,
                words: NOTHING,
            },
        }),
        given: Condvar::new(),
        bounds: Cell::new(bounds),
        thread: Cell::new(None),
    });
    let control = NonNull::from(Box::leak(control));
    let parcel = Parcel { control, body };
    // The system takes some of a thread's stack for itself.
    let builder = Builder::new()
        .name("fiber".to_owned())
        .stack_size(bounds.len().saturating_add(64 << 10));
    // SAFETY: F7: the thread ends before what the body borrows does.
    match unsafe { builder.spawn_unchecked(move || parcel.run()) } {
        Ok(thread) => {
            // SAFETY: F2: just made; the thread does not look at this.
            unsafe { control.as_ref() }.thread.set(Some(thread));
            Ok(control)
        }
        Err(error) => {
            // SAFETY: F2: no thread has it.
            drop(unsafe { Box::from_raw(control.as_ptr()) });
            Err(FiberError::Thread(error))
        }
    }
}

/// Lets the fiber run until it suspends itself or ends.
///
/// # Safety
/// F3: the fiber is suspended.
pub(crate) unsafe fn resume(control: NonNull<Control>, transfer: Transfer) -> Transfer {
    // SAFETY: F2: the control stays until `retire`.
    let control = unsafe { control.as_ref() };
    control.give(Side::Fiber, transfer);
    control.wait(Side::Resumer)
}

/// Lets the resumer go on, and waits for the next resumption.
///
/// # Safety
/// F3: the fiber runs, and so does the caller, on it or on one within.
pub(crate) unsafe fn suspend(control: NonNull<Control>, transfer: Transfer) -> Transfer {
    // SAFETY: F2: the control stays until `retire`.
    let control = unsafe { control.as_ref() };
    control.give(Side::Resumer, transfer);
    control.wait(Side::Fiber)
}

/// Ends the thread.
///
/// # Safety
/// F2: the fiber has sent its last transfer, and that is received. The control is not used any more.
pub(crate) unsafe fn retire(control: NonNull<Control>) {
    let (kind, words) = (to_fiber::GO, NOTHING);
    // SAFETY: F2: the control stays until the end of this.
    let shared = unsafe { control.as_ref() };
    shared.give(Side::Nobody, Transfer { kind, words });
    if let Some(thread) = shared.thread.take() {
        // It never panics: its body does not unwind.
        let _ = thread.join();
    }
    // SAFETY: F2: ours alone now, as the thread has ended.
    drop(unsafe { Box::from_raw(control.as_ptr()) });
}
