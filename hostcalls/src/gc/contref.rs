//! References to continuations.

use anyhow::bail;

use crate::Result;
use crate::gc::GcRoot;
use crate::gc::rooting::gc_ref;
use crate::store::{AsContext, StoreOpaque};
use crate::types::{ContType, HeapType};

gc_ref! {
    /// A reference to a continuation: a computation that waits to be resumed. It is good for one use, by whoever has
    /// it; a handle of one that was used stays what it is, but cannot be used again.
    ContRef;
}

impl StoreOpaque {
    /// The type of a continuation.
    pub(crate) fn cont_type(&self, root: GcRoot) -> Result<ContType> {
        let reference = self.reference(root)?;
        let def = self.vm.cont_type(reference);
        let def = def.and_then(|id| self.engine.types().get(id));
        match def.map(|def| HeapType::from_def(&self.engine, def)) {
            Some(HeapType::ConcreteCont(ty)) => Ok(ty),
            _ => bail!("not a continuation"),
        }
    }
}

impl ContRef {
    /// Its type: what it wants to be resumed with, and what it gives when it ends.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn ty(&self, store: impl AsContext) -> Result<ContType> {
        store.as_context().0.opaque.cont_type(self.0)
    }

    /// Whether it can stand where a reference to `ty` is wanted.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &HeapType) -> Result<bool> {
        Ok(HeapType::from(self.ty(store)?).matches(ty))
    }
}
