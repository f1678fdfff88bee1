//! The future of a host function that wasm has called: made from a closure, polled, dropped.
#![allow(
    unsafe_code,
    reason = "a future that borrows the store through a pointer, with its type erased"
)]

use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use anyhow::bail;
use sheave_interp::HostStatus;

use super::api::WasmTyList;
use crate::engine::Engine;
use crate::host::{HostFunc, caller};
use crate::into_func::{StoreOpaqueMut, StoreOpaqueRef, WasmRet};
use crate::store::{Caller, StoreInner};
use crate::types::{FuncType, ValType};
use crate::values::Val;
use crate::{Error, Result};

/// What an async host function is registered with.
pub(super) struct AsyncFunc<T: 'static>(Box<dyn Start<T>>);

impl<T: 'static> AsyncFunc<T> {
    /// Calls the closure; it has not been polled yet.
    ///
    /// # Safety
    /// - `store` is used by nobody else until the future is dropped (H1, H5); `frame` is that of this function's call.
    pub(super) unsafe fn start(
        &self,
        store: *mut StoreInner<T>,
        frame: u32,
    ) -> Result<HostFuture<T>> {
        // SAFETY: the caller's promise.
        unsafe { self.0.start(store, frame) }
    }
}

/// A closure that gives futures.
trait Start<T: 'static>: Send + Sync {
    /// # Safety
    /// - As [`AsyncFunc::start`].
    unsafe fn start(&self, store: *mut StoreInner<T>, frame: u32) -> Result<HostFuture<T>>;
}

/// The entry of all async host functions: they begin when the machine has been left.
unsafe fn entry(_cx: *mut (), _data: *const (), _frame: u32) -> HostStatus {
    HostStatus::Awaits
}

impl HostFunc {
    fn awaited<T: 'static>(ty: FuncType, start: impl Start<T> + 'static) -> Arc<HostFunc> {
        let data = Box::new(AsyncFunc(Box::new(start)));
        let mut func = HostFunc::new::<()>(ty, entry, data);
        func.is_async = true;
        Arc::new(func)
    }

    /// An async host function with native types.
    pub(crate) fn wrap_async<T, F, P, R>(engine: &Engine, func: F) -> Arc<HostFunc>
    where
        T: Send + 'static,
        F: for<'a> Fn(Caller<'a, T>, P) -> Box<dyn Future<Output = R> + Send + 'a>
            + Send
            + Sync
            + 'static,
        P: WasmTyList + 'static,
        R: WasmRet + 'static,
    {
        let ty = FuncType::new(engine, P::types(), R::types());
        let types = PhantomData;
        HostFunc::awaited(ty, Typed { func, types })
    }

    /// An async host function over [`Val`]s.
    pub(crate) fn dynamic_async<T: Send + 'static>(
        ty: FuncType,
        func: impl for<'a> Fn(
            Caller<'a, T>,
            &'a [Val],
            &'a mut [Val],
        ) -> Box<dyn Future<Output = Result<()>> + Send + 'a>
        + Send
        + Sync
        + 'static,
    ) -> Arc<HostFunc> {
        let func = Arc::new(func);
        HostFunc::awaited(ty.clone(), Untyped { ty, func })
    }
}

struct Typed<F, P, R> {
    func: F,
    types: PhantomData<fn(P) -> R>,
}

impl<T, F, P, R> Start<T> for Typed<F, P, R>
where
    T: 'static,
    F: for<'a> Fn(Caller<'a, T>, P) -> Box<dyn Future<Output = R> + Send + 'a> + Send + Sync,
    P: WasmTyList + 'static,
    R: WasmRet + 'static,
{
    unsafe fn start(&self, store: *mut StoreInner<T>, frame: u32) -> Result<HostFuture<T>> {
        // SAFETY: H1, H5: nobody else uses the store until the future is dropped. H3 for the slots: the function's type was
        // made of `P`.
        let future = unsafe {
            let params = {
                let opaque = &mut (*store).opaque;
                let slots = opaque.vm.frame_ptr(frame).cast_const();
                P::take(&mut StoreOpaqueMut(opaque), slots)
            };
            (self.func)(caller(store), params)
        };
        // SAFETY: as above.
        Ok(unsafe { HostFuture::new::<R>(future, frame) })
    }
}

struct Untyped<F> {
    ty: FuncType,
    func: Arc<F>,
}

impl<T, F> Start<T> for Untyped<F>
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
    unsafe fn start(&self, store: *mut StoreInner<T>, frame: u32) -> Result<HostFuture<T>> {
        let params: Vec<Val> = {
            // SAFETY: H1: nobody else uses the store.
            let opaque = unsafe { &mut (*store).opaque };
            let mut slots = opaque.vm.frame_ptr(frame).cast_const();
            let params = self.ty.plain().params().iter().map(|ty| {
                // SAFETY: H3.
                let (value, next) = unsafe { Val::read(slots, *ty, opaque) };
                slots = next;
                value
            });
            params.collect()
        };
        let defaults = self.ty.results();
        let defaults = defaults.map(|ty| Val::default_for_ty(&ty).unwrap_or(Val::I32(0)));
        let mut results: Vec<Val> = defaults.collect();
        let (func, ty) = (Arc::clone(&self.func), self.ty.clone());
        // SAFETY: H1, H5: nobody else uses the store until the future is dropped.
        let caller = unsafe { caller(store) };
        let future = async move {
            Pin::from(func(caller, &params, &mut results)).await?;
            Ok(Results { ty, results })
        };
        // SAFETY: as above.
        Ok(unsafe { HostFuture::new::<Result<Results>>(Box::new(future), frame) })
    }
}

