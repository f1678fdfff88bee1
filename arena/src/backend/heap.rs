//! The backend for everywhere: zeroed bytes from the global allocator, all accessible at once.
#![allow(unsafe_code, reason = "talks to the allocator; upholds A1")]

use super::Source;
use crate::ArenaError;
use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::ptr::NonNull;

pub(super) struct HeapBlock {
    base: NonNull<u8>,
    layout: Layout,
}

/// What objects need. More would keep the allocator from handing out untouched zero pages.
const ALIGN: usize = crate::layout::OBJECT_ALIGN as usize;

impl Source for HeapBlock {
    fn reserve(span: usize) -> Result<Self, ArenaError> {
        let layout = Layout::from_size_align(span, ALIGN).map_err(|_| ArenaError::TooLarge)?;
        assert!(span > 0);
        // SAFETY: A1, the layout's size is not zero.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(ArenaError::OutOfMemory)?;
        Ok(Self { base, layout })
    }

    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn commit(&mut self, _start: usize, _end: usize) -> Result<(), ArenaError> {
        Ok(())
    }
}

impl Drop for HeapBlock {
    fn drop(&mut self) {
        // SAFETY: A1, `base` came from `alloc_zeroed` with this layout and is given back once.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

// SAFETY: A6, the block is owned like a `Box<[u8]>`: no thread holds on to it.
unsafe impl Send for HeapBlock {}
// SAFETY: A6, a shared reference gives out no more than the base address.
unsafe impl Sync for HeapBlock {}
