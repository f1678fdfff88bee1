//! What crosses a switch: two machine words and a kind, in registers. A value of up to two words travels in them as it
//! is; a larger one stays where it is, in a frame that does not go on meanwhile, and its address travels.
#![allow(unsafe_code, reason = "moves values as bytes; upholds F4")]

use std::any::Any;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;

/// A register: not an integer, so that a pointer in it stays a pointer, and padding may stay unwritten.
pub(crate) type Word = MaybeUninit<*mut ()>;

/// A value on its way, see [`send`] and [`receive`].
pub(crate) type Words = [Word; 2];

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// What one side tells the other in a switch.
#[derive(Clone, Copy)]
pub(crate) struct Transfer {
    /// What `words` hold: one of [`to_fiber`] or [`from_fiber`].
    pub(crate) kind: usize,
    /// A value sent, or nothing.
    pub(crate) words: Words,
}

/// Kinds of transfers from the resumer to the fiber.
pub(crate) mod to_fiber {
    /// Go on with the value.
    pub(crate) const GO: usize = 0;
    /// End: say so to whoever asked with `try_suspend`, unwind otherwise.
    pub(crate) const CANCEL: usize = 1;
    /// End: unwind, as `CANCEL` was not obeyed.
    pub(crate) const UNWIND: usize = 2;
}

/// Kinds of transfers from the fiber to its resumer.
pub(crate) mod from_fiber {
    /// Suspended, with a value.
    pub(crate) const YIELD: usize = 0;
    /// Finished, with a value.
    pub(crate) const RETURN: usize = 1;
    /// Finished by a panic, with its payload.
    pub(crate) const PANIC: usize = 2;
    /// Finished without having run.
    pub(crate) const UNSTARTED: usize = 3;
    /// Asked to unwind where panics abort: suspended for ever.
    #[cfg(not(panic = "unwind"))]
    pub(crate) const STUCK: usize = 4;
}

/// Words that hold no value.
pub(crate) const NOTHING: Words = [MaybeUninit::uninit(); 2];

const fn fits<T>() -> bool {
    size_of::<T>() <= size_of::<Words>()
}

/// The words for `value`, which counts as moved from then on.
///
/// # Safety
/// F4: `value` stays where it is until the other side has received it.
#[inline(always)]
pub(crate) unsafe fn send<T>(value: &mut ManuallyDrop<T>) -> Words {
    let mut words = NOTHING;
    let source = ptr::from_mut(value).cast::<T>();
    if fits::<T>() {
        // SAFETY: F4: both are at least as large as T, and are not the same.
        unsafe {
            ptr::copy_nonoverlapping(
                source.cast::<u8>(),
                words.as_mut_ptr().cast(),
                size_of::<T>(),
            )
        }
    } else {
        words[0].write(source.cast());
    }
    words
}

/// The value that the other side sent.
///
/// # Safety
/// F4: the words come from `send` of a value of the same type, and are received once, at once.
#[inline(always)]
pub(crate) unsafe fn receive<T>(words: Words) -> T {
    if fits::<T>() {
        // SAFETY: F4: the bytes of a T, wherever they are aligned.
        unsafe { words.as_ptr().cast::<T>().read_unaligned() }
    } else {
        // SAFETY: F4: the address of a T that nobody else will read.
        unsafe { words[0].assume_init().cast::<T>().read() }
    }
}