/// What an untyped host function gives, of a type that is not known before.
struct Results {
    ty: FuncType,
    results: Vec<Val>,
}

impl WasmRet for Results {
    /// None that would be known before: the function has its type from elsewhere.
    fn types() -> Vec<ValType> {
        Vec::new()
    }

    fn put(self, store: &StoreOpaqueRef<'_>, slots: impl FnOnce() -> *mut u64) -> Result<()> {
        let (opaque, mut slots) = (store.0, slots());
        for (value, ty) in self.results.iter().zip(self.ty.plain().results()) {
            if !opaque.val_matches(value, *ty)? {
                bail!(
                    "function attempted to return an incompatible value: expected {ty}, found {}",
                    value.type_name()
                );
            }
            // SAFETY: H3: the frame has as many slots as the type wants.
            slots = unsafe { value.write(slots, opaque)? };
        }
        Ok(())
    }
}

/// Two words: a [`Boxed`] of some type.
type Erased = MaybeUninit<[*mut (); 2]>;

/// A future that borrows the store for as long as it lives.
type Boxed<R> = Pin<Box<dyn Future<Output = R> + Send>>;

type Poller<T> =
    unsafe fn(&mut HostFuture<T>, &mut Context<'_>, *mut StoreInner<T>) -> Poll<Result<()>>;

/// What can be done with a future whose type is erased.
struct Ops<T: 'static> {
    /// Once it is ready, the future is dropped and its results are in the frame.
    poll: Poller<T>,
    drop: unsafe fn(&mut Erased),
}

/// The future of a host function. It takes no memory besides the box that the closure made.
pub(super) struct HostFuture<T: 'static> {
    future: Erased,
    /// None once it is ready.
    ops: Option<&'static Ops<T>>,
    frame: u32,
}

// SAFETY: H5: it is a box of a future that is `Send`, be it one of a store of whatever type.
unsafe impl<T: 'static> Send for HostFuture<T> {}

/// Makes the [`Ops`] of a type.
struct OpsOf<T, R>(PhantomData<fn(T) -> R>);

impl<T: 'static, R: WasmRet> OpsOf<T, R> {
    const OPS: &'static Ops<T> = &Ops {
        poll: poll::<T, R>,
        drop: drop_boxed::<R>,
    };
}

/// # Safety
/// - `this` holds a `Boxed<R>`; `store` is the one that it borrows (H5).
unsafe fn poll<T: 'static, R: WasmRet>(
    this: &mut HostFuture<T>,
    cx: &mut Context<'_>,
    store: *mut StoreInner<T>,
) -> Poll<Result<()>> {
    // SAFETY: the caller's promise.
    let future = unsafe { &mut *this.future.as_mut_ptr().cast::<Boxed<R>>() };
    let results = ready!(future.as_mut().poll(cx));
    this.cancel();
    // SAFETY: H5: what borrowed the store is dropped.
    let opaque = unsafe { &(*store).opaque };
    let frame = this.frame;
    Poll::Ready(results.put(&StoreOpaqueRef(opaque), || opaque.vm.frame_ptr(frame)))
}

/// # Safety
/// - `future` holds a `Boxed<R>`, and is not used any more.
unsafe fn drop_boxed<R>(future: &mut Erased) {
    // SAFETY: the caller's promise.
    unsafe { future.as_mut_ptr().cast::<Boxed<R>>().drop_in_place() };
}

impl<T: 'static> HostFuture<T> {
    /// # Safety
    /// - What `future` borrows stays until this is dropped, and is used by nobody else meanwhile (H5).
    unsafe fn new<'a, R: WasmRet>(
        future: Box<dyn Future<Output = R> + Send + 'a>,
        frame: u32,
    ) -> HostFuture<T> {
        const { assert!(size_of::<Boxed<R>>() == size_of::<Erased>()) };
        let mut erased = Erased::uninit();
        let place = erased.as_mut_ptr();
        // SAFETY: as large and aligned as is needed; the lifetime is the caller's business.
        unsafe {
            place
                .cast::<Pin<Box<dyn Future<Output = R> + Send + 'a>>>()
                .write(Pin::from(future));
        }
        HostFuture {
            future: erased,
            ops: Some(OpsOf::<T, R>::OPS),
            frame,
        }
    }

    /// Polls it; not to be done again once it is ready.
    ///
    /// # Safety
    /// - `store` is the one that it was started with (H5).
    pub(super) unsafe fn poll(
        &mut self,
        cx: &mut Context<'_>,
        store: *mut StoreInner<T>,
    ) -> Poll<Result<()>> {
        match self.ops {
            // SAFETY: `ops` are those of the type; the caller's promise.
            Some(ops) => unsafe { (ops.poll)(self, cx, store) },
            None => Poll::Ready(Err(Error::msg("a host function was polled after its end"))),
        }
    }

    /// Drops the future.
    fn cancel(&mut self) {
        if let Some(ops) = self.ops.take() {
            // SAFETY: `ops` are those of the type, and taken once.
            unsafe { (ops.drop)(&mut self.future) };
        }
    }
}

impl<T: 'static> Drop for HostFuture<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}
