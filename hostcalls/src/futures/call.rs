//! A call that is under way on behalf of a future.
#![allow(
    unsafe_code,
    reason = "keeps a pointer to the store that it has borrowed"
)]

use core::any::Any;
use core::marker::PhantomData;
use core::panic::AssertUnwindSafe;
use core::task::{Context, Poll, ready};
use std::panic::{catch_unwind, resume_unwind};

use sheave_interp::{Activation, Awaiting, Exit, FuncAddr, HostStatus, Paused, Vm};

use super::host_future::{AsyncFunc, HostFuture};
use crate::Result;
use crate::epochs::{AtPause, Yield, at_pause};
use crate::host::{failure_of, host_status, with_machine};
use crate::store::{StoreInner, StoreOpaque};
use crate::store_ref::StoreRef;

/// A call of a function that may wait. It has the store borrowed; when it is dropped before its end, the call is given
/// up, and the store is as it was before.
pub(crate) struct AsyncCall<'a, T: 'static> {
    /// Made once from the borrow. While a host function's future is there, it alone is used, by that future (H5).
    store: *mut StoreInner<T>,
    func: FuncAddr,
    state: State<T>,
    borrow: PhantomData<&'a mut StoreInner<T>>,
}

enum State<T: 'static> {
    /// A host function that wasm called is not ready.
    Waits(Waits<T>),
    /// Others are to run before it goes on.
    Yields {
        paused: Paused,
        until: Yield,
        /// Whether the executor was told so.
        told: bool,
    },
    /// The results are in the frame.
    Ended(Activation),
    /// Nothing is left of it.
    Gone,
}

struct Waits<T: 'static> {
    // Goes first: it may use the store.
    future: HostFuture<T>,
    awaiting: Awaiting,
    /// Of the references that the host function is given.
    scope: usize,
}

// SAFETY: H5: it is a mutable borrow of the store, which is `Send` where `T` is, and of futures that are.
unsafe impl<T: Send + 'static> Send for AsyncCall<'_, T> {}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<StoreInner<()>>();
};

