//! Linear memories: placed behind the VM heap with room to grow.
//!
//! How long a memory is and may become is known in two places: in host memory, which decides, and
//! in the directory in the heap, which tells whoever takes up the bytes later.

use crate::layout::MemoryEntry;
use crate::raw::round_up;
use crate::{Arena, ArenaError, Backend, Offset, U32, U64};

/// Which memory of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryId(u32);

impl MemoryId {
    /// The number of memories made before this one.
    #[inline]
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// What the arena knows of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryInfo {
    /// Its name.
    pub id: MemoryId,
    /// Its length.
    pub len_bytes: u64,
    /// The length it may grow to.
    pub max_bytes: u64,
}

/// The most address space set aside for a memory that is still small: all that a 32-bit memory
/// can ever need.
const AMPLE_ROOM: u64 = 4 << 30;

impl Arena {
    /// Makes a memory of `len_bytes` zeroes that may grow to `max_bytes`, which is no more than a
    /// wish: growing may still fail.
    ///
    /// It begins at a multiple of 64 KiB from the base, with as much room to grow without moving
    /// as the backend gives cheaply.
    ///
    /// # Errors
    ///
    /// If `len_bytes` is above `max_bytes`, or the budget or the system's memory is used up.
    pub fn memory_new(&mut self, len_bytes: u64, max_bytes: u64) -> Result<MemoryId, ArenaError> {
        if len_bytes > max_bytes {
            return Err(ArenaError::MemoryLimit);
        }
        let index = self.space.regions().len();
        let id = MemoryId(u32::try_from(index).map_err(|_| ArenaError::TooLarge)?);
        self.grow_directory()?;
        let place = self.directory_entry(index)?;
        self.check_budget(len_bytes)?;
        self.push_region(len_bytes, max_bytes)?;
        if let Err(error) = self.space.set_memory_len(index, len_bytes) {
            self.space.pop_region();
            return Err(error);
        }
        self.space.header_mut().memory_count.set(id.0 + 1);
        let entry = MemoryEntry {
            len_bytes: U64::new(len_bytes),
            max_bytes: U64::new(max_bytes),
        };
        self.memory_bytes += len_bytes;
        self.update_heap_limit();
        self.write(place, entry)?;
        Ok(id)
    }

    /// Makes a memory longer; new bytes are zero. If there is no room left for it where it lies,
    /// everything moves, and [`generation`](Self::generation) changes.
    ///
    /// # Errors
    ///
    /// If `new_len_bytes` is below its length or above its maximum, or the budget or the system's
    /// memory is used up. The memory is unchanged then.
    ///
    /// # Panics
    ///
    /// If `memory` comes from another arena.
    pub fn memory_grow(&mut self, memory: MemoryId, new_len_bytes: u64) -> Result<(), ArenaError> {
        let index = memory.0 as usize;
        let region = self.space.regions()[index];
        if new_len_bytes < region.len() || new_len_bytes > region.max() {
            return Err(ArenaError::MemoryLimit);
        }
        let more = new_len_bytes - region.len();
        self.check_budget(more)?;
        let place = self.directory_entry(index)?;
        let entry = MemoryEntry {
            len_bytes: U64::new(new_len_bytes),
            ..self.read(place)?
        };
        if new_len_bytes > region.room() {
            self.make_room(index, new_len_bytes)?;
        }
        self.space.set_memory_len(index, new_len_bytes)?;
        self.memory_bytes += more;
        self.update_heap_limit();
        self.write(place, entry)
    }

    /// The address of a memory, with provenance of the whole block.
    ///
    /// # Panics
    ///
    /// If `memory` comes from another arena.
    #[inline]
    pub fn memory_ptr(&self, memory: MemoryId) -> *mut u8 {
        self.space.memory_ptr(memory.0 as usize).as_ptr()
    }

    /// The length of a memory.
    ///
    /// # Panics
    ///
    /// If `memory` comes from another arena.
    #[inline]
    pub fn memory_len(&self, memory: MemoryId) -> u64 {
        self.space.regions()[memory.0 as usize].len()
    }

    /// The length a memory may grow to.
    ///
    /// # Panics
    ///
    /// If `memory` comes from another arena.
    #[inline]
    pub fn memory_max(&self, memory: MemoryId) -> u64 {
        self.space.regions()[memory.0 as usize].max()
    }

    /// The bytes of a memory.
    ///
    /// # Panics
    ///
    /// If `memory` comes from another arena.
    pub fn memory_bytes(&self, memory: MemoryId) -> &[u8] {
        self.space.memory(memory.0 as usize)
    }

    /// The bytes of a memory, to change.
    ///
    /// # Panics
    ///
    /// If `memory` comes from another arena.
    pub fn memory_bytes_mut(&mut self, memory: MemoryId) -> &mut [u8] {
        self.space.memory_mut(memory.0 as usize)
    }

