//! The switch on x86-64 with the System V ABI.
//!
//! ```text
//!   a suspended fiber        a resumer
//!   | rbx            |       | rbx            |
//!   | rbp            |       | return address |
//!   | where to go on |       | rbp            |
//!   +----------------+ link  +----------------+ link
//! ```
//!
//! LLVM keeps rbx and rbp for itself, so these cannot be declared clobbered and are saved here. The resumer's last two
//! words make a frame record, so that tools that follow frame pointers also find their way: the trampoline's
//! rbp points to the link.
//!
//! The control words of the floating point units are not switched: Rust code does not change them.
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
    let link = place.wrapping_sub(8);
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
            "push rbx",
            "mov rax, [rdi]",
            "call [rax]",
            // In the fiber: see `suspend`.
            "pop rbx",
            inout("rdi") control.as_ptr() => _,
            inout("rsi") transfer.words[0],
            inout("rdx") transfer.words[1],
            inout("rcx") transfer.kind,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
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
            "push rbx",
            "push rbp",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov rax, rsp",
            "mov rsp, [rdi]",
            "mov [rdi], rax",
            "pop rbp",
            "ret",
            // From `resume`, on its stack: rax is the link, rdi the control.
            "2:",
            "push rbp",
            "mov [rdi], rsp",
            "lea rsp, [rax + 8]",
            "pop rbp",
            "pop rbx",
            inout("rdi") control.as_ptr() => _,
            inout("rsi") transfer.words[0],
            inout("rdx") transfer.words[1],
            inout("rcx") transfer.kind,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            clobber_abi("sysv64"),
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
            "mov rsp, [rdi]",
            "pop rbp",
            "ret",
            in("rdi") control.as_ptr(),
            in("rsi") transfer.words[0],
            in("rdx") transfer.words[1],
            in("rcx") transfer.kind,
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
        "push rbp",
        "mov [rdi], rsp",
        "lea rsp, [rax + 8]",
        "mov r8, rsp",
        "mov rbp, rdi",
        // The resumer's frame begins 24 bytes above where the link points: DW_CFA_def_cfa_expression of 5 bytes,
        // DW_OP_breg6 0 (rbp), DW_OP_deref, DW_OP_plus_uconst 24.
        ".cfi_escape 0x0f, 5, 0x76, 0x00, 0x06, 0x23, 24",
        ".cfi_offset rbx, -8",
        ".cfi_offset rip, -16",
        ".cfi_offset rbp, -24",
        // A call whose return address the processor does not note, as nothing returns to it.
        "lea rax, [rip + 2f]",
        "push rax",
        "jmp [rdi + 8]",
        "2:",
        "ud2",
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
        "push rbp",
        ".cfi_def_cfa rsp, 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa rbp, 16",
        "mov rsp, rsi",
        "call rdx",
        "mov rsp, rbp",
        ".cfi_def_cfa rsp, 16",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}