impl<'a, T: 'static> AsyncCall<'a, T> {
    /// Calls a function whose arguments `write` puts into slots, up to where it ends or first waits.
    ///
    /// # Errors
    /// If the call fails.
    pub(crate) fn begin(
        store: StoreRef<'a, T>,
        func: FuncAddr,
        slots: u32,
        write: impl FnOnce(&StoreOpaque, *mut u64) -> Result<()>,
    ) -> Result<AsyncCall<'a, T>> {
        let mut call = AsyncCall {
            store: store.as_ptr(),
            func,
            state: State::Gone,
            borrow: PhantomData,
        };
        let (activation, result) = with_machine(call.store(), |store, vm| {
            // SAFETY: H1: no reference into the store is alive while the machine runs.
            unsafe {
                let activation = (*vm).begin(slots)?;
                let args = (*vm).frame_ptr(activation.frame());
                if let Err(error) = write(&(*store).opaque, args) {
                    (*vm).finish(activation);
                    return Err(error);
                }
                (*vm).set_waiting();
                let result = Vm::invoke(vm, &activation, func);
                Ok((activation, result))
            }
        })?;
        call.stopped(activation, result)?;
        Ok(call)
    }

    /// The store, which no host function's future has now.
    fn store(&mut self) -> StoreRef<'_, T> {
        // SAFETY: H5: the borrow is ours.
        unsafe { StoreRef::new(self.store) }
    }

    /// The machine has stopped: says what is waited for, if anything is.
    fn stopped(&mut self, mut activation: Activation, mut result: Result<(), Exit>) -> Result<()> {
        loop {
            (activation, result) = match result {
                Ok(()) => {
                    self.state = State::Ended(activation);
                    return Ok(());
                }
                Err(Exit::Awaits) => {
                    let awaiting = self.store().opaque.vm.await_host(activation);
                    match self.start(awaiting) {
                        Some((awaiting, status)) => self.go_on_with(awaiting, status),
                        None => return Ok(()),
                    }
                }
                Err(Exit::Paused(reason)) => {
                    let mut store = self.store();
                    let paused = store.opaque.vm.put_aside(activation);
                    match at_pause(store.reborrow(), reason) {
                        AtPause::GoOn => self.go_on(paused),
                        AtPause::Yield(until) => {
                            let told = false;
                            self.state = State::Yields {
                                paused,
                                until,
                                told,
                            };
                            return Ok(());
                        }
                        AtPause::End(failure) => {
                            // SAFETY: what was begun since is finished.
                            let activation = unsafe { store.opaque.vm.take_back(paused) };
                            store.opaque.set_failure(failure);
                            return self.fail(activation, Exit::Paused(reason));
                        }
                    }
                }
                Err(exit) => return self.fail(activation, exit),
            };
        }
    }

    /// Begins the host function that the machine was left for. If that fails, gives how.
    fn start(&mut self, awaiting: Awaiting) -> Option<(Awaiting, HostStatus)> {
        let store = self.store();
        let scope = store.opaque.vm.roots().begin_scope();
        let func = store.opaque.vm.host_data(awaiting.func());
        // SAFETY: H2: only entries of async functions end with `Awaits`, and their data is an `AsyncFunc<T>`.
        let func = unsafe { &*func.cast::<AsyncFunc<T>>() };
        let (store, frame) = (self.store, awaiting.frame());
        // SAFETY: H1, H5: nobody else uses the store until the future is dropped.
        let started = catch_unwind(AssertUnwindSafe(|| unsafe { func.start(store, frame) }));
        match started {
            Ok(Ok(future)) => {
                self.state = State::Waits(Waits {
                    future,
                    awaiting,
                    scope,
                });
                None
            }
            Ok(Err(error)) => Some((awaiting, self.host_ended(scope, Ok(Err(error))))),
            Err(payload) => Some((awaiting, self.host_ended(scope, Err(payload)))),
        }
    }

    /// A host function has ended, and its future is no more.
    fn host_ended(&mut self, scope: usize, outcome: std::thread::Result<Result<()>>) -> HostStatus {
        let opaque = &mut self.store().opaque;
        opaque.vm.roots_mut().end_scope(scope);
        host_status(opaque, outcome)
    }

    fn go_on_with(
        &mut self,
        awaiting: Awaiting,
        status: HostStatus,
    ) -> (Activation, Result<(), Exit>) {
        // SAFETY: H1, H5: what was begun since borrowed the store, so that nobody goes on with it.
        with_machine(self.store(), |_, vm| unsafe {
            Vm::go_on_with(vm, awaiting, status)
        })
    }

    fn go_on(&mut self, paused: Paused) -> (Activation, Result<(), Exit>) {
        // SAFETY: H1, H5: as above.
        with_machine(self.store(), |_, vm| unsafe { Vm::go_on(vm, paused) })
    }

    fn fail(&mut self, activation: Activation, exit: Exit) -> Result<()> {
        let func = self.func;
        let opaque = &mut self.store().opaque;
        let failure = failure_of(opaque, &activation, Some(func), exit);
        opaque.vm.finish(activation);
        opaque.vm.end_waiting();
        Err(failure.raise())
    }

    /// Goes on with the call. `Ok` when its [results](AsyncCall::results) are there.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match &mut self.state {
                State::Ended(_) | State::Gone => return Poll::Ready(Ok(())),
                State::Waits(waits) => {
                    let (future, store) = (&mut waits.future, self.store);
                    // SAFETY: H5: it was started with this store, which nobody else uses.
                    let polled =
                        catch_unwind(AssertUnwindSafe(|| unsafe { future.poll(cx, store) }));
                    let outcome = match polled {
                        Ok(polled) => Ok(ready!(polled)),
                        Err(payload) => Err(payload),
                    };
                    let State::Waits(waits) = core::mem::replace(&mut self.state, State::Gone)
                    else {
                        return Poll::Ready(Ok(()));
                    };
                    let Waits {
                        future,
                        awaiting,
                        scope,
                    } = waits;
                    let outcome = match outcome {
                        Ok(_) => outcome,
                        // It is still there.
                        Err(payload) => Err(dropped_after(future, payload)),
                    };
                    let status = self.host_ended(scope, outcome);
                    let (activation, result) = self.go_on_with(awaiting, status);
                    if let Err(error) = self.stopped(activation, result) {
                        return Poll::Ready(Err(error));
                    }
                }
                State::Yields { until, told, .. } => {
                    match &mut until.future {
                        Some(future) => ready!(future.as_mut().poll(cx)),
                        None if !*told => {
                            *told = true;
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                        None => {}
                    }
                    let State::Yields { paused, until, .. } =
                        core::mem::replace(&mut self.state, State::Gone)
                    else {
                        return Poll::Ready(Ok(()));
                    };
                    if let Some(ticks) = until.ticks {
                        self.store().opaque.set_epoch_deadline(ticks);
                    }
                    let (activation, result) = self.go_on(paused);
                    if let Err(error) = self.stopped(activation, result) {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
    }

    /// Waits for the results.
    ///
    /// # Errors
    /// If the call fails.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        core::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// The results of a call that has ended, as `read` takes them from their slots.
    pub(crate) fn results<R>(mut self, read: impl FnOnce(&mut StoreOpaque, *const u64) -> R) -> R {
        let State::Ended(activation) = core::mem::replace(&mut self.state, State::Gone) else {
            unreachable!("`ended` said so");
        };
        let opaque = &mut self.store().opaque;
        let results = opaque.vm.frame_ptr(activation.frame());
        let r = read(opaque, results);
        opaque.vm.finish(activation);
        opaque.vm.end_waiting();
        r
    }
}

/// Drops a future that has panicked; gives what is to go on.
#[cold]
fn dropped_after<T: 'static>(
    future: HostFuture<T>,
    payload: Box<dyn Any + Send>,
) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(|| drop(future))) {
        Ok(()) => payload,
        Err(another) => another,
    }
}

impl<T: 'static> Drop for AsyncCall<'_, T> {
    fn drop(&mut self) {
        match core::mem::replace(&mut self.state, State::Gone) {
            State::Waits(waits) => {
                let Waits {
                    future,
                    awaiting,
                    scope,
                } = waits;
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
                let vm = &mut self.store().opaque.vm;
                vm.roots_mut().end_scope(scope);
                vm.give_up_awaiting(awaiting);
                vm.end_waiting();
                if let Err(payload) = dropped
                    && !std::thread::panicking()
                {
                    resume_unwind(payload);
                }
            }
            State::Yields { paused, .. } => {
                let vm = &mut self.store().opaque.vm;
                vm.give_up(paused);
                vm.end_waiting();
            }
            State::Ended(activation) => {
                let vm = &mut self.store().opaque.vm;
                vm.finish(activation);
                vm.end_waiting();
            }
            State::Gone => {}
        }
    }
}

impl<T: 'static> core::fmt::Debug for AsyncCall<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AsyncCall").finish_non_exhaustive()
    }
}