    /// All memories, in the order in which they were made.
    pub fn memories(&self) -> impl ExactSizeIterator<Item = MemoryInfo> + '_ {
        let regions = self.space.regions().iter().enumerate();
        regions.map(|(index, region)| MemoryInfo {
            id: MemoryId(index as u32),
            len_bytes: region.len(),
            max_bytes: region.max(),
        })
    }

    fn check_budget(&self, more: u64) -> Result<(), ArenaError> {
        match self.used_bytes().checked_add(more) {
            Some(total) if total <= self.budget_bytes => Ok(()),
            _ => Err(ArenaError::Budget),
        }
    }

    /// Where the directory holds the entry of a memory. It is checked to be in the heap.
    fn directory_entry(&self, index: usize) -> Result<Offset<MemoryEntry>, ArenaError> {
        let header = self.space.header();
        if index as u64 >= u64::from(header.memory_capacity.get()) {
            return Err(ArenaError::Corrupt);
        }
        let distance = (index as u32).checked_mul(size_of::<MemoryEntry>() as u32);
        let place = header
            .memory_directory
            .zip(distance)
            .and_then(|(d, far)| d.checked_add(far));
        let place = place.ok_or(ArenaError::Corrupt)?;
        self.read(place).map_err(|_| ArenaError::Corrupt)?;
        Ok(place)
    }

    /// Makes room in the directory for one memory more.
    fn grow_directory(&mut self) -> Result<(), ArenaError> {
        const ENTRY: u32 = size_of::<MemoryEntry>() as u32;
        let header = self.space.header();
        let capacity = header.memory_capacity.get();
        if (self.space.regions().len() as u64) < u64::from(capacity) {
            return Ok(());
        }
        let bytes = |entries: u32| entries.checked_mul(ENTRY).ok_or(ArenaError::HeapFull);
        let doubled = capacity.saturating_mul(2).max(4);
        let directory = match header.memory_directory {
            None => self.alloc(bytes(doubled)?)?,
            Some(old) => self.realloc(old.cast(), bytes(capacity)?, bytes(doubled)?)?,
        };
        let header = self.space.header_mut();
        header.memory_directory = Some(directory.cast());
        header.memory_capacity = U32::new(doubled);
        Ok(())
    }

    /// The room to set aside for a memory.
    fn ample_room(&self, len_bytes: u64, max_bytes: u64, growing: bool) -> u64 {
        let ample = match self.backend() {
            Backend::Heap if growing => len_bytes.saturating_add(len_bytes / 2),
            Backend::Heap => len_bytes,
            _ => AMPLE_ROOM.max(len_bytes.saturating_mul(2)),
        };
        // Not `round_up(max_bytes)`: that may be beyond all numbers.
        round_up(ample.min(max_bytes)).unwrap_or(u64::MAX)
    }

    /// Adds a memory without bytes, with room for `len_bytes` at least.
    fn push_region(&mut self, len_bytes: u64, max_bytes: u64) -> Result<(), ArenaError> {
        let index = self.space.regions().len();
        let ample = self.ample_room(len_bytes, max_bytes, false);
        let least = round_up(len_bytes)?;
        let unused = self.space.unused();
        if ample > unused
            && let Err(error) = self.rebuild(index, ample, least)
            && least > unused
        {
            return Err(error);
        }
        let room = ample.min(self.space.unused()).max(least);
        self.space.push_region(room, max_bytes)
    }

    /// Gives a memory room for `len_bytes` at least.
    #[cold]
    fn make_room(&mut self, index: usize, len_bytes: u64) -> Result<(), ArenaError> {
        let ample = self.ample_room(len_bytes, self.space.regions()[index].max(), true);
        if index + 1 == self.space.regions().len() {
            self.space.extend_last(ample);
            if self.space.regions()[index].room() >= len_bytes {
                return Ok(());
            }
        }
        self.rebuild(index, ample, round_up(len_bytes)?)
    }

    /// Moves to a block in which the memory `index`, which may be the next new one, has room: ample
    /// room and as much unused behind it as all memories have now, or ample room, or the least.
    fn rebuild(&mut self, index: usize, ample: u64, least: u64) -> Result<(), ArenaError> {
        let (heap_end, heap_room) = (self.heap_len(), self.space.heap_room());
        let is_new = index == self.space.regions().len();
        let again = match self.backend() {
            Backend::Heap => 0,
            _ => self.space.span() - heap_room,
        };
        let mut result = Ok(());
        for (room, beyond, tight) in [(ample, again, false), (ample, 0, false), (least, 0, true)] {
            let unused = if is_new {
                room.saturating_add(beyond)
            } else {
                beyond
            };
            result = self
                .space
                .rebuild(heap_end, heap_room, unused, |at, region| match at {
                    _ if at == index => room,
                    _ if tight => region.len(),
                    _ => region.room(),
                });
            if result.is_ok() {
                break;
            }
        }
        result
    }
}
