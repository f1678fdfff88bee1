//! Typed calls: arguments go straight into the callee's slots, results come straight out of them.
#![allow(unsafe_code, reason = "reads and writes the machine's slots")]

use core::marker::PhantomData;

use anyhow::bail;

use sheave_types as plain;

use crate::Result;
use crate::func::Func;
use crate::host;
use crate::into_func::{StoreOpaqueMut, StoreOpaqueRef};
use crate::store::{AsContextMut, StoreOpaque};
use crate::types::{FuncType, ValType};
use crate::vector::V128;

/// Types and lists of types are those here alone: entries and frames rely on how many slots they say (H3).
pub(crate) mod sealed {
    pub trait Type {}
    pub trait List {}
}

/// A Rust type that is a wasm value type: `i32`, `u32`, `i64`, `u64`, `f32`, `f64`, [`V128`]; [`Func`];
/// [`Rooted`](crate::Rooted) and [`OwnedRooted`](crate::OwnedRooted) of [`AnyRef`](crate::AnyRef),
/// [`EqRef`](crate::EqRef), [`StructRef`](crate::StructRef), [`ArrayRef`](crate::ArrayRef),
/// [`ExternRef`](crate::ExternRef), [`ExnRef`](crate::ExnRef) and [`ContRef`](crate::ContRef); [`I31`](crate::I31); and,
/// where the reference may be null, an `Option` of one of these.
pub trait WasmTy: sealed::Type + Sized + Send {
    /// How many slots it takes: 1, or 2 for a vector.
    #[doc(hidden)]
    const WIDTH: usize = 1;
    /// Whether it is a reference.
    #[doc(hidden)]
    const IS_REF: bool = false;
    /// The wasm type.
    #[doc(hidden)]
    fn valtype() -> ValType;
    /// Its slots' bits; the second is of no account if there is only one.
    #[doc(hidden)]
    fn to_slots(self, store: &StoreOpaqueRef<'_>) -> Result<[u64; 2]>;
    /// From its slots' bits.
    #[doc(hidden)]
    fn from_slots(bits: [u64; 2], store: &mut StoreOpaqueMut<'_>) -> Self;
}

/// Writes the bits of an `A` from `slots` up.
///
/// # Safety
/// - As many slots as an `A` takes are there to be written (H3).
#[inline(always)]
pub(crate) unsafe fn write_slots<A: WasmTy>(slots: *mut u64, bits: [u64; 2]) {
    // SAFETY: the caller's promise.
    unsafe {
        slots.write(bits[0].to_le());
        if A::WIDTH == 2 {
            slots.add(1).write(bits[1].to_le());
        }
    }
}

/// Reads the bits of an `A` from `slots` up.
///
/// # Safety
/// - As many slots as an `A` takes are there to be read (H3).
#[inline(always)]
pub(crate) unsafe fn read_slots<A: WasmTy>(slots: *const u64) -> [u64; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let upper = if A::WIDTH == 2 {
            slots.add(1).read()
        } else {
            0
        };
        [u64::from_le(slots.read()), u64::from_le(upper)]
    }
}

macro_rules! numbers {
    ($($ty:ty = $val:ident, $v:ident => $to:expr, $b:ident => $from:expr;)*) => { $(
        impl sealed::Type for $ty {}
        impl WasmTy for $ty {
            fn valtype() -> ValType {
                ValType::$val
            }
            #[inline(always)]
            fn to_slots(self, _store: &StoreOpaqueRef<'_>) -> Result<[u64; 2]> {
                let $v = self;
                Ok([$to, 0])
            }
            #[inline(always)]
            fn from_slots([$b, _]: [u64; 2], _store: &mut StoreOpaqueMut<'_>) -> $ty {
                $from
            }
        }
    )* };
}

numbers! {
    i32 = I32, v => u64::from(v as u32), b => b as u32 as i32;
    u32 = I32, v => u64::from(v), b => b as u32;
    i64 = I64, v => v as u64, b => b as i64;
    u64 = I64, v => v, b => b;
    f32 = F32, v => u64::from(v.to_bits()), b => f32::from_bits(b as u32);
    f64 = F64, v => v.to_bits(), b => f64::from_bits(b);
}

impl sealed::Type for V128 {}
impl WasmTy for V128 {
    const WIDTH: usize = 2;
    fn valtype() -> ValType {
        ValType::V128
    }
    #[inline(always)]
    fn to_slots(self, _store: &StoreOpaqueRef<'_>) -> Result<[u64; 2]> {
        Ok(self.to_slots())
    }
    #[inline(always)]
    fn from_slots(bits: [u64; 2], _store: &mut StoreOpaqueMut<'_>) -> V128 {
        V128::from_slots(bits)
    }
}

/// Parameters of a [`TypedFunc`]: a [`WasmTy`] or a tuple of them.
pub trait WasmParams: sealed::List + Send {
    #[doc(hidden)]
    const SLOTS: u32;
    #[doc(hidden)]
    const REFS: bool;
    #[doc(hidden)]
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    unsafe fn put(self, store: &StoreOpaqueRef<'_>, slots: *mut u64) -> Result<()>;
}

/// Results of a [`TypedFunc`]: a [`WasmTy`] or a tuple of them.
pub trait WasmResults: WasmParams {
    #[doc(hidden)]
    unsafe fn take(store: &mut StoreOpaqueMut<'_>, slots: *const u64) -> Self;
}

impl<A: WasmTy> sealed::List for A {}
impl<A: WasmTy> WasmParams for A {
    const SLOTS: u32 = A::WIDTH as u32;
    const REFS: bool = A::IS_REF;
    fn types() -> Vec<ValType> {
        vec![A::valtype()]
    }
    #[inline(always)]
    unsafe fn put(self, store: &StoreOpaqueRef<'_>, slots: *mut u64) -> Result<()> {
        let bits = self.to_slots(store)?;
        // SAFETY: H3: the caller gives as many slots as `SLOTS` says.
        unsafe { write_slots::<A>(slots, bits) };
        Ok(())
    }
}

impl<A: WasmTy> WasmResults for A {
    #[inline(always)]
    unsafe fn take(store: &mut StoreOpaqueMut<'_>, slots: *const u64) -> A {
        // SAFETY: H3, as above.
        A::from_slots(unsafe { read_slots::<A>(slots) }, store)
    }
}

macro_rules! tuples {
    ($($a:ident)*) => {
        impl<$($a: WasmTy),*> sealed::List for ($($a,)*) {}

        #[allow(non_snake_case, reason = "one name serves as type and value")]
        impl<$($a: WasmTy),*> WasmParams for ($($a,)*) {
            const SLOTS: u32 = (0 $(+ $a::WIDTH)*) as u32;
            const REFS: bool = false $(|| $a::IS_REF)*;
            fn types() -> Vec<ValType> {
                vec![$($a::valtype()),*]
            }
            #[inline(always)]
            unsafe fn put(self, store: &StoreOpaqueRef<'_>, slots: *mut u64) -> Result<()> {
                let ($($a,)*) = self;
                let mut at = 0;
                $({
                    let at = next::<$a>(&mut at);
                    let bits = $a.to_slots(store)?;
                    // SAFETY: H3: the caller gives as many slots as `SLOTS` says.
                    unsafe { write_slots::<$a>(slots.add(at), bits) };
                })*
                Ok(())
            }
        }

        impl<$($a: WasmTy),*> WasmResults for ($($a,)*) {
            #[inline(always)]
            unsafe fn take(store: &mut StoreOpaqueMut<'_>, slots: *const u64) -> Self {
                let mut at = 0;
                // SAFETY: H3, as above.
                ($($a::from_slots(unsafe { read_slots::<$a>(slots.add(next::<$a>(&mut at))) }, store),)*)
            }
        }
    };
}

/// Where an `A` starts, `at` slots behind the first; `at` goes on behind it.
#[inline(always)]
fn next<A: WasmTy>(at: &mut usize) -> usize {
    let start = *at;
    *at += A::WIDTH;
    start
}

impl sealed::List for () {}
impl WasmParams for () {
    const SLOTS: u32 = 0;
    const REFS: bool = false;
    fn types() -> Vec<ValType> {
        Vec::new()
    }
    #[inline(always)]
    unsafe fn put(self, _store: &StoreOpaqueRef<'_>, _slots: *mut u64) -> Result<()> {
        Ok(())
    }
}

impl WasmResults for () {
    #[inline(always)]
    unsafe fn take(_store: &mut StoreOpaqueMut<'_>, _slots: *const u64) {}
}

tuples!(A0);
tuples!(A0 A1);
tuples!(A0 A1 A2);
tuples!(A0 A1 A2 A3);
tuples!(A0 A1 A2 A3 A4);
tuples!(A0 A1 A2 A3 A4 A5);
tuples!(A0 A1 A2 A3 A4 A5 A6);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15);

/// A function whose type was checked once.
///
/// ```
/// use sheave_hostcalls::{Engine, Func, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// let add = Func::wrap(&mut store, |a: i32, b: i32| a + b);
/// let add = add.typed::<(i32, i32), i32>(&store)?;
/// assert_eq!(add.call(&mut store, (2, 3))?, 5);
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
pub struct TypedFunc<Params, Results> {
    func: Func,
    /// Whether arguments are to be checked at each call.
    narrower: bool,
    types: PhantomData<fn(Params) -> Results>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> core::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    pub(crate) fn new(func: Func, ty: &FuncType) -> Result<TypedFunc<P, R>> {
        let mut narrower = false;
        let params = ty.params().collect::<Vec<_>>();
        fits(&P::types(), &params, "parameters", |given, wanted| {
            given.matches(wanted)
                || match (given.as_ref(), wanted.as_ref()) {
                    // A value of a wider type may do; whether it does is asked at each call.
                    (Some(g), Some(w)) if g.heap_type().top() == w.heap_type().top() => {
                        narrower = true;
                        true
                    }
                    _ => false,
                }
        })?;
        let results = ty.results().collect::<Vec<_>>();
        fits(&R::types(), &results, "results", |wanted, given| {
            given.matches(wanted)
        })?;
        Ok(TypedFunc {
            func,
            narrower,
            types: PhantomData,
        })
    }

