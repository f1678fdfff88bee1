//! The border between the machine and Rust: entries of host functions, and calls into the machine.
//!
//! One pointer to the [`StoreInner`] is made from the embedder's `&mut`; the machine's pointer is derived from it, and
//! host functions reborrow it while the machine stands still (H1).
#![allow(unsafe_code, reason = "passes a store through the machine as a raw pointer")]

use core::any::Any;
use core::panic::AssertUnwindSafe;
use std::sync::Arc;

use anyhow::bail;
use sheave_interp::{Exit, FuncAddr, HostEntry, HostStatus, LimitRequest, PauseReason, Trap, Vm};

use crate::backtrace::WasmBacktrace;
use crate::store::{Caller, Failure, StoreContextMut, StoreInner, StoreOpaque};
use crate::types::FuncType;
use crate::values::Val;
use crate::{Error, Result};

/// A host function that no store knows yet.
pub(crate) struct HostFunc {
    pub(crate) ty: FuncType,
    pub(crate) entry: HostEntry,
    /// The closure; `entry` knows its type.
    pub(crate) data: Box<dyn Any + Send + Sync>,
}

/// Leads to the closure in a `Box<dyn Any>`.
fn data_ptr(data: &(dyn Any + Send + Sync)) -> *const () {
    core::ptr::from_ref(data).cast()
}

impl StoreOpaque {
    /// Registers a host function with the machine.
    pub(crate) fn add_host_func(&mut self, func: Arc<HostFunc>) -> Result<FuncAddr> {
        let (params, results) = (func.ty.params().len(), func.ty.results().len());
        let (Ok(params), Ok(results)) = (u16::try_from(params), u16::try_from(results)) else { bail!("a function type with more than 65,535 parameters or results") };
        let id = self.engine.type_id(&func.ty.0);
        // SAFETY: H2: the closure lives in `host_funcs` as long as the store; `entry` catches panics and writes its
        // results only.
        let addr = unsafe { self.vm.new_host_func(id, params, results, func.entry, data_ptr(&*func.data))? };
        self.host_funcs.push(func);
        Ok(addr)
    }

    /// As `add_host_func`, once for each function.
    pub(crate) fn host_func(&mut self, func: &Arc<HostFunc>) -> Result<FuncAddr> {
        let key = Arc::as_ptr(func).addr();
        if let Some(addr) = self.known_host_funcs.get(&key) {
            return Ok(*addr);
        }
        let addr = self.add_host_func(Arc::clone(func))?;
        self.known_host_funcs.insert(key, addr);
        Ok(addr)
    }
}

/// Runs the body of a host function: failures and panics are kept in the store until the machine is left.
///
/// # Safety
/// - `cx` is the host context: the `StoreInner<T>` whose machine calls, which nobody else uses (H1).
#[inline(always)]
pub(crate) unsafe fn host_call<T: 'static>(cx: *mut (), body: impl FnOnce(*mut StoreInner<T>) -> Result<()>) -> HostStatus {
    let store = cx.cast::<StoreInner<T>>();
    match std::panic::catch_unwind(AssertUnwindSafe(|| body(store))) {
        Ok(Ok(())) => HostStatus::Done,
        // SAFETY: the caller's promise.
        Ok(Err(error)) => unsafe { failed(&raw mut (*store).opaque, Failure::Error(error)) },
        // SAFETY: the caller's promise.
        Err(payload) => unsafe { failed(&raw mut (*store).opaque, Failure::Panic(payload)) },
    }
}

#[cold]
unsafe fn failed(opaque: *mut StoreOpaque, failure: Failure) -> HostStatus {
    // SAFETY: H1.
    unsafe { (*opaque).failure = Some(failure) };
    HostStatus::Failed
}

/// The caller that a host function is given.
///
/// # Safety
/// - As for [`host_call`]; the caller is gone before the store is used otherwise.
#[inline(always)]
pub(crate) unsafe fn caller<'a, T: 'static>(store: *mut StoreInner<T>) -> Caller<'a, T> {
    // SAFETY: the caller's promise.
    let store = unsafe { &mut *store };
    Caller { instance: store.opaque.vm.current_instance(), store: StoreContextMut(store) }
}

pub(crate) type DynFunc<T> = Box<dyn Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync>;

/// A host function over [`Val`]s.
pub(crate) struct Dynamic<T: 'static> {
    pub(crate) ty: FuncType,
    pub(crate) func: DynFunc<T>,
}

