//! Values of any type, and how they lie in slots.
#![allow(unsafe_code, reason = "reads and writes the machine's slots")]

use anyhow::bail;
use sheave_types as plain;

use crate::Result;
use crate::func::Func;
use crate::gc::{
    AnyRef, ArrayRef, ContRef, EqRef, ExnRef, ExternRef, GcRefImpl, GcRoot, Rooted, StructRef,
};
use crate::store::{AsContext, StoreOpaque};
use crate::types::{HeapType, RefType, ValType};
use crate::vector::V128;

/// A value. Spec: syntax-val.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    /// An i32.
    I32(i32),
    /// An i64.
    I64(i64),
    /// An f32, by its bits.
    F32(u32),
    /// An f64, by its bits.
    F64(u64),
    /// A v128.
    V128(V128),
    /// A function reference.
    FuncRef(Option<Func>),
    /// A reference to a host value.
    ExternRef(Option<Rooted<ExternRef>>),
    /// A reference to an internal value.
    AnyRef(Option<Rooted<AnyRef>>),
    /// A reference to an exception.
    ExnRef(Option<Rooted<ExnRef>>),
    /// A reference to a continuation.
    ContRef(Option<Rooted<ContRef>>),
}

/// A reference. Spec: syntax-ref.
#[derive(Clone, Copy, Debug)]
pub enum Ref {
    /// To a function.
    Func(Option<Func>),
    /// To a host value.
    Extern(Option<Rooted<ExternRef>>),
    /// To an internal value.
    Any(Option<Rooted<AnyRef>>),
    /// To an exception.
    Exn(Option<Rooted<ExnRef>>),
    /// To a continuation.
    Cont(Option<Rooted<ContRef>>),
}

macro_rules! accessors {
    ($($get:ident $unwrap:ident $variant:ident $ty:ty, $v:ident => $e:expr;)*) => { $(
        #[doc = concat!("The value, if it is an `", stringify!($variant), "`.")]
        pub fn $get(&self) -> Option<$ty> {
            if let Val::$variant($v) = self { Some($e) } else { None }
        }

        #[doc = concat!("The value.\n\n# Panics\nIf it is not an `", stringify!($variant), "`.")]
        pub fn $unwrap(&self) -> $ty {
            self.$get().expect(concat!("expected ", stringify!($variant)))
        }
    )* };
}

impl Val {
    accessors! {
        i32 unwrap_i32 I32 i32, v => *v;
        i64 unwrap_i64 I64 i64, v => *v;
        f32 unwrap_f32 F32 f32, v => f32::from_bits(*v);
        f64 unwrap_f64 F64 f64, v => f64::from_bits(*v);
        v128 unwrap_v128 V128 V128, v => *v;
        funcref unwrap_funcref FuncRef Option<&Func>, v => v.as_ref();
        externref unwrap_externref ExternRef Option<&Rooted<ExternRef>>, v => v.as_ref();
        anyref unwrap_anyref AnyRef Option<&Rooted<AnyRef>>, v => v.as_ref();
        exnref unwrap_exnref ExnRef Option<&Rooted<ExnRef>>, v => v.as_ref();
        contref unwrap_contref ContRef Option<&Rooted<ContRef>>, v => v.as_ref();
    }

    /// A null reference of that type.
    pub fn null_ref(ty: &HeapType) -> Val {
        Val::from(Ref::null(ty))
    }

    /// A null function reference.
    pub const fn null_func_ref() -> Val {
        Val::FuncRef(None)
    }

    /// A null external reference.
    pub const fn null_extern_ref() -> Val {
        Val::ExternRef(None)
    }

    /// A null internal reference.
    pub const fn null_any_ref() -> Val {
        Val::AnyRef(None)
    }

