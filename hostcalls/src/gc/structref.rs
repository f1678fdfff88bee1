//! References to structs.

use anyhow::{Context as _, bail, ensure};
use sheave_interp::ObjectKind;
use sheave_types as plain;

use crate::Result;
use crate::engine::Engine;
use crate::gc::error::refused;
use crate::gc::rooting::{gc_ref, upcasts};
use crate::gc::{AnyRef, EqRef, GcRefImpl, GcRoot, OwnedRooted, Rooted};
use crate::host;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreOpaque};
use crate::types::StructType;
use crate::values::Val;

gc_ref! {
    /// A reference to a struct. Spec: syntax-heaptype (`struct`).
    ///
    /// ```
    /// use sheave_hostcalls::{
    ///     Engine, FieldType, Mutability, StorageType, Store, StructRef, StructRefPre, StructType, Val, ValType,
    /// };
    /// let engine = Engine::default();
    /// let counter = FieldType::new(Mutability::Var, StorageType::ValType(ValType::I32));
    /// let ty = StructType::new(&engine, [counter])?;
    /// let mut store = Store::new(&engine, ());
    /// let pre = StructRefPre::new(&mut store, ty);
    /// let s = StructRef::new(&mut store, &pre, &[Val::I32(5)])?;
    /// s.set_field(&mut store, 0, Val::I32(6))?;
    /// assert_eq!(s.field(&mut store, 0)?.unwrap_i32(), 6);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    StructRef;
}

upcasts! {
    StructRef => AnyRef to_anyref;
    StructRef => EqRef to_eqref;
}

/// Makes structs of one type in one store.
#[derive(Debug)]
pub struct StructRefPre {
    store: u64,
    ty: StructType,
}

impl StructRefPre {
    /// To make structs of type `ty`.
    ///
    /// # Panics
    /// If the type is not of the store's engine.
    pub fn new(store: impl AsContextMut, ty: StructType) -> StructRefPre {
        let opaque = &store.as_context().0.opaque;
        assert!(
            Engine::same(ty.engine(), &opaque.engine),
            "a type of another engine"
        );
        StructRefPre {
            store: opaque.id,
            ty,
        }
    }
}

impl StoreOpaque {
    /// The bits of a value that is to be put where `ty` is wanted.
    pub(crate) fn field_bits(&self, value: &Val, ty: plain::StorageType) -> Result<[u64; 2]> {
        let want = ty.unpack();
        if !self.val_matches(value, want)? {
            bail!(
                "field type mismatch: expected {want}, found {}",
                value.type_name()
            );
        }
        value.to_slots(self)
    }

    /// Appends the bits to a list of slots.
    pub(crate) fn push_field(
        &self,
        slots: &mut Vec<u64>,
        value: &Val,
        ty: plain::StorageType,
    ) -> Result<()> {
        let bits = self.field_bits(value, ty)?;
        slots.extend_from_slice(&bits[..ty.unpack().slots() as usize]);
        Ok(())
    }

    /// The reference and the type of a struct.
    fn struct_at(&self, root: GcRoot) -> Result<(u32, StructType)> {
        let reference = self.reference(root)?;
        if let Some(ObjectKind::Struct(id)) = self.vm.object_kind(reference)
            && let Some(def) = self.engine.types().get(id)
            && def.ty.as_struct().is_some()
        {
            return Ok((reference, StructType(def, self.engine.clone())));
        }
        bail!("not a struct")
    }

    fn field(&mut self, root: GcRoot, index: usize) -> Result<Val> {
        let (reference, ty) = self.struct_at(root)?;
        let field = *ty
            .plain()
            .get(index)
            .with_context(|| format!("cannot access field {index}: {}", no_field(&ty)))?;
        let bits = self.vm.field_get(reference, index as u32);
        let bits = bits.context("no such field")?;
        Ok(Val::from_slots(bits, field.storage.unpack(), self))
    }
}

fn no_field(ty: &StructType) -> String {
    format!("the struct has only {} fields", ty.plain().len())
}

impl StructRef {
    /// A new struct.
    ///
    /// # Errors
    /// If the values do not fit the fields, or there is no room ([`GcHeapOutOfMemory`](crate::GcHeapOutOfMemory)).
    ///
    /// # Panics
    /// If the allocator, or a value, is of another store.
    pub fn new(
        mut store: impl AsContextMut,
        allocator: &StructRefPre,
        fields: &[Val],
    ) -> Result<Rooted<StructRef>> {
        let mut store = store.as_context_mut().0;
        let opaque = &store.opaque;
        opaque.check(allocator.store);
        let types = allocator.ty.plain();
        ensure!(
            types.len() == fields.len(),
            "expected {} fields, got {}",
            types.len(),
            fields.len()
        );
        let mut slots = Vec::with_capacity(fields.len());
        for (value, ty) in fields.iter().zip(types) {
            opaque.push_field(&mut slots, value, ty.storage)?;
        }
        let id = allocator.ty.0.id;
        let made = host::grow(store.reborrow(), |vm| vm.alloc_struct(id, &slots))?;
        Ok(store.opaque.root(made.map_err(refused)?))
    }

    /// Its type.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn ty(&self, store: impl AsContext) -> Result<StructType> {
        Ok(store.as_context().0.opaque.struct_at(self.root())?.1)
    }

    /// Whether it can stand where a struct of type `ty` is wanted.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &StructType) -> Result<bool> {
        Ok(self.ty(store)?.matches(ty))
    }

    /// The values of its fields.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn fields<'a, T: 'static>(
        &'a self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<impl ExactSizeIterator<Item = Val> + 'a> {
        let opaque = &mut store.into().0.opaque;
        let len = opaque.struct_at(self.root())?.1.plain().len();
        let all: Result<Vec<Val>> = (0..len).map(|i| opaque.field(self.root(), i)).collect();
        Ok(all?.into_iter())
    }

    /// The value of a field; of a packed one, without its sign.
    ///
    /// # Errors
    /// If its scope has ended, or there is no such field.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        store.as_context_mut().0.opaque.field(self.root(), index)
    }

    /// Sets a field; a packed one takes the low bits.
    ///
    /// # Errors
    /// If its scope has ended, there is no such field, it cannot be changed, or the value is of another type.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn set_field(&self, mut store: impl AsContextMut, index: usize, value: Val) -> Result<()> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let (reference, ty) = opaque.struct_at(self.root())?;
        let field = ty
            .plain()
            .get(index)
            .with_context(|| format!("cannot set field {index}: {}", no_field(&ty)))?;
        if !field.mutable {
            bail!("cannot set field {index}: field is not mutable");
        }
        let bits = opaque.field_bits(&value, field.storage)?;
        ensure!(
            opaque.vm.field_set(reference, index as u32, bits),
            "no such field"
        );
        Ok(())
    }
}
