//! Linear memories of a store, and the data segments they are filled from.
#![allow(unsafe_code, reason = "copies segments into linear memories")]

use core::ops::Range;

use sheave_arena::{FilePlace, MemoryId};

use crate::store::{InstAddr, LimitRequest, MemAddr, MemRec, StoreError, next_addr};
use crate::trap::Trap;
use crate::vm::Vm;

/// What a memory is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemorySpec {
    /// Bytes at first.
    pub bytes: u64,
    /// The bytes it may grow to, if its type says so.
    pub max_bytes: Option<u64>,
    /// The most bytes that its address type can say.
    pub limit_bytes: u64,
    /// Binary logarithm of the bytes of a page.
    pub page_size_log2: u8,
    /// Whether addresses have 64 bits.
    pub memory64: bool,
    /// Whether its type says that threads share it.
    pub shared: bool,
}

impl Default for MemorySpec {
    /// No bytes, no maximum, pages of 64 KiB, 32-bit addresses.
    fn default() -> MemorySpec {
        MemorySpec {
            bytes: 0,
            max_bytes: None,
            limit_bytes: 1 << 32,
            page_size_log2: 16,
            memory64: false,
            shared: false,
        }
    }
}

impl Vm {
    /// A memory of zeros.
    ///
    /// # Errors
    /// If the arena or the budget has no room.
    pub fn new_memory(&mut self, spec: &MemorySpec) -> Result<MemAddr, StoreError> {
        let addr = next_addr(self.memories.len())?;
        let max = spec.max_bytes.unwrap_or(u64::MAX).min(spec.limit_bytes);
        let id = self.arena.memory_new(spec.bytes, max)?;
        self.memories.push(MemRec {
            id,
            max_bytes: spec.max_bytes,
            limit_bytes: spec.limit_bytes,
            page_size_log2: spec.page_size_log2,
            memory64: spec.memory64,
            shared: spec.shared,
        });
        self.refresh();
        Ok(MemAddr(addr))
    }

    /// Where a memory lies and how many bytes it has; valid until anything in the store grows or moves.
    pub fn memory(&self, mem: MemAddr) -> (*mut u8, u64) {
        let id = self.memories[mem.0 as usize].id;
        (self.arena.memory_ptr(id), self.arena.memory_len(id))
    }

    /// The bytes of a memory.
    pub fn memory_bytes(&self, mem: MemAddr) -> &[u8] {
        self.arena.memory_bytes(self.memories[mem.0 as usize].id)
    }

    /// Pages of a memory.
    pub fn memory_pages(&self, mem: MemAddr) -> u64 {
        let rec = &self.memories[mem.0 as usize];
        self.arena.memory_len(rec.id) >> rec.page_size_log2
    }

    /// Grows a memory by `delta` pages; false if its type, the limiter or the budget is against it.
    pub fn memory_grow_pages(&mut self, mem: MemAddr, delta: u64) -> bool {
        let rec = &self.memories[mem.0 as usize];
        let new = self
            .memory_pages(mem)
            .checked_add(delta)
            .filter(|pages| *pages <= rec.limit_bytes >> rec.page_size_log2);
        match new {
            Some(pages) => self.memory_grow(mem, pages << rec.page_size_log2),
            None => self.growth_failed(LimitRequest::MemoryFailed { at_maximum: true }),
        }
    }

    /// Grows a memory to `new_bytes`; false if its type, the limiter or the budget is against it.
    pub fn memory_grow(&mut self, mem: MemAddr, new_bytes: u64) -> bool {
        let rec = &self.memories[mem.0 as usize];
        let (id, max, limit) = (rec.id, rec.max_bytes, rec.limit_bytes);
        let current = self.arena.memory_len(id);
        if new_bytes < current || new_bytes > max.unwrap_or(limit).min(limit) {
            return self.growth_failed(LimitRequest::MemoryFailed { at_maximum: true });
        }
        let request = LimitRequest::Memory {
            current,
            desired: new_bytes,
            maximum: max,
        };
        if !self.allowed(request) {
            return false;
        }
        if new_bytes == current {
            return true;
        }
        let grown = self.arena.memory_grow(id, new_bytes).is_ok();
        self.refresh();
        grown || self.growth_failed(LimitRequest::MemoryFailed { at_maximum: false })
    }

