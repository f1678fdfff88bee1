//! The outside of a fiber: making, resuming and dropping it.
#![allow(unsafe_code, reason = "switches stacks (F3, F4)")]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::resume_unwind;
use std::ptr::NonNull;

use crate::backend::{self, Control};
use crate::body::Main;
use crate::stack::{NativeStack, StackBounds, StackMemory};
use crate::suspend::{Suspender, is_unwinding};
use crate::words::{NOTHING, Payload, Transfer, from_fiber, receive, send, to_fiber};

/// A function that can be suspended with all the frames that it called, as it runs on a stack of its own.
///
/// Dropping a suspended fiber unwinds it, so that destructors of what lies on its stack run; see
/// [`cancel`](Self::cancel). A panic in the fiber goes on in whoever resumes it.
///
/// A fiber stays on the thread that made it. Nothing in it may be borrowed from outside, as it can be forgotten while
/// suspended; [`scope`](crate::scope) has fibers that borrow.
///
/// # Examples
/// ```
/// use sheave_fiber::{Fiber, NativeStack, Step, Suspender};
///
/// let stack = NativeStack::new(64 << 10)?;
/// let mut sum = Fiber::new(stack, |fiber: &Suspender<u32, u32>, first: u32| {
///     let second = fiber.suspend(first);
///     let third = fiber.suspend(first + second);
///     format!("{}", first + second + third)
/// })?;
/// assert_eq!(sum.resume(1)?, Step::Yielded(1));
/// assert_eq!(sum.resume(10)?, Step::Yielded(11));
/// assert_eq!(sum.resume(100)?, Step::Returned("111".to_owned()));
/// assert!(sum.resume(1000).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It does not go to another thread, and does not borrow:
/// ```compile_fail,E0277
/// # use sheave_fiber::{Fiber, NativeStack, Suspender};
/// # let stack = NativeStack::new(64 << 10).unwrap();
/// let mut fiber = Fiber::new(stack, |_: &Suspender<(), ()>, ()| ()).unwrap();
/// std::thread::spawn(move || fiber.resume(()));
/// ```
/// ```compile_fail,E0597
/// # use sheave_fiber::{Fiber, NativeStack, Suspender};
/// # let stack = NativeStack::new(64 << 10).unwrap();
/// let text = String::new();
/// let borrowed = &text;
/// let fiber = Fiber::new(stack, move |_: &Suspender<(), ()>, ()| borrowed.len());
/// ```
/// Nor does the handle leave the closure:
/// ```compile_fail,E0521
/// # use sheave_fiber::{Fiber, NativeStack, Suspender};
/// # let stack = NativeStack::new(64 << 10).unwrap();
/// let kept: &'static std::cell::Cell<Option<&'static Suspender<(), ()>>> = Box::leak(Box::default());
/// let fiber = Fiber::new(stack, move |handle: &Suspender<(), ()>, ()| kept.set(Some(handle)));
/// ```
pub struct Fiber<Resume, Yield, Return, S: StackMemory = NativeStack> {
    control: NonNull<Control>,
    is_finished: bool,
    /// Dropped once the fiber is finished, not else.
    stack: ManuallyDrop<S>,
    marker: PhantomData<Types<Resume, Yield, Return>>,
}

/// Takes and gives these, on one thread.
type Types<Resume, Yield, Return> = (fn(Resume) -> (Yield, Return), *mut ());

/// How a resumption ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<Yield, Return> {
    /// The fiber suspended itself, with this value.
    Yielded(Yield),
    /// The closure returned, with this value. The fiber is finished.
    Returned(Return),
}

/// The fiber has returned or panicked, or was cancelled: it cannot be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished;

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fiber is finished")
    }
}

impl std::error::Error for Finished {}

/// Why a fiber cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum FiberError {
    /// There is neither assembly for this target, nor threads.
    Unsupported,
    /// The closure and its first frames do not fit.
    StackTooSmall {
        /// The bytes needed at least.
        needed: usize,
        /// The bytes there are.
        available: usize,
    },
    /// The system has no thread for it (where fibers are threads).
    Thread(std::io::Error),
}

impl fmt::Display for FiberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("no fibers on this target"),
            Self::StackTooSmall { needed, available } => write!(
                f,
                "the fiber needs {needed} bytes of stack at least, and has {available}"
            ),
            Self::Thread(_) => f.write_str("no thread for the fiber"),
        }
    }
}