    /// The function.
    pub fn func(&self) -> &Func {
        &self.func
    }

    /// Calls it.
    ///
    /// # Errors
    /// If a reference is of a wider type than the function wants, and does not match; if it traps ([`Trap`](crate::Trap)) or a host function that it calls fails (with its error).
    ///
    /// # Panics
    /// If `store` is not its store; or if a host function panicked.
    #[inline]
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let store = store.as_context_mut().0;
        store.opaque.check(self.func.store);
        host::call(
            store,
            self.func.addr,
            Self::SLOTS,
            // SAFETY: H3: the frame has `SLOTS` slots.
            |opaque, slots| unsafe { self.put(params, opaque, slots) },
            // SAFETY: H3, as above; the function's type was checked.
            |opaque, slots| unsafe { R::take(&mut StoreOpaqueMut(opaque), slots) },
        )
    }

    /// Slots of a call's frame.
    pub(crate) const SLOTS: u32 = if P::SLOTS > R::SLOTS {
        P::SLOTS
    } else {
        R::SLOTS
    };

    /// Writes the arguments.
    ///
    /// # Safety
    /// - As many slots as the parameters take are there (H3).
    #[inline(always)]
    pub(crate) unsafe fn put(
        &self,
        params: P,
        opaque: &StoreOpaque,
        slots: *mut u64,
    ) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { params.put(&StoreOpaqueRef(opaque), slots)? };
        if P::REFS && self.narrower {
            // SAFETY: the caller's promise.
            unsafe { opaque.check_arguments(&self.func, slots)? };
        }
        Ok(())
    }
}

/// Whether types in a Rust signature are those of a function.
fn fits(
    rust: &[ValType],
    wasm: &[ValType],
    what: &str,
    mut ok: impl FnMut(&ValType, &ValType) -> bool,
) -> Result<()> {
    if rust.len() != wasm.len() {
        bail!(
            "type mismatch with {what}: expected {} types, found {}",
            wasm.len(),
            rust.len()
        );
    }
    for (i, (r, w)) in rust.iter().zip(wasm).enumerate() {
        if !ok(r, w) {
            bail!("type mismatch with {what}: type mismatch at index {i}: expected {w}, found {r}");
        }
    }
    Ok(())
}

impl StoreOpaque {
    /// Whether the references among the arguments are of the types that the function wants.
    ///
    /// # Safety
    /// - As many slots as its parameters take are there to be read (H3).
    #[cold]
    unsafe fn check_arguments(&self, func: &Func, slots: *const u64) -> Result<()> {
        let (ty, mut at) = (self.func_type(func.addr), 0);
        for (i, param) in ty.plain().params().iter().enumerate() {
            if let plain::ValType::Ref(r) = param {
                // SAFETY: the caller's promise.
                let bits = u64::from_le(unsafe { slots.add(at).read() });
                if !self.entry_matches(bits as u32, *r) {
                    bail!("argument type mismatch: argument {i} is not of type {param}");
                }
            }
            at += param.slots() as usize;
        }
        Ok(())
    }
}
