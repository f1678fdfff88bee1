//! The block seen as bytes: the only place, beside the backends, where an offset meets an address.
//!
//! [`Space`] knows which parts of the block may be touched and hands out nothing else:
//!
//! ```text
//! base                heap_committed   heap_room   region.offset  +len  +committed  +room   span
//! │ accessible ────────────────┤ ········ ┤ ··· │ accessible ──────┤······┤ ··········┤ ··· │
//! ```
//!
//! Its fields are the authority that the bytes in the block are not. What to place where, and when,
//! is decided by its users, in safe code.
#![allow(
    unsafe_code,
    reason = "the one place where offsets become addresses; upholds A2 to A5"
)]

use crate::backend::{Block, FilePlace};
use crate::layout::{HEADER_BYTES, Header, MAX_HEAP_BYTES, MEMORY_ALIGN, OBJECT_ALIGN};
use crate::{ArenaError, Backend, Offset};
use alloc::vec::Vec;
use bytemuck::{PodInOption, ZeroableInOption};
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;

// SAFETY: A7, `Offset` is a transparent `NonZeroU32`, whose `None` is all zeroes.
unsafe impl<T> ZeroableInOption for Offset<T> {}
// SAFETY: A7, likewise, and each other bit pattern is an offset.
unsafe impl<T: 'static> PodInOption for Offset<T> {}

/// The block, and which parts of it may be touched.
pub(crate) struct Space {
    base: NonNull<u8>,
    /// A2: bytes from the base that are committed, `HEADER_BYTES` at least.
    heap_committed: u64,
    /// Bytes from the base that are set aside for the heap.
    heap_room: u64,
    /// A3: in the order of their offsets.
    regions: Vec<Region>,
    block: Block,
    generation: u64,
}

/// Where a linear memory lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    offset: u64,
    len: u64,
    committed: u64,
    room: u64,
    max: u64,
}

impl Region {
    /// Bytes in the memory.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes set aside for it.
    pub(crate) fn room(&self) -> u64 {
        self.room
    }

    /// Bytes it may grow to, in this block or another.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }
}

/// A size for a part of a block.
pub(crate) fn round_up(bytes: u64) -> Result<u64, ArenaError> {
    bytes
        .checked_next_multiple_of(MEMORY_ALIGN)
        .ok_or(ArenaError::TooLarge)
}

/// How far to commit: to `needed`, and beyond in doubling steps of at most 64 MiB, so that a part
/// that grows by little costs few system calls.
fn commit_target(committed: u64, needed: u64, room: u64) -> Result<u64, ArenaError> {
    let ahead = committed.saturating_add(committed.min(64 << 20)).min(room);
    round_up(needed.max(ahead))
}

impl Space {
    /// A block with the first bytes of the heap committed, and an empty header.
    ///
    /// All arguments are multiples of `MEMORY_ALIGN`, and `heap_first <= heap_room <= span`.
    pub(crate) fn new(
        backend: Backend,
        heap_first: u64,
        heap_room: u64,
        span: u64,
    ) -> Result<Self, ArenaError> {
        let mut block = Block::reserve(backend, span)?;
        block.commit(0, heap_first)?;
        let (base, regions) = (block.base(), Vec::new());
        let mut space = Self {
            base,
            heap_committed: heap_first,
            heap_room,
            regions,
            block,
            generation: 0,
        };
        *space.header_mut() = Header::empty();
        Ok(space)
    }

    /// The first address of the block.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// How often the block has moved.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Where the bytes come from.
    pub(crate) fn backend(&self) -> Backend {
        self.block.backend()
    }

    /// Length of the block.
    pub(crate) fn span(&self) -> u64 {
        self.block.span()
    }

    /// Bytes of the heap that are accessible.
    #[inline]
    pub(crate) fn heap_committed(&self) -> u64 {
        self.heap_committed
    }

    /// Bytes set aside for the heap.
    pub(crate) fn heap_room(&self) -> u64 {
        self.heap_room
    }

