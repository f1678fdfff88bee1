//! Globals of a store.

use anyhow::bail;
use sheave_interp::GlobalAddr;

use crate::Result;
use crate::store::{AsContext, AsContextMut};
use crate::types::{GlobalType, Mutability};
use crate::values::Val;

/// A global of a store. Spec: syntax-globaladdr.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Global {
    pub(crate) store: u64,
    pub(crate) addr: GlobalAddr,
}

impl Global {
    /// A new global.
    ///
    /// # Errors
    /// If `val` is of another type, or the store's budget refuses.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, val: Val) -> Result<Global> {
        let opaque = &mut store.as_context_mut().0.opaque;
        if !val.matches(*ty.content()) {
            bail!("value provided does not match the type of this global");
        }
        let bits = val.to_slot(opaque)?;
        let addr = opaque.vm.new_global(bits)?;
        opaque.global_types.push(ty);
        Ok(Global {
            store: opaque.id,
            addr,
        })
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        let opaque = &store.as_context().0.opaque;
        opaque.check(self.store);
        opaque.global_types[self.addr.0 as usize].clone()
    }

    /// Its value.
    pub fn get(&self, store: impl AsContext) -> Val {
        let opaque = &store.as_context().0.opaque;
        opaque.check(self.store);
        let ty = *opaque.global_types[self.addr.0 as usize].content();
        Val::from_slot(opaque.vm.global_get(self.addr), ty, opaque)
    }

    /// Sets its value.
    ///
    /// # Errors
    /// If it cannot be changed, or `val` is of another type.
    pub fn set(&self, mut store: impl AsContextMut, val: Val) -> Result<()> {
        let opaque = &mut store.as_context_mut().0.opaque;
        opaque.check(self.store);
        let ty = &opaque.global_types[self.addr.0 as usize];
        if ty.mutability() == Mutability::Const {
            bail!("immutable global cannot be set");
        }
        if !val.matches(*ty.content()) {
            bail!(
                "global of type {} cannot be set to a value of type {}",
                ty.content(),
                val.type_name()
            );
        }
        let bits = val.to_slot(opaque)?;
        opaque.vm.global_set(self.addr, bits);
        Ok(())
    }
}
