//! Fibers that borrow, and plain calls on another stack.
#![allow(unsafe_code, reason = "upholds F7")]

use std::fmt;
use std::marker::PhantomData;

use crate::fiber::{Fiber, FiberError, Finished, Step};
use crate::stack::{StackBounds, StackMemory};
use crate::suspend::Suspender;

/// Makes a fiber whose closure, values and stack may borrow, and gives it to `within`. When `within` is done, the fiber is
/// dropped: unlike a [`Fiber`] it cannot be forgotten. Returns what `within` returns.
///
/// Where panics abort, a fiber that is suspended by [`Suspender::suspend`] at the end of the scope aborts the process.
///
/// # Errors
/// When no fiber can be made.
///
/// # Panics
/// When `within` does; or when the fiber does as it is dropped.
///
/// # Examples
/// ```
/// use sheave_fiber::{NativeStack, Step, Suspender};
///
/// let mut seen = String::new();
/// let mut stack = NativeStack::new(64 << 10)?;
/// let push = |fiber: &Suspender<&str, usize>, first: &str| -> () {
///     seen.push_str(first);
///     loop {
///         let next = fiber.suspend(seen.len());
///         seen.push_str(next);
///     }
/// };
/// let word = "bc".to_owned();
/// sheave_fiber::scope(&mut stack, push, |mut fiber| {
///     assert_eq!(fiber.resume("a"), Ok(Step::Yielded(1)));
///     assert_eq!(fiber.resume(&word), Ok(Step::Yielded(3)));
/// })?;
/// assert_eq!(seen, "abc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn scope<Resume, Yield, Return, S, F, T>(
    stack: S,
    start: F,
    within: impl FnOnce(ScopedFiber<'_, Resume, Yield, Return, S>) -> T,
) -> Result<T, FiberError>
where
    S: StackMemory,
    F: FnOnce(&Suspender<Resume, Yield>, Resume) -> Return,
{
    // SAFETY: F7: the guard finishes it before this function ends, in whatever way.
    let fiber = unsafe { Fiber::new_borrowing(stack, start)? };
    let mut guard = Guard(fiber);
    Ok(within(ScopedFiber {
        fiber: &mut guard.0,
        marker: PhantomData,
    }))
}

/// Finishes a fiber, or the process.
struct Guard<Resume, Yield, Return, S: StackMemory>(Fiber<Resume, Yield, Return, S>);

impl<Resume, Yield, Return, S: StackMemory> Drop for Guard<Resume, Yield, Return, S> {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_finished() {
            finish(&mut self.0);
        }
    }
}

#[cold]
fn finish<Resume, Yield, Return, S: StackMemory>(fiber: &mut Fiber<Resume, Yield, Return, S>) {
    /// Aborts when dropped: a value of the fiber may panic as it is dropped.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::process::abort();
        }
    }
    let bomb = Bomb;
    let result = fiber.cancel();
    if fiber.is_finished() {
        std::mem::forget(bomb);
    }
    if let Err(error) = result {
        error.go_on();
    }
}

/// A fiber within a [`scope`].
pub struct ScopedFiber<'scope, Resume, Yield, Return, S: StackMemory> {
    fiber: &'scope mut Fiber<Resume, Yield, Return, S>,
    /// Not to be exchanged with one of another scope.
    marker: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

impl<Resume, Yield, Return, S: StackMemory> ScopedFiber<'_, Resume, Yield, Return, S> {
    /// See [`Fiber::resume`].
    ///
    /// # Errors
    /// When it is finished.
    ///
    /// # Panics
    /// When the fiber panics.
    #[inline]
    pub fn resume(&mut self, value: Resume) -> Result<Step<Yield, Return>, Finished> {
        self.fiber.resume(value)
    }

    /// See [`Fiber::cancel`].
    ///
    /// # Errors
    /// When the fiber panics, or where panics abort.
    pub fn cancel(&mut self) -> Result<(), crate::CancelError> {
        self.fiber.cancel()
    }

    /// See [`Fiber::is_finished`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.fiber.is_finished()
    }

    /// See [`Fiber::stack_bounds`].
    #[must_use]
    pub fn stack_bounds(&self) -> StackBounds {
        self.fiber.stack_bounds()
    }
}

