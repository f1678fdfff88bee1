//! Where objects get their bytes from.
#![allow(unsafe_code, reason = "derives pointers into the heap's memory")]

use crate::store::LimitRequest;
use crate::trap::Trap;
use crate::vm::Vm;

/// The heap grows by multiples of this.
const STEP: u64 = 64 << 10;

/// The heap is never longer than this, so that `reference - 1 + offset` shows null by one compare (G1).
const MAX_BYTES: u64 = (1 << 32) - STEP;

impl Vm {
    /// Takes the heap's place anew, after the arena moved or the heap grew.
    pub(crate) fn place_heap(&mut self) {
        (self.gc_base, self.gc_len) = match self.gc.memory {
            Some(id) => (self.arena.memory_ptr(id), self.arena.memory_len(id)),
            None => (core::ptr::NonNull::dangling().as_ptr(), 0),
        };
    }

    /// `bytes` zeros, a multiple of a granule, not more than the heap's longest.
    #[inline]
    pub(crate) fn gc_alloc(&mut self, bytes: u32) -> Result<u32, Trap> {
        let at = self.gc_bump;
        if bytes <= self.gc_limit - at {
            self.gc_bump = at + bytes;
            return Ok(at);
        }
        self.gc_alloc_slow(bytes)
    }

    #[cold]
    fn gc_alloc_slow(&mut self, bytes: u32) -> Result<u32, Trap> {
        let at = self.gc_bump.max(16);
        let end = u64::from(at) + u64::from(bytes);
        self.grow_heap(end)?;
        self.gc_bump = end as u32;
        self.gc_limit = self.gc_len as u32;
        Ok(at)
    }

    /// Makes the heap at least `want` bytes long.
    fn grow_heap(&mut self, want: u64) -> Result<(), Trap> {
        let len = self.gc_len;
        let full = Trap::GcHeapOutOfMemory;
        let new = want
            .next_multiple_of(STEP)
            .max((len + len / 8).next_multiple_of(STEP))
            .min(MAX_BYTES);
        if want > new {
            return Err(full);
        }
        let request = LimitRequest::Memory {
            current: len,
            desired: new,
            maximum: Some(MAX_BYTES),
        };
        if !self.allowed(request) {
            return Err(if self.limit_failed {
                Trap::AllocationTooLarge
            } else {
                full
            });
        }
        match self.gc.memory {
            None => {
                let id = self.arena.memory_new(new, MAX_BYTES).map_err(|_| full)?;
                self.gc.memory = Some(id);
            }
            Some(id) => self.arena.memory_grow(id, new).map_err(|_| full)?,
        }
        self.refresh();
        self.place_heap();
        Ok(())
    }
}
