//! The border between the machine and Rust: entries of host functions, and calls into the machine.
//!
//! One pointer to the [`StoreInner`] is made from the embedder's `&mut`; the machine's pointer is derived from it, and
//! host functions reborrow it while the machine stands still (H1).
#![allow(
    unsafe_code,
    reason = "passes a store through the machine as a raw pointer"
)]

use core::any::Any;
use core::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};

use anyhow::bail;
use sheave_interp::{
    Activation, Exit, FuncAddr, HostEntry, HostStatus, LimitAnswer, LimitRequest, PauseReason,
    Trap, Vm,
};

use crate::backtrace::WasmBacktrace;
use crate::continuations::SuspendCall;
use crate::epochs;
use crate::host_frames::{HostFrameError, end_dropped_or_panic};
use crate::host_stacks::Place;
use crate::resume::PauseCall;
use crate::store::{Caller, Failure, StoreContextMut, StoreInner, StoreOpaque};
use crate::store_ref::StoreRef;
use crate::types::FuncType;
use crate::values::Val;
use crate::{Error, Result};

/// A host function that no store knows yet.
pub(crate) struct HostFunc {
    pub(crate) ty: FuncType,
    pub(crate) entry: HostEntry,
    /// The closure; `entry` knows its type.
    pub(crate) data: Box<dyn Any + Send + Sync>,
    /// Whether the entry only says that the function is to be awaited.
    pub(crate) is_async: bool,
    /// The stack that it runs on.
    pub(crate) place: Place,
}

impl HostFunc {
    /// `data` is what the entry knows the type of. `N` is the type of the closure, which the function is named after for want
    /// of a better name.
    pub(crate) fn new<N>(
        ty: FuncType,
        entry: HostEntry,
        data: Box<dyn Any + Send + Sync>,
    ) -> HostFunc {
        HostFunc {
            ty,
            entry,
            data,
            is_async: false,
            place: Place::of::<N>(),
        }
    }
}

/// Leads to the closure in a `Box<dyn Any>`.
pub(crate) fn data_ptr(data: &(dyn Any + Send + Sync)) -> *const () {
    core::ptr::from_ref(data).cast()
}

impl StoreOpaque {
    /// Registers a host function with the machine.
    pub(crate) fn add_host_func(&mut self, func: Arc<HostFunc>) -> Result<FuncAddr> {
        let (params, results) = func.ty.plain().slots();
        let (Ok(params), Ok(results)) = (u16::try_from(params), u16::try_from(results)) else {
            bail!("a function type with more than 65,535 parameters or results")
        };
        let (entry, data) = func.registered(&self.engine);
        // SAFETY: H2: the closure lives in `host_funcs` as long as the store; `entry` catches panics and writes its
        // results only.
        let addr = unsafe {
            self.vm
                .new_host_func(func.ty.0.id, params, results, entry, data)?
        };
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
pub(crate) unsafe fn host_call<T: 'static>(
    cx: *mut (),
    body: impl FnOnce(*mut StoreInner<T>) -> Result<()>,
) -> HostStatus {
    let store = cx.cast::<StoreInner<T>>();
    // SAFETY: the caller's promise.
    let scope = unsafe { (*store).opaque.vm.roots().begin_scope() };
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| body(store)));
    // SAFETY: the caller's promise; what `body` borrowed is given back.
    unsafe { (*store).opaque.vm.roots_mut().end_scope(scope) };
    // SAFETY: the caller's promise.
    host_status(unsafe { &mut (*store).opaque }, outcome)
}

/// What the machine is told of a host function that ended so.
#[inline(always)]
pub(crate) fn host_status(
    opaque: &mut StoreOpaque,
    outcome: std::thread::Result<Result<()>>,
) -> HostStatus {
    match outcome {
        Ok(Ok(())) => HostStatus::Done,
        Ok(Err(error)) => returned_error(opaque, error),
        Err(payload) => failed(opaque, Failure::Panic(payload)),
    }
}

#[cold]
fn returned_error(opaque: &mut StoreOpaque, error: Error) -> HostStatus {
    match opaque.throws(error) {
        Ok(()) => HostStatus::Thrown,
        Err(error) if error.is::<PauseCall>() => {
            failed(opaque, Failure::Error(error));
            HostStatus::Pause
        }
        Err(error) if error.is::<SuspendCall>() => HostStatus::Suspend,
        Err(error) => failed(opaque, Failure::Error(error)),
    }
}

#[cold]
fn failed(opaque: &mut StoreOpaque, failure: Failure) -> HostStatus {
    opaque.set_failure(failure);
    HostStatus::Failed
}

