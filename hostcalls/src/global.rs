//! Globals of a store.

use anyhow::bail;
use sheave_interp::GlobalAddr;
use sheave_types::ValType;

use crate::Result;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::types::{GlobalType, Mutability};
use crate::values::Val;
use crate::vector::V128;

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
        let content = ty.0.content;
        if !ty.content().is_of(&opaque.engine) || !opaque.val_matches(&val, content)? {
            bail!("value provided does not match the type of this global");
        }
        let bits = val.to_slots(opaque)?;
        let addr = opaque.vm.new_global(bits[0])?;
        opaque.global_set(addr, content, bits);
        if opaque.engine.types().is_traced(content) {
            opaque.vm.trace_global(addr);
        }
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
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let opaque = &mut store.as_context_mut().0.opaque;
        opaque.check(self.store);
        let ty = opaque.global_types[self.addr.0 as usize].0.content;
        Val::from_slots(opaque.global_get(self.addr, ty), ty, opaque)
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
        if !opaque.val_matches(&val, ty.0.content)? {
            bail!(
                "global of type {} cannot be set to a value of type {}",
                ty.content(),
                val.type_name()
            );
        }
        let ty = ty.0.content;
        let bits = val.to_slots(opaque)?;
        opaque.global_set(self.addr, ty, bits);
        Ok(())
    }
}

impl StoreOpaque {
    /// The bits of a global of that type, as slots hold them.
    pub(crate) fn global_get(&self, global: GlobalAddr, ty: ValType) -> [u64; 2] {
        if ty == ValType::V128 {
            V128::from(self.vm.global_get_v128(global)).to_slots()
        } else {
            [self.vm.global_get(global), 0]
        }
    }

    /// Sets the bits of a global of that type.
    pub(crate) fn global_set(&mut self, global: GlobalAddr, ty: ValType, bits: [u64; 2]) {
        if ty == ValType::V128 {
            self.vm
                .global_set_v128(global, V128::from_slots(bits).as_u128());
        } else {
            self.vm.global_set(global, bits[0]);
        }
    }
}
