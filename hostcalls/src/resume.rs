//! Calls that pause and go on: out of fuel or interrupted, a call keeps its frames in the store until it is resumed or
//! cancelled.
#![allow(unsafe_code, reason = "runs the machine")]

use anyhow::bail;
use sheave_interp::{Activation, Exit, PauseReason, Paused, Vm};

use crate::Result;
use crate::backtrace::WasmBacktrace;
use crate::func::Func;
use crate::host::{failure_of, with_machine};
use crate::store::Store;
use crate::store_ref::StoreRef;
use crate::types::FuncType;
use crate::values::Val;

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallOutcome {
    /// It has returned; the results are there.
    Finished,
    /// It waits in the store for [`Store::resume_call`].
    Paused(PauseReason),
}

/// The error that a host function returns to pause the call that it is part of: it waits in the store as if it had been
/// interrupted ([`PauseReason::HostCall`]), and the host function is called again, with the same arguments, when it goes
/// on, here or where a snapshot of the store is restored. So a host function returns it before it does anything that
/// must not be done twice; the embedder's data say why it was paused, and that it has been.
///
/// Only a host function that wasm calls by its import can pause, in a call by [`Func::call_resumable`], and only if it
/// has no parameters that the collector follows. Anywhere else the call fails, with an error that says so.
///
/// ```
/// # use sheave_hostcalls::{CallOutcome, Caller, Engine, Linker, Module, PauseCall, Result, Store, Val};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (import "" "ask" (func $ask (result i32)))
///     (func (export "f") (result i32) (i32.add (call $ask) (i32.const 1))))"#)?;
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("", "ask", |caller: Caller<'_, Option<i32>>| -> Result<i32> {
///     caller.data().ok_or(PauseCall.into())
/// })?;
/// let mut store = Store::new(&engine, None);
/// let f = linker.instantiate(&mut store, &module)?.get_func(&mut store, "f").unwrap();
/// let mut results = [Val::I32(0)];
/// let outcome = f.call_resumable(&mut store, &[], &mut results)?;
/// assert!(matches!(outcome, CallOutcome::Paused(_)));
/// *store.data_mut() = Some(6);
/// assert_eq!(store.resume_call(&mut results)?, CallOutcome::Finished);
/// assert_eq!(results[0].unwrap_i32(), 7);
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PauseCall;

impl core::fmt::Display for PauseCall {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a host function asked for a pause where the call cannot wait")
    }
}

impl core::error::Error for PauseCall {}

/// A call that waits in a store.
pub(crate) struct PausedState {
    pub(crate) func: Func,
    pub(crate) ty: FuncType,
    pub(crate) reason: PauseReason,
    pub(crate) paused: Paused,
}

/// What is known of a call that waits in a store; see [`Store::paused_call`].
#[derive(Clone, Copy, Debug)]
pub struct PausedCall {
    func: Func,
    reason: PauseReason,
}

impl PausedCall {
    /// The function that was called.
    pub fn func(&self) -> Func {
        self.func
    }

    /// Why it waits.
    pub fn reason(&self) -> PauseReason {
        self.reason
    }
}

