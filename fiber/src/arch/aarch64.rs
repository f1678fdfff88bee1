//! The switch on 64-bit Arm (AAPCS64).
//!
//! ```text
//!   a suspended fiber        a resumer
//!   | x19            |       | x19            |
//!   |                |       |                |
//!   | where to go on |       | return address |
//!   | x29            |       | x29            |
//!   +----------------+ link  +----------------+ link
//! ```
//!
//! LLVM keeps x19 and x29 for itself, so these cannot be declared clobbered and are saved here; x18 is left alone. The
//! resumer's last two words make a frame record, and the trampoline's x29 points to the link.
//!
//! Where branches need a landing pad (BTI) there is one: `hint 34` is `bti c`, which does nothing elsewhere. Returns need
//! none. Signed return addresses (PAC) lie in frames, which never move; those of the switch itself are not signed.
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
    let link = place.wrapping_sub(32);
    let go_on = link.wrapping_add(8).cast::<unsafe extern "C" fn()>();
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
            "str x19, [sp, #-16]!",
            "ldr x9, [x0]",
            "ldr x10, [x9, #8]",
            "blr x10",
            // In the fiber: see `suspend`.
            "ldr x19, [sp], #16",
            inout("x0") control.as_ptr() => _,
            inout("x1") transfer.words[0],
            inout("x2") transfer.words[1],
            inout("x3") transfer.kind,
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _,
            lateout("x24") _, lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
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
            "adr x9, 2f",
            "stp x29, x9, [sp, #-32]!",
            "str x19, [sp, #16]",
            "ldr x10, [x0]",
            "mov x9, sp",
            "str x9, [x0]",
            "mov sp, x10",
            "ldp x29, x30, [sp], #16",
            "ret",
            // From `resume`, on its stack: x9 is the link, x0 the control.
            "2:",
            "hint #34",
            "stp x29, x30, [sp, #-16]!",
            "mov x10, sp",
            "str x10, [x0]",
            "mov sp, x9",
            "ldr x19, [sp, #16]",
            "ldr x29, [sp], #32",
            inout("x0") control.as_ptr() => _,
            inout("x1") transfer.words[0],
            inout("x2") transfer.words[1],
            inout("x3") transfer.kind,
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _,
            lateout("x24") _, lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
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
            "ldr x10, [x0]",
            "mov sp, x10",
            "ldp x29, x30, [sp], #16",
            "ret",
            in("x0") control.as_ptr(),
            in("x1") transfer.words[0],
            in("x2") transfer.words[1],
            in("x3") transfer.kind,
            options(noreturn),
        );
    }
}

/// The lowest frame of a fiber: goes to the entry, and leads unwinders to the resumer.
///
/// # Safety
/// F2, F3: `resume` goes here, for the first time.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() {
    naked_asm!(
        ".cfi_startproc",
        // Debuggers take stacks that do not grow in one direction for broken, but for those of signal handlers.
        ".cfi_signal_frame",
        "hint #34",
        "stp x29, x30, [sp, #-16]!",
        "mov x10, sp",
        "str x10, [x0]",
        "add x4, x9, #32",
        "mov sp, x4",
        "mov x29, x0",
        // The resumer's frame begins 32 bytes above where the link points: DW_CFA_def_cfa_expression of 5 bytes,
        // DW_OP_breg29 0, DW_OP_deref, DW_OP_plus_uconst 32.
        ".cfi_escape 0x0f, 5, 0x8d, 0x00, 0x06, 0x23, 32",
        ".cfi_offset x19, -16",
        ".cfi_offset x30, -24",
        ".cfi_offset x29, -32",
        // A call whose return address the processor does not note, as nothing returns to it.
        "ldr x16, [x0, #8]",
        "adr x30, 2f",
        "br x16",
        "2:",
        "brk #1",
        ".cfi_endproc",
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
        ".cfi_startproc",
        ".cfi_signal_frame",
        "hint #34",
        "stp x29, x30, [sp, #-16]!",
        "mov x29, sp",
        ".cfi_def_cfa x29, 16",
        ".cfi_offset x30, -8",
        ".cfi_offset x29, -16",
        "mov sp, x1",
        "blr x2",
        "mov sp, x29",
        "ldp x29, x30, [sp], #16",
        "ret",
        ".cfi_endproc",
    )
}
