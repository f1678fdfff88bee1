//! Functions of a store.
#![allow(unsafe_code, reason = "reads and writes the machine's slots")]

use std::sync::Arc;

use anyhow::bail;
use sheave_interp::FuncAddr;

use crate::host::{self, Dynamic, HostFunc, dynamic_entry};
use crate::into_func::IntoFunc;
use crate::store::{AsContext, AsContextMut, Caller, StoreOpaque};
use crate::typed::{TypedFunc, WasmParams, WasmResults};
use crate::types::FuncType;
use crate::values::Val;
use crate::{Engine, Result};

/// A function of a store: wasm or host. Spec: syntax-funcaddr.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Func {
    pub(crate) store: u64,
    pub(crate) addr: FuncAddr,
}

impl HostFunc {
    /// A host function over [`Val`]s.
    pub(crate) fn dynamic<T: 'static, F>(ty: FuncType, func: F) -> Arc<HostFunc>
    where
        F: Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    {
        let data = Dynamic::<T> {
            ty: ty.clone(),
            func: Box::new(func),
        };
        let entry = dynamic_entry::<T>;
        Arc::new(HostFunc::new::<F>(ty, entry, Box::new(data)))
    }
}

impl Func {
    /// A host function of any type. It gets the arguments, and as many results to fill in as its type says.
    ///
    /// # Panics
    /// If the store holds too many functions.
    pub fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Func {
        Func::register(
            &mut store.as_context_mut().0.opaque,
            HostFunc::dynamic(ty, func),
        )
    }

    /// A host function from a closure with native argument and result types; its first argument may be a [`Caller`].
    ///
    /// # Panics
    /// If the store holds too many functions.
    pub fn wrap<T: 'static, Params, Results>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Func {
        let opaque = &mut store.as_context_mut().0.opaque;
        let func = func.into_host_func(&opaque.engine).0;
        Func::register(opaque, func)
    }

    pub(crate) fn register(opaque: &mut StoreOpaque, func: Arc<HostFunc>) -> Func {
        let addr = opaque.add_host_func(func).expect("room for a function");
        Func {
            store: opaque.id,
            addr,
        }
    }

    /// Its type.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let opaque = &store.as_context().0.opaque;
        opaque.check(self.store);
        opaque.func_type(self.addr)
    }

    /// Whether it can stand where a function of type `ty` is wanted.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &FuncType) -> bool {
        self.ty(store).matches(ty)
    }

    /// Calls it with values of any type.
    ///
    /// # Errors
    /// If the arguments or the number of `results` do not fit its type; if it traps; if a host function fails.
    ///
    /// # Panics
    /// If `store` is not its store; or if a host function panicked.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let store = store.as_context_mut().0;
        let ty = self.check_call(&store.opaque, params, results.len())?;
        let gives = ty.plain().results();
        let (slots, put) = self.arguments(&ty, params);
        host::call(store, self.addr, slots, put, |opaque, slots| {
            // SAFETY: H3: the frame has as many slots as the type wants.
            unsafe { Val::read_all(slots, gives, results, opaque) };
        })
    }

    /// Whether a call with these arguments fits; gives the type.
    pub(crate) fn check_call(
        &self,
        opaque: &StoreOpaque,
        params: &[Val],
        n_results: usize,
    ) -> Result<FuncType> {
        opaque.check(self.store);
        let ty = opaque.func_type(self.addr);
        let (want, gives) = (ty.plain().params(), ty.plain().results());
        if want.len() != params.len() {
            bail!("expected {} arguments, got {}", want.len(), params.len());
        }
        if gives.len() != n_results {
            bail!("expected {} results, got {n_results}", gives.len());
        }
        for (v, t) in params.iter().zip(want) {
            if !opaque.val_matches(v, *t)? {
                bail!(
                    "argument type mismatch: found {} but expected {t}",
                    v.type_name()
                );
            }
        }
        Ok(ty)
    }

    /// Slots of a call's frame, and what writes the arguments into them.
    pub(crate) fn arguments<'a>(
        &self,
        ty: &FuncType,
        params: &'a [Val],
    ) -> (
        u32,
        impl FnOnce(&StoreOpaque, *mut u64) -> Result<()> + use<'a>,
    ) {
        let slots = ty.plain().slots();
        let put = move |opaque: &StoreOpaque, mut slots: *mut u64| {
            for v in params {
                // SAFETY: H3: the frame has as many slots as the type wants.
                slots = unsafe { v.write(slots, opaque)? };
            }
            Ok(())
        };
        (slots.0.max(slots.1), put)
    }

    /// Checks its type once, for calls with native types.
    ///
    /// # Errors
    /// If its type is another.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn typed<Params: WasmParams, Results: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<Params, Results>> {
        TypedFunc::new(*self, &self.ty(store))
    }
}

impl StoreOpaque {
    pub(crate) fn func_type(&self, addr: FuncAddr) -> FuncType {
        let def = self
            .vm
            .func_type(addr)
            .and_then(|id| self.engine.types().get(id));
        // A damaged arena can hold the address of no function.
        def.and_then(|def| FuncType::from_def(&self.engine, def))
            .unwrap_or_else(|| FuncType::new(&self.engine, [], []))
    }
}

impl Engine {
    /// A host function that belongs to no store yet.
    pub(crate) fn wrap_host_func<T: 'static, P, R>(
        &self,
        func: impl IntoFunc<T, P, R>,
    ) -> Arc<HostFunc> {
        func.into_host_func(self).0
    }
}
