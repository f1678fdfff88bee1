//! What embedders call: the async twins of functions of [`Func`], [`TypedFunc`], [`Linker`] and [`Instance`].
#![allow(unsafe_code, reason = "reads and writes the machine's slots")]

use super::call::AsyncCall;
use crate::Result;
use crate::externs::Extern;
use crate::func::Func;
use crate::host::HostFunc;
use crate::instance::Instance;
use crate::instantiate::{self, InstancePre};
use crate::into_func::{StoreOpaqueMut, WasmRet};
use crate::linker::{Definition, Linker};
use crate::module::Module;
use crate::store::{AsContextMut, Caller};
use crate::typed::{TypedFunc, WasmParams, WasmResults};
use crate::types::FuncType;
use crate::values::Val;

/// Parameters of an async host function: a tuple of [`WasmTy`](crate::WasmTy)s, or a single one.
pub trait WasmTyList: WasmResults {}

impl<P: WasmResults> WasmTyList for P {}

impl Func {
    /// An async host function: the closure gets its arguments as a tuple, and gives a future of the results. While that is
    /// pending the wasm that called waits, and takes no native stack. Such a function is called by wasm that
    /// [`call_async`](Func::call_async) runs, or by that itself.
    ///
    /// ```
    /// use sheave_hostcalls::{Caller, Engine, Func, Store};
    /// # fn block_on<F: Future>(future: F) -> F::Output {
    /// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop { if let std::task::Poll::Ready(r) = future.as_mut().poll(&mut cx) { return r } }
    /// # }
    /// # async fn answer_of_a_server() -> i32 { 42 }
    /// let mut store = Store::new(&Engine::default(), 0);
    /// let ask = Func::wrap_async(&mut store, |mut caller: Caller<'_, i32>, (add,): (i32,)| {
    ///     Box::new(async move {
    ///         *caller.data_mut() += 1;
    ///         answer_of_a_server().await + add
    ///     })
    /// });
    /// let ask = ask.typed::<i32, i32>(&store)?;
    /// assert_eq!(block_on(ask.call_async(&mut store, 1))?, 43);
    /// assert_eq!(*store.data(), 1);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the store holds too many functions.
    pub fn wrap_async<T, F, P, R>(mut store: impl AsContextMut<Data = T>, func: F) -> Func
    where
        T: Send + 'static,
        F: for<'a> Fn(Caller<'a, T>, P) -> Box<dyn Future<Output = R> + Send + 'a>
            + Send
            + Sync
            + 'static,
        P: WasmTyList + 'static,
        R: WasmRet + 'static,
    {
        let opaque = &mut store.as_context_mut().0.opaque;
        let func = HostFunc::wrap_async(&opaque.engine, func);
        Func::register(opaque, func)
    }

    /// An async host function of any type; see [`Func::wrap_async`] and [`Func::new`].
    ///
    /// # Panics
    /// If the store holds too many functions.
    pub fn new_async<T, F>(mut store: impl AsContextMut<Data = T>, ty: FuncType, func: F) -> Func
    where
        T: Send + 'static,
        F: for<'a> Fn(
                Caller<'a, T>,
                &'a [Val],
                &'a mut [Val],
            ) -> Box<dyn Future<Output = Result<()>> + Send + 'a>
            + Send
            + Sync
            + 'static,
    {
        let opaque = &mut store.as_context_mut().0.opaque;
        Func::register(opaque, HostFunc::dynamic_async(ty, func))
    }

    /// As [`Func::call`], but the function, and what it calls, may wait for async host functions, and may let others have
    /// their turn ([`Store::fuel_async_yield_interval`](crate::Store::fuel_async_yield_interval),
    /// [`Store::epoch_deadline_async_yield_and_update`](crate::Store::epoch_deadline_async_yield_and_update)). If the
    /// future is dropped before it is ready, the call is given up, and the store is as it was before.
    ///
    /// # Errors
    /// As [`Func::call`].
    ///
    /// # Panics
    /// As [`Func::call`].
    pub async fn call_async(
        &self,
        mut store: impl AsContextMut<Data: Send>,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let store = store.as_context_mut().0;
        let ty = self.check_call(&store.opaque, params, results.len())?;
        let (slots, put) = self.arguments(&ty, params);
        let mut call = AsyncCall::begin(store, self.addr, slots, put)?;
        call.ended().await?;
        call.results(|opaque, slots| {
            // SAFETY: H3: the frame has as many slots as the type wants.
            unsafe { Val::read_all(slots, ty.plain().results(), results, opaque) };
        });
        Ok(())
    }
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    /// As [`TypedFunc::call`], but the function, and what it calls, may wait; see [`Func::call_async`].
    ///
    /// # Errors
    /// As [`TypedFunc::call`].
    ///
    /// # Panics
    /// As [`TypedFunc::call`].
    pub async fn call_async(
        &self,
        mut store: impl AsContextMut<Data: Send>,
        params: P,
    ) -> Result<R> {
        let store = store.as_context_mut().0;
        store.opaque.check(self.func().store);
        let mut call = AsyncCall::begin(store, self.func().addr, Self::SLOTS, |opaque, slots| {
            // SAFETY: H3: the frame has `SLOTS` slots.
            unsafe { self.put(params, opaque, slots) }
        })?;
        call.ended().await?;
        // SAFETY: H3, as above; the function's type was checked.
        Ok(call.results(|opaque, slots| unsafe { R::take(&mut StoreOpaqueMut(opaque), slots) }))
    }
}

