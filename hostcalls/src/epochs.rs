//! What happens when a call meets its deadline.
#![allow(unsafe_code, reason = "runs the machine")]

use core::panic::AssertUnwindSafe;

use sheave_interp::{Activation, Exit, FuncAddr, PauseReason, Vm};

use crate::host::failure_of;
use crate::host_frames;
use crate::interrupt::{BY_EPOCH, UpdateDeadline, YieldFuture};
use crate::resume::PauseCall;
use crate::store::{AsContextMut, Failure, Store, StoreContextMut, StoreInner, StoreOpaque};
use crate::store_ref::StoreRef;
use crate::{Error, Result, Trap};

/// Says how to go on at a deadline.
pub(crate) type DeadlineCallback<T> =
    Box<dyn FnMut(StoreContextMut<'_, T>) -> Result<UpdateDeadline> + Send + Sync>;

impl<T: 'static> Store<T> {
    /// Interrupts the store when the engine's epoch has gone on by `ticks`. See
    /// [`Config::epoch_interruption`](crate::Config::epoch_interruption).
    pub fn set_epoch_deadline(&mut self, ticks: u64) {
        self.0.opaque.set_epoch_deadline(ticks);
    }

    /// At the deadline a call ends with [`Trap::Interrupt`]. So it is at first.
    pub fn epoch_deadline_trap(&mut self) {
        self.0.deadline_callback = None;
    }

    /// At the deadline `callback` says whether the call goes on, and until when. An error of it ends the call. A call
    /// made by [`Func::call_resumable`](crate::Func::call_resumable) pauses instead.
    ///
    /// ```
    /// use sheave_hostcalls::{Config, Engine, Instance, Module, Store, Trap, UpdateDeadline};
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let module = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#)?;
    /// let mut store = Store::new(&engine, 0);
    /// store.set_epoch_deadline(0);
    /// store.epoch_deadline_callback(|mut store| {
    ///     *store.data_mut() += 1;
    ///     Ok(if *store.data() < 3 { UpdateDeadline::Continue(0) } else { UpdateDeadline::Interrupt })
    /// });
    /// let spin = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), ()>(&mut store, "spin")?;
    /// let error = spin.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    /// assert_eq!(*store.data(), 3);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    pub fn epoch_deadline_callback(
        &mut self,
        callback: impl FnMut(StoreContextMut<'_, T>) -> Result<UpdateDeadline> + Send + Sync + 'static,
    ) {
        self.0.deadline_callback = Some(Box::new(callback));
    }

    /// At the deadline an async call lets others have their turn, then goes on, the next deadline `delta` ticks later. So
    /// busy guests share a thread. A call that cannot wait fails there.
    pub fn epoch_deadline_async_yield_and_update(&mut self, delta: u64) {
        self.as_context_mut()
            .epoch_deadline_async_yield_and_update(delta);
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// At the deadline an async call lets others have their turn; see
    /// [`Store::epoch_deadline_async_yield_and_update`].
    pub fn epoch_deadline_async_yield_and_update(&mut self, delta: u64) {
        self.0.deadline_callback = Some(Box::new(move |_| Ok(UpdateDeadline::Yield(delta))));
    }

    /// Interrupts the store when the engine's epoch has gone on by `ticks`.
    pub fn set_epoch_deadline(&mut self, ticks: u64) {
        self.0.opaque.set_epoch_deadline(ticks);
    }
}

impl StoreOpaque {
    pub(crate) fn set_epoch_deadline(&self, ticks: u64) {
        let mut epochs = self.engine.epochs();
        epochs.set_deadline(self.vm.interrupt_flag(), ticks);
    }
}

/// How a call goes on that paused.
pub(crate) enum AtPause {
    /// At once.
    GoOn,
    /// After others had their turn, if it can wait.
    Yield(Yield),
    /// It does not: it has failed.
    End(Failure),
}

/// How long others have their turn.
pub(crate) struct Yield {
    /// Until this is ready; else until the executor comes back.
    pub(crate) future: Option<YieldFuture>,
    /// The next deadline, counted from when the call goes on.
    pub(crate) ticks: Option<u64>,
}

/// Says how the innermost activation goes on, which paused and was put aside.
pub(crate) fn at_pause<T: 'static>(mut store: StoreRef<'_, T>, reason: PauseReason) -> AtPause {
    match reason {
        PauseReason::OutOfFuel if store.opaque.refuel() => AtPause::Yield(Yield {
            future: None,
            ticks: None,
        }),
        PauseReason::HostCall => AtPause::End(Failure::Error(PauseCall.into())),
        PauseReason::OutOfFuel => AtPause::End(Failure::Error(Trap::OutOfFuel.into())),
        PauseReason::Interrupted
            if store.opaque.vm.interrupted_by() == BY_EPOCH
                && store.deadline_callback.is_some() =>
        {
            ask(store)
        }
        PauseReason::Interrupted => AtPause::End(Failure::Error(Trap::Interrupt.into())),
    }
}