impl std::error::Error for FiberError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            Self::Unsupported | Self::StackTooSmall { .. } => None,
        }
    }
}

/// Why [`Fiber::cancel`] did not end well.
pub enum CancelError {
    /// The fiber panicked on its own account while it ended; this is the payload. It is finished.
    Panicked(Box<dyn std::any::Any + Send>),
    /// Panics abort in this build, and the fiber suspended itself by [`Suspender::suspend`], so it could not be told:
    /// it stays suspended.
    CannotUnwind,
}

impl CancelError {
    /// What a destructor does with it.
    #[cold]
    pub(crate) fn go_on(self) {
        if let Self::Panicked(payload) = self
            && !std::thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}

impl fmt::Debug for CancelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panicked(_) => "Panicked",
            Self::CannotUnwind => "CannotUnwind",
        })
    }
}

impl fmt::Display for CancelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panicked(_) => "the fiber panicked when it was cancelled",
            Self::CannotUnwind => "a fiber cannot be unwound where panics abort",
        })
    }
}

impl std::error::Error for CancelError {}

impl<Resume: 'static, Yield: 'static, Return: 'static, S: StackMemory + 'static>
    Fiber<Resume, Yield, Return, S>
{
    /// A fiber that will run `start` on `stack`, given the value of the first [`resume`](Self::resume).
    ///
    /// # Errors
    /// When the target has no fibers, or the stack is too small for `start` itself.
    #[inline]
    pub fn new<F>(stack: S, start: F) -> Result<Self, FiberError>
    where
        F: FnOnce(&Suspender<Resume, Yield>, Resume) -> Return + 'static,
    {
        // SAFETY: F7: nothing is borrowed.
        unsafe { Self::new_borrowing(stack, start) }
    }
}

impl<Resume, Yield, Return, S: StackMemory> Fiber<Resume, Yield, Return, S> {
    /// As [`new`](Self::new), for a closure, values or a stack that borrow.
    ///
    /// # Safety
    /// This is invariant F7: the fiber is finished, by being dropped or otherwise, before what it borrows ends. It is
    /// not enough that it is not resumed any more: a frame on it may have lent the borrowed to another thread, relying on
    /// being there to wait for that one (as [`std::thread::scope`] does).
    ///
    /// # Errors
    /// As `new`.
    #[inline]
    pub unsafe fn new_borrowing<F>(stack: S, start: F) -> Result<Self, FiberError>
    where
        F: FnOnce(&Suspender<Resume, Yield>, Resume) -> Return,
    {
        let body = Main::<Resume, Yield, Return, F>::new(start);
        // SAFETY: F1, F2: the stack is the fiber's until that is finished.
        let control = unsafe { backend::create(stack.bounds(), body)? };
        Ok(Self {
            control,
            is_finished: false,
            stack: ManuallyDrop::new(stack),
            marker: PhantomData,
        })
    }

