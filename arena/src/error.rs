//! What can go wrong: values, never aborts.

use core::fmt;

/// Why the arena refused an operation. Objects and memories are as they were before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArenaError {
    /// The store's byte budget would be exceeded.
    Budget,
    /// The VM heap would outgrow its `u32` offsets.
    HeapFull,
    /// A length that no block on this target can hold.
    TooLarge,
    /// The system has no memory or address space left to give.
    OutOfMemory,
    /// A memory would be longer than its declared maximum, or shorter than it is.
    MemoryLimit,
    /// An offset or length that does not lie within the accessible part of the heap.
    OutOfBounds,
    /// An offset that is not a multiple of the alignment of what it should lead to.
    Misaligned,
    /// The allocator's state in the block does not make sense.
    Corrupt,
    /// The backend asked for does not exist on this target.
    BackendUnavailable,
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Budget => "the store's byte budget is used up",
            Self::HeapFull => "the VM heap has reached 4 GiB",
            Self::TooLarge => "the size asked for is larger than this machine can address",
            Self::OutOfMemory => "the system is out of memory",
            Self::MemoryLimit => "the length asked for is outside the limits of the memory",
            Self::OutOfBounds => "an offset leads outside the VM heap",
            Self::Misaligned => "an offset is not aligned for what it should lead to",
            Self::Corrupt => "the allocator's state in the arena is corrupt",
            Self::BackendUnavailable => "this arena backend is not available on this target",
        })
    }
}

impl core::error::Error for ArenaError {}
