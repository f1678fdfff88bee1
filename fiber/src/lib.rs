#![doc = include_str!("../README.md")]

#[cfg_attr(
    not(any(fiber_asm, fiber_threads)),
    allow(dead_code, reason = "where there are no fibers, nothing runs")
)]
mod body;
mod fiber;
mod overflow;
mod scoped;
mod stack;
mod suspend;
#[cfg_attr(
    not(any(fiber_asm, fiber_threads)),
    allow(dead_code, reason = "where there are no fibers, nothing is sent")
)]
mod words;

#[cfg(fiber_asm)]
#[path = "arch/mod.rs"]
mod backend;
#[cfg(fiber_threads)]
#[path = "threads.rs"]
mod backend;
#[cfg(not(any(fiber_asm, fiber_threads)))]
#[path = "disabled.rs"]
mod backend;

pub use fiber::{CancelError, Fiber, FiberError, Finished, Step};
pub use overflow::{call_on_watched, report_overflows};
pub use scoped::{ScopedFiber, call_on, scope};
pub use stack::{
    DEFAULT_STACK_SIZE, Limited, MIN_STACK_SIZE, Measured, NativeStack, NativeStacks, PoolConfig,
    PoolCounters, PooledStack, StackBounds, StackCreator, StackError, StackMemory, StackPool,
    page_size,
};
pub use suspend::{Cancelled, Suspender};

/// How fibers run in this build.
pub const BACKEND: Backend = if cfg!(fiber_asm) {
    Backend::Assembly
} else if cfg!(fiber_threads) {
    Backend::Threads
} else {
    Backend::Disabled
};

/// See [`BACKEND`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// A switch is a few instructions.
    Assembly,
    /// A fiber is a thread of the system, of which only one runs at a time: slow. Thread-locals are those of that
    /// thread, and what must be undone on the thread that did it (a lock's guard) must not be taken along.
    Threads,
    /// [`Fiber::new`] answers [`FiberError::Unsupported`].
    Disabled,
}
