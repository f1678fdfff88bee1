//! The backend for 64-bit Unix: addresses are reserved with `mmap` and committed with `mprotect`.
//!
//! Reserving costs one system call whatever the size, and a page costs memory when it is first
//! touched. What is not committed faults, so a stray access cannot go unnoticed.
#![allow(unsafe_code, reason = "talks to the operating system; upholds A1")]

use super::{FilePlace, Source};
use crate::ArenaError;
use crate::layout::MEMORY_ALIGN;
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

    fn map_unit() -> u64 {
        // SAFETY: no more than a question.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        // What is no size of a page is not to be relied on.
        match u64::try_from(page) {
            Ok(page) if page.is_power_of_two() => page.min(MEMORY_ALIGN),
            _ => MEMORY_ALIGN,
        }
    }

    unsafe fn map(&mut self, start: usize, end: usize, file: FilePlace) -> bool {
        debug_assert!(start < end && end <= self.span);
        let Ok(offset) = libc::off_t::try_from(file.offset) else {
            return false;
        };
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_NORESERVE;
        // SAFETY: A1, the range lies in the mapping, as `Block::map` has asserted; it stays
        // readable and writable. A9, as the caller promises.
        let mapped = unsafe { self.replace(start, end, flags, file.descriptor, offset) };
        // A call that failed may have unmapped the range all the same: fresh zeroes, or the end.
        // SAFETY: A1, as above.
        if !mapped && !unsafe { self.replace(start, end, flags | libc::MAP_ANON, -1, 0) } {
            // SAFETY: no more than the end of the process.
            unsafe { libc::abort() };
        }
        mapped
    }
}

impl ReservedBlock {
    /// A new mapping in the place of `start..end`.
    ///
    /// # Safety
    ///
    /// - The range lies in the span; flags say `MAP_FIXED`.
    /// - If there is a file, it holds these bytes and keeps them.
    unsafe fn replace(
        &self,
        start: usize,
        end: usize,
        flags: i32,
        fd: i32,
        at: libc::off_t,
    ) -> bool {
        // SAFETY: A1, as the caller promises.
        let from = unsafe { self.base.add(start) };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: A1, as the caller promises: no mapping but this block's own is touched.
        let got = unsafe { libc::mmap(from.as_ptr().cast(), end - start, access, flags, fd, at) };
        got == from.as_ptr().cast()
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
