//! Fibers on stacks of their own: what all architectures share. A file for each holds its switch.
//!
//! ```text
//!   top of the stack ->  +-----------+
//!                        | Control   |  link, entry, bounds
//!                        +-----------+ <- control, what everyone points to
//!                        | body      |  the closure, until it is started
//!                        +-----------+
//!                        | frame     |  what the first resumption takes for a saved frame: it leads to the trampoline
//!                        +-----------+ <- link
//! ```
//!
//! `Control::link` is the one word that changes: while the fiber is suspended, it is the fiber's stack pointer; while it
//! runs, that of its resumer. A switch saves a few registers on the stack that it leaves, exchanges the stack pointer
//! with the link, and takes the registers from the stack that it comes to. All other registers are declared to be
//! clobbered, so that the compiler saves those that it uses, and none else.
//!
//! Whatever leads into a fiber is a call, and whatever leads out of it a return, so that the processor's stack of return
//! addresses stays balanced. Nothing unwinds through a switch (F5): a panic ends at the bottom of the fiber, and unwinding a
//! suspended fiber begins after the switch. But a backtrace goes through: unwind information of the trampoline, the lowest
//! frame of a fiber, says where the resumer's registers were saved, by way of the link.
#![allow(unsafe_code, reason = "switches stacks (F2, F3)")]

#[cfg_attr(all(target_arch = "x86_64", not(windows)), path = "x86_64.rs")]
#[cfg_attr(all(target_arch = "x86_64", windows), path = "x86_64_windows.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(target_arch = "x86", path = "x86.rs")]
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
mod switch;

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::body::Body;
use crate::fiber::FiberError;
use crate::stack::{MIN_STACK_SIZE, StackBounds};
use crate::words::{Transfer, Word};

pub(crate) use switch::{resume, suspend};

/// What stays at the top of a fiber's stack while the fiber is there. The offsets of the first two are known to the
/// assembly.
#[repr(C, align(16))]
pub(crate) struct Control {
    /// The stack pointer of the side that does not run.
    link: Cell<*mut u8>,
    /// Where the trampoline goes.
    entry: Entry,
    bounds: StackBounds,
}

/// The first function on a fiber's stack. It is given what the first resumption sent, and where the body lies.
type Entry = unsafe extern "C" fn(NonNull<Control>, Word, Word, usize, *mut u8) -> !;

const _: () = {
    assert!(std::mem::offset_of!(Control, link) == 0);
    assert!(std::mem::offset_of!(Control, entry) == size_of::<usize>());
    // Where the switch reads them as limits of the thread's stack.
    assert!(!cfg!(windows) || std::mem::offset_of!(Control, bounds) == 16);
};

impl Control {
    #[inline]
    pub(crate) fn bounds(&self) -> StackBounds {
        self.bounds
    }
}

/// `pointer`, or the next lower one with this alignment.
#[inline]
fn align_down(pointer: *mut u8, align: usize) -> *mut u8 {
    pointer.wrapping_sub(pointer.addr() & (align - 1))
}

/// Lays out a stack so that the first resumption starts `body`.
///
/// # Safety
/// F1, F2: the stack is the fiber's until that is finished or will not be resumed any more.
#[inline]
pub(crate) unsafe fn create<B: Body>(
    bounds: StackBounds,
    body: B,
) -> Result<NonNull<Control>, FiberError> {
    let align = align_of::<B>().max(16);
    // The body is copied to the first frame, and something must run there.
    let needed = size_of::<Control>() + 2 * (size_of::<B>() + align) + MIN_STACK_SIZE / 2;
    let available = bounds.len();
    if needed > available {
        return Err(FiberError::StackTooSmall { needed, available });
    }
    let top = align_down(bounds.top(), 16);
    let control = top.wrapping_sub(size_of::<Control>()).cast::<Control>();
    let place = align_down(control.cast::<u8>().wrapping_sub(size_of::<B>()), align);
    // SAFETY: F1: there is room, as was checked, and it is aligned.
    unsafe { place.cast::<B>().write(body) };
    // SAFETY: F1: as above, and the place is aligned to 16.
    let link = unsafe { switch::first_frame(place) };
    // SAFETY: F1, as above; the alignment is that of a `Control`.
    unsafe {
        control.write(Control {
            link: Cell::new(link),
            entry: entry::<B>,
            bounds,
        });
    }
    // SAFETY: F1: it lies within a stack, so it is not null.
    Ok(unsafe { NonNull::new_unchecked(control) })
}

/// The fiber is finished; its stack holds nothing.
///
/// # Safety
/// F2: the control is not used any more.
#[inline]
pub(crate) unsafe fn retire(_control: NonNull<Control>) {}

/// Calls `function` with `data` on this stack.
///
/// # Safety
/// F1: the stack is unused. `function` may be called with `data`, and does not unwind.
#[cfg(not(windows))]
#[inline]
pub(crate) unsafe fn call(
    bounds: StackBounds,
    data: *mut (),
    function: unsafe extern "C" fn(*mut ()),
) {
    // SAFETY: F1: as the caller says; the top is aligned.
    unsafe { switch::call(data, align_down(bounds.top(), 16), function) }
}

/// The function that the trampoline calls.
///
/// # Safety
/// F2: called so, once.
unsafe extern "C" fn entry<B: Body>(
    control: NonNull<Control>,
    first: Word,
    second: Word,
    kind: usize,
    place: *mut u8,
) -> ! {
    let words = [first, second];
    // SAFETY: F2: `create` put it there, and it is read once.
    let body = unsafe { place.cast::<B>().read() };
    let mut out = MaybeUninit::uninit();
    // SAFETY: F2, F4: it is our fiber, and `out` stays as long as the stack.
    let last = unsafe { body.run(control, Transfer { kind, words }, &mut out) };
    // SAFETY: F3: we run. The fiber is finished, so nobody resumes it.
    unsafe { switch::leave(control, last) }
}
