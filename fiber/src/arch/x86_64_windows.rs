//! The switch on x86-64 with the Windows ABI.
//!
//! ```text
//!   a suspended fiber        a resumer
//!   | rbx            |       | rbx            |
//!   | limits (5)     |       | limits (5)     |
//!   | rbp            |       | return address |
//!   | where to go on |       | rbp            |
//!   +----------------+ link  +----------------+ link
//! ```
//!
//! LLVM keeps rbx and rbp for itself, so these cannot be declared clobbered and are saved here. The limits of the stack
//! are words of the thread's information block, by which the system judges a stack pointer: base, limit, the start of
//! the allocation, what is to stay for handling an overflow, and the list of handlers that lie on the stack (of use
//! in Wine only). They belong to the stack, so each side saves its own.
//!
//! The system's unwinder does not cross stacks: a backtrace ends at the bottom of a fiber, where a return address is 0.
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
            "push qword ptr gs:[0x00]",
            "push qword ptr gs:[0x08]",
            "push qword ptr gs:[0x10]",
            "push qword ptr gs:[0x1478]",
            "push qword ptr gs:[0x1748]",
            "mov rax, [rcx]",
            "call [rax]",
            // In the fiber: see `suspend`.
            "pop qword ptr gs:[0x1748]",
            "pop qword ptr gs:[0x1478]",
            "pop qword ptr gs:[0x10]",
            "pop qword ptr gs:[0x08]",
            "pop qword ptr gs:[0x00]",
            "pop rbx",
            inout("rcx") control.as_ptr() => _,
            inout("rdx") transfer.words[0],
            inout("r8") transfer.words[1],
            inout("r9") transfer.kind,
            lateout("rsi") _, lateout("rdi") _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            lateout("xmm6") _, lateout("xmm7") _, lateout("xmm8") _, lateout("xmm9") _, lateout("xmm10") _,
            lateout("xmm11") _, lateout("xmm12") _, lateout("xmm13") _, lateout("xmm14") _, lateout("xmm15") _,
            clobber_abi("win64"),
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
            "push qword ptr gs:[0x00]",
            "push qword ptr gs:[0x08]",
            "push qword ptr gs:[0x10]",
            "push qword ptr gs:[0x1478]",
            "push qword ptr gs:[0x1748]",
            "push rbp",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov rax, [rcx]",
            "mov [rcx], rsp",
            "mov rsp, rax",
            "pop rbp",
            "ret",
            // From `resume`, on its stack: rax is the link, rcx the control.
            "2:",
            "push rbp",
            "mov [rcx], rsp",
            "lea rsp, [rax + 8]",
            "pop rbp",
            "pop qword ptr gs:[0x1748]",
            "pop qword ptr gs:[0x1478]",
            "pop qword ptr gs:[0x10]",
            "pop qword ptr gs:[0x08]",
            "pop qword ptr gs:[0x00]",
            "pop rbx",
            inout("rcx") control.as_ptr() => _,
            inout("rdx") transfer.words[0],
            inout("r8") transfer.words[1],
            inout("r9") transfer.kind,
            lateout("rsi") _, lateout("rdi") _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            lateout("xmm6") _, lateout("xmm7") _, lateout("xmm8") _, lateout("xmm9") _, lateout("xmm10") _,
            lateout("xmm11") _, lateout("xmm12") _, lateout("xmm13") _, lateout("xmm14") _, lateout("xmm15") _,
            clobber_abi("win64"),
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
            "mov rsp, [rcx]",
            "pop rbp",
            "ret",
            in("rcx") control.as_ptr(),
            in("rdx") transfer.words[0],
            in("r8") transfer.words[1],
            in("r9") transfer.kind,
            options(noreturn),
        );
    }
}

/// The lowest frame of a fiber: sets the limits and goes to the entry. Unwinders end here.
///
/// # Safety
/// F2, F3: `resume` goes here, for the first time.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() {
    naked_asm!(
        ".seh_proc {name}",
        "push rbp",
        "mov [rcx], rsp",
        "lea rsp, [rax + 8]",
        "mov r10, rsp",
        "mov rax, [rcx + 16]",
        "mov gs:[0x10], rax",
        "mov gs:[0x1478], rax",
        "add rax, [rcx + 24]",
        "mov gs:[0x08], rax",
        "xor eax, eax",
        "mov gs:[0x1748], rax",
        "mov ebp, eax",
        // The end of the list.
        "mov qword ptr gs:[0x00], -1",
        // A return address of 0, and below it the room that a callee may use, with the fifth argument.
        "push rax",
        "push rax",
        "sub rsp, 0x30",
        ".seh_stackalloc 0x30",
        ".seh_endprologue",
        "mov [rsp + 0x20], r10",
        "call [rcx + 8]",
        "ud2",
        ".seh_endproc",
        name = sym trampoline,
    )
}