/// After a call that cannot wait has stopped without results: goes on with it if it paused and the embedder says so, or if a
/// suspension crosses the host function that made it, once that is woken.
///
/// # Errors
/// With why the call failed; it is finished then.
///
/// # Safety
/// - `store` and `vm` are those that `with_machine` gave; the activation is the innermost, and stopped with `exit` (H1).
#[cold]
#[inline(never)]
pub(crate) unsafe fn stopped<T: 'static>(
    store: *mut StoreInner<T>,
    vm: *mut Vm,
    activation: Activation,
    func: FuncAddr,
    exit: Exit,
) -> Result<Activation, Failure> {
    // SAFETY: the caller's promise.
    unsafe {
        let (activation, result) = go_on(store, vm, activation, exit);
        let Err(exit) = result else {
            return Ok(activation);
        };
        let failure = failure_of(&mut (*store).opaque, &activation, Some(func), exit);
        (*vm).finish(activation);
        Err(failure)
    }
}

/// As [`stopped`], but leaves the activation for the caller to finish, and what to make of how it ended.
///
/// # Safety
/// - As there.
#[cold]
#[inline(never)]
pub(crate) unsafe fn go_on<T: 'static>(
    store: *mut StoreInner<T>,
    vm: *mut Vm,
    mut activation: Activation,
    mut exit: Exit,
) -> (Activation, Result<(), Exit>) {
    // SAFETY: the caller's promise; no reference into the store is alive while the machine runs or the callback does.
    unsafe {
        loop {
            let reason = match exit {
                Exit::Paused(reason) => reason,
                Exit::Crosses => {
                    let opaque = &raw mut (*store).opaque;
                    let result;
                    (activation, result) = host_frames::sleep(opaque, vm, activation);
                    match result {
                        Ok(()) => return (activation, Ok(())),
                        Err(other) => exit = other,
                    }
                    continue;
                }
                _ => break,
            };
            // The callback may use the machine meanwhile.
            let paused = (*vm).put_aside(activation);
            let failure = match at_pause(StoreRef::new(store), reason) {
                // Fuel that comes in pieces: there is nobody to have a turn.
                AtPause::Yield(Yield { ticks: None, .. }) | AtPause::GoOn => None,
                AtPause::Yield(_) => Some(Failure::Error(Error::msg(CANNOT_YIELD))),
                AtPause::End(failure) => Some(failure),
            };
            if let Some(failure) = failure {
                activation = (*vm).take_back(paused);
                (*store).opaque.set_failure(failure);
                break;
            }
            let result;
            (activation, result) = Vm::go_on(vm, paused);
            match result {
                Ok(()) => return (activation, Ok(())),
                Err(other) => exit = other,
            }
        }
        (activation, Err(exit))
    }
}

const CANNOT_YIELD: &str = "a call that cannot wait was to yield at its deadline: use `call_async`, or `UpdateDeadline::Continue`";

/// Asks the callback; does not unwind.
fn ask<T: 'static>(mut store: StoreRef<'_, T>) -> AtPause {
    let Some(mut callback) = store.deadline_callback.take() else {
        return AtPause::End(Failure::Error(Trap::Interrupt.into()));
    };
    let scope = store.opaque.vm.roots().begin_scope();
    let answer = std::panic::catch_unwind(AssertUnwindSafe(|| {
        callback(StoreContextMut(store.reborrow()))
    }));
    store.opaque.vm.roots_mut().end_scope(scope);
    store.deadline_callback.get_or_insert(callback);
    let (ticks, future) = match answer {
        Ok(Ok(UpdateDeadline::Continue(ticks))) => {
            store.opaque.set_epoch_deadline(ticks);
            return AtPause::GoOn;
        }
        Ok(Ok(UpdateDeadline::Yield(ticks))) => (ticks, None),
        Ok(Ok(UpdateDeadline::YieldCustom(ticks, future))) => (ticks, Some(future)),
        Ok(Ok(UpdateDeadline::Interrupt)) => {
            return AtPause::End(Failure::Error(Trap::Interrupt.into()));
        }
        Ok(Err(error)) => return AtPause::End(Failure::Error(error)),
        Err(payload) => return AtPause::End(Failure::Panic(payload)),
    };
    let ticks = Some(ticks);
    AtPause::Yield(Yield { future, ticks })
}
