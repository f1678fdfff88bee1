//! Linear memories of a store.
#![allow(unsafe_code, reason = "makes slices of linear memories")]

use sheave_interp::MemAddr;

use crate::Result;
use crate::host;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreOpaque};
use crate::types::MemoryType;

/// A linear memory of a store. Spec: syntax-memaddr.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Memory {
    pub(crate) store: u64,
    pub(crate) addr: MemAddr,
    /// Whether its type says so: another store must not panic, but say why it cannot have it.
    pub(crate) shared: bool,
}

/// Why a memory that threads are to share cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SharedMemoryError {
    /// [`Config::shared_memory`](crate::Config::shared_memory) is off.
    Disabled,
    /// It belongs to another store. Shared or not, a memory has its place in the block of one store.
    OtherStore,
}

impl core::fmt::Display for SharedMemoryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            SharedMemoryError::Disabled => {
                "shared memories are off in this engine: see `Config::shared_memory`"
            }
            SharedMemoryError::OtherStore => {
                "a shared memory cannot be used by several stores: each memory belongs to one"
            }
        })
    }
}

impl core::error::Error for SharedMemoryError {}

/// A range is not all inside a memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MemoryAccessError;

impl core::fmt::Display for MemoryAccessError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("out of bounds memory access")
    }
}

impl core::error::Error for MemoryAccessError {}

impl Memory {
    /// A new memory of zeros.
    ///
    /// # Errors
    /// If the limiter or the store's budget refuses, or the type asks for more than there can be; [`SharedMemoryError`]
    /// if it is to be shared and that is off.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        let mut store = store.as_context_mut().0;
        store.limit_new_memory(&ty)?;
        let shared = ty.is_shared();
        let addr = store.opaque.new_memory(ty)?;
        Ok(Memory {
            store: store.opaque.id,
            addr,
            shared,
        })
    }

    fn opaque<'a>(&self, opaque: &'a StoreOpaque) -> &'a StoreOpaque {
        opaque.check(self.store);
        opaque
    }

    /// Its type as it is now: the minimum is the current size.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        let opaque = &store.as_context().0.opaque;
        self.opaque(opaque).memory_type(self.addr)
    }

    /// Its bytes.
    pub fn data<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        let opaque: &'a StoreOpaque = &store.into().0.opaque;
        let (ptr, len) = self.opaque(opaque).vm.memory(self.addr);
        // SAFETY: H4; the arena has `len` bytes there.
        unsafe { core::slice::from_raw_parts(ptr, len as usize) }
    }

    /// Its bytes.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> &'a mut [u8] {
        self.data_and_store_mut(store).0
    }

    /// Its bytes and the embedder's data at once.
    pub fn data_and_store_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let store = store.into().0.into_mut();
        let (ptr, len) = self.opaque(&store.opaque).vm.memory(self.addr);
        // SAFETY: H4; the arena has `len` bytes there, apart from the embedder's data.
        (
            unsafe { core::slice::from_raw_parts_mut(ptr, len as usize) },
            &mut store.data,
        )
    }

    /// Where its bytes lie, until anything in the store grows or moves.
    pub fn data_ptr(&self, store: impl AsContext) -> *mut u8 {
        self.opaque(&store.as_context().0.opaque)
            .vm
            .memory(self.addr)
            .0
    }

    /// Its size in bytes.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.opaque(&store.as_context().0.opaque)
            .vm
            .memory(self.addr)
            .1 as usize
    }

    /// Its size in pages.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.opaque(&store.as_context().0.opaque)
            .vm
            .memory_pages(self.addr)
    }

    /// Bytes of a page.
    pub fn page_size(&self, store: impl AsContext) -> u64 {
        1 << self.page_size_log2(store)
    }

    /// Binary logarithm of the bytes of a page: 16 or 0.
    pub fn page_size_log2(&self, store: impl AsContext) -> u8 {
        self.opaque(&store.as_context().0.opaque).memory_types[self.addr.0 as usize]
            .page_size_log2()
    }

    /// Grows it by `delta` pages; gives the old size in pages.
    ///
    /// # Errors
    /// If its maximum, the limiter or the store's budget is against it.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let mut store = store.as_context_mut().0;
        let old = self.opaque(&store.opaque).vm.memory_pages(self.addr);
        let addr = self.addr;
        if !host::grow(store.reborrow(), |vm| vm.memory_grow_pages(addr, delta))? {
            anyhow::bail!("failed to grow memory by `{delta}`");
        }
        Ok(old)
    }

    /// Copies bytes out of it.
    ///
    /// # Errors
    /// If they are not all inside.
    pub fn read(
        &self,
        store: impl AsContext,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), MemoryAccessError> {
        let context = store.as_context();
        let data = self.data(context);
        let from = offset
            .checked_add(buffer.len())
            .and_then(|end| data.get(offset..end))
            .ok_or(MemoryAccessError)?;
        buffer.copy_from_slice(from);
        Ok(())
    }

    /// Copies bytes into it.
    ///
    /// # Errors
    /// If they do not all fit inside.
    pub fn write(
        &self,
        mut store: impl AsContextMut,
        offset: usize,
        buffer: &[u8],
    ) -> Result<(), MemoryAccessError> {
        let context = store.as_context_mut();
        let data = self.data_mut(context);
        let to = offset
            .checked_add(buffer.len())
            .and_then(|end| data.get_mut(offset..end))
            .ok_or(MemoryAccessError)?;
        to.copy_from_slice(buffer);
        Ok(())
    }
}

impl StoreOpaque {
    pub(crate) fn new_memory(&mut self, ty: MemoryType) -> Result<MemAddr> {
        let ty = ty.checked()?;
        if ty.is_shared() && !self.engine.config().shared_memory {
            return Err(SharedMemoryError::Disabled.into());
        }
        let spec = ty.spec(ty.bytes(ty.minimum()));
        if spec.bytes > spec.limit_bytes {
            anyhow::bail!("memory size exceeds what its addresses can reach");
        }
        let addr = self.vm.new_memory(&spec)?;
        self.memory_types.push(ty);
        Ok(addr)
    }

    pub(crate) fn memory_type(&self, addr: MemAddr) -> MemoryType {
        let mut ty = self.memory_types[addr.0 as usize].clone();
        ty.0.min_pages = self.vm.memory_pages(addr);
        ty
    }
}