impl<Resume, Yield, Return, S: StackMemory> fmt::Debug
    for ScopedFiber<'_, Resume, Yield, Return, S>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fiber.fmt(f)
    }
}

/// Calls `function` on `stack` and returns what it returns; it cannot be suspended. It gets the bounds of the stack it
/// runs on, so that it can tell how much of it is [left](StackBounds::remaining).
///
/// # Errors
/// When there are no fibers, or the stack is too small for `function` itself.
///
/// # Panics
/// When `function` does.
///
/// # Examples
/// ```
/// use sheave_fiber::{NativeStack, call_on};
///
/// let mut stack = NativeStack::new(64 << 10)?;
/// let left = call_on(&mut stack, |bounds| bounds.remaining())?;
/// assert!(left.is_some_and(|left| left < 64 << 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn call_on<S: StackMemory, T>(
    stack: &mut S,
    function: impl FnOnce(StackBounds) -> T,
) -> Result<T, FiberError> {
    imp::call_on(stack, function)
}

#[cfg(all(fiber_asm, not(windows)))]
mod imp {
    //! A call needs no control.

    use super::{FiberError, StackBounds, StackMemory};
    use std::mem::ManuallyDrop;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    /// What the other stack gets, and gives back in the same place.
    struct Call<F, T> {
        bounds: StackBounds,
        value: Value<F, T>,
    }

    /// What is called, then what comes of it.
    union Value<F, T> {
        function: ManuallyDrop<F>,
        result: ManuallyDrop<std::thread::Result<T>>,
    }

    #[inline]
    pub(super) fn call_on<S: StackMemory, T, F: FnOnce(StackBounds) -> T>(
        stack: &mut S,
        function: F,
    ) -> Result<T, FiberError> {
        let bounds = stack.bounds();
        let function = ManuallyDrop::new(function);
        let value = Value { function };
        let mut data = Call::<F, T> { bounds, value };
        let place = (&raw mut data).cast::<()>();
        // SAFETY: F1: we have the stack mutably. `run` gets what it wants.
        unsafe { crate::backend::call(bounds, place, run::<F, T>) };
        // SAFETY: F4: `run` wrote the result.
        match ManuallyDrop::into_inner(unsafe { data.value.result }) {
            Ok(value) => Ok(value),
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Runs on the other stack.
    ///
    /// # Safety
    /// F4: `data` leads to a `Call` that holds a function, for nobody else.
    unsafe extern "C" fn run<F: FnOnce(StackBounds) -> T, T>(data: *mut ()) {
        let data = data.cast::<Call<F, T>>();
        // SAFETY: F4, as above: taken once.
        let function = unsafe { (&raw mut (*data).value.function).read() };
        let function = ManuallyDrop::into_inner(function);
        // SAFETY: F4, as above.
        let bounds = unsafe { (*data).bounds };
        let result = catch_unwind(AssertUnwindSafe(|| function(bounds)));
        // SAFETY: F4, as above.
        unsafe { (&raw mut (*data).value.result).write(ManuallyDrop::new(result)) };
    }
}

#[cfg(not(all(fiber_asm, not(windows))))]
mod imp {
    //! A fiber that does not suspend itself.

    use super::{Fiber, FiberError, Finished, StackBounds, StackMemory, Step, Suspender};

    pub(super) fn call_on<S: StackMemory, T, F: FnOnce(StackBounds) -> T>(
        stack: &mut S,
        function: F,
    ) -> Result<T, FiberError> {
        let start = |fiber: &Suspender<(), ()>, ()| function(fiber.stack_bounds());
        // SAFETY: F7: it cannot suspend itself, so it is finished when `resume` ends, in whatever way.
        let mut fiber = unsafe { Fiber::new_borrowing(stack, start)? };
        match fiber.resume(()) {
            Ok(Step::Returned(value)) => Ok(value),
            Ok(Step::Yielded(())) | Err(Finished) => unreachable!("it never suspends"),
        }
    }
}