impl Func {
    /// As [`Func::call`]; but if the call runs out of fuel or is interrupted, it does not end: it waits in the store,
    /// and [`Store::resume_call`] goes on with it, as if nothing had been. Meanwhile the store can be used for anything
    /// else, other calls included.
    ///
    /// A call that pauses while a host function that it called is running wasm ends with the trap, since the host
    /// function cannot wait.
    ///
    /// ```
    /// # use sheave_hostcalls::{CallOutcome, Config, Engine, Instance, Module, Store, Val};
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let module = Module::new(&engine, r#"(module (func (export "sum") (param i32) (result i32) (local i32)
    ///     (loop $l
    ///         (local.set 1 (i32.add (local.get 1) (local.get 0)))
    ///         (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    ///     (local.get 1)))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let sum = Instance::new(&mut store, &module, &[])?.get_func(&mut store, "sum").unwrap();
    ///
    /// let (mut results, mut pauses) = ([Val::I32(0)], 0);
    /// let mut outcome = sum.call_resumable(&mut store, &[Val::I32(100)], &mut results)?;
    /// while outcome != CallOutcome::Finished {
    ///     pauses += 1;
    ///     store.set_fuel(100)?;
    ///     outcome = store.resume_call(&mut results)?;
    /// }
    /// assert_eq!(results[0].unwrap_i32(), 5050);
    /// assert!(pauses > 5);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Func::call`]; and if another call waits in the store.
    ///
    /// # Panics
    /// As [`Func::call`].
    pub fn call_resumable<T: 'static>(
        &self,
        store: &mut Store<T>,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<CallOutcome> {
        let mut store = store.0.borrow();
        if store.opaque.paused.is_some() {
            bail!("another call is paused in this store: resume or cancel it first");
        }
        let ty = self.check_call(&store.opaque, params, results.len())?;
        let (slots, put) = self.arguments(&ty, params);
        let begun = with_machine(store.reborrow(), |store, vm| {
            // SAFETY: H1: no reference into the store is alive while the machine runs.
            unsafe {
                let activation = (*vm).begin(slots)?;
                let args = (*vm).frame_ptr(activation.frame());
                if let Err(error) = put(&(*store).opaque, args) {
                    (*vm).finish(activation);
                    return Err(error);
                }
                let result = Vm::invoke(vm, &activation, self.addr);
                Ok((activation, result))
            }
        });
        let (activation, result) = begun?;
        store.settle(*self, ty, activation, result, results)
    }
}

impl<T: 'static> Store<T> {
    /// Goes on with the call that waits in this store; see [`Func::call_resumable`].
    ///
    /// # Errors
    /// As [`Func::call`]. If no call waits, or `results` has another length than the call has results, nothing is done.
    ///
    /// # Panics
    /// If a host function panicked.
    pub fn resume_call(&mut self, results: &mut [Val]) -> Result<CallOutcome> {
        let mut store = self.0.borrow();
        let Some(state) = store.opaque.paused.take() else {
            bail!("no call is paused in this store");
        };
        let gives = state.ty.results().len();
        if gives != results.len() {
            store.opaque.paused = Some(state);
            bail!("expected {gives} results, got {}", results.len());
        }
        let PausedState {
            func, ty, paused, ..
        } = state;
        // SAFETY: H1: as above; nothing else has been begun that is not finished, as the store is not in a call.
        let (activation, result) =
            with_machine(store.reborrow(), |_, vm| unsafe { Vm::go_on(vm, paused) });
        store.settle(func, ty, activation, result, results)
    }

    /// The call that waits in this store, if one does.
    pub fn paused_call(&self) -> Option<PausedCall> {
        let state = self.0.opaque.paused.as_ref()?;
        Some(PausedCall {
            func: state.func,
            reason: state.reason,
        })
    }

    /// Where the waiting call is.
    pub fn paused_backtrace(&self) -> Option<WasmBacktrace> {
        let opaque = &self.0.opaque;
        let state = opaque.paused.as_ref()?;
        let frames = opaque
            .vm
            .paused_backtrace(&state.paused, WasmBacktrace::LIMIT);
        Some(WasmBacktrace::new(opaque, &frames))
    }

    /// Gives the waiting call up. Says whether there was one.
    pub fn cancel_call(&mut self) -> bool {
        let opaque = &mut self.0.opaque;
        let state = opaque.paused.take();
        let found = state.is_some();
        if let Some(state) = state {
            opaque.vm.give_up(state.paused);
        }
        found
    }
}

impl<T: 'static> StoreRef<'_, T> {
    /// After the machine has stopped: takes the results, puts the call aside, or says why it failed.
    fn settle(
        mut self,
        func: Func,
        ty: FuncType,
        mut activation: Activation,
        mut result: Result<(), Exit>,
        results: &mut [Val],
    ) -> Result<CallOutcome> {
        // Fuel that comes in pieces is no reason to pause.
        while matches!(result, Err(Exit::Paused(PauseReason::OutOfFuel))) && self.opaque.refuel() {
            let paused = self.opaque.vm.put_aside(activation);
            // SAFETY: H1: nothing was begun since.
            (activation, result) =
                with_machine(self.reborrow(), |_, vm| unsafe { Vm::go_on(vm, paused) });
        }
        let opaque = &mut self.opaque;
        let failure = match result {
            Ok(()) => {
                let slots = opaque.vm.frame_ptr(activation.frame()).cast_const();
                // SAFETY: H3: the frame has as many slots as the type wants.
                unsafe { Val::read_all(slots, ty.plain().results(), results, opaque) };
                opaque.vm.finish(activation);
                return Ok(CallOutcome::Finished);
            }
            Err(Exit::Paused(reason)) => {
                if reason == PauseReason::HostCall {
                    // It is no failure after all.
                    drop(opaque.take_failure());
                }
                opaque.paused = Some(PausedState {
                    func,
                    ty,
                    reason,
                    paused: opaque.vm.put_aside(activation),
                });
                return Ok(CallOutcome::Paused(reason));
            }
            Err(exit) => failure_of(opaque, &activation, Some(func.addr), exit),
        };
        opaque.vm.finish(activation);
        Err(failure.raise())
    }
}

impl core::fmt::Debug for PausedState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PausedState")
            .field("func", &self.func)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