    /// The zero or null of that type, where it has one.
    pub fn default_for_ty(ty: &ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(V128::from(0)),
            ValType::Ref(r) if r.is_nullable() => Val::null_ref(r.heap_type()),
            ValType::Ref(_) => return None,
        })
    }

    /// The reference, if it is one.
    pub fn ref_(self) -> Option<Ref> {
        match self {
            Val::FuncRef(r) => Some(Ref::Func(r)),
            Val::ExternRef(r) => Some(Ref::Extern(r)),
            Val::AnyRef(r) => Some(Ref::Any(r)),
            Val::ExnRef(r) => Some(Ref::Exn(r)),
            Val::ContRef(r) => Some(Ref::Cont(r)),
            _ => None,
        }
    }

    /// Its type, as narrow as it can be said.
    ///
    /// # Errors
    /// If it is a handle whose scope has ended.
    ///
    /// # Panics
    /// If it is of another store.
    pub fn ty(&self, store: impl AsContext) -> Result<ValType> {
        Ok(match self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::FuncRef(r) => Ref::Func(*r).ty(store)?.into(),
            Val::ExternRef(r) => Ref::Extern(*r).ty(store)?.into(),
            Val::AnyRef(r) => Ref::Any(*r).ty(store)?.into(),
            Val::ExnRef(r) => Ref::Exn(*r).ty(store)?.into(),
            Val::ContRef(r) => Ref::Cont(*r).ty(store)?.into(),
        })
    }

    /// Whether it can stand where `ty` is wanted.
    ///
    /// # Errors
    /// If it is a handle whose scope has ended.
    ///
    /// # Panics
    /// If it is of another store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ValType) -> Result<bool> {
        let opaque = &store.as_context().0.opaque;
        Ok(ty.is_of(&opaque.engine) && opaque.val_matches(self, ty.plain())?)
    }

    /// The bits of its slots; the second is of no account for all but a v128.
    pub(crate) fn to_slots(self, store: &StoreOpaque) -> Result<[u64; 2]> {
        let bits = match self {
            Val::I32(v) => u64::from(v as u32),
            Val::I64(v) => v as u64,
            Val::F32(bits) => bits.into(),
            Val::F64(bits) => bits,
            Val::V128(v) => return Ok(v.to_slots()),
            Val::FuncRef(r) => Ref::Func(r).to_entry(store)?.into(),
            Val::ExternRef(r) => Ref::Extern(r).to_entry(store)?.into(),
            Val::AnyRef(r) => Ref::Any(r).to_entry(store)?.into(),
            Val::ExnRef(r) => Ref::Exn(r).to_entry(store)?.into(),
            Val::ContRef(r) => Ref::Cont(r).to_entry(store)?.into(),
        };
        Ok([bits, 0])
    }

    /// The value of that type in one slot, or two. A reference is kept until the current scope ends.
    pub(crate) fn from_slots(
        [bits, upper]: [u64; 2],
        ty: plain::ValType,
        store: &mut StoreOpaque,
    ) -> Val {
        match ty {
            plain::ValType::I32 => Val::I32(bits as u32 as i32),
            plain::ValType::I64 => Val::I64(bits as i64),
            plain::ValType::V128 => Val::V128(V128::from_slots([bits, upper])),
            plain::ValType::F32 => Val::F32(bits as u32),
            plain::ValType::F64 => Val::F64(bits),
            plain::ValType::Ref(r) => Val::from(Ref::from_entry(bits as u32, r.heap_type, store)),
        }
    }

    /// Writes it from `slots` up; gives where the next one goes.
    ///
    /// # Safety
    /// - As many slots as a value of its type takes are there to be written (H3).
    pub(crate) unsafe fn write(self, slots: *mut u64, store: &StoreOpaque) -> Result<*mut u64> {
        let [lower, upper] = self.to_slots(store)?;
        // SAFETY: the caller's promise.
        unsafe {
            slots.write(lower.to_le());
            if !matches!(self, Val::V128(_)) {
                return Ok(slots.add(1));
            }
            slots.add(1).write(upper.to_le());
            Ok(slots.add(2))
        }
    }

    /// Reads a value of that type from `slots` up; gives where the next one is.
    ///
    /// # Safety
    /// - As many slots as a value of that type takes are there to be read (H3).
    pub(crate) unsafe fn read(
        slots: *const u64,
        ty: plain::ValType,
        store: &mut StoreOpaque,
    ) -> (Val, *const u64) {
        // SAFETY: the caller's promise.
        unsafe {
            let lower = u64::from_le(slots.read());
            if ty != plain::ValType::V128 {
                return (Val::from_slots([lower, 0], ty, store), slots.add(1));
            }
            let upper = u64::from_le(slots.add(1).read());
            (Val::from_slots([lower, upper], ty, store), slots.add(2))
        }
    }

    /// Reads values of those types from `slots` up.
    ///
    /// # Safety
    /// - As many slots as values of those types take are there to be read (H3).
    pub(crate) unsafe fn read_all(
        mut slots: *const u64,
        types: &[plain::ValType],
        values: &mut [Val],
        store: &mut StoreOpaque,
    ) {
        for (value, ty) in values.iter_mut().zip(types) {
            // SAFETY: the caller's promise.
            (*value, slots) = unsafe { Val::read(slots, *ty, store) };
        }
    }

    /// The name of its type, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Val::I32(_) => "i32",
            Val::I64(_) => "i64",
            Val::F32(_) => "f32",
            Val::F64(_) => "f64",
            Val::V128(_) => "v128",
            Val::FuncRef(_) => "funcref",
            Val::ExternRef(_) => "externref",
            Val::AnyRef(_) => "anyref",
            Val::ExnRef(_) => "exnref",
            Val::ContRef(_) => "contref",
        }
    }
}

