//! Values of any type, and how they lie in slots.
#![allow(unsafe_code, reason = "reads and writes the machine's slots")]

use anyhow::bail;
use sheave_loader::HeapType;

use crate::Result;
use crate::externref::ExternRef;
use crate::func::Func;
use crate::store::StoreOpaque;
use crate::types::{RefType, ValType};
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
    ExternRef(Option<ExternRef>),
}

/// A reference. Spec: syntax-ref.
#[derive(Clone, Copy, Debug)]
pub enum Ref {
    /// To a function.
    Func(Option<Func>),
    /// To a host value.
    Extern(Option<ExternRef>),
}

macro_rules! accessors {
    ($($get:ident $unwrap:ident $variant:ident $ty:ty, $v:ident => $e:expr;)*) => { $(
        #[doc = concat!("The value, if it is an `", stringify!($variant), "`.")]
        pub fn $get(&self) -> Option<$ty> {
            if let Val::$variant($v) = *self { Some($e) } else { None }
        }

        #[doc = concat!("The value.\n\n# Panics\nIf it is not an `", stringify!($variant), "`.")]
        pub fn $unwrap(&self) -> $ty {
            self.$get().expect(concat!("expected ", stringify!($variant)))
        }
    )* };
}

impl Val {
    accessors! {
        i32 unwrap_i32 I32 i32, v => v;
        i64 unwrap_i64 I64 i64, v => v;
        f32 unwrap_f32 F32 f32, v => f32::from_bits(v);
        f64 unwrap_f64 F64 f64, v => f64::from_bits(v);
        v128 unwrap_v128 V128 V128, v => v;
        funcref unwrap_funcref FuncRef Option<Func>, v => v;
        externref unwrap_externref ExternRef Option<ExternRef>, v => v;
    }

    /// A null reference of that type.
    pub fn null_ref(ty: HeapType) -> Val {
        Val::from(Ref::null(ty))
    }