    /// All memories.
    #[inline]
    pub(crate) fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The header page.
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: A2, the header page is always committed; A1, the base is aligned; any bytes are a
        // `Header`; A5, nobody writes while the reference lives.
        unsafe { self.base.cast::<Header>().as_ref() }
    }

    /// The header page.
    #[inline]
    pub(crate) fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`, and A5, nobody else reads or writes while the reference lives.
        unsafe { self.base.cast::<Header>().as_mut() }
    }

    /// The address of `len` accessible bytes of the heap.
    #[inline]
    pub(crate) fn heap_ptr(&self, offset: u32, len: u32) -> Result<NonNull<u8>, ArenaError> {
        match offset.checked_add(len) {
            // SAFETY: A2, the heap is committed up to `end`, which is no less than `offset`.
            Some(end) if u64::from(end) <= self.heap_committed => unsafe {
                Ok(self.base.add(offset as usize))
            },
            _ => Err(ArenaError::OutOfBounds),
        }
    }

    /// `len` accessible bytes of the heap.
    #[inline]
    pub(crate) fn heap(&self, offset: u32, len: u32) -> Result<&[u8], ArenaError> {
        let start = self.heap_ptr(offset, len)?;
        // SAFETY: A2, by `heap_ptr`; A5, nobody writes while the reference lives.
        Ok(unsafe { slice::from_raw_parts(start.as_ptr(), len as usize) })
    }

    /// `len` accessible bytes of the heap.
    #[inline]
    pub(crate) fn heap_mut(&mut self, offset: u32, len: u32) -> Result<&mut [u8], ArenaError> {
        let start = self.heap_ptr(offset, len)?;
        // SAFETY: A2, by `heap_ptr`; A5, nobody else reads or writes while the reference lives.
        Ok(unsafe { slice::from_raw_parts_mut(start.as_ptr(), len as usize) })
    }

    /// The address of a memory. Panics if there is no such memory.
    #[inline]
    pub(crate) fn memory_ptr(&self, index: usize) -> NonNull<u8> {
        let region = &self.regions[index];
        // SAFETY: A3, the region lies within the block.
        unsafe { self.base.add(region.offset as usize) }
    }

    /// The bytes of a memory. Panics if there is no such memory.
    pub(crate) fn memory(&self, index: usize) -> &[u8] {
        let (start, len) = (self.memory_ptr(index), self.regions[index].len as usize);
        // SAFETY: A3, the region is committed up to its length; A5, nobody writes while the
        // reference lives.
        unsafe { slice::from_raw_parts(start.as_ptr(), len) }
    }

    /// The bytes of a memory. Panics if there is no such memory.
    pub(crate) fn memory_mut(&mut self, index: usize) -> &mut [u8] {
        let (start, len) = (self.memory_ptr(index), self.regions[index].len as usize);
        // SAFETY: A3, as in `memory`; A5, nobody else reads or writes while the reference lives.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), len) }
    }

    /// Puts `bytes` into a memory from `at` on, mapping whole pages from the file that holds them too where that can be done. Panics if there is no such memory.
    ///
    /// # Safety
    ///
    /// - The file holds `bytes` from its place on.
    /// - Nothing changes or removes them there for as long as this block is used.
    pub(crate) unsafe fn fill_from_file(
        &mut self,
        index: usize,
        at: u64,
        bytes: &[u8],
        file: FilePlace,
    ) -> Result<(), ArenaError> {
        let region = self.regions[index];
        let end = at.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > region.len) {
            return Err(ArenaError::OutOfBounds);
        }
        let mut done = 0;
        let unit = self.block.map_unit();
        if at.is_multiple_of(unit) && file.offset.is_multiple_of(unit) {
            let whole = bytes.len() as u64 / unit * unit;
            let start = region.offset + at;
            // SAFETY: A9, as the caller promises; A3, the range is committed.
            if whole > 0 && unsafe { self.block.map(start, start + whole, file) } {
                done = whole as usize;
            }
        }
        self.memory_mut(index)[at as usize..][done..bytes.len()].copy_from_slice(&bytes[done..]);
        Ok(())
    }

    /// Makes the heap accessible up to `end` at least. It must fit in the heap's room.
    pub(crate) fn commit_heap(&mut self, end: u64) -> Result<(), ArenaError> {
        if end > self.heap_committed {
            assert!(end <= self.heap_room);
            let target = commit_target(self.heap_committed, end, self.heap_room)?;
            self.block.commit(self.heap_committed, target)?;
            self.heap_committed = target;
        }
        Ok(())
    }

    /// Where the next memory may go.
    fn first_unused(&self) -> u64 {
        self.regions
            .last()
            .map_or(self.heap_room, |last| last.offset + last.room)
    }

    /// Bytes of the block that are not set aside for anything.
    pub(crate) fn unused(&self) -> u64 {
        self.span() - self.first_unused()
    }

    /// Adds a memory without bytes, with `room`, a multiple of `MEMORY_ALIGN`, to grow.
    pub(crate) fn push_region(&mut self, room: u64, max: u64) -> Result<(), ArenaError> {
        let offset = self.first_unused();
        if self.unused() < room {
            return Err(ArenaError::OutOfMemory);
        }
        self.regions
            .try_reserve(1)
            .map_err(|_| ArenaError::OutOfMemory)?;
        self.regions.push(Region {
            offset,
            len: 0,
            committed: 0,
            room,
            max,
        });
        Ok(())
    }

    /// Takes the last memory away again, if nothing in it was used.
    pub(crate) fn pop_region(&mut self) {
        self.regions.pop_if(|region| region.committed == 0);
    }

    /// Gives the last memory up to `room` bytes of what lies unused behind it.
    pub(crate) fn extend_last(&mut self, room: u64) {
        let span = self.span();
        debug_assert!(room.is_multiple_of(MEMORY_ALIGN) || room > span);
        if let Some(last) = self.regions.last_mut() {
            last.room = room.min(span - last.offset).max(last.room);
        }
    }

    /// Makes a memory `len` bytes long, no shorter than it is and within its room; new bytes are 0.
    #[inline]
    pub(crate) fn set_memory_len(&mut self, index: usize, len: u64) -> Result<(), ArenaError> {
        let region = &mut self.regions[index];
        assert!(region.len <= len && len <= region.room);
        if len > region.committed {
            let target = commit_target(region.committed, len, region.room)?;
            self.block
                .commit(region.offset + region.committed, region.offset + target)?;
            region.committed = target;
        }
        region.len = len;
        Ok(())
    }

    /// Moves everything to a new block, with `heap_room` for the heap, `room(index, region)` for each
    /// memory, and `unused` bytes behind.
    ///
    /// Of the heap, what lies below `heap_end` is kept; of a memory, its length.
    pub(crate) fn rebuild(
        &mut self,
        heap_end: u32,
        heap_room: u64,
        unused: u64,
        room: impl Fn(usize, &Region) -> u64,
    ) -> Result<(), ArenaError> {
        let heap_room = round_up(heap_room.max(self.heap_committed))?;
        let mut regions = Vec::new();
        regions
            .try_reserve(self.regions.len() + 1)
            .map_err(|_| ArenaError::OutOfMemory)?;
        let mut end = heap_room;
        for (index, old) in self.regions.iter().enumerate() {
            let room = round_up(room(index, old).max(old.len))?;
            regions.push(Region {
                offset: end,
                committed: round_up(old.len)?,
                room,
                ..*old
            });
            end = end.checked_add(room).ok_or(ArenaError::TooLarge)?;
        }

        let span = end.checked_add(unused).ok_or(ArenaError::TooLarge)?;
        let mut block = Block::reserve(self.backend(), round_up(span)?)?;
        block.commit(0, self.heap_committed)?;
        for region in &regions {
            block.commit(region.offset, region.offset + region.committed)?;
        }
        let heap_len = u64::from(heap_end.max(HEADER_BYTES)).min(self.heap_committed);
        self.copy_to(&block, 0..heap_len, 0);
        for (old, new) in self.regions.iter().zip(&regions) {
            self.copy_to(&block, old.offset..old.offset + old.len, new.offset);
        }

        self.base = block.base();
        self.block = block;
        self.heap_room = heap_room;
        self.regions = regions;
        self.generation += 1;
        Ok(())
    }

    /// A second block with the same heap up to `heap_end`, and memories of the same lengths, which are zero.
    ///
    /// A small one gets less room to grow without moving: to give addresses back, the system looks through all of them
    /// that lie in the same gigabyte as something that was used, which takes longer than all else.
    pub(crate) fn fork(&self, heap_end: u32) -> Result<Self, ArenaError> {
        const SMALL: u64 = 16 << 20;
        let is_small = self.backend() == Backend::Reserved
            && self.regions.iter().all(|region| region.committed <= SMALL);
        let room = |committed: u64, least: u64, room: u64| match is_small {
            true => (4 * committed).max(least).min(room),
            false => room,
        };
        let heap_room = room(self.heap_committed, 2 << 20, self.heap_room);
        let mut regions = self.regions.clone();
        let mut end = heap_room;
        for region in &mut regions {
            region.offset = end;
            region.room = room(region.committed, SMALL, region.room);
            end += region.room;
        }
        let unused = if is_small { 0 } else { self.unused() };
        let mut block = Block::reserve(self.backend(), end + unused)?;
        block.commit(0, self.heap_committed)?;
        for region in &regions {
            block.commit(region.offset, region.offset + region.committed)?;
        }
        let heap_len = u64::from(heap_end.max(HEADER_BYTES)).min(self.heap_committed);
        self.copy_to(&block, 0..heap_len, 0);
        Ok(Self {
            base: block.base(),
            heap_committed: self.heap_committed,
            heap_room,
            regions,
            block,
            generation: 0,
        })
    }

    /// Copies committed bytes to committed bytes of `block` that are still zero.
    fn copy_to(&self, block: &Block, from: Range<u64>, to: u64) {
        /// Pages full of zeroes are not written, so that they need not become real.
        const PAGE: usize = 4096;
        static ZEROES: [u8; PAGE] = [0; PAGE];
        assert!(from.end <= self.span() && to + (from.end - from.start) <= block.span());
        // SAFETY: A1, both lie in their blocks, as asserted.
        let (source, target) = unsafe {
            (
                self.base.add(from.start as usize),
                block.base().add(to as usize),
            )
        };
        // SAFETY: A4, both ranges are committed, in blocks that do not overlap; A5.
        let (source, target) = unsafe {
            let len = (from.end - from.start) as usize;
            let target = slice::from_raw_parts_mut(target.as_ptr(), len);
            (slice::from_raw_parts(source.as_ptr(), len), target)
        };
        for (source, target) in source.chunks(PAGE).zip(target.chunks_mut(PAGE)) {
            if source != &ZEROES[..source.len()] {
                target.copy_from_slice(source);
            }
        }
    }
}

const _: () = {
    assert!(align_of::<Header>() <= OBJECT_ALIGN as usize);
    assert!(HEADER_BYTES as u64 <= MEMORY_ALIGN);
    assert!((MAX_HEAP_BYTES as u64) < u32::MAX as u64);
};

// SAFETY: A6, `base` points into `block`, which may be sent.
unsafe impl Send for Space {}
// SAFETY: A6, a shared reference only reads.
unsafe impl Sync for Space {}