impl Ref {
    /// The null of that type.
    pub fn null(ty: &HeapType) -> Ref {
        match ty.top() {
            HeapType::Extern => Ref::Extern(None),
            HeapType::Any => Ref::Any(None),
            HeapType::Exn => Ref::Exn(None),
            HeapType::Cont => Ref::Cont(None),
            _ => Ref::Func(None),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(
            self,
            Ref::Func(None) | Ref::Extern(None) | Ref::Any(None) | Ref::Exn(None) | Ref::Cont(None)
        )
    }

    /// Whether it is not null.
    pub fn is_non_null(&self) -> bool {
        !self.is_null()
    }

    /// Its type, as narrow as it can be said.
    ///
    /// # Errors
    /// If it is a handle whose scope has ended.
    ///
    /// # Panics
    /// If it is of another store.
    pub fn ty(&self, store: impl AsContext) -> Result<RefType> {
        let opaque = &store.as_context().0.opaque;
        let heap_type = match self {
            Ref::Func(None) => HeapType::NoFunc,
            Ref::Extern(None) => HeapType::NoExtern,
            Ref::Any(None) => HeapType::None,
            Ref::Exn(None) => HeapType::NoExn,
            Ref::Cont(None) => HeapType::NoCont,
            Ref::Func(Some(f)) => {
                opaque.check(f.store);
                opaque.func_type(f.addr).into()
            }
            Ref::Extern(Some(_)) => HeapType::Extern,
            Ref::Any(Some(r)) => opaque.heap_type_of(r.root())?,
            Ref::Exn(Some(_)) => HeapType::Exn,
            Ref::Cont(Some(r)) => opaque.cont_type(r.root())?.into(),
        };
        Ok(RefType::new(self.is_null(), heap_type))
    }

    /// Whether it can stand where `ty` is wanted.
    ///
    /// # Errors
    /// If it is a handle whose scope has ended.
    ///
    /// # Panics
    /// If it is of another store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &RefType) -> Result<bool> {
        let opaque = &store.as_context().0.opaque;
        Ok(ty.heap_type().is_of(&opaque.engine) && opaque.ref_matches(self, ty.plain())?)
    }

    fn root(&self) -> Option<GcRoot> {
        match self {
            Ref::Func(_) => None,
            Ref::Extern(r) => r.map(|r| r.root()),
            Ref::Any(r) => r.map(|r| r.root()),
            Ref::Exn(r) => r.map(|r| r.root()),
            Ref::Cont(r) => r.map(|r| r.root()),
        }
    }

    /// As tables and slots hold it: 0 is null; a function's address plus one; or the reference.
    pub(crate) fn to_entry(self, store: &StoreOpaque) -> Result<u32> {
        match self {
            Ref::Func(None) => Ok(0),
            Ref::Func(Some(f)) if f.store == store.id => Ok(f.addr.0 + 1),
            Ref::Func(Some(_)) => bail!("a reference of another store was given to this one"),
            _ => (self.root()).map_or(Ok(0), |root| store.own_reference(root)),
        }
    }

