//! References to internal values: of any kind, and of those that can be compared.

use sheave_interp::ObjectKind;

use crate::Result;
use crate::gc::rooting::{gc_ref, upcasts};
use crate::gc::{ArrayRef, ExternRef, GcRefImpl, GcRoot, I31, OwnedRooted, Rooted, StructRef};
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::types::HeapType;

gc_ref! {
    /// A reference to an internal value: an [`I31`], a struct, an array, or a host value that was converted.
    /// Spec: syntax-heaptype (`any`).
    AnyRef;
    /// A reference to an internal value that can be compared: an [`I31`], a struct or an array.
    /// Spec: syntax-heaptype (`eq`).
    EqRef;
}

upcasts! {
    EqRef => AnyRef to_anyref;
}

impl StoreOpaque {
    /// The narrowest type of what a handle refers to; `any` of a host value.
    pub(crate) fn heap_type_of(&self, root: GcRoot) -> Result<HeapType> {
        let reference = self.reference(root)?;
        Ok(match self.vm.object_kind(reference) {
            Some(ObjectKind::I31(_)) => HeapType::I31,
            Some(ObjectKind::Struct(id) | ObjectKind::Array(id)) => {
                match self.engine.types().get(id) {
                    Some(def) => HeapType::from_def(&self.engine, def),
                    None => HeapType::Any,
                }
            }
            Some(ObjectKind::Exn) => HeapType::Exn,
            Some(ObjectKind::Extern(_)) => HeapType::Any,
            None => HeapType::None,
        })
    }

    fn kind_of(&self, root: GcRoot) -> Result<Option<ObjectKind>> {
        Ok(self.vm.object_kind(self.reference(root)?))
    }
}

macro_rules! casts {
    ($($ty:ident)*) => { $( impl $ty {
        /// A reference that is the integer itself: nothing is allocated.
        pub fn from_i31(mut store: impl AsContextMut, value: I31) -> Rooted<$ty> {
            store.as_context_mut().0.opaque.root(value.reference())
        }

        /// The narrowest type of what it refers to.
        ///
        /// # Errors
        /// If its scope has ended.
        ///
        /// # Panics
        /// If `store` is not its store.
        pub fn ty(&self, store: impl AsContext) -> Result<HeapType> {
            store.as_context().0.opaque.heap_type_of(self.root())
        }

        /// Whether it can stand where a reference to `ty` is wanted.
        ///
        /// # Errors
        /// If its scope has ended.
        ///
        /// # Panics
        /// If `store` is not its store.
        pub fn matches_ty(&self, store: impl AsContext, ty: &HeapType) -> Result<bool> {
            Ok(self.ty(store)?.matches(ty))
        }

        /// Whether it is an integer.
        ///
        /// # Errors
        /// If its scope has ended.
        pub fn is_i31(&self, store: impl AsContext) -> Result<bool> {
            Ok(self.as_i31(store)?.is_some())
        }

        /// The integer, if it is one.
        ///
        /// # Errors
        /// If its scope has ended.
        pub fn as_i31(&self, store: impl AsContext) -> Result<Option<I31>> {
            Ok(I31::of(store.as_context().0.opaque.reference(self.root())?))
        }

        /// The integer.
        ///
        /// # Errors
        /// If its scope has ended.
        ///
        /// # Panics
        /// If it is none.
        pub fn unwrap_i31(&self, store: impl AsContext) -> Result<I31> {
            Ok(self.as_i31(store)?.expect("an i31"))
        }

        /// Whether it refers to a struct.
        ///
        /// # Errors
        /// If its scope has ended.
        pub fn is_struct(&self, store: impl AsContext) -> Result<bool> {
            let kind = store.as_context().0.opaque.kind_of(self.root())?;
            Ok(matches!(kind, Some(ObjectKind::Struct(_))))
        }

        /// The struct, if it is one: a handle that is good as long as this one.
        ///
        /// # Errors
        /// If its scope has ended.
        pub fn as_struct(&self, store: impl AsContext) -> Result<Option<Rooted<StructRef>>> {
            Ok(self.is_struct(store)?.then(|| Rooted::at(self.root())))
        }

        /// The struct.
        ///
        /// # Errors
        /// If its scope has ended.
        ///
        /// # Panics
        /// If it is none.
        pub fn unwrap_struct(&self, store: impl AsContext) -> Result<Rooted<StructRef>> {
            Ok(self.as_struct(store)?.expect("a struct"))
        }

        /// Whether it refers to an array.
        ///
        /// # Errors
        /// If its scope has ended.
        pub fn is_array(&self, store: impl AsContext) -> Result<bool> {
            let kind = store.as_context().0.opaque.kind_of(self.root())?;
            Ok(matches!(kind, Some(ObjectKind::Array(_))))
        }

        /// The array, if it is one: a handle that is good as long as this one.
        ///
        /// # Errors
        /// If its scope has ended.
        pub fn as_array(&self, store: impl AsContext) -> Result<Option<Rooted<ArrayRef>>> {
            Ok(self.is_array(store)?.then(|| Rooted::at(self.root())))
        }

        /// The array.
        ///
        /// # Errors
        /// If its scope has ended.
        ///
        /// # Panics
        /// If it is none.
        pub fn unwrap_array(&self, store: impl AsContext) -> Result<Rooted<ArrayRef>> {
            Ok(self.as_array(store)?.expect("an array"))
        }
    } )* };
}

casts!(AnyRef EqRef);

impl AnyRef {
    /// Takes an external reference in; [`ExternRef::convert_any`] gives it out again. Spec: `any.convert_extern`.
    ///
    /// # Errors
    /// If its scope has ended.
    pub fn convert_extern(
        mut store: impl AsContextMut,
        externref: Rooted<ExternRef>,
    ) -> Result<Rooted<AnyRef>> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let reference = opaque.reference(externref.root())?;
        Ok(opaque.root(reference))
    }

    /// Whether it can be compared.
    ///
    /// # Errors
    /// If its scope has ended.
    pub fn is_eqref(&self, store: impl AsContext) -> Result<bool> {
        let kind = store.as_context().0.opaque.kind_of(self.root())?;
        Ok(matches!(
            kind,
            Some(ObjectKind::I31(_) | ObjectKind::Struct(_) | ObjectKind::Array(_))
        ))
    }

    /// The reference as one that can be compared, if it is: a handle that is good as long as this one.
    ///
    /// # Errors
    /// If its scope has ended.
    pub fn as_eqref(&self, store: impl AsContext) -> Result<Option<Rooted<EqRef>>> {
        Ok(self.is_eqref(store)?.then(|| Rooted::at(self.root())))
    }

    /// The reference as one that can be compared.
    ///
    /// # Errors
    /// If its scope has ended.
    ///
    /// # Panics
    /// If it cannot be.
    pub fn unwrap_eqref(&self, store: impl AsContext) -> Result<Rooted<EqRef>> {
        Ok(self.as_eqref(store)?.expect("an eqref"))
    }
}