    /// The zero or null of that type, where it has one.
    pub fn default_for_ty(ty: &ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(V128::from(0)),
            ValType::Ref(r) if r.nullable => Val::null_ref(r.heap_type),
            _ => return None,
        })
    }

    /// The reference, if it is one.
    pub fn r#ref(&self) -> Option<Ref> {
        match *self {
            Val::FuncRef(f) => Some(Ref::Func(f)),
            Val::ExternRef(e) => Some(Ref::Extern(e)),
            _ => None,
        }
    }

    /// Its type: for references `funcref` and `externref`.
    ///
    /// # Errors
    /// None yet; here for the likeness to Wasmtime.
    pub fn ty(&self, _store: impl crate::AsContext) -> Result<ValType> {
        Ok(match self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::FuncRef(_) => ValType::FUNCREF,
            Val::ExternRef(_) => ValType::EXTERNREF,
        })
    }

    /// Whether it can stand where `ty` is wanted.
    pub(crate) fn matches(&self, ty: ValType) -> bool {
        match (self, ty) {
            (Val::I32(_), ValType::I32)
            | (Val::I64(_), ValType::I64)
            | (Val::F32(_), ValType::F32)
            | (Val::F64(_), ValType::F64)
            | (Val::V128(_), ValType::V128) => true,
            (Val::FuncRef(_) | Val::ExternRef(_), ValType::Ref(r)) => {
                self.r#ref().is_some_and(|v| v.matches(r))
            }
            _ => false,
        }
    }

    /// The bits of its slots; the second is of no account for all but a v128.
    pub(crate) fn to_slots(self, store: &StoreOpaque) -> Result<[u64; 2]> {
        let bits = match self {
            Val::I32(v) => u64::from(v as u32),
            Val::I64(v) => v as u64,
            Val::F32(bits) => bits.into(),
            Val::F64(bits) => bits,
            Val::V128(v) => return Ok(v.to_slots()),
            Val::FuncRef(f) => Ref::Func(f).to_entry(store)?.into(),
            Val::ExternRef(e) => Ref::Extern(e).to_entry(store)?.into(),
        };
        Ok([bits, 0])
    }

    /// The value of that type in one slot, or two.
    pub(crate) fn from_slots([bits, upper]: [u64; 2], ty: ValType, store: &StoreOpaque) -> Val {
        match ty {
            ValType::I32 => Val::I32(bits as u32 as i32),
            ValType::I64 => Val::I64(bits as i64),
            ValType::V128 => Val::V128(V128::from_slots([bits, upper])),
            ValType::F32 => Val::F32(bits as u32),
            ValType::F64 => Val::F64(bits),
            ValType::Ref(r) => Val::from(Ref::from_entry(bits as u32, r, store)),
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
        ty: ValType,
        store: &StoreOpaque,
    ) -> (Val, *const u64) {
        // SAFETY: the caller's promise.
        unsafe {
            let lower = u64::from_le(slots.read());
            if ty != ValType::V128 {
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
        types: &[ValType],
        values: &mut [Val],
        store: &StoreOpaque,
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
        }
    }
}

impl Ref {
    /// The null of that type.
    pub fn null(ty: HeapType) -> Ref {
        if ty == HeapType::Extern {
            Ref::Extern(None)
        } else {
            Ref::Func(None)
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Ref::Func(None) | Ref::Extern(None))
    }

    /// The function, if it is a function reference.
    pub fn as_func(&self) -> Option<Option<&Func>> {
        if let Ref::Func(f) = self {
            Some(f.as_ref())
        } else {
            None
        }
    }

    /// The host value, if it is a reference to one.
    pub fn as_extern(&self) -> Option<Option<&ExternRef>> {
        if let Ref::Extern(e) = self {
            Some(e.as_ref())
        } else {
            None
        }
    }

    pub(crate) fn matches(&self, ty: RefType) -> bool {
        let kind = matches!(
            (self, ty.heap_type),
            (Ref::Extern(_), HeapType::Extern)
                | (Ref::Func(_), HeapType::Func | HeapType::Concrete(_))
        );
        kind && (ty.nullable || !self.is_null())
    }

    /// As tables and slots hold it: 0 is null, else the address plus one.
    pub(crate) fn to_entry(self, store: &StoreOpaque) -> Result<u32> {
        let (id, entry) = match self {
            Ref::Func(None) | Ref::Extern(None) => return Ok(0),
            Ref::Func(Some(f)) => (f.store, f.addr.0 + 1),
            Ref::Extern(Some(e)) => (e.store, e.index + 1),
        };
        if id != store.id {
            bail!("a reference of another store was given to this one");
        }
        Ok(entry)
    }

    /// The reference of that type in a table entry or slot. What leads nowhere, which only a damaged arena can hold, is
    /// null: a handle names something of its store.
    pub(crate) fn from_entry(entry: u32, ty: RefType, store: &StoreOpaque) -> Ref {
        let address = entry.checked_sub(1);
        if ty.heap_type == HeapType::Extern {
            let index = address.filter(|index| (*index as usize) < store.externs.len());
            Ref::Extern(index.map(|index| ExternRef {
                store: store.id,
                index,
            }))
        } else {
            let addr = address
                .map(sheave_interp::FuncAddr)
                .filter(|addr| store.vm.func_type(*addr).is_some());
            Ref::Func(addr.map(|addr| Func {
                store: store.id,
                addr,
            }))
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
    ExternRef, v => Val::ExternRef(Some(v));
    Option<ExternRef>, v => Val::ExternRef(v);
    Ref, v => match v { Ref::Func(f) => Val::FuncRef(f), Ref::Extern(e) => Val::ExternRef(e) };
}

impl From<Func> for Ref {
    fn from(f: Func) -> Ref {
        Ref::Func(Some(f))
    }
}

impl From<ExternRef> for Ref {
    fn from(e: ExternRef) -> Ref {
        Ref::Extern(Some(e))
    }
}