    /// The reference of that type in a table entry or slot. What leads to no function, which only a damaged arena can
    /// hold, is null; what leads to no object is found out when it is used.
    pub(crate) fn from_entry(entry: u32, ty: plain::HeapType, store: &mut StoreOpaque) -> Ref {
        let top = match ty {
            plain::HeapType::Func | plain::HeapType::Extern | plain::HeapType::Any => ty,
            _ => store.engine.types().top(ty),
        };
        let some = entry != 0;
        match top {
            plain::HeapType::Any => Ref::Any(some.then(|| store.root(entry))),
            plain::HeapType::Extern => Ref::Extern(some.then(|| store.root(entry))),
            plain::HeapType::Exn => Ref::Exn(some.then(|| store.root(entry))),
            plain::HeapType::Cont => Ref::Cont(some.then(|| store.root(entry))),
            _ => Ref::Func(store.func_of(entry)),
        }
    }
}

macro_rules! kinds {
    ($($is:ident $as:ident $unwrap:ident $variant:ident $ty:ty, $what:literal;)*) => { impl Ref { $(
        #[doc = concat!("Whether it is a reference to ", $what, ", or the null of these.")]
        pub fn $is(&self) -> bool {
            matches!(self, Ref::$variant(_))
        }

        #[doc = concat!("The reference, if it is one to ", $what, ".")]
        pub fn $as(&self) -> Option<Option<&$ty>> {
            if let Ref::$variant(r) = self { Some(r.as_ref()) } else { None }
        }

        #[doc = concat!("The reference.\n\n# Panics\nIf it is not one to ", $what, ".")]
        pub fn $unwrap(&self) -> Option<&$ty> {
            self.$as().expect(concat!("a reference to ", $what))
        }
    )* } };
}

kinds! {
    is_func as_func unwrap_func Func Func, "a function";
    is_extern as_extern unwrap_extern Extern Rooted<ExternRef>, "a host value";
    is_any as_any unwrap_any Any Rooted<AnyRef>, "an internal value";
    is_exn as_exn unwrap_exn Exn Rooted<ExnRef>, "an exception";
    is_cont as_cont unwrap_cont Cont Rooted<ContRef>, "a continuation";
}

impl StoreOpaque {
    /// The function in a table entry or slot.
    pub(crate) fn func_of(&self, entry: u32) -> Option<Func> {
        let addr = sheave_interp::FuncAddr(entry.checked_sub(1)?);
        self.vm.func_type(addr)?;
        Some(Func {
            store: self.id,
            addr,
        })
    }

    /// Whether a value can stand where `ty` is wanted.
    pub(crate) fn val_matches(&self, value: &Val, ty: plain::ValType) -> Result<bool> {
        Ok(match (value, ty) {
            (Val::I32(_), plain::ValType::I32)
            | (Val::I64(_), plain::ValType::I64)
            | (Val::F32(_), plain::ValType::F32)
            | (Val::F64(_), plain::ValType::F64)
            | (Val::V128(_), plain::ValType::V128) => true,
            (_, plain::ValType::Ref(ty)) => match value.ref_() {
                Some(r) => self.ref_matches(&r, ty)?,
                None => false,
            },
            _ => false,
        })
    }

    /// Whether a reference can stand where `ty` is wanted.
    pub(crate) fn ref_matches(&self, r: &Ref, ty: plain::RefType) -> Result<bool> {
        let hierarchy = match r {
            Ref::Func(_) => plain::HeapType::Func,
            Ref::Extern(_) => plain::HeapType::Extern,
            Ref::Any(_) => plain::HeapType::Any,
            Ref::Exn(_) => plain::HeapType::Exn,
            Ref::Cont(_) => plain::HeapType::Cont,
        };
        if ty.heap_type != hierarchy && self.engine.types().top(ty.heap_type) != hierarchy {
            return Ok(false);
        }
        let entry = r.to_entry(self)?;
        Ok(match r {
            Ref::Func(_) => self.func_matches(entry, ty),
            _ => self.vm.ref_matches(entry, ty),
        })
    }

