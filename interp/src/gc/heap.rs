//! Where objects get their bytes from.
//!
//! ```text
//!   0        32 KiB      64 KiB
//!   │ block 0   │ block 1   │ …                                          heap_len
//!   │·│a a b│···│c│··bump►──limit│        · free granule (16 bytes)
//! ```
//!
//! The heap is blocks of 32 KiB, and a bit for each granule says whether what survived the last collection covers it.
//! Small objects are bumped into *runs* of free granules: first those between survivors, then blocks that are free as a
//! whole, then blocks that the heap grows by. An object too large for half a block takes whole blocks in a row.
//! Nothing moves. Bytes are zeroed a run at a time, and only if they were ever used.
#![allow(
    unsafe_code,
    reason = "derives pointers into the heap's memory and zeroes free runs"
)]

use crate::gc::types::GRANULE;
use crate::store::LimitRequest;
use crate::trap::Trap;
use crate::vm::Vm;

/// Bytes of a block.
pub(crate) const BLOCK: u32 = 32 << 10;
/// Granules of a block.
pub(crate) const BLOCK_GRANULES: u32 = BLOCK / GRANULE;
/// Words of a block's bits.
pub(crate) const BLOCK_WORDS: usize = BLOCK_GRANULES as usize / 64;

/// Larger objects take whole blocks.
const LARGE: u32 = BLOCK / 2;

/// Smaller holes between survivors are left alone, unless memory is short.
const MIN_HOLE: u32 = 64;

/// Larger objects do not end the current run if they do not fit in it.
const MEDIUM: u32 = 256;

/// The heap grows by multiples of this.
const STEP: u64 = 64 << 10;

/// The heap is never longer than this, so that `reference - 1 + offset` shows null by one compare (G1).
const MAX_BYTES: u64 = (1 << 32) - STEP;

/// Bytes handed out before the first collection, and at least between any two.
const MIN_BUDGET: u64 = if cfg!(miri) { 64 << 10 } else { 4 << 20 };

/// What a block is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Block {
    /// Nothing lives in it.
    Free,
    /// Survivors with holes between them, which nobody got yet.
    Holes,
    /// Handed out since the last collection, or full of survivors.
    Taken,
}

/// Which bytes of the heap are free. All of it is rebuilt by each collection.
#[derive(Debug)]
pub(crate) struct Space {
    /// A bit a granule: survivors of the last collection.
    pub(crate) marks: Vec<u64>,
    pub(crate) blocks: Vec<Block>,
    /// No block below is free.
    first_free: usize,
    /// Holes are looked for from this granule on; below, they are used up.
    next_granule: u32,
    /// The run for objects that did not fit into the rest of the current one.
    spare: (u32, u32),
    /// From here on the heap is as the arena gave it: zero.
    fresh: u32,
    /// A collection has found the holes between survivors; or there never were any.
    swept: bool,
    /// Bytes that may still be handed out before the next collection.
    budget: u64,
    /// Bytes handed out since the last collection, but for the rest of the current run.
    pub(crate) handed_out: u64,
}

impl Default for Space {
    fn default() -> Space {
        Space {
            marks: Vec::new(),
            blocks: Vec::new(),
            first_free: 0,
            next_granule: 0,
            spare: (0, 0),
            fresh: 0,
            swept: true,
            budget: 0,
            handed_out: 0,
        }
    }
}

impl Space {
    /// The same of a copy of the heap.
    pub(crate) fn fork(&self) -> Space {
        // Before the first collection no bit is set; the system has zeros that nobody need touch.
        let marks = if self.swept {
            self.marks.clone()
        } else {
            vec![0; self.marks.len()]
        };
        Space {
            marks,
            blocks: self.blocks.clone(),
            ..*self
        }
    }

    /// After a collection that found `live` bytes and set `blocks` anew.
    pub(crate) fn start_over(&mut self, live: u64) {
        self.first_free = 0;
        self.next_granule = 0;
        self.spare = (0, 0);
        self.handed_out = 0;
        self.budget = live.max(MIN_BUDGET);
        self.swept = true;
    }

    /// What was free may have been written to.
    pub(crate) fn nothing_is_fresh(&mut self) {
        self.fresh = u32::MAX;
    }

    /// From here on nobody wrote anything.
    pub(crate) fn fresh(&self) -> u32 {
        self.fresh
    }

    /// The heap was made with `live` bytes of objects in it; where free bytes lie between them, nobody has looked yet.
    pub(crate) fn not_swept(&mut self, live: u64) {
        self.start_over(live);
        self.nothing_is_fresh();
        self.swept = false;
    }

    /// The collection that is due cannot be done: the next is when as much as `live` bytes more have been handed out.
    pub(crate) fn put_off(&mut self, live: u64) {
        self.budget = live.max(MIN_BUDGET);
    }

