//! The switch on 32-bit x86 with the System V ABI.
//!
//! ```text
//!   a suspended fiber        a resumer
//!   | esi            |       | esi            |
//!   | ebp            |       | return address |
//!   | where to go on |       | ebp            |
//!   +----------------+ link  +----------------+ link
//! ```
//!
//! LLVM keeps esi and ebp for itself, so these cannot be declared clobbered and are saved here. The resumer's last two
//! words make a frame record, and the trampoline's ebp points to the link.
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
    let link = place.wrapping_sub(4);
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
            "push esi",
            "mov eax, [ecx]",
            "call [eax]",
            // In the fiber: see `suspend`.
            "pop esi",
            inout("ecx") control.as_ptr() => _,
            inout("edx") transfer.words[0],
            inout("edi") transfer.words[1],
            inout("ebx") transfer.kind,
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
    // SAFETY: F3: comes back behind the call when the fiber is resumed, with all registers clobbered but those saved.
    unsafe {
        asm!(
            "push esi",
            "push ebp",
            // There are no addresses relative to the instruction pointer: a call finds it.
            "call 3f",
            // From `resume`, on its stack: eax is the link, ecx the control.
            "push ebp",
            "mov [ecx], esp",
            "lea esp, [eax + 4]",
            "pop ebp",
            "pop esi",
            "jmp 4f",
            "3:",
            "mov eax, [ecx]",
            "mov [ecx], esp",
            "mov esp, eax",
            "pop ebp",
            "ret",
            "4:",
            inout("ecx") control.as_ptr() => _,
            inout("edx") transfer.words[0],
            inout("edi") transfer.words[1],
            inout("ebx") transfer.kind,
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
            "mov esp, [ecx]",
            "pop ebp",
            "ret",
            in("ecx") control.as_ptr(),
            in("edx") transfer.words[0],
            in("edi") transfer.words[1],
            in("ebx") transfer.kind,
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
        "push ebp",
        "mov [ecx], esp",
        "lea esp, [eax + 4]",
        "mov eax, esp",
        "mov ebp, ecx",
        // The resumer's frame begins 12 bytes above where the link points: DW_CFA_def_cfa_expression of 5 bytes,
        // DW_OP_breg5 0 (ebp), DW_OP_deref, DW_OP_plus_uconst 12.
        ".cfi_escape 0x0f, 5, 0x75, 0x00, 0x06, 0x23, 12",
        ".cfi_offset esi, -4",
        ".cfi_offset eip, -8",
        ".cfi_offset ebp, -12",
        // Five arguments; the stack is to be aligned where they begin.
        "sub esp, 12",
        "push eax",
        "push ebx",
        "push edi",
        "push edx",
        "push ecx",
        "call [ecx + 4]",
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
        "push ebp",
        ".cfi_def_cfa esp, 8",
        ".cfi_offset ebp, -8",
        "mov ebp, esp",
        ".cfi_def_cfa ebp, 8",
        "mov eax, [ebp + 8]",
        "mov esp, [ebp + 12]",
        "sub esp, 12",
        "push eax",
        "call [ebp + 16]",
        "mov esp, ebp",
        ".cfi_def_cfa esp, 8",
        "pop ebp",
        ".cfi_def_cfa esp, 4",
        "ret",
        ".cfi_endproc",
    )
}