/// The caller that a host function is given.
///
/// # Safety
/// - As for [`host_call`]; the caller is gone before the store is used otherwise.
#[inline(always)]
pub(crate) unsafe fn caller<'a, T: 'static>(store: *mut StoreInner<T>) -> Caller<'a, T> {
    // SAFETY: the caller's promise.
    let store = unsafe { StoreRef::new(store) };
    Caller {
        instance: store.opaque.vm.current_instance(),
        store: StoreContextMut(store),
    }
}

pub(crate) type DynFunc<T> =
    Box<dyn Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync>;

/// A host function over [`Val`]s.
pub(crate) struct Dynamic<T: 'static> {
    pub(crate) ty: FuncType,
    pub(crate) func: DynFunc<T>,
}

/// The entry of a [`Dynamic`] function.
pub(crate) unsafe fn dynamic_entry<T: 'static>(
    cx: *mut (),
    data: *const (),
    frame: u32,
) -> HostStatus {
    // SAFETY: H1, H2: `data` is the `Dynamic<T>` that was registered with this entry.
    unsafe {
        let this = &*data.cast::<Dynamic<T>>();
        host_call::<T>(cx, |store| {
            let ty = this.ty.plain();
            let args: Vec<Val> = {
                let opaque = &mut (*store).opaque;
                let mut slots = opaque.vm.frame_ptr(frame).cast_const();
                ty.params()
                    .iter()
                    .map(|ty| {
                        let (value, next) = Val::read(slots, *ty, opaque);
                        slots = next;
                        value
                    })
                    .collect()
            };
            let mut out: Vec<Val> = this
                .ty
                .results()
                .map(|ty| Val::default_for_ty(&ty).unwrap_or(Val::I32(0)))
                .collect();
            (this.func)(caller(store), &args, &mut out)?;
            let opaque = &(*store).opaque;
            let mut slots = opaque.vm.frame_ptr(frame);
            for (value, ty) in out.iter().zip(ty.results()) {
                if !opaque.val_matches(value, *ty)? {
                    bail!(
                        "function attempted to return an incompatible value: expected {ty}, found {}",
                        value.type_name()
                    );
                }
                slots = value.write(slots, opaque)?;
            }
            Ok(())
        })
    }
}

fn not_grown(what: &str, at_maximum: bool) -> Error {
    if at_maximum {
        anyhow::anyhow!("{what} maximum size exceeded")
    } else {
        anyhow::anyhow!("no room for the {what}")
    }
}

/// The machine's question whether something may grow.
///
/// # Safety
/// - `cx` is the host context, a `StoreInner<T>` or null; nothing but its machine is borrowed (H1).
pub(crate) unsafe fn limit_hook<T: 'static>(cx: *mut (), request: LimitRequest) -> LimitAnswer {
    let store = cx.cast::<StoreInner<T>>();
    if store.is_null() {
        return LimitAnswer::Allow;
    }
    // SAFETY: H1; only fields beside the machine are used, as the machine is in the middle of an operation.
    let (limiter, data, failure) = unsafe {
        (
            &(*store).limiter,
            &mut (*store).data,
            &mut (*store).opaque.failure,
        )
    };
    let Some(limiter) = limiter else {
        return LimitAnswer::Allow;
    };
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let answer = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let limiter = limiter(data);
        match request {
            LimitRequest::Memory {
                current,
                desired,
                maximum,
            } => limiter.memory_growing(size(current), size(desired), maximum.map(size)),
            LimitRequest::Table {
                current,
                desired,
                maximum,
            } => limiter.table_growing(size(current), size(desired), maximum.map(size)),
            LimitRequest::MemoryFailed { at_maximum } => limiter
                .memory_grow_failed(not_grown("memory", at_maximum))
                .map(|()| true),
            LimitRequest::TableFailed { at_maximum } => limiter
                .table_grow_failed(not_grown("table", at_maximum))
                .map(|()| true),
        }
    }));
    let why = match answer {
        Ok(Ok(true)) => return LimitAnswer::Allow,
        Ok(Ok(false)) => return LimitAnswer::Refuse,
        Ok(Err(error)) => Failure::Error(error),
        Err(payload) => Failure::Panic(payload),
    };
    *failure.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(why);
    LimitAnswer::Fail
}

/// Lets the machine use the store for the length of `body`, which does not unwind.
#[inline(always)]
pub(crate) fn with_machine<T: 'static, R>(
    store: StoreRef<'_, T>,
    body: impl FnOnce(*mut StoreInner<T>, *mut Vm) -> R,
) -> R {
    let store = store.as_ptr();
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

/// Lets something grow at the host's wish; the limiter is asked.
pub(crate) fn grow<T: 'static, R>(
    mut store: StoreRef<'_, T>,
    grow: impl FnOnce(&mut Vm) -> R,
) -> Result<R> {
    // SAFETY: H1: the hook uses the pointer that this borrow comes from, and nothing of the machine.
    let r = with_machine(store.reborrow(), |_, vm| unsafe { grow(&mut *vm) });
    store
        .opaque
        .take_failure()
        .map_or(Ok(r), |failure| Err(failure.raise()))
}