    /// Whether an object at that offset survived.
    pub(crate) fn is_marked(&self, at: u32) -> bool {
        let granule = at / GRANULE;
        let word = self.marks.get((granule / 64) as usize);
        word.is_some_and(|w| w >> (granule % 64) & 1 != 0)
    }

    fn grown(&mut self, len: u64) {
        let blocks = (len / u64::from(BLOCK)) as usize;
        self.blocks.resize(blocks, Block::Free);
        if self.marks.is_empty() {
            // The system has zeros that nobody need touch.
            self.marks = vec![0; blocks * BLOCK_WORDS];
        }
        self.marks.resize(blocks * BLOCK_WORDS, 0);
    }

    /// The next hole of at least `min` bytes among survivors.
    fn hole(&mut self, min: u32) -> Option<(u32, u32)> {
        let want = min / GRANULE;
        let mut at = self.next_granule;
        loop {
            let block = (at / BLOCK_GRANULES) as usize;
            match self.blocks.get(block) {
                None => {
                    self.next_granule = at;
                    return None;
                }
                Some(Block::Holes) => {}
                Some(_) => {
                    at = (block as u32 + 1) * BLOCK_GRANULES;
                    continue;
                }
            }
            let end = (block as u32 + 1) * BLOCK_GRANULES;
            while at < end {
                let from = self.next_bit(at, end, false);
                let to = self.next_bit(from, end, true);
                at = to;
                if to - from >= want {
                    self.next_granule = to;
                    if to == end {
                        self.blocks[block] = Block::Taken;
                    }
                    return Some((from * GRANULE, to * GRANULE));
                }
            }
            self.blocks[block] = Block::Taken;
        }
    }

    /// The first granule from `at` on, below `end`, whose bit is `set`; `end` if there is none.
    pub(crate) fn next_bit(&self, at: u32, end: u32, set: bool) -> u32 {
        let mut at = at;
        while at < end {
            let word = self.marks[(at / 64) as usize];
            let word = (if set { word } else { !word }) >> (at % 64);
            if word != 0 {
                return (at + word.trailing_zeros()).min(end);
            }
            at = (at / 64 + 1) * 64;
        }
        end
    }

    /// Takes `n` free blocks in a row.
    fn free_blocks(&mut self, n: usize) -> Option<u32> {
        let mut from = self.first_free;
        let mut first = true;
        loop {
            let start = from
                + self
                    .blocks
                    .get(from..)?
                    .iter()
                    .position(|b| *b == Block::Free)?;
            if core::mem::take(&mut first) {
                self.first_free = start;
            }
            let run = self.blocks.get(start..start + n)?;
            match run.iter().rposition(|b| *b != Block::Free) {
                Some(taken) => from = start + taken + 1,
                None => {
                    self.blocks[start..start + n].fill(Block::Taken);
                    if start == self.first_free {
                        self.first_free += n;
                    }
                    return Some(start as u32 * BLOCK);
                }
            }
        }
    }

    /// How many blocks the heap must get for `n` in a row.
    fn missing_blocks(&self, n: usize) -> usize {
        let free = self.blocks.iter().rev();
        let tail = free.take_while(|b| **b == Block::Free).count();
        n.saturating_sub(tail)
    }
}

impl Vm {
    /// Takes the heap's place anew, after the arena moved or the heap grew.
    pub(crate) fn place_heap(&mut self) {
        (self.gc_base, self.gc_len) = match self.gc.memory {
            Some(id) => (self.arena.memory_ptr(id), self.arena.memory_len(id)),
            None => (core::ptr::NonNull::dangling().as_ptr(), 0),
        };
    }

    /// Counts bytes outside of the heap that a collection may free.
    pub(crate) fn charge(&mut self, bytes: u32) {
        let budget = &mut self.gc.space.budget;
        *budget = budget.saturating_sub(bytes.into());
        if *budget == 0 {
            // The next object asks whether a collection is due.
            self.gc_limit = self.gc_bump;
        }
    }

