//! References as Rust types of functions.

use crate::Result;
use crate::func::Func;
use crate::gc::{
    AnyRef, ArrayRef, ContRef, EqRef, ExnRef, ExternRef, GcRefImpl, I31, OwnedRooted, Rooted,
    StructRef,
};
use crate::into_func::{StoreOpaqueMut, StoreOpaqueRef};
use crate::store::StoreOpaque;
use crate::typed::{WasmTy, sealed};
use crate::types::{HeapType, RefType, ValType};

/// How a reference that is not null goes into a slot and comes out of it.
trait Reference: Sized {
    const HEAP_TYPE: HeapType;
    fn to_entry(&self, store: &StoreOpaque) -> Result<u32>;
    /// A slot that has null, which only a damaged arena can have, gives a handle that leads nowhere.
    fn from_entry(entry: u32, store: &mut StoreOpaque) -> Self;
}

impl Reference for Func {
    const HEAP_TYPE: HeapType = HeapType::Func;
    fn to_entry(&self, store: &StoreOpaque) -> Result<u32> {
        crate::Ref::Func(Some(*self)).to_entry(store)
    }
    fn from_entry(entry: u32, store: &mut StoreOpaque) -> Func {
        store.func_of(entry).unwrap_or(Func {
            store: store.id,
            addr: sheave_interp::FuncAddr(u32::MAX - 1),
        })
    }
}

impl Reference for I31 {
    const HEAP_TYPE: HeapType = HeapType::I31;
    fn to_entry(&self, _store: &StoreOpaque) -> Result<u32> {
        Ok(self.reference())
    }
    fn from_entry(entry: u32, _store: &mut StoreOpaque) -> I31 {
        I31::wrapping_u32(entry >> 1)
    }
}

macro_rules! handles {
    ($($ty:ident $heap:ident;)*) => { $(
        impl Reference for Rooted<$ty> {
            const HEAP_TYPE: HeapType = HeapType::$heap;
            fn to_entry(&self, store: &StoreOpaque) -> Result<u32> {
                store.own_reference(self.root())
            }
            fn from_entry(entry: u32, store: &mut StoreOpaque) -> Self {
                store.root(entry)
            }
        }
        impl Reference for OwnedRooted<$ty> {
            const HEAP_TYPE: HeapType = HeapType::$heap;
            fn to_entry(&self, store: &StoreOpaque) -> Result<u32> {
                store.own_reference(self.root())
            }
            fn from_entry(entry: u32, store: &mut StoreOpaque) -> Self {
                store.own(entry)
            }
        }
        references! {
            Rooted<$ty>;
            OwnedRooted<$ty>;
        }
    )* };
}

macro_rules! references {
    ($($ty:ty;)*) => { $(
        impl sealed::Type for $ty {}
        impl WasmTy for $ty {
            const IS_REF: bool = true;
            fn valtype() -> ValType {
                RefType::new(false, <$ty as Reference>::HEAP_TYPE).into()
            }
            #[inline]
            fn to_slots(self, store: &StoreOpaqueRef<'_>) -> Result<[u64; 2]> {
                Ok([self.to_entry(store.0)?.into(), 0])
            }
            #[inline]
            fn from_slots([bits, _]: [u64; 2], store: &mut StoreOpaqueMut<'_>) -> $ty {
                <$ty as Reference>::from_entry(bits as u32, store.0)
            }
        }

        impl sealed::Type for Option<$ty> {}
        impl WasmTy for Option<$ty> {
            const IS_REF: bool = true;
            fn valtype() -> ValType {
                RefType::new(true, <$ty as Reference>::HEAP_TYPE).into()
            }
            #[inline]
            fn to_slots(self, store: &StoreOpaqueRef<'_>) -> Result<[u64; 2]> {
                let entry = self.map_or(Ok(0), |r| r.to_entry(store.0))?;
                Ok([entry.into(), 0])
            }
            #[inline]
            fn from_slots([bits, _]: [u64; 2], store: &mut StoreOpaqueMut<'_>) -> Option<$ty> {
                let entry = bits as u32;
                (entry != 0).then(|| <$ty as Reference>::from_entry(entry, store.0))
            }
        }
    )* };
}

references! {
    Func;
    I31;
}

handles! {
    AnyRef Any;
    EqRef Eq;
    StructRef Struct;
    ArrayRef Array;
    ExternRef Extern;
    ExnRef Exn;
    ContRef Cont;
}

macro_rules! nulls {
    ($($(#[$doc:meta])* $ty:ident $heap:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $ty {}

        impl sealed::Type for Option<$ty> {}
        impl WasmTy for Option<$ty> {
            const IS_REF: bool = true;
            fn valtype() -> ValType {
                RefType::new(true, HeapType::$heap).into()
            }
            #[inline]
            fn to_slots(self, _store: &StoreOpaqueRef<'_>) -> Result<[u64; 2]> {
                Ok([0, 0])
            }
            #[inline]
            fn from_slots(_bits: [u64; 2], _store: &mut StoreOpaqueMut<'_>) -> Option<$ty> {
                None
            }
        }
    )* };
}

nulls! {
    /// A reference that there is none of; `Option<NoFunc>` is always null. Spec: syntax-heaptype (`nofunc`).
    NoFunc NoFunc;
    /// A reference that there is none of; `Option<NoExtern>` is always null. Spec: syntax-heaptype (`noextern`).
    NoExtern NoExtern;
    /// A reference that there is none of; `Option<NoneRef>` is always null. Spec: syntax-heaptype (`none`).
    NoneRef None;
}