/// The entry of a [`Dynamic`] function.
pub(crate) unsafe fn dynamic_entry<T: 'static>(cx: *mut (), data: *const (), frame: u32) -> HostStatus {
    // SAFETY: H1, H2: `data` is the `Dynamic<T>` that was registered with this entry.
    unsafe {
        let this = &*data.cast::<Dynamic<T>>();
        host_call::<T>(cx, |store| {
            let (params, results) = (this.ty.params(), this.ty.results());
            let args: Vec<Val> = {
                let opaque = &(*store).opaque;
                let slots = opaque.vm.frame_ptr(frame);
                params.enumerate().map(|(i, ty)| Val::from_slot(u64::from_le(slots.add(i).read()), ty, opaque)).collect()
            };
            let mut out: Vec<Val> = results.map(|ty| Val::default_for_ty(&ty).unwrap_or(Val::I32(0))).collect();
            (this.func)(caller(store), &args, &mut out)?;
            let opaque = &(*store).opaque;
            for (i, (value, ty)) in out.iter().zip(this.ty.results()).enumerate() {
                if !value.matches(ty) {
                    bail!("function attempted to return an incompatible value: expected {ty}, found {}", value.type_name());
                }
                let bits = value.to_slot(opaque)?;
                opaque.vm.frame_ptr(frame).add(i).write(bits.to_le());
            }
            Ok(())
        })
    }
}

/// The machine's question whether something may grow.
pub(crate) unsafe fn limit_hook<T: 'static>(cx: *mut (), request: LimitRequest) -> bool {
    let store = cx.cast::<StoreInner<T>>();
    // SAFETY: H1; only fields beside the machine are used, as the machine is in the middle of an operation.
    let (limiter, data) = unsafe { (&(*store).limiter, &mut (*store).data) };
    let Some(limiter) = limiter else { return true };
    let limiter = limiter(data);
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    match request {
        LimitRequest::Memory { current, desired, maximum } => limiter.memory_growing(size(current), size(desired), maximum.map(size)),
        LimitRequest::Table { current, desired, maximum } => limiter.table_growing(size(current), size(desired), maximum.map(size)),
    }
    .unwrap_or(false)
}

/// Lets the machine use the store for the length of `body`.
#[inline(always)]
pub(crate) fn with_machine<T: 'static, R>(store: &mut StoreInner<T>, body: impl FnOnce(*mut StoreInner<T>, *mut Vm) -> R) -> R {
    let store: *mut StoreInner<T> = store;
    // SAFETY: H1: everything below is derived from this one pointer; the context is put back for the outer call,
    // whose pointer is another.
    unsafe {
        let vm = &raw mut (*store).opaque.vm;
        let outer = (*vm).host_context();
        (*vm).set_host_context(store.cast());
        let r = body(store, vm);
        (*vm).set_host_context(outer);
        r
    }
}

/// Calls a function whose arguments `write` puts into slots and whose results `read` takes from them.
#[inline(always)]
pub(crate) fn call<T: 'static, R>(
    store: &mut StoreInner<T>,
    func: FuncAddr,
    slots: u32,
    write: impl FnOnce(&StoreOpaque, *mut u64) -> Result<()>,
    read: impl FnOnce(&StoreOpaque, *const u64) -> R,
) -> Result<R> {
    with_machine(store, |store, vm| {
        // SAFETY: H1: no reference into the store is alive while the machine runs.
        unsafe {
            let activation = match (*vm).begin(slots) {
                Ok(a) => a,
                Err(trap) => return Err(trap.into()),
            };
            let args = (*vm).frame_ptr(activation.frame());
            if let Err(e) = write(&(*store).opaque, args) {
                (*vm).finish(activation);
                return Err(e);
            }
            let exit = Vm::invoke(vm, &activation, func);
            if let Err(exit) = exit {
                let frames = if (*store).opaque.engine.config().backtraces { (*vm).backtrace(&activation, WasmBacktrace::LIMIT) } else { Vec::new() };
                (*vm).finish(activation);
                return Err(error_of(&mut (*store).opaque, exit, frames));
            }
            let results = (*vm).frame_ptr(activation.frame());
            let r = read(&(*store).opaque, results);
            (*vm).finish(activation);
            Ok(r)
        }
    })
}

#[cold]
fn error_of(opaque: &mut StoreOpaque, exit: Exit, frames: Vec<sheave_interp::FrameInfo>) -> Error {
    let error = match exit {
        Exit::Trap(trap) => trap.into(),
        Exit::Paused(PauseReason::OutOfFuel) => Trap::OutOfFuel.into(),
        Exit::Paused(PauseReason::Interrupted) => Trap::Interrupt.into(),
        Exit::Load(e) => Error::from_boxed(e),
        Exit::Host => match opaque.failure.take() {
            Some(Failure::Error(e)) => e,
            Some(Failure::Panic(payload)) => std::panic::resume_unwind(payload),
            None => Error::msg("a host function failed"),
        },
        other => Error::msg(format!("{other:?}")),
    };
    if frames.is_empty() || error.downcast_ref::<WasmBacktrace>().is_some() {
        return error;
    }
    let backtrace = WasmBacktrace::new(opaque, &frames);
    error.context(backtrace)
}
