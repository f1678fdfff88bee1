//! Where the bytes of a block come from, and nothing else: one trait, two sources.
//!
//! A block is a span of addresses of fixed length. To grow beyond it, the arena makes a new block
//! and moves there; that is one piece of code for all backends, in `raw.rs`.
#![allow(unsafe_code, reason = "hands on what is promised of a file")]

mod heap;
#[cfg(all(unix, target_pointer_width = "64", not(miri)))]
mod reserved;

use crate::layout::MEMORY_ALIGN;
use crate::{ArenaError, Backend};
use core::ptr::NonNull;

use heap::HeapBlock;
#[cfg(all(unix, target_pointer_width = "64", not(miri)))]
use reserved::ReservedBlock;

/// What a backend does.
///
/// Each implementation establishes A1: `base` is aligned to 16, has provenance over `span` bytes,
/// never changes, and bytes that were committed can be read and written until the block is dropped.
trait Source: Sized {
    /// Takes a span of addresses, which is not 0 and a multiple of `MEMORY_ALIGN`.
    fn reserve(span: usize) -> Result<Self, ArenaError>;

    /// The first address of the span.
    fn base(&self) -> NonNull<u8>;

    /// Makes `start..end` accessible; both are multiples of `MEMORY_ALIGN` within the span. A byte
    /// reads as zero until it is written.
    fn commit(&mut self, start: usize, end: usize) -> Result<(), ArenaError>;

    /// Places in files and in the block that are mapped to each other are multiples of this.
    fn map_unit() -> u64 {
        MEMORY_ALIGN
    }

    /// Puts the bytes of a file in the place of those at `start..end`, which are multiples of
    /// `map_unit` and committed: what is written afterwards stays in the block. False if that
    /// cannot be done; the bytes are what they were then, or zero.
    ///
    /// # Safety
    ///
    /// - The file holds that many bytes from `file.offset` on, a multiple of `map_unit`.
    /// - Nothing changes or removes them for as long as the block lives.
    unsafe fn map(&mut self, _start: usize, _end: usize, _file: FilePlace) -> bool {
        false
    }
}

/// A place in an open file.
#[derive(Clone, Copy, Debug)]
pub struct FilePlace {
    /// What the operating system calls the file.
    pub descriptor: i32,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// A span of addresses from one of the backends.
pub(crate) struct Block {
    source: AnySource,
    span: u64,
}

enum AnySource {
    #[cfg(all(unix, target_pointer_width = "64", not(miri)))]
    Reserved(ReservedBlock),
    Heap(HeapBlock),
}

impl Block {
    /// Takes `span` bytes of addresses, none of them accessible as yet.
    pub(crate) fn reserve(backend: Backend, span: u64) -> Result<Self, ArenaError> {
        let bytes = || match usize::try_from(span) {
            Ok(bytes) if isize::try_from(bytes).is_ok() => Ok(bytes),
            _ => Err(ArenaError::TooLarge),
        };
        let source = match backend {
            Backend::Heap => AnySource::Heap(HeapBlock::reserve(bytes()?)?),
            #[cfg(all(unix, target_pointer_width = "64", not(miri)))]
            Backend::Reserved => AnySource::Reserved(ReservedBlock::reserve(bytes()?)?),
            _ => return Err(ArenaError::BackendUnavailable),
        };
        Ok(Self { source, span })
    }

    /// The backend that this block comes from, never `Auto`.
    pub(crate) fn backend(&self) -> Backend {
        match self.source {
            #[cfg(all(unix, target_pointer_width = "64", not(miri)))]
            AnySource::Reserved(_) => Backend::Reserved,
            AnySource::Heap(_) => Backend::Heap,
        }
    }

    /// The first address. It never changes.
    pub(crate) fn base(&self) -> NonNull<u8> {
        match &self.source {
            #[cfg(all(unix, target_pointer_width = "64", not(miri)))]
            AnySource::Reserved(block) => block.base(),
            AnySource::Heap(block) => block.base(),
        }
    }

    /// Length in bytes.
    pub(crate) fn span(&self) -> u64 {
        self.span
    }

    /// Makes `start..end` accessible. Bytes that were never written read as zero.
    pub(crate) fn commit(&mut self, start: u64, end: u64) -> Result<(), ArenaError> {
        assert!(start <= end && end <= self.span());
        if start == end {
            return Ok(());
        }
        let (start, end) = (start as usize, end as usize);
        match &mut self.source {
            #[cfg(all(unix, target_pointer_width = "64", not(miri)))]
            AnySource::Reserved(block) => block.commit(start, end),
            AnySource::Heap(block) => block.commit(start, end),
        }
    }

    /// As [`Source::map_unit`].
    pub(crate) fn map_unit(&self) -> u64 {
        match self.source {
            #[cfg(all(unix, target_pointer_width = "64", not(miri)))]
            AnySource::Reserved(_) => ReservedBlock::map_unit(),
            AnySource::Heap(_) => HeapBlock::map_unit(),
        }
    }

    /// As [`Source::map`].
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn map(&mut self, start: u64, end: u64, file: FilePlace) -> bool {
        assert!(start <= end && end <= self.span());
        let (start, end) = (start as usize, end as usize);
        match &mut self.source {
            #[cfg(all(unix, target_pointer_width = "64", not(miri)))]
            // SAFETY: A9, as the caller promises.
            AnySource::Reserved(block) => unsafe { block.map(start, end, file) },
            // SAFETY: A9, as the caller promises.
            AnySource::Heap(block) => unsafe { block.map(start, end, file) },
        }
    }
}
