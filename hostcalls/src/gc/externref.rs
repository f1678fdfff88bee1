//! Host values that a guest can hold, but not look into.

use core::any::Any;

use sheave_interp::Trap;

use crate::Result;
use crate::gc::error::{GcHeapOutOfMemory, refused};
use crate::gc::rooting::gc_ref;
use crate::gc::{AnyRef, GcRefImpl, Rooted};
use crate::host;
use crate::store::{AsContextMut, StoreContext, StoreContextMut, StoreOpaque};

gc_ref! {
    /// A reference to a host value, or to an internal one that was converted. Spec: syntax-heaptype (`extern`).
    ///
    /// The store keeps the host value until a collection finds that neither the guest nor the host holds it.
    ///
    /// ```
    /// use sheave_hostcalls::{Engine, ExternRef, Store};
    /// let mut store = Store::new(&Engine::default(), ());
    /// let e = ExternRef::new(&mut store, String::from("host value"))?;
    /// let text = e.data(&store)?.and_then(|data| data.downcast_ref::<String>());
    /// assert_eq!(text.unwrap(), "host value");
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ExternRef;
}

/// The host values of a store: objects of the heap hold indices into this.
#[derive(Default)]
pub(crate) struct Externs {
    values: Vec<Option<Box<dyn Any + Send + Sync>>>,
    free: Vec<u32>,
}

impl Externs {
    fn add(&mut self, value: Box<dyn Any + Send + Sync>) -> u32 {
        if let Some(index) = self.free.pop() {
            self.values[index as usize] = Some(value);
            return index;
        }
        self.values.push(Some(value));
        (self.values.len() - 1) as u32
    }

    /// A value by its index.
    pub(crate) fn get(&self, index: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.values.get(index as usize)?.as_deref()
    }

    /// Values that have the indices 0, 1, ….
    pub(crate) fn new(values: Vec<Box<dyn Any + Send + Sync>>) -> Externs {
        Externs {
            values: values.into_iter().map(Some).collect(),
            free: Vec::new(),
        }
    }

    /// Gives the values with these indices the indices 0, 1, …; the others are dropped.
    pub(crate) fn reorder(&mut self, order: &[u32]) {
        let values = order
            .iter()
            .map(|old| self.values.get_mut(*old as usize)?.take());
        let values = values.collect();
        let others = core::mem::replace(&mut self.values, values);
        self.free.clear();
        drop(others);
    }

    fn take(&mut self, index: u32) -> Option<Box<dyn Any + Send + Sync>> {
        let value = self.values.get_mut(index as usize)?.take();
        if value.is_some() {
            self.free.push(index);
        }
        value
    }
}

impl StoreOpaque {
    /// Drops the host values whose objects have died.
    pub(crate) fn drop_dead_externs(&mut self) {
        for index in self.vm.take_dead_externs() {
            // In this order, so that whatever the value's `drop` does finds all in order.
            drop(self.externs.take(index));
        }
    }
}

impl ExternRef {
    /// Gives `value` to the store.
    ///
    /// # Errors
    /// If there is no room for the object: [`GcHeapOutOfMemory`], which has the value.
    pub fn new<V: Any + Send + Sync>(
        mut store: impl AsContextMut,
        value: V,
    ) -> Result<Rooted<ExternRef>> {
        let mut store = store.as_context_mut().0;
        store.opaque.drop_dead_externs();
        let index = store.opaque.externs.add(Box::new(value));
        let (made, error) = match host::grow(store.reborrow(), |vm| vm.alloc_extern(index)) {
            Ok(Ok(reference)) => return Ok(store.opaque.root(reference)),
            Ok(Err(trap)) => (Some(trap), refused(trap)),
            Err(error) => (None, error),
        };
        let value: Option<Box<dyn Any>> = store.opaque.externs.take(index).map(|v| v as _);
        match value.and_then(|v| v.downcast::<V>().ok()) {
            Some(v) if made == Some(Trap::GcHeapOutOfMemory) => {
                Err(GcHeapOutOfMemory::new(*v).into())
            }
            _ => Err(error),
        }
    }

    /// The host value; none of an internal one that was converted.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Result<Option<&'a (dyn Any + Send + Sync)>> {
        let opaque = &store.into().0.opaque;
        let index = opaque.vm.extern_index(opaque.reference(self.root())?);
        let value = index.and_then(|i| opaque.externs.values.get(i as usize)?.as_deref());
        Ok(value)
    }

    /// The host value; none of an internal one that was converted.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<Option<&'a mut (dyn Any + Send + Sync)>> {
        let opaque = &mut store.into().0.into_mut().opaque;
        let index = opaque.vm.extern_index(opaque.reference(self.root())?);
        let value = index.and_then(|i| opaque.externs.values.get_mut(i as usize)?.as_deref_mut());
        Ok(value)
    }

    /// Gives an internal reference out; [`AnyRef::convert_extern`] takes it in again. Spec: `extern.convert_any`.
    ///
    /// # Errors
    /// If its scope has ended.
    pub fn convert_any(
        mut store: impl AsContextMut,
        anyref: Rooted<AnyRef>,
    ) -> Result<Rooted<ExternRef>> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let reference = opaque.reference(anyref.root())?;
        Ok(opaque.root(reference))
    }
}
