//! Objects in the VM heap: allocated by size class, freed to lists that lie in the heap itself.
//!
//! Free lists, the end of the heap and the count of live bytes are data in the block. Each offset
//! read from there is checked before it is used, so a corrupt one costs an object or an error.

use crate::layout::{
    HEADER_BYTES, MAX_HEAP_BYTES, OBJECT_ALIGN, SIZE_CLASSES, class_bytes, class_of,
};
use crate::{Arena, ArenaError, Offset, Plain, U32};

impl Arena {
    /// Allocates an object: zeroed, aligned to 16, in a block of its size class.
    ///
    /// # Errors
    ///
    /// If the budget, the heap's 4 GiB or the system's memory is used up.
    #[inline]
    pub fn alloc(&mut self, size_bytes: u32) -> Result<Offset<u8>, ArenaError> {
        let class = class_of(size_bytes).ok_or(ArenaError::HeapFull)?;
        let bytes = class_bytes(class);
        if self.space.header().free[class] != U32::ZERO
            && let Some(object) = self.take_free(class)
        {
            self.space.heap_mut(object.get(), bytes)?.fill(0);
            return Ok(self.now_live(object, bytes));
        }
        let header = self.space.header_mut();
        let start = header.heap_end.get();
        let end = u64::from(start) + u64::from(bytes);
        if end <= self.heap_limit && is_object(start) {
            header.heap_end.set(end as u32);
            if let Some(object) = Offset::new(start) {
                return Ok(self.now_live(object, bytes));
            }
        }
        self.alloc_slow(class)
    }

    /// Allocates an object and writes `value` to it.
    ///
    /// # Errors
    ///
    /// As for [`alloc`](Self::alloc).
    pub fn alloc_value<T: Plain>(&mut self, value: T) -> Result<Offset<T>, ArenaError> {
        let size_bytes = u32::try_from(size_of::<T>()).map_err(|_| ArenaError::HeapFull)?;
        let object = self.alloc(size_bytes)?.cast();
        self.write(object, value)?;
        Ok(object)
    }

    /// Frees an object that was allocated with the same size, or another of the same size class.
    ///
    /// Freeing what is no object is not noticed, but can do no harm outside the heap: an offset
    /// that cannot be an object's is ignored.
    #[inline]
    pub fn free(&mut self, object: Offset<u8>, size_bytes: u32) {
        let Some(class) = class_of(size_bytes) else {
            return;
        };
        let bytes = class_bytes(class);
        if self.push_free(object.get(), class) {
            let live_bytes = &mut self.space.header_mut().live_bytes;
            live_bytes.set(live_bytes.get().saturating_sub(bytes));
        }
    }

    /// Gives an object another size. It keeps its place if its size class stays the same, else it is
    /// moved to a new one. New bytes are zero.
    ///
    /// # Errors
    ///
    /// As for [`alloc`](Self::alloc), and if the object does not lie in the heap. It is unchanged
    /// then.
    pub fn realloc(
        &mut self,
        object: Offset<u8>,
        old_bytes: u32,
        new_bytes: u32,
    ) -> Result<Offset<u8>, ArenaError> {
        let old_class = class_of(old_bytes).ok_or(ArenaError::OutOfBounds)?;
        let new_class = class_of(new_bytes).ok_or(ArenaError::HeapFull)?;
        if old_class == new_class {
            self.space.heap_mut(object.get(), class_bytes(old_class))?
                [old_bytes.min(new_bytes) as usize..]
                .fill(0);
            return Ok(object);
        }
        self.space.heap(object.get(), old_bytes)?;
        let moved = self.alloc(new_bytes)?;
        self.copy_within(object, moved, old_bytes.min(new_bytes))?;
        self.free(object, old_bytes);
        Ok(moved)
    }

    #[inline]
    fn now_live(&mut self, object: Offset<u8>, bytes: u32) -> Offset<u8> {
        let live_bytes = &mut self.space.header_mut().live_bytes;
        live_bytes.set(live_bytes.get().saturating_add(bytes));
        object
    }

