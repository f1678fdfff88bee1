//! Tables of a store.

use anyhow::{anyhow, bail};
use sheave_interp::TableAddr;
use sheave_types as plain;

use crate::Result;
use crate::host;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::types::TableType;
use crate::values::Ref;

/// A table of a store. Spec: syntax-tableaddr.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Table {
    pub(crate) store: u64,
    pub(crate) addr: TableAddr,
}

impl Table {
    /// A new table, all of `init`.
    ///
    /// # Errors
    /// If `init` is of another type, or the limiter or the store's budget refuses.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Table> {
        let mut store = store.as_context_mut().0;
        store.limit_new_table(&ty)?;
        let opaque = &mut store.opaque;
        if !ty.element().heap_type().is_of(&opaque.engine) {
            bail!("the table's type is not of the store's engine");
        }
        let entry = opaque.entry(&ty, init)?;
        let addr = opaque.new_table(ty, entry)?;
        Ok(Table {
            store: opaque.id,
            addr,
        })
    }

    /// Its type as it is now: the minimum is the current size.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        let opaque = &store.as_context().0.opaque;
        opaque.check(self.store);
        opaque.table_type(self.addr)
    }

    /// Its size in elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        let opaque = &store.as_context().0.opaque;
        opaque.check(self.store);
        opaque.vm.table_len(self.addr).into()
    }

    /// An element, or `None` past the end.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Ref> {
        let opaque = &mut store.as_context_mut().0.opaque;
        opaque.check(self.store);
        let entry = opaque.vm.table_get(self.addr, index)?;
        let element = opaque.table_types[self.addr.0 as usize].0.element;
        Some(Ref::from_entry(entry, element.heap_type, opaque))
    }

    /// Sets an element.
    ///
    /// # Errors
    /// If `index` is past the end, or `value` is of another type.
    pub fn set(&self, store: impl AsContextMut, index: u64, value: Ref) -> Result<()> {
        self.fill(store, index, value, 1)
    }

    /// Grows it by `delta` elements of `init`; gives the old size.
    ///
    /// # Errors
    /// If its maximum, the limiter or the store's budget is against it, or `init` is of another type.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64> {
        let mut store = store.as_context_mut().0;
        store.opaque.check(self.store);
        let entry = store
            .opaque
            .entry(&store.opaque.table_types[self.addr.0 as usize], init)?;
        let failed = || anyhow!("failed to grow table by `{delta}`");
        let addr = self.addr;
        host::grow(store.reborrow(), |vm| vm.table_grow(addr, delta, entry))?
            .map(u64::from)
            .ok_or_else(failed)
    }

    /// Sets `len` elements from `index` up.
    ///
    /// # Errors
    /// If they are not all inside, or `value` is of another type.
    pub fn fill(
        &self,
        mut store: impl AsContextMut,
        index: u64,
        value: Ref,
        len: u64,
    ) -> Result<()> {
        let opaque = &mut store.as_context_mut().0.opaque;
        opaque.check(self.store);
        let entry = opaque.entry(&opaque.table_types[self.addr.0 as usize], value)?;
        if opaque.vm.table_fill(self.addr, index, entry, len) {
            Ok(())
        } else {
            bail!("table element index out of bounds")
        }
    }

    /// Copies `len` elements of `src` into `dst`.
    ///
    /// # Errors
    /// If they are not all inside, or the tables' types differ.
    pub fn copy(
        mut store: impl AsContextMut,
        dst: &Table,
        dst_index: u64,
        src: &Table,
        src_index: u64,
        len: u64,
    ) -> Result<()> {
        let opaque = &mut store.as_context_mut().0.opaque;
        opaque.check(dst.store);
        opaque.check(src.store);
        let element = |t: &Table| opaque.table_types[t.addr.0 as usize].element();
        if !element(src).matches(element(dst)) {
            bail!("tables do not have element types that match");
        }
        if opaque
            .vm
            .table_copy(dst.addr, dst_index, src.addr, src_index, len)
        {
            Ok(())
        } else {
            bail!("table element index out of bounds")
        }
    }
}

impl StoreOpaque {
    /// The entry of a reference that may be an element of such a table.
    fn entry(&self, ty: &TableType, value: Ref) -> Result<u32> {
        if !self.ref_matches(&value, ty.0.element)? {
            bail!("type mismatch: value does not match table element type");
        }
        value.to_entry(self)
    }

    pub(crate) fn new_table(&mut self, ty: TableType, entry: u32) -> Result<TableAddr> {
        let len =
            u32::try_from(ty.minimum()).map_err(|_| anyhow!("table size exceeds 2^32 elements"))?;
        let addr = self.vm.new_table(len, ty.maximum(), ty.is_64(), entry)?;
        if self
            .engine
            .types()
            .is_traced(plain::ValType::Ref(ty.0.element))
        {
            self.vm.trace_table(addr);
        }
        self.table_types.push(ty);
        Ok(addr)
    }

    pub(crate) fn table_type(&self, addr: TableAddr) -> TableType {
        let mut ty = self.table_types[addr.0 as usize].clone();
        ty.0.min = self.vm.table_len(addr).into();
        ty
    }
}
