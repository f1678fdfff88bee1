//! References to arrays.

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
use crate::types::ArrayType;
use crate::values::Val;

gc_ref! {
    /// A reference to an array. Spec: syntax-heaptype (`array`).
    ///
    /// ```
    /// use sheave_hostcalls::{
    ///     ArrayRef, ArrayRefPre, ArrayType, Engine, FieldType, Mutability, StorageType, Store, Val,
    /// };
    /// let engine = Engine::default();
    /// let ty = ArrayType::new(&engine, FieldType::new(Mutability::Var, StorageType::I8));
    /// let mut store = Store::new(&engine, ());
    /// let pre = ArrayRefPre::new(&mut store, ty);
    /// let bytes = ArrayRef::new(&mut store, &pre, &Val::I32(7), 3)?;
    /// bytes.set(&mut store, 1, Val::I32(0x1ff))?;
    /// let all: Vec<i32> = bytes.elems(&mut store)?.map(|v| v.unwrap_i32()).collect();
    /// assert_eq!(all, [7, 0xff, 7]);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ArrayRef;
}

upcasts! {
    ArrayRef => AnyRef to_anyref;
    ArrayRef => EqRef to_eqref;
}

/// Makes arrays of one type in one store.
#[derive(Debug)]
pub struct ArrayRefPre {
    store: u64,
    ty: ArrayType,
}

impl ArrayRefPre {
    /// To make arrays of type `ty`.
    ///
    /// # Panics
    /// If the type is not of the store's engine.
    pub fn new(store: impl AsContextMut, ty: ArrayType) -> ArrayRefPre {
        let opaque = &store.as_context().0.opaque;
        assert!(
            Engine::same(ty.engine(), &opaque.engine),
            "a type of another engine"
        );
        ArrayRefPre {
            store: opaque.id,
            ty,
        }
    }
}

impl StoreOpaque {
    /// The reference and the type of an array.
    fn array_at(&self, root: GcRoot) -> Result<(u32, ArrayType)> {
        let reference = self.reference(root)?;
        if let Some(ObjectKind::Array(id)) = self.vm.object_kind(reference)
            && let Some(def) = self.engine.types().get(id)
            && def.ty.as_array().is_some()
        {
            return Ok((reference, ArrayType(def, self.engine.clone())));
        }
        bail!("not an array")
    }

    fn element(&mut self, reference: u32, index: u32, ty: plain::FieldType) -> Option<Val> {
        let bits = self.vm.element_get(reference, index)?;
        Some(Val::from_slots(bits, ty.storage.unpack(), self))
    }

    fn array_of_bytes(&self, root: GcRoot) -> Result<u32> {
        let (reference, ty) = self.array_at(root)?;
        ensure!(
            ty.plain().storage == plain::StorageType::I8,
            "the array's elements are not i8"
        );
        Ok(reference)
    }
}

impl ArrayRef {
    /// A new array of `len` times the same element.
    ///
    /// # Errors
    /// If the value does not fit, or there is no room ([`GcHeapOutOfMemory`](crate::GcHeapOutOfMemory)).
    ///
    /// # Panics
    /// If the allocator is of another store.
    pub fn new(
        mut store: impl AsContextMut,
        allocator: &ArrayRefPre,
        elem: &Val,
        len: u32,
    ) -> Result<Rooted<ArrayRef>> {
        let mut store = store.as_context_mut().0;
        let opaque = &store.opaque;
        opaque.check(allocator.store);
        let bits = opaque.field_bits(elem, allocator.ty.plain().storage)?;
        let id = allocator.ty.0.id;
        let made = host::grow(store.reborrow(), |vm| vm.alloc_array(id, bits, len))?;
        Ok(store.opaque.root(made.map_err(refused)?))
    }

    /// A new array of these elements.
    ///
    /// # Errors
    /// If a value does not fit, or there is no room ([`GcHeapOutOfMemory`](crate::GcHeapOutOfMemory)).
    ///
    /// # Panics
    /// If the allocator is of another store.
    pub fn new_fixed(
        mut store: impl AsContextMut,
        allocator: &ArrayRefPre,
        elems: &[Val],
    ) -> Result<Rooted<ArrayRef>> {
        let mut store = store.as_context_mut().0;
        let opaque = &store.opaque;
        opaque.check(allocator.store);
        let storage = allocator.ty.plain().storage;
        let mut slots = Vec::with_capacity(elems.len());
        for value in elems {
            opaque.push_field(&mut slots, value, storage)?;
        }
        let id = allocator.ty.0.id;
        let made = host::grow(store.reborrow(), |vm| vm.alloc_array_fixed(id, &slots))?;
        Ok(store.opaque.root(made.map_err(refused)?))
    }

