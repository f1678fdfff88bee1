//! The arena: what it is made of, and access to the objects in it.

use crate::layout::{HEADER_BYTES, MAX_HEAP_BYTES, MEMORY_ALIGN, OBJECT_ALIGN, ROOTS};
use crate::raw::{Space, round_up};
use crate::{ArenaConfig, ArenaError, Backend, Offset, Plain};
use core::fmt;

/// One relocatable block with a VM heap and linear memories in it.
///
/// # Pointers
///
/// [`base`](Self::base), [`ptr`](Self::ptr) and [`memory_ptr`](Self::memory_ptr) give raw pointers
/// that are all derived from one pointer to the whole block. Each may be used, in turn with the
/// methods of the arena, until [`generation`](Self::generation) changes, for as long as no
/// reference to the same bytes that a method has given out is used after a write through it.
pub struct Arena {
    pub(crate) space: Space,
    /// `min(heap_committed, budget - memories)`: below it the heap may grow without more ado.
    pub(crate) heap_limit: u64,
    pub(crate) budget_bytes: u64,
    /// Lengths of all memories together.
    pub(crate) memory_bytes: u64,
}

/// What is committed for the heap at first. Pages cost memory only when they are touched.
const FIRST_HEAP_BYTES: u64 = 4 * MEMORY_ALIGN;

impl Arena {
    /// Makes an arena without objects or memories.
    ///
    /// # Errors
    ///
    /// If the budget does not even suffice for the header, the backend does not exist here, or the
    /// system is out of memory. A reservation that the system does not grant is tried again smaller.
    pub fn new(config: &ArenaConfig) -> Result<Self, ArenaError> {
        if config.budget_bytes < u64::from(HEADER_BYTES) {
            return Err(ArenaError::Budget);
        }
        let space = match config.backend {
            Backend::Heap => heap_space(config),
            Backend::Reserved => reserved_space(config),
            Backend::Auto => reserved_space(config).or_else(|_| heap_space(config)),
        }?;
        let mut arena = Self {
            space,
            heap_limit: 0,
            budget_bytes: config.budget_bytes,
            memory_bytes: 0,
        };
        arena.update_heap_limit();
        Ok(arena)
    }

