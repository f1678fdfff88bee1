//! A collection: roots, marking, what died.
#![allow(unsafe_code, reason = "lends the heap to the marker")]

use std::time::{Duration, Instant};

use crate::gc::heap::{BLOCK, BLOCK_WORDS, Block};
use crate::gc::mark::Marker;
use crate::gc::types::GRANULE;
use crate::module::SourceError;
use crate::vm::Vm;

/// What the collector has done so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct GcStats {
    /// Collections.
    pub collections: u64,
    /// Bytes that survived the last one.
    pub live_bytes: u64,
    /// Objects that survived the last one.
    pub live_objects: u64,
    /// How long the last one took. Nothing runs meanwhile.
    pub last_pause: Duration,
    /// The longest one.
    pub longest_pause: Duration,
    /// All together.
    pub total_pause: Duration,
    /// Bytes of the heap, free ones included.
    pub heap_bytes: u64,
    /// Bytes given to objects since the store was made, holes that were too small included.
    pub allocated_bytes: u64,
}

impl Vm {
    /// Frees the objects that nothing refers to.
    ///
    /// # Errors
    /// If it cannot be found out where the references of a frame are. Nothing is freed then.
    pub fn gc(&mut self) -> Result<(), SourceError> {
        if self.gc.memory.is_none() {
            return Ok(());
        }
        let begun = Instant::now();
        self.gc.roots.trim();
        let roots = self.all_roots()?;
        let (live, objects) = self.mark(&roots)?;
        let live = live + self.end_unreached_stacks();
        self.bury_externs();
        self.classify_blocks();
        if self.gc.stress {
            self.poison();
        }
        let gc = &mut self.gc;
        gc.stats.allocated_bytes += gc.space.handed_out;
        gc.space.start_over(live);
        (self.gc_bump, self.gc_limit) = (0, 0);
        let pause = begun.elapsed();
        let stats = &mut gc.stats;
        stats.collections += 1;
        (stats.live_bytes, stats.live_objects) = (live, objects);
        stats.last_pause = pause;
        stats.longest_pause = stats.longest_pause.max(pause);
        stats.total_pause += pause;
        Ok(())
    }

    /// As [`Vm::gc`]; if it cannot be done, the heap grows instead, as long as it may.
    pub(crate) fn collect_if_possible(&mut self) {
        if let Err(error) = self.gc() {
            let live = self.gc.stats.live_bytes + self.gc.space.handed_out;
            self.gc.space.put_off(live);
            self.gc.failed = Some(error);
        }
    }

    /// Why an allocation could not collect, the last time that this happened.
    pub fn take_gc_error(&mut self) -> Option<SourceError> {
        self.gc.failed.take()
    }

    /// What the collector has done so far.
    pub fn gc_stats(&self) -> GcStats {
        GcStats {
            heap_bytes: self.gc_len,
            allocated_bytes: self.gc.stats.allocated_bytes + self.gc.space.handed_out
                - u64::from(self.gc_limit - self.gc_bump),
            ..self.gc.stats
        }
    }

    /// Marks what can be reached, suspended stacks too; gives the bytes of objects, and how many they are.
    fn mark(&mut self, roots: &[u32]) -> Result<(u64, u64), SourceError> {
        let mut marks = core::mem::take(&mut self.gc.space.marks);
        marks.fill(0);
        let types = core::mem::take(&mut self.gc.types);
        // SAFETY: the memory is the heap's, and `marks` has a bit for each of its granules (G2).
        let mut marker = unsafe {
            Marker::new(
                self.gc_base,
                self.gc_len,
                &mut marks,
                &types,
                self.gc.mark_stack,
            )
        };
        for root in roots {
            marker.reach(*root);
        }
        let found = self.mark_stacks(&mut marker);
        let (bytes, objects) = (marker.granules * u64::from(GRANULE), marker.objects);
        if found.is_err() {
            // Some of what lives may not be marked: all of it lives.
            marks.fill(u64::MAX);
            self.stacks.unmark();
        }
        self.gc.space.marks = marks;
        self.gc.types = types;
        if found.is_err() {
            self.classify_blocks();
        }
        found.map(|()| (bytes, objects))
    }

    /// Marks the rest, going through the stacks of the continuations that are met.
    fn mark_stacks(&mut self, marker: &mut Marker<'_>) -> Result<(), SourceError> {
        let mut roots = Vec::new();
        loop {
            marker.finish();
            if marker.stacks.is_empty() {
                let roots = self.drop_unreached_sleepers()?;
                if roots.is_empty() {
                    return Ok(());
                }
                for root in roots {
                    marker.reach(root);
                }
                continue;
            }
            for innermost in core::mem::take(&mut marker.stacks) {
                // Only a damaged arena leads to another one.
                if !self.stacks.mark(innermost) {
                    continue;
                }
                roots.clear();
                self.suspended_roots(innermost, &mut roots)?;
                self.sleeper_roots(innermost, &mut roots);
                for root in &roots {
                    marker.reach(*root);
                }
            }
        }
    }

    /// Whether an object can be reached from roots. The marks are of no use afterwards, until the next collection.
    pub(crate) fn leads_to(&mut self, roots: &[u32], object: u32) -> bool {
        self.mark(roots).is_ok() && self.gc.space.is_marked(object)
    }

    /// The object that stands for the host value at `position` in the list.
    pub(crate) fn extern_object(&self, position: u32) -> Option<u32> {
        self.gc.externs.get(position as usize).copied()
    }

    /// Notes the host values whose objects died.
    fn bury_externs(&mut self) {
        let externs = core::mem::take(&mut self.gc.externs);
        let (live, dead): (Vec<u32>, Vec<u32>) = externs
            .into_iter()
            .partition(|e| self.gc.space.is_marked(*e));
        for object in dead {
            // Its bytes are still there.
            let index = self.extern_index(object);
            self.gc.dead_externs.extend(index);
        }
        self.gc.externs = live;
    }

    /// Says of each block whether it is free, full, or between.
    fn classify_blocks(&mut self) {
        let space = &mut self.gc.space;
        // Offset 0 is null.
        if let Some(first) = space.marks.first_mut() {
            *first |= 1;
        }
        for (block, bits) in space.blocks.iter_mut().zip(space.marks.chunks(BLOCK_WORDS)) {
            *block = if bits.iter().all(|w| *w == 0) {
                Block::Free
            } else if bits.iter().all(|w| *w == u64::MAX) {
                Block::Taken
            } else {
                Block::Holes
            };
        }
    }

    /// Overwrites what is free, so that a use of it shows.
    fn poison(&mut self) {
        self.gc.space.nothing_is_fresh();
        for granule in 0..self.gc.space.blocks.len() as u32 * (BLOCK / GRANULE) {
            let at = granule * GRANULE;
            if !self.gc.space.is_marked(at)
                && let Some(p) = self.object_bytes(at, 0, GRANULE.into())
            {
                // SAFETY: G1, just checked.
                unsafe { p.write_bytes(0xa5, GRANULE as usize) };
            }
        }
    }
}
