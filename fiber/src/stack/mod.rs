//! Stack memory: what a fiber needs of it, and where it comes from.
#![allow(unsafe_code, reason = "the contract of stack memory (F1)")]

mod measure;
mod native;
mod pool;
mod thread;
#[cfg(all(unix, not(miri)))]
mod valgrind;

pub use measure::{Limited, Measured};
pub use native::{NativeStack, page_size};
pub use pool::{PoolConfig, PoolCounters, PooledStack, StackPool};

use std::fmt;
use std::ptr::NonNull;

/// The least size of a stack, in bytes. What runs on one that small must be known well.
pub const MIN_STACK_SIZE: usize = 4096;

/// The size of a stack that nothing else is said about: 1 MiB, of which only what is used takes memory.
pub const DEFAULT_STACK_SIZE: usize = 1 << 20;

/// The usable part of a stack: from the lowest address that may be written up to, not including, the top. Stacks grow
/// down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StackBounds {
    lowest: NonNull<u8>,
    len: usize,
}

impl StackBounds {
    /// `len` bytes from `lowest` up.
    ///
    /// # Panics
    /// When that is less than [`MIN_STACK_SIZE`].
    #[must_use]
    pub fn new(lowest: NonNull<u8>, len: usize) -> Self {
        assert!(len >= MIN_STACK_SIZE, "a stack of {len} bytes is too small");
        Self { lowest, len }
    }

    /// The lowest address that may be written.
    #[must_use]
    pub const fn lowest(self) -> NonNull<u8> {
        self.lowest
    }

    /// How many bytes there are. Never 0.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a stack is never empty")]
    pub const fn len(self) -> usize {
        self.len
    }

    /// The end of the stack: the address behind the byte that is used first.
    #[must_use]
    pub fn top(self) -> *mut u8 {
        self.lowest.as_ptr().wrapping_add(self.len)
    }

    /// Whether `address` lies within.
    #[must_use]
    pub fn contains(self, address: *const u8) -> bool {
        address.addr().wrapping_sub(self.lowest.as_ptr().addr()) < self.len
    }

    /// How many bytes are left below the frame that asks, or `None` if it runs on another stack.
    ///
    /// Where fibers are threads this counts from the top of the thread's stack, which has the size asked for.
    #[must_use]
    #[inline(never)]
    pub fn remaining(self) -> Option<usize> {
        let here = 0_u8;
        let here = std::hint::black_box(&raw const here);
        self.contains(here)
            .then(|| here.addr() - self.lowest.as_ptr().addr())
    }
}

impl StackBounds {
    /// The stack that the system made for this thread, or `None` where it does not say. Asking may take long: keep it.
    /// On a fiber, this is not the stack that one runs on.
    #[must_use]
    pub fn of_thread() -> Option<Self> {
        let (lowest, len) = thread::bounds()?;
        let lowest = NonNull::new(lowest)?;
        (len >= MIN_STACK_SIZE).then_some(Self { lowest, len })
    }
}

impl StackBounds {
    /// Something else is to run on the stack.
    #[inline(always)]
    fn reuse(self) {
        #[cfg(all(unix, not(miri)))]
        valgrind::reuse(self.lowest, self.len);
    }
}

impl fmt::Debug for StackBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:p}..{:p}", self.lowest, self.top())
    }
}

/// Memory that a fiber can run on.
///
/// [`NativeStack`] and [`PooledStack`] are such memory. An embedder brings its own, from an arena or from huge pages,
/// by implementing this and, for a pool of them, [`StackCreator`].
///
/// # Safety
/// This is invariant F1. For a value of the type:
/// - `bounds` is always the same; its bytes can be read and written, from the time the value is made until it is
///   dropped, and nobody else uses them meanwhile. The pointer may be used for all of them.
/// - Moving the value does not move the memory.
/// - When the value is forgotten instead of dropped, the memory stays for ever: it is not reused, for there may be
///   frames on it that others know the addresses of. A type that borrows its memory may end that borrow without being
///   dropped, so only [`scope`](crate::scope) and [`call_on`](crate::call_on) take one.
/// - Right below the lowest byte is a guard, memory that nobody can write, of a page at least; or else whoever made the
///   value vouches that what runs there needs no more than there is.
pub unsafe trait StackMemory {
    /// The usable part.
    fn bounds(&self) -> StackBounds;

    /// How many bytes below [`bounds`](Self::bounds) fault when touched: 0 where nothing guards the stack.
    fn guard_len(&self) -> usize {
        0
    }

    /// Gives the system back what it can of the memory that lies more than `keep` bytes below the top; it reads as zero
    /// or as before afterwards. Called when no fiber is on the stack.
    fn decommit(&mut self, keep: usize) {
        let _ = keep;
    }
}

// SAFETY: F1, by the one borrowed, which outlives the borrow.
unsafe impl<S: StackMemory + ?Sized> StackMemory for &mut S {
    fn bounds(&self) -> StackBounds {
        (**self).bounds()
    }
    fn guard_len(&self) -> usize {
        (**self).guard_len()
    }
    fn decommit(&mut self, keep: usize) {
        (**self).decommit(keep);
    }
}

// SAFETY: F1, by the one in the box, which owns it.
unsafe impl<S: StackMemory + ?Sized> StackMemory for Box<S> {
    fn bounds(&self) -> StackBounds {
        (**self).bounds()
    }
    fn guard_len(&self) -> usize {
        (**self).guard_len()
    }
    fn decommit(&mut self, keep: usize) {
        (**self).decommit(keep);
    }
}

/// Makes stacks: what an embedder implements to have them come from where it likes. It gets every request of a pool
/// that the pool cannot answer from what it kept.
pub trait StackCreator: Send + Sync {
    /// A stack of at least `size` usable bytes; `size` is a multiple of the page size.
    ///
    /// # Errors
    /// When there is no memory for it.
    fn create(&self, size: usize) -> Result<Box<dyn StackMemory + Send>, StackError>;
}

/// Stacks from the operating system, with a guard: see [`NativeStack`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeStacks;

impl StackCreator for NativeStacks {
    fn create(&self, size: usize) -> Result<Box<dyn StackMemory + Send>, StackError> {
        Ok(Box::new(NativeStack::new(size)?))
    }
}

/// Why there is no stack.
#[derive(Debug)]
#[non_exhaustive]
pub enum StackError {
    /// The system has no memory for one of this size.
    OutOfMemory {
        /// The bytes asked for.
        size: usize,
        /// What the system says.
        source: std::io::Error,
    },
    /// As many stacks of the pool are in use as its configuration allows.
    TooMany {
        /// That number.
        limit: usize,
    },
    /// The creator made a stack smaller than asked for.
    TooSmall {
        /// The bytes asked for.
        size: usize,
        /// What it gave.
        got: usize,
    },
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory { size, .. } => write!(f, "no memory for a stack of {size} bytes"),
            Self::TooMany { limit } => write!(f, "all {limit} stacks of the pool are in use"),
            Self::TooSmall { size, got } => {
                write!(f, "the creator gave {got} bytes for a stack of {size}")
            }
        }
    }
}

impl std::error::Error for StackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::OutOfMemory { source, .. } => Some(source),
            Self::TooMany { .. } | Self::TooSmall { .. } => None,
        }
    }
}
