//! Tells valgrind, if the program runs under it, where stacks are: it would take a switch for a stack that grew. Costs
//! a handful of instructions beside the mapping of a stack, and a load where a pool gives one out again. Who uses a stack again
//! without a pool should not ask valgrind, which takes what lies below the last stack pointer for forbidden.
#![allow(
    unsafe_code,
    reason = "valgrind is spoken to by an instruction sequence"
)]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether valgrind ever answered.
static IS_THERE: AtomicBool = AtomicBool::new(false);

/// The lowest addresses of stacks, and the numbers that valgrind gave them.
static STACKS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

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

/// There is a new stack.
pub(super) fn register(lowest: NonNull<u8>, len: usize) {
    let first = lowest.as_ptr();
    let id = request(0x1501, first, first.wrapping_add(len - 1));
    if id != 0 {
        let mut stacks = STACKS.lock().unwrap_or_else(PoisonError::into_inner);
        stacks.push((first.addr(), id));
        IS_THERE.store(true, Ordering::Relaxed);
    }
}

/// All of the stack can be used anew: what lies below the pointer of whoever ran on it last counts as forbidden.
#[inline(always)]
pub(crate) fn reuse(lowest: NonNull<u8>, len: usize) {
    if IS_THERE.load(Ordering::Relaxed) {
        make_undefined(lowest, len);
    }
}

#[cold]
fn make_undefined(lowest: NonNull<u8>, len: usize) {
    let code = usize::from(b'M') << 24 | usize::from(b'C') << 16 | 1;
    request(code, lowest.as_ptr(), std::ptr::without_provenance(len));
}

/// The stack is gone.
pub(super) fn deregister(lowest: NonNull<u8>) {
    if IS_THERE.load(Ordering::Relaxed) {
        let mut stacks = STACKS.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stacks
            .iter()
            .position(|(first, _)| *first == lowest.as_ptr().addr());
        if let Some(index) = found {
            let (_, id) = stacks.swap_remove(index);
            request(0x1502, std::ptr::without_provenance(id), std::ptr::null());
        }
    }
}
