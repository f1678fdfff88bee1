//! The backend for 64-bit Unix: addresses are reserved with `mmap` and committed with `mprotect`.
//!
//! Reserving costs one system call whatever the size, and a page costs memory when it is first
//! touched. What is not committed faults, so a stray access cannot go unnoticed.
#![allow(unsafe_code, reason = "talks to the operating system; upholds A1")]

use super::Source;
use crate::ArenaError;
use core::ptr::{NonNull, null_mut};

pub(super) struct ReservedBlock {
    base: NonNull<u8>,
    span: usize,
}

impl Source for ReservedBlock {
    fn reserve(span: usize) -> Result<Self, ArenaError> {
        // `MAP_NORESERVE`: addresses that are only reserved do not count as memory in use.
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: A1, a new private mapping at an address of the system's choice.
        let base = unsafe { libc::mmap(null_mut(), span, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(ArenaError::OutOfMemory);
        }
        let base = NonNull::new(base.cast()).ok_or(ArenaError::OutOfMemory)?;
        Ok(Self { base, span })
    }

    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn commit(&mut self, start: usize, end: usize) -> Result<(), ArenaError> {
        debug_assert!(start <= end && end <= self.span);
        // SAFETY: A1, `start` lies in the mapping, as `Block::commit` has asserted.
        let from = unsafe { self.base.add(start) };
        // SAFETY: A1, the range lies in the mapping; pages gain access, and none loses it. Should
        // pages be larger than `MEMORY_ALIGN`, the call fails.
        let status = unsafe {
            libc::mprotect(
                from.as_ptr().cast(),
                end - start,
                libc::PROT_READ | libc::PROT_WRITE,
            )
        };
        if status == 0 {
            Ok(())
        } else {
            Err(ArenaError::OutOfMemory)
        }
    }
}

impl Drop for ReservedBlock {
    fn drop(&mut self) {
        // SAFETY: A1, the mapping is this block's own and is given back once.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.span) };
    }
}

// SAFETY: A6, the block is owned like a `Box<[u8]>`: no thread holds on to it.
unsafe impl Send for ReservedBlock {}
// SAFETY: A6, a shared reference gives out no more than the base address.
unsafe impl Sync for ReservedBlock {}
