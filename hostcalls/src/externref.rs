//! Host values that a guest can hold, but not look into.

use core::any::Any;

use crate::Result;
use crate::store::{AsContext, AsContextMut};

/// A reference to a host value. Spec: syntax-externref.
///
/// The value lives in the store's own table until the store goes: this version has no collector that could find out
/// when the guest lets go of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternRef {
    pub(crate) store: u64,
    pub(crate) index: u32,
}

impl ExternRef {
    /// Gives `value` to the store.
    ///
    /// # Errors
    /// If the store holds as many already as can be told apart.
    pub fn new<V: Any + Send + Sync>(mut store: impl AsContextMut, value: V) -> Result<ExternRef> {
        let store = &mut store.as_context_mut().0.opaque;
        let index = u32::try_from(store.externs.len())
            .ok()
            .filter(|i| *i < u32::MAX - 1);
        let Some(index) = index else {
            anyhow::bail!("too many external references in one store")
        };
        store.externs.push(Box::new(value));
        Ok(ExternRef {
            store: store.id,
            index,
        })
    }

    /// The host value.
    ///
    /// # Errors
    /// If the reference is of another store.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<crate::StoreContext<'a, T>>,
    ) -> Result<&'a (dyn Any + Send + Sync)> {
        let opaque = &store.into().0.opaque;
        if self.store != opaque.id {
            anyhow::bail!("a reference of another store was given to this one");
        }
        match opaque.externs.get(self.index as usize) {
            Some(v) => Ok(&**v),
            None => anyhow::bail!("no such external reference"),
        }
    }

    /// Whether both refer to the same host value.
    pub fn same(&self, _store: impl AsContext, other: &ExternRef) -> bool {
        self == other
    }
}
