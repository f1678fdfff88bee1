//! The outermost frame of a fiber, the same on every backend: runs the closure, and lets nothing unwind further.
#![allow(
    unsafe_code,
    reason = "receives the first value and sends the last (F4)"
)]

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use crate::backend::Control;
use crate::suspend::Suspender;
use crate::words::{NOTHING, Payload, Transfer, from_fiber, receive, send, to_fiber};

/// What a backend is to run on a fiber.
pub(crate) trait Body: Sized {
    /// What it ends with.
    type Out;

    /// Runs to the end, and says how it ended. Never unwinds (F5). A value is sent from `out`.
    ///
    /// # Safety
    /// F2, F4: `control` is that of the fiber that this runs on, `first` what its first resumption sent; `out` stays
    /// until the resumer has received the last transfer.
    unsafe fn run(
        self,
        control: NonNull<Control>,
        first: Transfer,
        out: &mut MaybeUninit<ManuallyDrop<Self::Out>>,
    ) -> Transfer;
}

/// The body of a fiber with these types, which starts in `start`.
pub(crate) struct Main<Resume, Yield, Return, F> {
    start: F,
    marker: PhantomData<fn(Resume) -> (Yield, Return)>,
}

impl<Resume, Yield, Return, F> Main<Resume, Yield, Return, F> {
    pub(crate) fn new(start: F) -> Self {
        Self {
            start,
            marker: PhantomData,
        }
    }
}

impl<Resume, Yield, Return, F> Body for Main<Resume, Yield, Return, F>
where
    F: FnOnce(&Suspender<Resume, Yield>, Resume) -> Return,
{
    type Out = Return;

    #[inline(always)]
    unsafe fn run(
        self,
        control: NonNull<Control>,
        first: Transfer,
        out: &mut MaybeUninit<ManuallyDrop<Return>>,
    ) -> Transfer {
        let start = self.start;
        let result = catch_unwind(AssertUnwindSafe(move || {
            if first.kind != to_fiber::GO {
                drop(start);
                return None;
            }
            // SAFETY: F4: a resumption sends a `Resume`.
            let value = unsafe { receive::<Resume>(first.words) };
            // SAFETY: F2: it is ours, and a suspender is nothing but it.
            let suspender = unsafe { control.cast::<Suspender<Resume, Yield>>().as_ref() };
            Some(start(suspender, value))
        }));
        match result {
            Ok(Some(value)) => Transfer {
                kind: from_fiber::RETURN,
                // SAFETY: F4: `out` stays, as the caller says.
                words: unsafe { send(out.write(ManuallyDrop::new(value))) },
            },
            Ok(None) => Transfer {
                kind: from_fiber::UNSTARTED,
                words: NOTHING,
            },
            Err(payload) => {
                let mut payload = ManuallyDrop::new(payload);
                Transfer {
                    kind: from_fiber::PANIC,
                    // SAFETY: F4: a payload is two words, so nothing has to stay.
                    words: unsafe { send::<Payload>(&mut payload) },
                }
            }
        }
    }
}

const _: () = assert!(size_of::<Payload>() <= size_of_val(&NOTHING));