    /// Takes the first block off a free list. A list that leads astray is dropped.
    #[inline]
    fn take_free(&mut self, class: usize) -> Option<Offset<u8>> {
        let first = self.space.header().free[class].get();
        let next = match self.space.heap(first, class_bytes(class)) {
            Ok(block) if is_object(first) => bytemuck::pod_read_unaligned(&block[..4]),
            _ => {
                self.space.header_mut().free[class] = U32::ZERO;
                return None;
            }
        };
        self.space.header_mut().free[class] = next;
        Offset::new(first)
    }

    /// Puts a block at the front of a free list; `false` if it cannot be a block.
    #[inline]
    fn push_free(&mut self, block: u32, class: usize) -> bool {
        let next = self.space.header().free[class];
        match self.space.heap_mut(block, class_bytes(class)) {
            Ok(bytes) if is_object(block) => bytes[..4].copy_from_slice(bytemuck::bytes_of(&next)),
            _ => return false,
        }
        self.space.header_mut().free[class].set(block);
        true
    }

    /// Makes the accessible heap larger, or divides a larger free block if that cannot be.
    #[cold]
    fn alloc_slow(&mut self, class: usize) -> Result<Offset<u8>, ArenaError> {
        let bytes = class_bytes(class);
        let start = self.space.header().heap_end.get();
        if !is_object(start) || u64::from(start) > self.space.heap_committed() {
            return Err(ArenaError::Corrupt);
        }
        let end = u64::from(start) + u64::from(bytes);
        match self.grow_heap(end) {
            Ok(()) => self.space.header_mut().heap_end.set(end as u32),
            Err(error) => return self.divide_free(class).ok_or(error),
        }
        let object = Offset::new(start).ok_or(ArenaError::Corrupt)?;
        Ok(self.now_live(object, bytes))
    }

    /// Makes the heap accessible up to `end`, in a new block if need be.
    fn grow_heap(&mut self, end: u64) -> Result<(), ArenaError> {
        if end > u64::from(MAX_HEAP_BYTES) {
            return Err(ArenaError::HeapFull);
        }
        if end > self.budget_bytes.saturating_sub(self.memory_bytes) {
            return Err(ArenaError::Budget);
        }
        let heap_room = self.space.heap_room();
        if end > heap_room {
            let (heap_end, unused) = (self.heap_len(), self.space.unused());
            let generous = end.max(2 * heap_room).min(4 << 30);
            let mut rebuild = |room| {
                self.space
                    .rebuild(heap_end, room, unused, |_, region| region.room())
            };
            rebuild(generous).or_else(|_| rebuild(end))?;
        }
        let committed = self.space.commit_heap(end);
        self.update_heap_limit();
        committed
    }

    /// Takes the smallest larger block that is free, and frees what is left of it in pieces.
    fn divide_free(&mut self, class: usize) -> Option<Offset<u8>> {
        let bytes = class_bytes(class);
        let (object, larger) =
            (class + 1..SIZE_CLASSES).find_map(|larger| Some((self.take_free(larger)?, larger)))?;
        let end = object.get() + class_bytes(larger);
        let mut rest = object.get() + bytes;
        while rest < end {
            // The largest class that is no larger than the rest.
            let piece = class_of(end - rest).filter(|&class| class_bytes(class) == end - rest);
            let piece = piece.or_else(|| class_of(end - rest)?.checked_sub(1))?;
            self.push_free(rest, piece);
            rest += class_bytes(piece);
        }
        self.space.heap_mut(object.get(), bytes).ok()?.fill(0);
        Some(self.now_live(object, bytes))
    }
}

/// Whether an object could begin here.
#[inline]
fn is_object(offset: u32) -> bool {
    offset >= HEADER_BYTES && offset.is_multiple_of(OBJECT_ALIGN)
}
