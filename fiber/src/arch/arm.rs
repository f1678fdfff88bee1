//! The switch on 32-bit Arm (AAPCS) with a floating point unit.
//!
//! ```text
//!   a suspended fiber        a resumer
//!   | where to go on |       | return address |
//!   | r11            |       | r11            |
//!   | r7             |       | r7             |
//!   | r6             |       | r6             |
//!   +----------------+ link  +----------------+ link
//! ```
//!
//! LLVM keeps r6, and r7 or r11, for itself, so these cannot be declared clobbered and are saved here; r9 too, where it is
//! an ordinary register, is declared. Unwind tables of this architecture cannot follow a pointer, so a backtrace ends at
//! the bottom of a fiber, which says so.
#![allow(unsafe_code, reason = "switches stacks (F3)")]

use std::arch::{asm, naked_asm};
use std::ptr::NonNull;

use super::Control;
use crate::words::Transfer;

/// Writes the first frame below `place`; the stack pointer to it.
///
/// # Safety
/// F1: there is room, and `place` is aligned to 16.
#[inline]
pub(super) unsafe fn first_frame(place: *mut u8) -> *mut u8 {
    let link = place.wrapping_sub(16);
    let go_on = link.wrapping_add(12).cast::<unsafe extern "C" fn()>();
    // SAFETY: F1, as the caller says.
    unsafe { go_on.write(trampoline) };
    link
}

/// Lets the fiber go on until it suspends itself or ends.
///
/// # Safety
/// F3: the fiber is suspended.
#[inline(always)]
pub(crate) unsafe fn resume(control: NonNull<Control>, mut transfer: Transfer) -> Transfer {
    // SAFETY: F3: comes back here when the fiber suspends, with all registers clobbered but those saved.
    unsafe {
        asm!(
            "ldr r12, [r0]",
            "ldr r4, [r12, #12]",
            "blx r4",
            // In the fiber: see `suspend`.
            inout("r0") control.as_ptr() => _,
            inout("r1") transfer.words[0],
            inout("r2") transfer.words[1],
            inout("r3") transfer.kind,
            lateout("r4") _, lateout("r5") _, lateout("r8") _, lateout("r9") _, lateout("r10") _,
            lateout("d8") _, lateout("d9") _, lateout("d10") _, lateout("d11") _,
            lateout("d12") _, lateout("d13") _, lateout("d14") _, lateout("d15") _,
            clobber_abi("C"),
        );
    }
    transfer
}

/// Lets the resumer go on; comes back with the next resumption.
///
/// # Safety
/// F3: the fiber runs, and so does the caller, on it or on one within.
#[inline(always)]
pub(crate) unsafe fn suspend(control: NonNull<Control>, mut transfer: Transfer) -> Transfer {
    // SAFETY: F3: comes back at the label when the fiber is resumed, with all registers clobbered but those saved.
    unsafe {
        asm!(
            "adr lr, 2f",
            // The lowest bit says which instruction set an address is for.
            "add lr, lr, #{mode}",
            "push {{r6, r7, r11, lr}}",
            "ldr r12, [r0]",
            "mov r4, sp",
            "str r4, [r0]",
            "mov sp, r12",
            "pop {{r6, r7, r11, pc}}",
            // From `resume`, on its stack: r12 is the link, r0 the control.
            ".p2align 2",
            "2:",
            "push {{r6, r7, r11, lr}}",
            "mov r4, sp",
            "str r4, [r0]",
            "mov sp, r12",
            "pop {{r6, r7, r11, lr}}",
            mode = const cfg!(target_feature = "thumb-mode") as usize,
            inout("r0") control.as_ptr() => _,
            inout("r1") transfer.words[0],
            inout("r2") transfer.words[1],
            inout("r3") transfer.kind,
            lateout("r4") _, lateout("r5") _, lateout("r8") _, lateout("r9") _, lateout("r10") _,
            lateout("d8") _, lateout("d9") _, lateout("d10") _, lateout("d11") _,
            lateout("d12") _, lateout("d13") _, lateout("d14") _, lateout("d15") _,
            clobber_abi("C"),
        );
    }
    transfer
}

/// Lets the resumer go on, for the last time.
///
/// # Safety
/// F3: the fiber runs, and so does the caller, on it.
#[inline(always)]
pub(super) unsafe fn leave(control: NonNull<Control>, transfer: Transfer) -> ! {
    // SAFETY: F3: the resumer goes on as after `suspend`.
    unsafe {
        asm!(
            "ldr r12, [r0]",
            "mov sp, r12",
            "pop {{r6, r7, r11, pc}}",
            in("r0") control.as_ptr(),
            in("r1") transfer.words[0],
            in("r2") transfer.words[1],
            in("r3") transfer.kind,
            options(noreturn),
        );
    }
}

/// The lowest frame of a fiber: goes to the entry. Unwinders end here.
///
/// # Safety
/// F2, F3: `resume` goes here, for the first time.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() {
    naked_asm!(
        ".fnstart",
        ".cantunwind",
        "push {{r6, r7, r11, lr}}",
        "mov r4, sp",
        "str r4, [r0]",
        "add r12, r12, #16",
        "mov sp, r12",
        "ldr r4, [r0, #4]",
        // The fifth argument lies on the stack, which is to be aligned to 8.
        "sub sp, sp, #8",
        "str r12, [sp]",
        "mov r11, #0",
        "blx r4",
        "udf #0",
        ".fnend",
    )
}

/// Calls `function` with `data` on the stack whose end is `top`.
///
/// # Safety
/// F1: the stack is unused, and `top` aligned to 16. `function` does not unwind.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn call(
    data: *mut (),
    top: *mut u8,
    function: unsafe extern "C" fn(*mut ()),
) {
    naked_asm!(
        ".fnstart",
        ".save {{r11, lr}}",
        "push {{r11, lr}}",
        ".setfp r11, sp",
        "mov r11, sp",
        "mov sp, r1",
        "blx r2",
        "mov sp, r11",
        "pop {{r11, pc}}",
        ".fnend",
    )
}