    /// `bytes` zeros, a multiple of a granule.
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
    #[inline(never)]
    fn gc_alloc_slow(&mut self, bytes: u32) -> Result<u32, Trap> {
        if self.gc.memory.is_none() {
            self.gc.space.budget = MIN_BUDGET;
            self.grow_heap_by(1)?;
            // Granule 0 is nobody's: offset 0 is null.
            (self.gc_bump, self.gc_limit) = (GRANULE, BLOCK);
            self.gc.space.blocks[0] = Block::Taken;
            self.gc.space.first_free = 1;
            self.gc.space.fresh = BLOCK;
            if !self.gc.stress {
                return self.gc_alloc(bytes);
            }
        }
        let mut due = self.gc.stress || self.gc.space.budget == 0;
        if due {
            self.collect_if_possible();
        }
        if let Some(at) = self.take_run(bytes, MIN_HOLE) {
            return Ok(at);
        }
        if !due && !self.gc.space.swept {
            // Rather than that the heap grows beside its holes each time it is restored.
            due = true;
            self.collect_if_possible();
            if let Some(at) = self.take_run(bytes, MIN_HOLE) {
                return Ok(at);
            }
        }
        let grown = self.grow_for(bytes);
        if grown == Err(Trap::AllocationTooLarge) {
            // The embedder wants the guest to end.
            return Err(Trap::AllocationTooLarge);
        }
        if let Some(at) = self.take_run(bytes, GRANULE) {
            return Ok(at);
        }
        if !due {
            self.collect_if_possible();
        }
        self.take_run(bytes, GRANULE).ok_or(Trap::GcHeapOutOfMemory)
    }

    /// Bytes of what the heap has free. Small ones also give the handlers a new run.
    fn take_run(&mut self, bytes: u32, min_hole: u32) -> Option<u32> {
        if bytes > LARGE {
            let n = bytes.div_ceil(BLOCK);
            let at = self.gc.space.free_blocks(n as usize)?;
            self.hand_out(at, at + n * BLOCK, bytes);
            return Some(at);
        }
        if bytes > MEDIUM {
            let (at, end) = self.gc.space.spare;
            if bytes <= end - at {
                self.gc.space.spare = (at + bytes, end);
                return Some(at);
            }
            let at = self.gc.space.free_blocks(1)?;
            self.hand_out(at, at + BLOCK, BLOCK);
            self.gc.space.spare = (at + bytes, at + BLOCK);
            return Some(at);
        }
        let space = &mut self.gc.space;
        let (at, end) = match space.hole(bytes.max(min_hole)) {
            Some(hole) => hole,
            None => {
                let at = space.free_blocks(1)?;
                (at, at + BLOCK)
            }
        };
        if self.gc.stress {
            self.hand_out(at, end, bytes);
            (self.gc_bump, self.gc_limit) = (at + bytes, at + bytes);
        } else {
            self.hand_out(at, end, end - at);
            (self.gc_bump, self.gc_limit) = (at + bytes, end);
        }
        Some(at)
    }

    /// Counts bytes that are taken, and zeroes the first `zeros` of them.
    fn hand_out(&mut self, at: u32, end: u32, zeros: u32) {
        let space = &mut self.gc.space;
        let bytes = u64::from(end - at);
        space.budget = space.budget.saturating_sub(bytes);
        space.handed_out += bytes;
        let used = space.fresh.saturating_sub(at).min(zeros);
        space.fresh = space.fresh.max(end);
        if used > 0
            && let Some(p) = self.object_bytes(at, 0, used.into())
        {
            // SAFETY: G1, just checked.
            unsafe { p.write_bytes(0, used as usize) };
        }
    }

    /// Makes room for an object of that size.
    fn grow_for(&mut self, bytes: u32) -> Result<(), Trap> {
        let n = if bytes > LARGE {
            bytes.div_ceil(BLOCK) as usize
        } else {
            1
        };
        self.grow_heap_by(self.gc.space.missing_blocks(n))
    }

    /// Makes the heap longer by at least `blocks`.
    fn grow_heap_by(&mut self, blocks: usize) -> Result<(), Trap> {
        let len = self.gc_len;
        let least = (len + blocks as u64 * u64::from(BLOCK)).next_multiple_of(STEP);
        if least > MAX_BYTES {
            return Err(Trap::GcHeapOutOfMemory);
        }
        let generous = (len + len / 4).next_multiple_of(STEP).min(MAX_BYTES);
        if generous > least && self.grow_heap_to(generous).is_ok() {
            return Ok(());
        }
        self.grow_heap_to(least)
    }

    pub(crate) fn grow_heap_to(&mut self, new: u64) -> Result<(), Trap> {
        let request = LimitRequest::Memory {
            current: self.gc_len,
            desired: new,
            maximum: Some(MAX_BYTES),
        };
        if !self.allowed(request) {
            return Err(if self.limit_failed {
                Trap::AllocationTooLarge
            } else {
                Trap::GcHeapOutOfMemory
            });
        }
        let grown = match self.gc.memory {
            None => match self.arena.memory_new(new, MAX_BYTES) {
                Ok(id) => {
                    self.gc.memory = Some(id);
                    Ok(())
                }
                Err(e) => Err(e),
            },
            Some(id) => self.arena.memory_grow(id, new),
        };
        grown.map_err(|_| Trap::GcHeapOutOfMemory)?;
        self.refresh();
        self.place_heap();
        self.gc.space.grown(self.gc_len);
        Ok(())
    }
}
