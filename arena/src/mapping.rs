//! Bytes of files in linear memories, without copying them.
#![allow(unsafe_code, reason = "hands on what the caller promises of a file")]

use crate::{Arena, ArenaError, FilePlace, MemoryId};

impl Arena {
    /// Puts `bytes` into a memory from `at` on, where a file holds the same bytes.
    ///
    /// Where the backend can, whole pages of the file are mapped copy-on-write, if both `at` and the
    /// place in the file are multiples of the system's page size (4 KiB mostly): this takes no time that depends on the length, and pages that are
    /// never written are shared by all who map them. What cannot be mapped is copied from `bytes`.
    /// Either way the memory holds the same, and the file is never written.
    ///
    /// # Errors
    ///
    /// If the bytes do not lie in the memory.
    ///
    /// # Panics
    ///
    /// If `memory` comes from another arena.
    ///
    /// # Safety
    ///
    /// - The file holds `bytes` from its place on.
    /// - Nothing changes or removes them there for as long as the arena lives.
    pub unsafe fn memory_map(
        &mut self,
        memory: MemoryId,
        at: u64,
        bytes: &[u8],
        file: FilePlace,
    ) -> Result<(), ArenaError> {
        let index = memory.index() as usize;
        // SAFETY: A9, as the caller promises.
        unsafe { self.space.fill_from_file(index, at, bytes, file) }
    }
}