impl Failure {
    /// The error; a panic goes on.
    pub(crate) fn raise(self) -> Error {
        match self {
            Failure::Error(error) => error,
            Failure::Panic(payload) => std::panic::resume_unwind(payload),
        }
    }
}

/// Calls a function whose arguments `write` puts into slots and whose results `read` takes from them; neither unwinds.
#[inline(always)]
pub(crate) fn call<T: 'static, R>(
    mut store: StoreRef<'_, T>,
    func: FuncAddr,
    slots: u32,
    write: impl FnOnce(&StoreOpaque, *mut u64) -> Result<()>,
    read: impl FnOnce(&mut StoreOpaque, *const u64) -> R,
) -> Result<R> {
    let called = with_machine(store.reborrow(), |store, vm| {
        // SAFETY: H1: no reference into the store is alive while the machine runs.
        unsafe {
            let mut activation = match (*vm).begin(slots) {
                Ok(a) => a,
                Err(trap) => return Err(Failure::Error(trap.into())),
            };
            let args = (*vm).frame_ptr(activation.frame());
            if let Err(e) = write(&(*store).opaque, args) {
                (*vm).finish(activation);
                return Err(Failure::Error(e));
            }
            if let Err(exit) = Vm::invoke(vm, &activation, func) {
                activation = epochs::stopped(store, vm, activation, func, exit)?;
            }
            let results = (*vm).frame_ptr(activation.frame());
            let r = read(&mut (*store).opaque, results);
            (*vm).finish(activation);
            Ok(r)
        }
    });
    if store.opaque.vm.has_dropped() {
        end_dropped_or_panic(store);
    }
    // Only now, with the store as it was before, may a panic go on.
    called.map_err(Failure::raise)
}

const CANNOT_WAIT: &str = "an async host function was called by a call that cannot wait: use `call_async` (or `instantiate_async`, `Instance::new_async`)";

/// Why an activation that is not finished yet ended without results.
#[cold]
#[inline(never)]
pub(crate) fn failure_of(
    opaque: &mut StoreOpaque,
    activation: &Activation,
    func: Option<FuncAddr>,
    exit: Exit,
) -> Failure {
    let mut error = match (opaque.take_failure(), exit) {
        // A host function further in was ended before; only a panic of it goes on.
        (None | Some(Failure::Error(_)), Exit::Dropped) => HostFrameError::Dropped.into(),
        // Whoever gets it shall not take it for its own.
        (Some(Failure::Error(error)), _) if error.is::<PauseCall>() => {
            Error::msg(PauseCall.to_string())
        }
        (Some(Failure::Error(error)), _) => error,
        (Some(panic), _) => return panic,
        (None, Exit::Trap(Trap::UnhandledTag)) => opaque.unhandled(activation),
        (None, Exit::Trap(trap)) => trap.into(),
        (None, Exit::Thrown) => opaque.thrown_error(),
        (None, Exit::Paused(PauseReason::OutOfFuel)) => Trap::OutOfFuel.into(),
        (None, Exit::Paused(PauseReason::Interrupted)) => Trap::Interrupt.into(),
        (None, Exit::Paused(PauseReason::HostCall)) => Error::msg(PauseCall.to_string()),
        // What a call that waits began is not crossed.
        (None, Exit::Crosses) => Trap::UnhandledTag.into(),
        (None, Exit::Awaits) => Error::msg(CANNOT_WAIT),
        (None, Exit::Load(error)) => match error.downcast::<sheave_loader::LoadError>() {
            Ok(error) => Error::new(*error),
            Err(error) => Error::from_boxed(error),
        },
        (None, _) => Error::msg("a host function failed"),
    };
    // A host function that the host calls has no wasm frames of its own.
    let native = func.is_some_and(|f| opaque.vm.func_origin(f).is_none());
    if !opaque.engine.config().backtraces || native {
        return Failure::Error(error);
    }
    // What an inner activation failed with goes on through this one: its frames are the outer ones.
    let had = error
        .downcast_ref::<WasmBacktrace>()
        .map_or(0, |b| b.frames().len());
    let frames = opaque
        .vm
        .backtrace(activation, WasmBacktrace::LIMIT.saturating_sub(had));
    match error.downcast_mut::<WasmBacktrace>() {
        Some(backtrace) => backtrace.extend(opaque, &frames),
        None if frames.is_empty() => {}
        None => error = error.context(WasmBacktrace::new(opaque, &frames)),
    }
    Failure::Error(error)
}
