//! References to exceptions.

use anyhow::{bail, ensure};
use sheave_interp::TagAddr;

use crate::Result;
use crate::engine::Engine;
use crate::gc::error::refused;
use crate::gc::rooting::gc_ref;
use crate::gc::{GcRefImpl, GcRoot, Rooted};
use crate::host;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreOpaque};
use crate::tag::Tag;
use crate::types::{ExnType, HeapType};
use crate::values::Val;

gc_ref! {
    /// A reference to an exception: a tag and the values that go with it. Spec: syntax-heaptype (`exn`).
    ///
    /// ```
    /// use sheave_hostcalls::{Engine, ExnRef, ExnRefPre, ExnType, FuncType, Store, Tag, TagType, Val, ValType};
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let tag = Tag::new(&mut store, &TagType::new(FuncType::new(&engine, [ValType::I32], [])))?;
    /// let ty = ExnType::from_tag_type(&tag.ty(&store))?;
    /// let pre = ExnRefPre::new(&mut store, ty);
    /// let exn = ExnRef::new(&mut store, &pre, &tag, &[Val::I32(5)])?;
    /// assert_eq!(exn.field(&mut store, 0)?.unwrap_i32(), 5);
    /// assert!(Tag::eq(&exn.tag(&mut store)?, &tag, &store));
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ExnRef;
}

/// Makes exceptions with one type of payload in one store.
#[derive(Debug)]
pub struct ExnRefPre {
    store: u64,
    ty: ExnType,
}

impl ExnRefPre {
    /// To make exceptions of type `ty`.
    ///
    /// # Panics
    /// If the type is not of the store's engine.
    pub fn new(store: impl AsContextMut, ty: ExnType) -> ExnRefPre {
        let opaque = &store.as_context().0.opaque;
        assert!(
            Engine::same(ty.engine(), &opaque.engine),
            "a type of another engine"
        );
        ExnRefPre {
            store: opaque.id,
            ty,
        }
    }
}

impl StoreOpaque {
    /// The reference and the tag of an exception.
    fn exn_at(&self, root: GcRoot) -> Result<(u32, TagAddr)> {
        let reference = self.reference(root)?;
        match self.vm.exn_tag(reference) {
            Some(tag) => Ok((reference, TagAddr(tag))),
            None => bail!("not an exception"),
        }
    }

    fn exn_fields(&mut self, root: GcRoot) -> Result<Vec<Val>> {
        let (reference, tag) = self.exn_at(root)?;
        let types = self.tag_type(tag);
        let slots = self.vm.exn_payload(reference).unwrap_or_default();
        let mut at = 0;
        let mut fields = Vec::new();
        for ty in types.ty().plain().params() {
            let slot = |i: usize| slots.get(i).copied().unwrap_or(0);
            let bits = [slot(at), slot(at + 1)];
            at += ty.slots() as usize;
            fields.push(Val::from_slots(bits, *ty, self));
        }
        Ok(fields)
    }
}

impl ExnRef {
    /// A new exception.
    ///
    /// # Errors
    /// If the values do not fit the type, the tag is of another type, or there is no room
    /// ([`GcHeapOutOfMemory`](crate::GcHeapOutOfMemory)).
    ///
    /// # Panics
    /// If the allocator, the tag or a value is of another store.
    pub fn new(
        mut store: impl AsContextMut,
        allocator: &ExnRefPre,
        tag: &Tag,
        fields: &[Val],
    ) -> Result<Rooted<ExnRef>> {
        let mut store = store.as_context_mut().0;
        let opaque = &store.opaque;
        opaque.check(allocator.store);
        opaque.check(tag.store);
        let ty = opaque.tag_type(tag.addr);
        ensure!(
            allocator.ty.tag_type() == ty,
            "the exception's type is not that of its tag"
        );
        let types = ty.ty().plain().params();
        ensure!(
            types.len() == fields.len(),
            "expected {} fields, got {}",
            types.len(),
            fields.len()
        );
        let mut slots = Vec::with_capacity(fields.len());
        for (value, ty) in fields.iter().zip(types) {
            opaque.push_field(&mut slots, value, sheave_types::StorageType::Val(*ty))?;
        }
        let (tag, id) = (tag.addr.0, ty.ty().0.id);
        let made = host::grow(store.reborrow(), |vm| vm.alloc_exn(tag, id, &slots))?;
        Ok(store.opaque.root(made.map_err(refused)?))
    }

    /// Its type.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn ty(&self, store: impl AsContext) -> Result<ExnType> {
        let opaque = &store.as_context().0.opaque;
        let (_, tag) = opaque.exn_at(self.root())?;
        ExnType::from_tag_type(&opaque.tag_type(tag))
    }

    /// Whether it can stand where a reference to `ty` is wanted.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &HeapType) -> Result<bool> {
        store.as_context().0.opaque.exn_at(self.root())?;
        Ok(HeapType::Exn.matches(ty))
    }

    /// Its tag.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn tag(&self, mut store: impl AsContextMut) -> Result<Tag> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let (_, addr) = opaque.exn_at(self.root())?;
        Ok(Tag {
            store: opaque.id,
            addr,
        })
    }

    /// The values that it carries.
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
        let fields = store.into().0.opaque.exn_fields(self.root())?;
        Ok(fields.into_iter())
    }

    /// One of the values.
    ///
    /// # Errors
    /// If its scope has ended, or there is no such field.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        let fields = store.as_context_mut().0.opaque.exn_fields(self.root())?;
        match fields.get(index) {
            Some(value) => Ok(*value),
            None => bail!(
                "cannot access field {index}: the exception has only {} fields",
                fields.len()
            ),
        }
    }
}
