//! The inside of a fiber: the handle by which it suspends itself.
#![allow(unsafe_code, reason = "switches stacks (F3, F4)")]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::backend::{self, Control};
use crate::stack::StackBounds;
use crate::words::{Transfer, from_fiber, receive, send, to_fiber};

/// What a fiber's closure gets to suspend the fiber with, from whatever depth.
///
/// It cannot leave the closure, nor the thread. It can be lent to a fiber that runs within this one: suspending by it
/// then suspends both, the inner with the outer.
#[repr(transparent)]
pub struct Suspender<Resume, Yield> {
    control: Control,
    marker: PhantomData<Types<Resume, Yield>>,
}

/// Takes and gives these, on one thread.
type Types<Resume, Yield> = (fn(Yield) -> Resume, *mut ());

/// The fiber is to end: it was dropped while suspended. See [`Suspender::try_suspend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fiber was cancelled while suspended")
    }
}

impl std::error::Error for Cancelled {}

/// The payload of the panic that unwinds a dropped fiber.
struct Unwinding;

/// Whether a panic is the one that unwinds a dropped fiber.
pub(crate) fn is_unwinding(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Unwinding>()
}

impl<Resume, Yield> Suspender<Resume, Yield> {
    /// Suspends the fiber: [`Fiber::resume`](crate::Fiber::resume) returns `value`, and the next one's value is what
    /// this returns.
    ///
    /// # Panics
    /// When the fiber is dropped meanwhile, this unwinds instead, with a payload that the bottom of the fiber catches and
    /// without a word from the panic hook; destructors run. Who catches it should let it go on. Destructors that suspend
    /// while they run for this reason abort the process.
    #[inline]
    pub fn suspend(&self, value: Yield) -> Resume {
        let back = self.switch(value);
        if back.kind != to_fiber::GO {
            self.end();
        }
        // SAFETY: F4: `GO` comes with a `Resume`.
        unsafe { receive(back.words) }
    }

    /// As [`suspend`](Self::suspend), but when the fiber is dropped meanwhile, returns [`Cancelled`]; the fiber should
    /// then return soon. This takes no unwinding. Where the fiber suspends once more instead, it unwinds.
    ///
    /// # Errors
    /// When the fiber is dropped meanwhile.
    ///
    /// # Panics
    /// As `suspend`, from the second time.
    #[inline]
    pub fn try_suspend(&self, value: Yield) -> Result<Resume, Cancelled> {
        let back = self.switch(value);
        match back.kind {
            // SAFETY: F4: `GO` comes with a `Resume`.
            to_fiber::GO => Ok(unsafe { receive(back.words) }),
            to_fiber::CANCEL => Err(Cancelled),
            _ => self.end(),
        }
    }

    /// The stack that the fiber runs on.
    #[must_use]
    pub fn stack_bounds(&self) -> StackBounds {
        self.control.bounds()
    }

    /// How many bytes are left on the fiber's stack; 0 when asked from another one (that of a fiber within).
    #[must_use]
    pub fn stack_remaining(&self) -> usize {
        self.stack_bounds().remaining().unwrap_or(0)
    }

    #[inline(always)]
    fn switch(&self, value: Yield) -> Transfer {
        let mut value = ManuallyDrop::new(value);
        // SAFETY: F4: `value` stays in this frame, which goes on at the next resumption only.
        let words = unsafe { send(&mut value) };
        let kind = from_fiber::YIELD;
        // SAFETY: F3: whoever has this suspender runs on its fiber, or on one that runs within it.
        unsafe { backend::suspend(self.control(), Transfer { kind, words }) }
    }

    fn control(&self) -> NonNull<Control> {
        NonNull::from(&self.control)
    }

    /// Ends the fiber by unwinding it.
    #[cold]
    #[inline(never)]
    #[cfg(panic = "unwind")]
    #[allow(clippy::unused_self, reason = "the other one needs it")]
    fn end(&self) -> ! {
        std::panic::resume_unwind(Box::new(Unwinding))
    }

    /// Where a panic aborts: the fiber stays suspended for ever.
    #[cold]
    #[inline(never)]
    #[cfg(not(panic = "unwind"))]
    fn end(&self) -> ! {
        let kind = from_fiber::STUCK;
        loop {
            let words = crate::words::NOTHING;
            // SAFETY: F3, as in `switch`.
            unsafe { backend::suspend(self.control(), Transfer { kind, words }) };
        }
    }
}

impl<Resume, Yield> fmt::Debug for Suspender<Resume, Yield> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suspender")
            .field("stack", &self.stack_bounds())
            .finish_non_exhaustive()
    }
}
