//! Traps, as one byte.

/// Why execution was aborted. Spec: exec-trap and the implementation's limits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum Trap {
    /// An `unreachable` was executed.
    Unreachable,
    /// A memory access, or a bulk memory operation, went outside the memory or a data segment.
    MemoryOutOfBounds,
    /// A table access, or a bulk table operation, went outside the table or an element segment.
    TableOutOfBounds,
    /// `call_indirect` of a null entry.
    IndirectCallToNull,
    /// `call_indirect` of a function of another type.
    BadSignature,
    /// Signed division of the least integer by -1, or a float too large for the integer type.
    IntegerOverflow,
    /// Integer division by zero.
    IntegerDivisionByZero,
    /// Conversion of NaN to an integer.
    BadConversionToInteger,
    /// The stack limit of the store was reached.
    StackOverflow,
    /// The store's fuel is used up.
    OutOfFuel,
    /// An interruption was asked for.
    Interrupt,
    /// A null reference where none is allowed.
    NullReference,
    /// An object or a growth that is larger than anything can be, or than the embedder allows.
    AllocationTooLarge,
    /// A cast to a type that the reference is not of.
    CastFailure,
    /// An array access outside the array.
    ArrayOutOfBounds,
    /// No room for an object, even after a collection.
    GcHeapOutOfMemory,
    /// An atomic access at an address that is no multiple of its size.
    HeapMisaligned,
    /// `memory.atomic.wait` on a memory that is not shared.
    AtomicWaitNonSharedMemory,
    /// `memory.atomic.wait` without a timeout: nobody else runs in the store who could end it.
    AtomicWaitForever,
    /// A suspension with a tag that no handler around it is for. Spec: the outcome of `suspend` and `switch` without a
    /// handler.
    UnhandledTag,
    /// A continuation that was resumed, bound or switched to before.
    ContinuationConsumed,
}

const ALL: [Trap; 21] = [
    Trap::Unreachable,
    Trap::MemoryOutOfBounds,
    Trap::TableOutOfBounds,
    Trap::IndirectCallToNull,
    Trap::BadSignature,
    Trap::IntegerOverflow,
    Trap::IntegerDivisionByZero,
    Trap::BadConversionToInteger,
    Trap::StackOverflow,
    Trap::OutOfFuel,
    Trap::Interrupt,
    Trap::NullReference,
    Trap::AllocationTooLarge,
    Trap::CastFailure,
    Trap::ArrayOutOfBounds,
    Trap::GcHeapOutOfMemory,
    Trap::HeapMisaligned,
    Trap::AtomicWaitNonSharedMemory,
    Trap::AtomicWaitForever,
    Trap::UnhandledTag,
    Trap::ContinuationConsumed,
];

impl Trap {
    /// Wasmtime's name of [`Trap::Unreachable`].
    #[allow(
        non_upper_case_globals,
        reason = "stands for a variant, also in patterns"
    )]
    pub const UnreachableCodeReached: Trap = Trap::Unreachable;

    /// The trap of that number (`trap as u8`), if there is one.
    pub fn from_u8(byte: u8) -> Option<Trap> {
        ALL.get(usize::from(byte)).copied()
    }
}

impl core::fmt::Display for Trap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Trap::Unreachable => "wasm `unreachable` instruction executed",
            Trap::MemoryOutOfBounds => "out of bounds memory access",
            Trap::TableOutOfBounds => "undefined element: out of bounds table access",
            Trap::IndirectCallToNull => "uninitialized element",
            Trap::BadSignature => "indirect call type mismatch",
            Trap::IntegerOverflow => "integer overflow",
            Trap::IntegerDivisionByZero => "integer divide by zero",
            Trap::BadConversionToInteger => "invalid conversion to integer",
            Trap::StackOverflow => "call stack exhausted",
            Trap::OutOfFuel => "all fuel consumed by WebAssembly",
            Trap::Interrupt => "interrupt",
            Trap::NullReference => "null reference",
            Trap::AllocationTooLarge => "allocation size too large",
            Trap::CastFailure => "cast failure",
            Trap::ArrayOutOfBounds => "out of bounds array access",
            Trap::GcHeapOutOfMemory => "GC heap out of memory",
            Trap::HeapMisaligned => "unaligned atomic",
            Trap::AtomicWaitNonSharedMemory => "atomic wait on non-shared memory",
            Trap::AtomicWaitForever => {
                "atomic wait without a timeout, which nothing else in this store could end"
            }
            Trap::UnhandledTag => "unhandled tag",
            Trap::ContinuationConsumed => "continuation already consumed",
        })
    }
}

impl core::error::Error for Trap {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_is_found_again_by_its_number() {
        for t in ALL {
            assert_eq!(Trap::from_u8(t as u8), Some(t));
        }
        assert_eq!(Trap::from_u8(ALL.len() as u8), None);
    }
}