    /// Whether the reference in a slot, which is known to be of the hierarchy of `ty`, can stand where `ty` is wanted.
    pub(crate) fn entry_matches(&self, entry: u32, ty: plain::RefType) -> bool {
        match self.engine.types().top(ty.heap_type) {
            plain::HeapType::Func => self.func_matches(entry, ty),
            _ => self.vm.ref_matches(entry, ty),
        }
    }

    fn func_matches(&self, entry: u32, ty: plain::RefType) -> bool {
        let Some(func) = self.func_of(entry) else {
            return ty.nullable;
        };
        match ty.heap_type {
            plain::HeapType::Func => true,
            plain::HeapType::Concrete(want) => {
                let have = self.vm.func_type(func.addr);
                have.is_some_and(|have| self.engine.types().is_subtype(have, want))
            }
            _ => false,
        }
    }
}

macro_rules! conversions {
    ($($from:ty, $v:ident => $val:expr;)*) => { $(
        impl From<$from> for Val {
            fn from($v: $from) -> Val {
                $val
            }
        }
    )* };
}

conversions! {
    i32, v => Val::I32(v);
    u32, v => Val::I32(v as i32);
    i64, v => Val::I64(v);
    u64, v => Val::I64(v as i64);
    f32, v => Val::F32(v.to_bits());
    f64, v => Val::F64(v.to_bits());
    V128, v => Val::V128(v);
    Func, v => Val::FuncRef(Some(v));
    Option<Func>, v => Val::FuncRef(v);
    Rooted<ExternRef>, v => Val::ExternRef(Some(v));
    Option<Rooted<ExternRef>>, v => Val::ExternRef(v);
    Rooted<AnyRef>, v => Val::AnyRef(Some(v));
    Option<Rooted<AnyRef>>, v => Val::AnyRef(v);
    Rooted<EqRef>, v => Val::AnyRef(Some(v.to_anyref()));
    Rooted<StructRef>, v => Val::AnyRef(Some(v.to_anyref()));
    Rooted<ArrayRef>, v => Val::AnyRef(Some(v.to_anyref()));
    Rooted<ExnRef>, v => Val::ExnRef(Some(v));
    Option<Rooted<ExnRef>>, v => Val::ExnRef(v);
    Rooted<ContRef>, v => Val::ContRef(Some(v));
    Option<Rooted<ContRef>>, v => Val::ContRef(v);
    Ref, v => match v {
        Ref::Func(r) => Val::FuncRef(r),
        Ref::Extern(r) => Val::ExternRef(r),
        Ref::Any(r) => Val::AnyRef(r),
        Ref::Exn(r) => Val::ExnRef(r),
        Ref::Cont(r) => Val::ContRef(r),
    };
}

macro_rules! references {
    ($($from:ty, $v:ident => $val:expr;)*) => { $(
        impl From<$from> for Ref {
            fn from($v: $from) -> Ref {
                $val
            }
        }
    )* };
}

references! {
    Func, v => Ref::Func(Some(v));
    Option<Func>, v => Ref::Func(v);
    Rooted<ExternRef>, v => Ref::Extern(Some(v));
    Option<Rooted<ExternRef>>, v => Ref::Extern(v);
    Rooted<AnyRef>, v => Ref::Any(Some(v));
    Option<Rooted<AnyRef>>, v => Ref::Any(v);
    Rooted<EqRef>, v => Ref::Any(Some(v.to_anyref()));
    Rooted<StructRef>, v => Ref::Any(Some(v.to_anyref()));
    Rooted<ArrayRef>, v => Ref::Any(Some(v.to_anyref()));
    Rooted<ExnRef>, v => Ref::Exn(Some(v));
    Option<Rooted<ExnRef>>, v => Ref::Exn(v);
    Rooted<ContRef>, v => Ref::Cont(Some(v));
    Option<Rooted<ContRef>>, v => Ref::Cont(v);
}
