//! The switch on 64-bit RISC-V with 64-bit floating point registers.
//!
//! ```text
//!   a suspended fiber        a resumer
//!   |                |       |                |
//!   | s1             |       | s1             |
//!   | s0             |       | s0             |
//!   | where to go on |       | return address |
//!   +----------------+ link  +----------------+ link
//! ```
//!
//! LLVM keeps s0 and s1 for itself, so these cannot be declared clobbered and are saved here; gp and tp are left alone.
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
    // SAFETY: F1, as the caller says.
    unsafe { link.cast::<unsafe extern "C" fn()>().write(trampoline) };
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
            "addi sp, sp, -32",
            "sd s1, 16(sp)",
            "ld t0, 0(a0)",
            "ld t1, 0(t0)",
            "jalr t1",
            // In the fiber: see `suspend`.
            "ld s1, 16(sp)",
            "addi sp, sp, 32",
            inout("a0") control.as_ptr() => _,
            inout("a1") transfer.words[0],
            inout("a2") transfer.words[1],
            inout("a3") transfer.kind,
            lateout("s2") _, lateout("s3") _, lateout("s4") _, lateout("s5") _, lateout("s6") _,
            lateout("s7") _, lateout("s8") _, lateout("s9") _, lateout("s10") _, lateout("s11") _,
            lateout("fs0") _, lateout("fs1") _, lateout("fs2") _, lateout("fs3") _,
            lateout("fs4") _, lateout("fs5") _, lateout("fs6") _, lateout("fs7") _,
            lateout("fs8") _, lateout("fs9") _, lateout("fs10") _, lateout("fs11") _,
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
            "addi sp, sp, -32",
            "sd s1, 16(sp)",
            "sd s0, 8(sp)",
            "lla t0, 2f",
            "sd t0, 0(sp)",
            "ld t0, 0(a0)",
            "sd sp, 0(a0)",
            "mv sp, t0",
            "ld s0, 8(sp)",
            "ld ra, 0(sp)",
            "ret",
            // From `resume`, on its stack: t0 is the link, a0 the control.
            "2:",
            "sd ra, 0(sp)",
            "sd s0, 8(sp)",
            "sd sp, 0(a0)",
            "mv sp, t0",
            "ld s0, 8(sp)",
            "ld s1, 16(sp)",
            "addi sp, sp, 32",
            inout("a0") control.as_ptr() => _,
            inout("a1") transfer.words[0],
            inout("a2") transfer.words[1],
            inout("a3") transfer.kind,
            lateout("s2") _, lateout("s3") _, lateout("s4") _, lateout("s5") _, lateout("s6") _,
            lateout("s7") _, lateout("s8") _, lateout("s9") _, lateout("s10") _, lateout("s11") _,
            lateout("fs0") _, lateout("fs1") _, lateout("fs2") _, lateout("fs3") _,
            lateout("fs4") _, lateout("fs5") _, lateout("fs6") _, lateout("fs7") _,
            lateout("fs8") _, lateout("fs9") _, lateout("fs10") _, lateout("fs11") _,
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
            "ld sp, 0(a0)",
            "ld s0, 8(sp)",
            "ld ra, 0(sp)",
            "ret",
            in("a0") control.as_ptr(),
            in("a1") transfer.words[0],
            in("a2") transfer.words[1],
            in("a3") transfer.kind,
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
        "sd ra, 0(sp)",
        "sd s0, 8(sp)",
        "sd sp, 0(a0)",
        "addi sp, t0, 32",
        "mv a4, sp",
        "mv s0, a0",
        // The resumer's frame begins 32 bytes above where the link points: DW_CFA_def_cfa_expression of 5 bytes,
        // DW_OP_breg8 0 (s0), DW_OP_deref, DW_OP_plus_uconst 32.
        ".cfi_escape 0x0f, 5, 0x78, 0x00, 0x06, 0x23, 32",
        ".cfi_offset s1, -16",
        ".cfi_offset s0, -24",
        ".cfi_offset ra, -32",
        // A call whose return address the processor does not note, as nothing returns to it.
        "ld t1, 8(a0)",
        "lla ra, 2f",
        "jr t1",
        "2:",
        "unimp",
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
        "addi sp, sp, -16",
        "sd ra, 8(sp)",
        "sd s0, 0(sp)",
        "addi s0, sp, 16",
        ".cfi_def_cfa s0, 0",
        ".cfi_offset ra, -8",
        ".cfi_offset s0, -16",
        "mv sp, a1",
        "jalr a2",
        "addi sp, s0, -16",
        "ld ra, 8(sp)",
        "ld s0, 0(sp)",
        "addi sp, sp, 16",
        "ret",
        ".cfi_endproc",
    )
}
