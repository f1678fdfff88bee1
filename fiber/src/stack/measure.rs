//! How much of a stack was used, and stacks of which only a part may be used.
#![allow(unsafe_code, reason = "reads and writes unused stack memory (F1)")]

use std::ptr::NonNull;

use super::{MIN_STACK_SIZE, StackBounds, StackMemory};

/// A stack that tells how deep it was used: its *high-water mark*.
///
/// All of it is zero when a fiber starts; what is not zero afterwards was written. So the mark is too low by what was
/// reserved below the last word written and never written itself, and by zeros written there. Pages that were never
/// used are only read, which takes no memory.
///
/// Reading the mark takes time in proportion to the stack's size (about 50 µs for 1 MiB), so this is for measuring, not
/// for every call. Where fibers are threads the mark is always 0.
///
/// # Examples
/// ```
/// use sheave_fiber::{Measured, NativeStack, call_on};
///
/// let mut stack = Measured::new(NativeStack::new(1 << 20)?);
/// call_on(&mut stack, |_| std::hint::black_box(&mut [1_u8; 10_000])[7])?;
/// # if sheave_fiber::BACKEND == sheave_fiber::Backend::Assembly {
/// assert!((10_000..50_000).contains(&stack.take_high_water()));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Measured<S> {
    stack: S,
}

impl<S: StackMemory> Measured<S> {
    /// Makes all of the stack zero.
    #[must_use]
    pub fn new(stack: S) -> Self {
        let mut measured = Self { stack };
        measured.take_high_water();
        measured
    }

    /// How many bytes from the top were used since it was made or last asked, and starts anew.
    pub fn take_high_water(&mut self) -> usize {
        let bounds = self.stack.bounds();
        let words = bounds.len() / size_of::<usize>();
        // F1 allows odd bounds; the words are aligned, the odd bytes at both ends do not matter.
        let first = bounds.lowest().as_ptr();
        let first = first.wrapping_add(first.align_offset(align_of::<usize>()).min(bounds.len()));
        let first = first.cast::<usize>();
        let words = words.saturating_sub(1);
        // SAFETY: F1: within the bounds, aligned, and ours: no fiber is on the stack while we have it mutably. Volatile, as
        // assembly wrote there.
        let word = |index: usize| unsafe { first.add(index).read_volatile() };
        let Some(deepest) = (0..words).find(|index| word(*index) != 0) else {
            return 0;
        };
        for index in deepest..words {
            // SAFETY: F1, as above.
            unsafe { first.add(index).write_volatile(0) };
        }
        bounds.len() - deepest * size_of::<usize>()
    }

    /// The stack inside.
    pub fn into_inner(self) -> S {
        self.stack
    }
}

// SAFETY: F1, by the one inside.
unsafe impl<S: StackMemory> StackMemory for Measured<S> {
    fn bounds(&self) -> StackBounds {
        self.stack.bounds()
    }
    fn guard_len(&self) -> usize {
        self.stack.guard_len()
    }
    fn decommit(&mut self, keep: usize) {
        self.stack.decommit(keep);
    }
}

/// The lowest part of a stack, next to its guard: who runs on it has so many bytes and no more. For tests that show
/// whether something fits.
#[derive(Debug)]
pub struct Limited<S> {
    stack: S,
    len: usize,
}

impl<S: StackMemory> Limited<S> {
    /// The lowest `len` bytes of `stack`, or all of it if it has less; at least [`MIN_STACK_SIZE`].
    #[must_use]
    pub fn new(stack: S, len: usize) -> Self {
        let len = len.clamp(MIN_STACK_SIZE, stack.bounds().len()) & !15;
        Self { stack, len }
    }

    /// The stack inside.
    pub fn into_inner(self) -> S {
        self.stack
    }
}

// SAFETY: F1: a part of the stack inside.
unsafe impl<S: StackMemory> StackMemory for Limited<S> {
    fn bounds(&self) -> StackBounds {
        let lowest: NonNull<u8> = self.stack.bounds().lowest();
        StackBounds::new(lowest, self.len)
    }
    fn guard_len(&self) -> usize {
        self.stack.guard_len()
    }
    fn decommit(&mut self, keep: usize) {
        let above = self.stack.bounds().len() - self.len;
        self.stack.decommit(keep.saturating_add(above));
    }
}