impl<T: 'static> Linker<T> {
    /// Defines an async host function from a closure with native types; see [`Func::wrap_async`].
    ///
    /// # Errors
    /// If the name is taken.
    pub fn func_wrap_async<F, Params, Args>(
        &mut self,
        module: &str,
        name: &str,
        func: F,
    ) -> Result<&mut Self>
    where
        T: Send,
        F: for<'a> Fn(Caller<'a, T>, Params) -> Box<dyn Future<Output = Args> + Send + 'a>
            + Send
            + Sync
            + 'static,
        Params: WasmTyList + 'static,
        Args: WasmRet + 'static,
    {
        let func = HostFunc::wrap_async(self.engine(), func);
        self.insert(module, name, Definition::Host(func))
    }

    /// Defines an async host function of any type; see [`Func::new_async`].
    ///
    /// # Errors
    /// If the name is taken.
    pub fn func_new_async<F>(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: F,
    ) -> Result<&mut Self>
    where
        T: Send,
        F: for<'a> Fn(
                Caller<'a, T>,
                &'a [Val],
                &'a mut [Val],
            ) -> Box<dyn Future<Output = Result<()>> + Send + 'a>
            + Send
            + Sync
            + 'static,
    {
        let func = HostFunc::dynamic_async(ty, func);
        self.insert(module, name, Definition::Host(func))
    }

    /// As [`Linker::instantiate`], but the start function may wait.
    ///
    /// # Errors
    /// As there.
    pub async fn instantiate_async(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance>
    where
        T: Send,
    {
        self.instantiate_pre(module)?.instantiate_async(store).await
    }
}

impl<T: Send + 'static> InstancePre<T> {
    /// As [`InstancePre::instantiate`], but the start function may wait.
    ///
    /// # Errors
    /// As there.
    pub async fn instantiate_async(
        &self,
        mut store: impl AsContextMut<Data = T>,
    ) -> Result<Instance> {
        let mut store = store.as_context_mut();
        let imports = self.resolve(store.0.reborrow())?;
        Instance::new_async(&mut store, self.module(), &imports).await
    }
}

impl Instance {
    /// As [`Instance::new`], but the start function may wait.
    ///
    /// # Errors
    /// As there.
    pub async fn new_async(
        mut store: impl AsContextMut<Data: Send>,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        let mut store = store.as_context_mut().0;
        let (instance, start) = instantiate::prepare(store.reborrow(), module, imports)?;
        if let Some(start) = start {
            let mut call = AsyncCall::begin(store, start, 0, |_, _| Ok(()))?;
            call.ended().await?;
        }
        Ok(instance)
    }
}
