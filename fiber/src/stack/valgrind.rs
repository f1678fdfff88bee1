//! Tells valgrind, if the program runs under it, where stacks are: it would take a switch for a stack that grew. Costs
//! a handful of instructions beside the mapping of a stack.
#![allow(
    unsafe_code,
    reason = "valgrind is spoken to by an instruction sequence"
)]

use std::ptr::NonNull;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn request(code: usize, first: *const u8, second: *const u8) -> usize {
    let arguments = [
        std::ptr::without_provenance(code),
        first,
        second,
        std::ptr::null(),
        std::ptr::null(),
        std::ptr::null::<u8>(),
    ];
    let mut answer = 0_usize;
    // SAFETY: F1 is not touched: outside of valgrind this rotates a register by 128 bits in all, and does nothing else.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
            out("rdi") _,
            options(nostack),
        );
    }
    answer
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn request(_code: usize, _first: *const u8, _second: *const u8) -> usize {
    0
}

/// A number for the stack, or 0 outside of valgrind.
pub(super) fn register(lowest: NonNull<u8>, len: usize) -> usize {
    let lowest = lowest.as_ptr();
    request(0x1501, lowest, lowest.wrapping_add(len - 1))
}

/// The stack that got this number is gone.
pub(super) fn deregister(id: usize) {
    request(0x1502, std::ptr::without_provenance(id), std::ptr::null());
}
