//! Where linked code lies: one region an engine, of fixed capacity, that never moves.
//!
//! A position in it is a `u32` offset from its base, which is what return records hold. Ranges are handed to modules
//! and come back when a module goes.
#![allow(
    unsafe_code,
    reason = "owns a raw region that several threads write disjoint parts of"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sheave_isa::Op;

use crate::executor::Executor;

/// The region could not be made, or is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CodeSpaceError {
    /// The system gave no memory for the region of this many bytes.
    Reserve(usize),
    /// All of the region's bytes are in use.
    Full(usize),
}

impl core::fmt::Display for CodeSpaceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            CodeSpaceError::Reserve(n) => write!(f, "cannot reserve {n} bytes for code"),
            CodeSpaceError::Full(n) => write!(f, "the engine's {n} bytes for code are used up"),
        }
    }
}

impl core::error::Error for CodeSpaceError {}

/// The code of all modules of an engine, linked for one executor.
pub struct CodeSpace {
    executor: Executor,
    region: Region,
    free: Mutex<Free>,
}

/// Free ranges by start, and the end of what was ever handed out.
struct Free {
    ranges: BTreeMap<u32, u32>,
    end: u32,
}

/// Offset of the op that ends an activation.
pub(crate) const EXIT_AT: u32 = 64;
/// Offset of the op that goes back to another instance.
pub(crate) const CROSS_AT: u32 = 128;
/// Offset of the op that ends a continuation.
pub(crate) const CONT_END_AT: u32 = 192;
/// Offset of a return, for a frame whose function the host has tail-called.
pub(crate) const RET_AT: u32 = 256;
const FIRST: u32 = 320;

/// Whether that is no op of a function's.
pub(crate) const fn is_of_no_function(at: u32) -> bool {
    at < FIRST
}

impl CodeSpace {
    /// A region of about `capacity_bytes` (at most 4 GiB), linked for `executor`. Memory is taken as it is used.
    ///
    /// # Errors
    /// If the system refuses the memory.
    pub fn new(
        executor: Executor,
        capacity_bytes: usize,
    ) -> Result<Arc<CodeSpace>, CodeSpaceError> {
        let executor = if executor.available() {
            executor
        } else {
            Executor::best()
        };
        let capacity = capacity_bytes.clamp(4096, (u32::MAX - 65_535) as usize) & !63;
        let region = Region::new(capacity).ok_or(CodeSpaceError::Reserve(capacity))?;
        let space = CodeSpace {
            executor,
            region,
            free: Mutex::new(Free {
                ranges: BTreeMap::new(),
                end: FIRST,
            }),
        };
        let own = [
            (EXIT_AT, Op::Exit),
            (CROSS_AT, Op::RetCross),
            (CONT_END_AT, Op::ContEnd),
            (RET_AT, Op::Ret),
        ];
        for (at, op) in own {
            // SAFETY: I6, the first FIRST bytes are ours, and nobody runs them yet.
            unsafe { crate::link::write_head(executor, space.region.base.add(at as usize), op, 0) };
        }
        Ok(Arc::new(space))
    }

    /// The executor that the code is linked for.
    pub fn executor(&self) -> Executor {
        self.executor
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.region.base
    }

    /// Takes a range of at least `bytes`; gives its start and length, multiples of 64.
    pub(crate) fn take(&self, bytes: usize) -> Result<(u32, u32), CodeSpaceError> {
        let full = CodeSpaceError::Full(self.region.capacity);
        let len = u32::try_from(bytes.next_multiple_of(64)).map_err(|_| full)?;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((&start, &have)) = free.ranges.iter().find(|(_, have)| **have >= len) {
            free.ranges.remove(&start);
            if have > len {
                free.ranges.insert(start + len, have - len);
            }
            return Ok((start, len));
        }
        let start = free.end;
        let end = start
            .checked_add(len)
            .filter(|e| *e as usize <= self.region.capacity)
            .ok_or(full)?;
        free.end = end;
        Ok((start, len))
    }

    /// Takes ranges back. Nobody runs code in them any more.
    pub(crate) fn give_back(&self, ranges: impl Iterator<Item = (u32, u32)>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for (mut start, mut len) in ranges {
            if let Some((&s, &l)) = free.ranges.range(..start).next_back()
                && s + l == start
            {
                free.ranges.remove(&s);
                (start, len) = (s, l + len);
            }
            if let Some(l) = free.ranges.remove(&(start + len)) {
                len += l;
            }
            if start + len == free.end {
                free.end = start;
            } else {
                free.ranges.insert(start, len);
            }
        }
    }
}

impl core::fmt::Debug for CodeSpace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CodeSpace")
            .field("executor", &self.executor)
            .field("capacity", &self.region.capacity)
            .finish_non_exhaustive()
    }
}

struct Region {
    base: *mut u8,
    capacity: usize,
}

// SAFETY: I6: a range is written by the one module that took it, before its offset is published; after that it is
// only read.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

#[cfg(all(unix, target_pointer_width = "64", not(miri)))]
impl Region {
    fn new(capacity: usize) -> Option<Region> {
        // SAFETY: a fresh private mapping; pages are committed by the kernel as they are touched.
        let base = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                capacity,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return None;
        }
        Some(Region {
            base: base.cast(),
            capacity,
        })
    }
}

#[cfg(all(unix, target_pointer_width = "64", not(miri)))]
impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`; nobody has pointers into it any more, as the engine goes last.
        unsafe { libc::munmap(self.base.cast(), self.capacity) };
    }
}

#[cfg(not(all(unix, target_pointer_width = "64", not(miri))))]
impl Region {
    fn new(capacity: usize) -> Option<Region> {
        // Zeroed memory of this size is lazily committed by most allocators; the cap keeps it modest where it is not.
        let capacity = capacity.min(if cfg!(miri) { 1 << 20 } else { 64 << 20 });
        let layout = core::alloc::Layout::from_size_align(capacity, 64).ok()?;
        // SAFETY: the size is not zero.
        let base = unsafe { std::alloc::alloc_zeroed(layout) };
        if base.is_null() {
            None
        } else {
            Some(Region { base, capacity })
        }
    }
}

#[cfg(not(all(unix, target_pointer_width = "64", not(miri))))]
impl Drop for Region {
    fn drop(&mut self) {
        let Ok(layout) = core::alloc::Layout::from_size_align(self.capacity, 64) else {
            return;
        };
        // SAFETY: made in `new` with the same layout.
        unsafe { std::alloc::dealloc(self.base, layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_given_back_are_merged_and_handed_out_again() {
        let space = CodeSpace::new(Executor::Portable, 1 << 16).unwrap();
        let a = space.take(100).unwrap();
        let b = space.take(64).unwrap();
        let c = space.take(64).unwrap();
        assert_eq!((a.1, b.0), (128, a.0 + 128));
        space.give_back([a, b].into_iter());
        assert_eq!(space.take(192).unwrap(), (a.0, 192));
        space.give_back([c, (a.0, 192)].into_iter());
        assert_eq!(space.take(1).unwrap().0, FIRST);
        assert_eq!(space.take(1 << 20), Err(CodeSpaceError::Full(1 << 16)));
    }
}