    /// The first address of the block; it changes only when [`generation`](Self::generation) does.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.space.base().as_ptr()
    }

    /// How often the block has moved. Pointers into it are void once this has changed.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.space.generation()
    }

    /// The backend in use, never [`Backend::Auto`].
    pub fn backend(&self) -> Backend {
        self.space.backend()
    }

    /// Moves the whole block to another address, its contents unchanged.
    ///
    /// # Errors
    ///
    /// If the system has no memory or address space for a second block.
    pub fn relocate(&mut self) -> Result<(), ArenaError> {
        let (heap_end, heap_room) = (self.heap_len(), self.space.heap_room());
        self.space
            .rebuild(heap_end, heap_room, self.space.unused(), |_, region| {
                region.room()
            })
    }

    /// A second arena: its heap holds the same objects at the same offsets, and its memories are as
    /// long, but zero. Only what the heap holds is copied, and of that no page that is all zero.
    ///
    /// # Errors
    ///
    /// If the system has no memory or address space for a second block.
    pub fn fork(&self) -> Result<Self, ArenaError> {
        Ok(Self {
            space: self.space.fork(self.heap_len())?,
            heap_limit: self.heap_limit,
            budget_bytes: self.budget_bytes,
            memory_bytes: self.memory_bytes,
        })
    }

    /// Most bytes that header, heap and memories may hold together.
    pub fn budget_bytes(&self) -> u64 {
        self.budget_bytes
    }

    /// Sets the budget. What is in use already stays.
    pub fn set_budget_bytes(&mut self, budget_bytes: u64) {
        self.budget_bytes = budget_bytes;
        self.update_heap_limit();
    }

    /// What counts against the budget: the heap up to its end, and the lengths of all memories.
    ///
    /// A forged `heap_end` in the block can hide what the heap holds, which never exceeds the budget
    /// by itself either.
    #[inline]
    pub fn used_bytes(&self) -> u64 {
        u64::from(self.heap_len()) + self.memory_bytes
    }

    /// Bytes in objects that are allocated now, each rounded up to its size class.
    pub fn live_bytes(&self) -> u32 {
        self.space.header().live_bytes.get()
    }

    /// Where the heap ends: its header and all objects ever allocated lie below.
    #[inline]
    pub fn heap_len(&self) -> u32 {
        let committed = self.space.heap_committed().min(u64::from(MAX_HEAP_BYTES)) as u32;
        self.space
            .header()
            .heap_end
            .get()
            .clamp(HEADER_BYTES, committed)
    }

    /// The header and the heap up to its end. With the bytes of the memories this is all there is
    /// to the arena, and it is the same on every target and backend.
    pub fn heap_bytes(&self) -> &[u8] {
        self.space.heap(0, self.heap_len()).unwrap_or_default()
    }

    /// The object that the owner of the arena noted as `index`, or none beyond the last root.
    pub fn root(&self, index: usize) -> Option<Offset<u8>> {
        self.space.header().roots.get(index).copied().flatten()
    }

    /// Notes an object in the header, where it can be found without knowing anything else.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`layout::ROOTS`](crate::layout::ROOTS).
    pub fn set_root(&mut self, index: usize, object: Option<Offset<u8>>) {
        assert!(index < ROOTS, "the header has {ROOTS} roots");
        self.space.header_mut().roots[index] = object;
    }

    /// A pointer to `len` bytes of the heap, with provenance of the whole block. It is as aligned
    /// as `offset` is, up to 16.
    ///
    /// # Errors
    ///
    /// If the bytes do not lie in the accessible part of the heap.
    #[inline]
    pub fn ptr(&self, offset: Offset<u8>, len: u32) -> Result<*mut u8, ArenaError> {
        Ok(self.space.heap_ptr(offset.get(), len)?.as_ptr())
    }

    /// Reads an object.
    ///
    /// # Errors
    ///
    /// If it does not lie in the accessible part of the heap.
    #[inline]
    pub fn read<T: Plain>(&self, offset: Offset<T>) -> Result<T, ArenaError> {
        let bytes = self
            .space
            .heap(offset.get(), const { size_of_plain::<T>() })?;
        Ok(bytemuck::pod_read_unaligned(bytes))
    }

    /// Writes an object.
    ///
    /// # Errors
    ///
    /// If it does not lie in the accessible part of the heap.
    #[inline]
    pub fn write<T: Plain>(&mut self, offset: Offset<T>, value: T) -> Result<(), ArenaError> {
        let bytes = self
            .space
            .heap_mut(offset.get(), const { size_of_plain::<T>() })?;
        bytes.copy_from_slice(bytemuck::bytes_of(&value));
        Ok(())
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// If it is not aligned, or does not lie in the accessible part of the heap.
    #[inline]
    pub fn get<T: Plain>(&self, offset: Offset<T>) -> Result<&T, ArenaError> {
        let bytes = self
            .space
            .heap(offset.get(), const { size_of_plain::<T>() })?;
        bytemuck::try_from_bytes(bytes).map_err(|_| ArenaError::Misaligned)
    }

    /// An object, to change.
    ///
    /// # Errors
    ///
    /// If it is not aligned, or does not lie in the accessible part of the heap.
    #[inline]
    pub fn get_mut<T: Plain>(&mut self, offset: Offset<T>) -> Result<&mut T, ArenaError> {
        let bytes = self
            .space
            .heap_mut(offset.get(), const { size_of_plain::<T>() })?;
        bytemuck::try_from_bytes_mut(bytes).map_err(|_| ArenaError::Misaligned)
    }

    /// `count` objects in a row.
    ///
    /// # Errors
    ///
    /// If they are not aligned, or do not lie in the accessible part of the heap.
    #[inline]
    pub fn slice<T: Plain>(&self, offset: Offset<T>, count: u32) -> Result<&[T], ArenaError> {
        let bytes = self.space.heap(offset.get(), array_bytes::<T>(count)?)?;
        bytemuck::try_cast_slice(bytes).map_err(|_| ArenaError::Misaligned)
    }

    /// `count` objects in a row, to change.
    ///
    /// # Errors
    ///
    /// If they are not aligned, or do not lie in the accessible part of the heap.
    #[inline]
    pub fn slice_mut<T: Plain>(
        &mut self,
        offset: Offset<T>,
        count: u32,
    ) -> Result<&mut [T], ArenaError> {
        let bytes = self
            .space
            .heap_mut(offset.get(), array_bytes::<T>(count)?)?;
        bytemuck::try_cast_slice_mut(bytes).map_err(|_| ArenaError::Misaligned)
    }

    /// Copies `len` bytes of the heap; the two ranges may overlap.
    ///
    /// # Errors
    ///
    /// If one of them does not lie in the accessible part of the heap.
    pub fn copy_within(
        &mut self,
        from: Offset<u8>,
        to: Offset<u8>,
        len: u32,
    ) -> Result<(), ArenaError> {
        let low = from.min(to);
        let apart = from.max(to).get() - low.get();
        let all = apart.checked_add(len).ok_or(ArenaError::OutOfBounds)?;
        let (apart, len) = (apart as usize, len as usize);
        let bytes = self.space.heap_mut(low.get(), all)?;
        if low == from {
            bytes.copy_within(..len, apart);
        } else {
            bytes.copy_within(apart.., 0);
        }
        Ok(())
    }

    /// To be called when the committed heap, the budget or the length of a memory has changed.
    pub(crate) fn update_heap_limit(&mut self) {
        let budget_left = self.budget_bytes.saturating_sub(self.memory_bytes);
        self.heap_limit = self
            .space
            .heap_committed()
            .min(budget_left)
            .min(u64::from(MAX_HEAP_BYTES));
    }
}