    /// Copies bytes of a data segment of `inst` into a memory. Spec: exec-memory.init.
    ///
    /// # Errors
    /// If either range is not all inside.
    pub fn memory_init(
        &mut self,
        inst: InstAddr,
        data: u32,
        mem: MemAddr,
        d: u64,
        s: u64,
        n: u64,
    ) -> Result<(), Trap> {
        let i = &self.instances[inst.0 as usize];
        let bytes: &[u8] = if i.data_dropped[data as usize] {
            &[]
        } else {
            i.module.source().data(data)
        };
        let from: Range<u64> = s..s.checked_add(n).ok_or(Trap::MemoryOutOfBounds)?;
        let (ptr, len) = self.memory(mem);
        if from.end > bytes.len() as u64 || d.checked_add(n).is_none_or(|e| e > len) {
            return Err(Trap::MemoryOutOfBounds);
        }
        // SAFETY: I4, the range is inside the memory; the segment lies in host memory.
        unsafe {
            ptr.add(d as usize)
                .copy_from_nonoverlapping(bytes.as_ptr().add(s as usize), n as usize)
        };
        Ok(())
    }

    /// Puts bytes into a memory that a file holds too, which is mapped where that can be done.
    ///
    /// # Errors
    /// If they do not lie in the memory.
    ///
    /// # Safety
    /// - The file holds `bytes` from its place on.
    /// - Nothing changes or removes them there for as long as the store lives.
    pub unsafe fn memory_map(
        &mut self,
        mem: MemAddr,
        at: u64,
        bytes: &[u8],
        file: FilePlace,
    ) -> Result<(), Trap> {
        let id = self.memories[mem.0 as usize].id;
        // SAFETY: the caller's promise.
        unsafe { self.fill(id, at, bytes, Some(file)) }
    }

    /// Puts bytes into a memory of the arena; from the file, if there is one and it can be mapped.
    ///
    /// # Safety
    /// - As [`Vm::memory_map`].
    pub(crate) unsafe fn fill(
        &mut self,
        id: MemoryId,
        at: u64,
        bytes: &[u8],
        file: Option<FilePlace>,
    ) -> Result<(), Trap> {
        if let Some(file) = file {
            // SAFETY: A9, as the caller promises.
            let done = unsafe { self.arena.memory_map(id, at, bytes, file) };
            return done.map_err(|_| Trap::MemoryOutOfBounds);
        }
        self.write_bytes(id, at, bytes)
    }

    /// Copies bytes into a memory.
    ///
    /// # Errors
    /// If they do not lie in the memory.
    pub fn memory_write(&mut self, mem: MemAddr, at: u64, bytes: &[u8]) -> Result<(), Trap> {
        self.write_bytes(self.memories[mem.0 as usize].id, at, bytes)
    }

    fn write_bytes(&mut self, id: MemoryId, at: u64, bytes: &[u8]) -> Result<(), Trap> {
        usize::try_from(at)
            .ok()
            .and_then(|at| {
                self.arena
                    .memory_bytes_mut(id)
                    .get_mut(at..)?
                    .get_mut(..bytes.len())
            })
            .ok_or(Trap::MemoryOutOfBounds)?
            .copy_from_slice(bytes);
        Ok(())
    }

    /// Drops a data segment. Spec: exec-data.drop.
    pub fn data_drop(&mut self, inst: InstAddr, data: u32) {
        self.instances[inst.0 as usize].data_dropped[data as usize] = true;
    }
}