    /// Starts the fiber, or lets it go on, with `value`, until it suspends itself or returns.
    ///
    /// # Errors
    /// When it is finished.
    ///
    /// # Panics
    /// When the fiber panics, with the same payload; it is finished then.
    #[inline]
    pub fn resume(&mut self, value: Resume) -> Result<Step<Yield, Return>, Finished> {
        if self.is_finished {
            return Err(Finished);
        }
        let mut value = ManuallyDrop::new(value);
        // SAFETY: F4: `value` stays in this frame, which goes on after the fiber has received it.
        let words = unsafe { send(&mut value) };
        let kind = to_fiber::GO;
        // SAFETY: F3: the fiber is suspended, as it is not finished and nobody else runs it: we have it mutably.
        let back = unsafe { backend::resume(self.control, Transfer { kind, words }) };
        if back.kind == from_fiber::YIELD {
            // SAFETY: F4: `YIELD` comes with a `Yield`.
            return Ok(Step::Yielded(unsafe { receive(back.words) }));
        }
        match self.finish(back) {
            Ok(Some(value)) => Ok(Step::Returned(value)),
            Ok(None) => Err(Finished),
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Takes the last transfer of the fiber.
    #[inline]
    fn finish(&mut self, last: Transfer) -> Result<Option<Return>, Payload> {
        self.is_finished = true;
        let result = match last.kind {
            // SAFETY: F4: `RETURN` comes with a `Return`.
            from_fiber::RETURN => Ok(Some(unsafe { receive(last.words) })),
            // SAFETY: F4: `PANIC` comes with a payload.
            from_fiber::PANIC => Err(unsafe { receive(last.words) }),
            _ => Ok(None),
        };
        // SAFETY: F2: nothing is left on the fiber, and the last value is received.
        unsafe { backend::retire(self.control) };
        result
    }

    /// Ends the fiber, if it is not finished.
    ///
    /// One that has not started drops its closure. One that is suspended goes on once more: [`Suspender::try_suspend`]
    /// returns [`Cancelled`](crate::Cancelled) there, and [`Suspender::suspend`] unwinds, so that destructors run. Should
    /// it suspend itself again, its value is dropped and it is unwound again, until it ends.
    ///
    /// Dropping a fiber does the same. If it panics on its own account meanwhile, that panic goes on in who drops it,
    /// unless that one is unwinding itself: then it is lost.
    ///
    /// # Errors
    /// When it panics, or where panics abort: there a fiber that suspended itself by `suspend` cannot be unwound. It
    /// stays suspended; when it is dropped, its stack is leaked. Such builds use `try_suspend` alone, or
    /// [`abandon`](Self::abandon).
    #[cold]
    #[inline(never)]
    pub fn cancel(&mut self) -> Result<(), CancelError> {
        let mut kind = to_fiber::CANCEL;
        while !self.is_finished {
            let words = NOTHING;
            // SAFETY: F3: the fiber is suspended, as in `resume`.
            let back = unsafe { backend::resume(self.control, Transfer { kind, words }) };
            match back.kind {
                // SAFETY: F4: `YIELD` comes with a `Yield`.
                from_fiber::YIELD => drop(unsafe { receive::<Yield>(back.words) }),
                #[cfg(not(panic = "unwind"))]
                from_fiber::STUCK => return Err(CancelError::CannotUnwind),
                _ => match self.finish(back) {
                    Ok(value) => drop(value),
                    Err(payload) if is_unwinding(&*payload) => {}
                    Err(payload) => return Err(CancelError::Panicked(payload)),
                },
            }
            kind = to_fiber::UNWIND;
        }
        Ok(())
    }

    /// Whether the closure has returned or panicked, or the fiber was cancelled.
    #[must_use]
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// The stack that the fiber was made with.
    #[must_use]
    pub fn stack_bounds(&self) -> StackBounds {
        self.stack.bounds()
    }

    /// Bytes of the guard below the stack.
    pub(crate) fn guard_len(&self) -> usize {
        self.stack.guard_len()
    }

    /// The stack, to be used again.
    ///
    /// # Errors
    /// The fiber itself, when it is not finished.
    #[inline]
    pub fn into_stack(self) -> Result<S, Self> {
        if !self.is_finished {
            return Err(self);
        }
        let mut fiber = ManuallyDrop::new(self);
        // SAFETY: F1: nothing is on the stack, and the fiber will not drop it.
        Ok(unsafe { ManuallyDrop::take(&mut fiber.stack) })
    }

    /// The stack of a fiber that may be suspended, without anything that lies on it being dropped.
    ///
    /// # Safety
    /// Nobody relies on a destructor of what lies on the stack, nor on its memory staying: there is nothing pinned
    /// there, nor lent to another thread. Where fibers are threads, the thread waits for ever.
    pub unsafe fn abandon(self) -> S {
        let mut fiber = ManuallyDrop::new(self);
        // SAFETY: F1: the fiber will not drop it, and whoever calls this says that its memory may be used again.
        unsafe { ManuallyDrop::take(&mut fiber.stack) }
    }
}

impl<Resume, Yield, Return, S: StackMemory> Drop for Fiber<Resume, Yield, Return, S> {
    #[inline]
    fn drop(&mut self) {
        let result = if self.is_finished {
            Ok(())
        } else {
            self.cancel()
        };
        if self.is_finished {
            // SAFETY: F1: nothing is on the stack, and this happens once.
            unsafe { ManuallyDrop::drop(&mut self.stack) };
        }
        if let Err(error) = result {
            error.go_on();
        }
    }
}

impl<Resume, Yield, Return, S: StackMemory> fmt::Debug for Fiber<Resume, Yield, Return, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fiber")
            .field("stack", &self.stack_bounds())
            .field("is_finished", &self.is_finished)
            .finish_non_exhaustive()
    }
}