/// A reservation as large as `config` says, or as large as the system will grant.
fn reserved_space(config: &ArenaConfig) -> Result<Space, ArenaError> {
    const SMALLEST: u64 = 16 << 20;
    const LARGEST: u64 = 1 << 62; // more than there are addresses, and far from overflow
    let mut heap_room = round_up(config.heap_reserve_bytes.clamp(1, 4 << 30))?;
    let mut memory_room = round_up(config.memory_reserve_bytes.min(LARGEST))?;
    loop {
        let span = heap_room
            .checked_add(memory_room)
            .ok_or(ArenaError::TooLarge)?;
        match Space::new(
            Backend::Reserved,
            FIRST_HEAP_BYTES.min(heap_room),
            heap_room,
            span,
        ) {
            Err(ArenaError::OutOfMemory) if memory_room > SMALLEST => {
                memory_room = round_up(memory_room / 2)?;
            }
            Err(ArenaError::OutOfMemory) if heap_room > SMALLEST => {
                heap_room = round_up(heap_room / 2)?;
            }
            done => return done,
        }
    }
}

/// A small block, to be replaced by larger ones as need be.
fn heap_space(config: &ArenaConfig) -> Result<Space, ArenaError> {
    let first = round_up(config.heap_reserve_bytes.clamp(1, MEMORY_ALIGN))?;
    Space::new(Backend::Heap, first, first, first)
}

/// The size of a `T`, checked to fit the arena when this is compiled.
const fn size_of_plain<T: Plain>() -> u32 {
    assert!(
        align_of::<T>() <= OBJECT_ALIGN as usize,
        "objects are aligned to 16 bytes"
    );
    assert!(size_of::<T>() <= MAX_HEAP_BYTES as usize);
    size_of::<T>() as u32
}

fn array_bytes<T: Plain>(count: u32) -> Result<u32, ArenaError> {
    count
        .checked_mul(const { size_of_plain::<T>() })
        .ok_or(ArenaError::OutOfBounds)
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("backend", &self.backend())
            .field("heap_len", &self.heap_len())
            .field("live_bytes", &self.live_bytes())
            .field("memories", &self.space.regions())
            .field("budget_bytes", &self.budget_bytes)
            .field("generation", &self.generation())
            .finish()
    }
}
