//! The error of an allocation that found no room.

use core::fmt;

use sheave_interp::Trap;

use crate::Error;

/// There is no room for an object, not even after a collection.
///
/// `T` is what was to be put into the object, if that is the host's: see [`ExternRef::new`](crate::ExternRef::new).
pub struct GcHeapOutOfMemory<T>(T);

impl<T> GcHeapOutOfMemory<T> {
    pub(crate) fn new(inner: T) -> GcHeapOutOfMemory<T> {
        GcHeapOutOfMemory(inner)
    }

    /// What was to be put into the object.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for GcHeapOutOfMemory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T> fmt::Display for GcHeapOutOfMemory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GC heap out of memory")
    }
}

impl<T> core::error::Error for GcHeapOutOfMemory<T> {}

/// The error of an allocation that the machine refused.
pub(crate) fn refused(trap: Trap) -> Error {
    match trap {
        Trap::GcHeapOutOfMemory => GcHeapOutOfMemory(()).into(),
        other => other.into(),
    }
}
