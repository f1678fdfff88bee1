//! Rust closures as host functions, with native argument and result types.
#![allow(
    unsafe_code,
    reason = "entries read arguments from the machine's slots"
)]

use core::marker::PhantomData;
use std::sync::Arc;

use sheave_interp::HostStatus;

use crate::engine::Engine;
use crate::host::{HostFunc, caller, host_call};
use crate::store::{Caller, StoreInner, StoreOpaque};
use crate::typed::{WasmTy, read_slots, write_slots};
use crate::types::{FuncType, ValType};
use crate::{Error, Result};

/// What a host function may return: nothing, a value, a tuple of values, or a `Result` of these.
pub trait WasmRet {
    /// Types of the results.
    #[doc(hidden)]
    fn types() -> Vec<ValType>;

    /// Puts the results where `slots` says, which is asked after all values are at hand.
    #[doc(hidden)]
    fn put(self, store: &StoreOpaqueRef<'_>, slots: impl FnOnce() -> *mut u64) -> Result<()>;
}

/// The store as [`WasmTy`] sees it.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct StoreOpaqueRef<'a>(pub(crate) &'a StoreOpaque);

impl core::fmt::Debug for StoreOpaqueRef<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StoreOpaqueRef")
    }
}

/// The store as [`WasmTy`] changes it: references are given to the current scope.
#[doc(hidden)]
pub struct StoreOpaqueMut<'a>(pub(crate) &'a mut StoreOpaque);

impl core::fmt::Debug for StoreOpaqueMut<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StoreOpaqueMut")
    }
}

impl<R: WasmTy> WasmRet for R {
    fn types() -> Vec<ValType> {
        vec![R::valtype()]
    }

    #[inline(always)]
    fn put(self, store: &StoreOpaqueRef<'_>, slots: impl FnOnce() -> *mut u64) -> Result<()> {
        let bits = self.to_slots(store)?;
        // SAFETY: H3: the frame has as many slots as the results of the function's type take.
        unsafe { write_slots::<R>(slots(), bits) };
        Ok(())
    }
}

impl<R: WasmRet, E: Into<Error>> WasmRet for Result<R, E> {
    fn types() -> Vec<ValType> {
        R::types()
    }

    #[inline(always)]
    fn put(self, store: &StoreOpaqueRef<'_>, slots: impl FnOnce() -> *mut u64) -> Result<()> {
        self.map_err(Into::into)?.put(store, slots)
    }
}

/// A closure that can be a host function, with or without a [`Caller`] as first argument.
pub trait IntoFunc<T: 'static, Params, Results>: Send + Sync + 'static {
    #[doc(hidden)]
    fn into_host_func(self, engine: &Engine) -> HostFuncBox;
}

/// A host function that no store knows yet.
#[doc(hidden)]
#[derive(Clone)]
pub struct HostFuncBox(pub(crate) Arc<HostFunc>);

impl core::fmt::Debug for HostFuncBox {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HostFuncBox")
    }
}

/// Writes the bits of an `A` from `slots` up; gives where the next value goes.
///
/// # Safety
/// - As `write_slots`.
#[inline(always)]
unsafe fn put_bits<A: WasmTy>(slots: *mut u64, (bits, _): ([u64; 2], PhantomData<A>)) -> *mut u64 {
    // SAFETY: the caller's promise.
    unsafe {
        write_slots::<A>(slots, bits);
        slots.add(A::WIDTH)
    }
}

macro_rules! closures {
    ($($a:ident)*) => {
        impl<$($a: WasmTy),*> WasmRet for ($($a,)*) {
            fn types() -> Vec<ValType> {
                vec![$($a::valtype()),*]
            }

            #[inline(always)]
            #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments, unused_unsafe, reason = "one name serves as type and value; () has none")]
            fn put(self, store: &StoreOpaqueRef<'_>, slots: impl FnOnce() -> *mut u64) -> Result<()> {
                let ($($a,)*) = self;
                $(let $a = ($a.to_slots(store)?, PhantomData::<$a>);)*
                let mut slots = slots();
                // SAFETY: H3: the frame has as many slots as the results of the function's type take.
                unsafe { $(slots = put_bits(slots, $a);)* }
                Ok(())
            }
        }

        impl<T: 'static, F, R, $($a: WasmTy),*> IntoFunc<T, ($($a,)*), R> for F
        where
            F: Fn($($a),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
            #[allow(non_snake_case, reason = "one name serves as type and value")]
            fn into_host_func(self, engine: &Engine) -> HostFuncBox {
                let with_caller = move |_: Caller<'_, T>, $($a: $a),*| self($($a),*);
                IntoFunc::<T, (Caller<'_, T>, $($a,)*), R>::into_host_func(with_caller, engine)
            }
        }

        impl<T: 'static, F, R, $($a: WasmTy),*> IntoFunc<T, (Caller<'_, T>, $($a,)*), R> for F
        where
            F: Fn(Caller<'_, T>, $($a),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
            fn into_host_func(self, engine: &Engine) -> HostFuncBox {
                #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments, reason = "one name serves as type and value; a function may have no parameter")]
                unsafe fn entry<T: 'static, F, R, $($a: WasmTy),*>(cx: *mut (), data: *const (), frame: u32) -> HostStatus
                where
                    F: Fn(Caller<'_, T>, $($a),*) -> R,
                    R: WasmRet,
                {
                    // SAFETY: H1, H2: `data` is the closure that was registered with this entry; H3 for the slots.
                    unsafe {
                        let func = &*data.cast::<F>();
                        host_call::<T>(cx, |store: *mut StoreInner<T>| {
                            let mut opaque = StoreOpaqueMut(&mut (*store).opaque);
                            let mut slots = opaque.0.vm.frame_ptr(frame).cast_const();
                            $(
                                let $a = $a::from_slots(read_slots::<$a>(slots), &mut opaque);
                                slots = slots.add($a::WIDTH);
                            )*
                            let r = func(caller(store), $($a),*);
                            let opaque = &(*store).opaque;
                            r.put(&StoreOpaqueRef(opaque), || opaque.vm.frame_ptr(frame))
                        })
                    }
                }
                let ty = FuncType::new(engine, [$($a::valtype()),*], R::types());
                let entry = entry::<T, F, R, $($a),*>;
                HostFuncBox(Arc::new(HostFunc::new::<F>(ty, entry, Box::new(self))))
            }
        }
    };
}

closures!();
closures!(A1);
closures!(A1 A2);
closures!(A1 A2 A3);
closures!(A1 A2 A3 A4);
closures!(A1 A2 A3 A4 A5);
closures!(A1 A2 A3 A4 A5 A6);
closures!(A1 A2 A3 A4 A5 A6 A7);
closures!(A1 A2 A3 A4 A5 A6 A7 A8);
closures!(A1 A2 A3 A4 A5 A6 A7 A8 A9);
closures!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
closures!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
closures!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12);
closures!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13);
closures!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14);
closures!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15);
closures!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16);