    /// A new array of bytes.
    ///
    /// # Errors
    /// If its elements are not `i8`, or there is no room ([`GcHeapOutOfMemory`](crate::GcHeapOutOfMemory)).
    ///
    /// # Panics
    /// If the allocator is of another store.
    pub fn new_from_i8_slice(
        mut store: impl AsContextMut,
        allocator: &ArrayRefPre,
        elems: &[u8],
    ) -> Result<Rooted<ArrayRef>> {
        let mut store = store.as_context_mut().0;
        let opaque = &store.opaque;
        opaque.check(allocator.store);
        ensure!(
            allocator.ty.plain().storage == plain::StorageType::I8,
            "the array's elements are not i8"
        );
        let slots: Vec<u64> = elems.iter().map(|b| u64::from(*b)).collect();
        let id = allocator.ty.0.id;
        let made = host::grow(store.reborrow(), |vm| vm.alloc_array_fixed(id, &slots))?;
        Ok(store.opaque.root(made.map_err(refused)?))
    }

    /// Copies the first elements of an array of bytes.
    ///
    /// # Errors
    /// If its scope has ended, its elements are not `i8`, or there are fewer than `dst` wants.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn copy_to_i8_slice(&self, store: impl AsContext, dst: &mut [u8]) -> Result<()> {
        let opaque = &store.as_context().0.opaque;
        let reference = opaque.array_of_bytes(self.root())?;
        let len = opaque.vm.array_len(reference).unwrap_or(0);
        ensure!(
            dst.len() <= len as usize,
            "the array has only {len} elements"
        );
        for (i, byte) in (0..).zip(dst) {
            let bits = opaque.vm.element_get(reference, i);
            *byte = bits.context("no such element")?[0] as u8;
        }
        Ok(())
    }

    /// Its type.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn ty(&self, store: impl AsContext) -> Result<ArrayType> {
        Ok(store.as_context().0.opaque.array_at(self.root())?.1)
    }

    /// Whether it can stand where an array of type `ty` is wanted.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ArrayType) -> Result<bool> {
        Ok(self.ty(store)?.matches(ty))
    }

    /// How many elements it has.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn len(&self, store: impl AsContext) -> Result<u32> {
        let opaque = &store.as_context().0.opaque;
        let (reference, _) = opaque.array_at(self.root())?;
        opaque.vm.array_len(reference).context("not an array")
    }

    /// Its elements.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn elems<'a, T: 'static>(
        &'a self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<impl ExactSizeIterator<Item = Val> + 'a> {
        let opaque = &mut store.into().0.opaque;
        let (reference, ty) = opaque.array_at(self.root())?;
        let (len, ty) = (opaque.vm.array_len(reference).unwrap_or(0), ty.plain());
        let all: Option<Vec<Val>> = (0..len).map(|i| opaque.element(reference, i, ty)).collect();
        Ok(all.context("no such element")?.into_iter())
    }

    /// An element; of a packed one, without its sign.
    ///
    /// # Errors
    /// If its scope has ended, or there is no such element.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn get(&self, mut store: impl AsContextMut, index: u32) -> Result<Val> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let (reference, ty) = opaque.array_at(self.root())?;
        let value = opaque.element(reference, index, ty.plain());
        value.with_context(|| format!("cannot get element {index}: index out of bounds"))
    }

    /// Sets an element; a packed one takes the low bits.
    ///
    /// # Errors
    /// If its scope has ended, there is no such element, they cannot be changed, or the value is of another type.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, value: Val) -> Result<()> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let (reference, ty) = opaque.array_at(self.root())?;
        if !ty.plain().mutable {
            bail!("cannot set element {index}: array elements are not mutable");
        }
        let bits = opaque.field_bits(&value, ty.plain().storage)?;
        ensure!(
            opaque.vm.element_set(reference, index, bits),
            "cannot set element {index}: index out of bounds"
        );
        Ok(())
    }
}
