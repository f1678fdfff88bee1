//! Host functions that sleep in continuations, each on a native stack of its own.
//!
//! Where it was asked for ([`Linker::capturable`]), a host function's entry is replaced by [`on_fiber`], which runs the real
//! one on a fiber. When wasm that the host function calls suspends to a handler further out, that inner call suspends the
//! fiber, and the entry tells the machine so; the fiber is kept here ([`Sleepers`]) until the machine wants it woken, or
//! ended. What the machine does meanwhile is in `interp/src/conts/across.rs`, and what has to change places with a fiber in
//! docs/architecture.md.
#![allow(unsafe_code, reason = "switches native stacks while wasm runs")]

use core::any::Any;
use core::cell::Cell;
use core::ptr::null;
use std::thread::{ThreadId, panicking};

use anyhow::bail;
use sheave_fiber::{
    Fiber, Limited, Measured, PooledStack, StackBounds, StackMemory, Step, Suspender,
};
use sheave_interp::{Activation, Exit, HostStatus, SleepHooks, Trap, Vm};

use crate::Result;
use crate::host::{HostFunc, data_ptr, with_machine};
use crate::host_stacks::{Extent, OnStack};
use crate::linker::Linker;
use crate::store::{Failure, StoreOpaque};
use crate::store_ref::StoreRef;

/// What is the matter with a continuation that holds frames of a host function ([`Linker::capturable`]).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum HostFrameError {
    /// Nothing refers to the continuation any more: the host function's call of wasm will never go on. It should end soon.
    Dropped,
    /// It can be resumed on the thread only on which the host function of this name was called.
    OtherThread(String),
    /// It cannot be part of a snapshot: the host function of this name sleeps in it.
    InSnapshot(String),
}

impl core::fmt::Display for HostFrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            HostFrameError::Dropped => f.write_str("the continuation was dropped"),
            HostFrameError::OtherThread(name) => write!(
                f,
                "a continuation that holds the host function `{name}` is resumed on another thread than that function was called on"
            ),
            HostFrameError::InSnapshot(name) => write!(
                f,
                "a continuation that holds the host function `{name}` cannot be in a snapshot"
            ),
        }
    }
}

impl core::error::Error for HostFrameError {}

impl<T: 'static> Linker<T> {
    /// Lets continuations hold the frames of the host function of that name. It then runs on a native stack of its own
    /// ([`Linker::host_stack`], [`Config::host_stack_size`](crate::Config::host_stack_size), or 1 MiB), and when wasm that it calls suspends
    /// to a handler that is further out than the function itself, it sleeps within the continuation: its call of wasm returns when that is resumed and
    /// has come to its end. To be said before a store has got to know the function.
    ///
    /// Others use the store while it sleeps. Its own borrows of the store are over then, as it lent it to the
    /// call; what it knows of the store's state may have changed. If the continuation is dropped, the call
    /// fails with [`HostFrameError::Dropped`] (at the next collection by [`Store::gc`](crate::Store::gc), at the end of the next call of wasm after another collection, or
    /// when the store is dropped), and further suspensions across the function are unhandled.
    ///
    /// The function stays on its thread: resuming the continuation on another one is the error
    /// [`HostFrameError::OtherThread`], and if the store is dropped there, what the function owns is leaked. As with every
    /// coroutine on a stack of its own, calls that sleep do not nest: the function must not set a thread-local for the length of
    /// its call of wasm to what lies on a stack, nor rely on one to be there after the thread has ended. Suspensions of async
    /// calls ([`Func::call_async`](crate::Func::call_async)) that the function makes do not cross it, nor do those while its thread panics.
    ///
    /// ```
    /// use sheave_hostcalls::{Caller, Config, Engine, Linker, Module, Result, Store};
    /// let engine = Engine::new(Config::new().wasm_stack_switching(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (type $f (func (result i32))) (type $c (cont $f))
    ///     (type $g (func (param i32) (result i32))) (type $d (cont $g))
    ///     (tag $ask (result i32))
    ///     (func $twice (import "host" "twice") (result i32))
    ///     (elem declare func $twice)
    ///     (func (export "ask") (result i32) (suspend $ask))
    ///     (func (export "run") (result i32) (local $d (ref null $d))
    ///         (block $on (result (ref $d))
    ///             (return (resume $c (on $ask $on) (cont.new $c (ref.func $twice)))))
    ///         (local.set $d)
    ///         (resume $d (i32.const 21) (local.get $d))))"#)?;
    /// let mut linker = Linker::<()>::new(&engine);
    /// linker.func_wrap("host", "twice", |mut caller: Caller<'_, ()>| -> Result<i32> {
    ///     let ask = caller.get_export("ask").unwrap().into_func().unwrap();
    ///     Ok(2 * ask.typed::<(), i32>(&caller)?.call(&mut caller, ())?)
    /// })?;
    /// linker.capturable("host", "twice")?;
    /// let mut store = Store::new(&engine, ());
    /// let run = linker.instantiate(&mut store, &module)?.get_typed_func::<(), i32>(&mut store, "run")?;
    /// assert_eq!(run.call(&mut store, ())?, 42);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Linker::host_stack`].
    pub fn capturable(&mut self, module: &str, name: &str) -> Result<&mut Self> {
        let func = self.host_func_for_stack(module, name)?;
        if func.place.capturable.set(()).is_err() {
            bail!("`{module}::{name}` is capturable already");
        }
        Ok(self)
    }
}

/// The stack of a host function that can sleep.
enum Stack {
    Plain(Limited<PooledStack>),
    Measured(Measured<Limited<PooledStack>>),
}

// SAFETY: F1, by either.
unsafe impl StackMemory for Stack {
    fn bounds(&self) -> StackBounds {
        match self {
            Stack::Plain(stack) => stack.bounds(),
            Stack::Measured(stack) => stack.bounds(),
        }
    }
    fn guard_len(&self) -> usize {
        match self {
            Stack::Plain(stack) => stack.guard_len(),
            Stack::Measured(stack) => stack.guard_len(),
        }
    }
    fn decommit(&mut self, keep: usize) {
        match self {
            Stack::Plain(stack) => stack.decommit(keep),
            Stack::Measured(stack) => stack.decommit(keep),
        }
    }
}

/// A host function under way that can sleep.
struct HostFiber {
    fiber: Fiber<(), (), HostStatus, Stack>,
    func: *const HostFunc,
    lane: u32,
    inside: Inside,
}

/// What is known of a fiber from inside.
#[derive(Clone, Copy)]
struct Inside {
    /// None before it has begun.
    suspender: *const Suspender<(), ()>,
    extent: Option<Extent>,
    thread: ThreadId,
}

/// The host functions of a store that can sleep.
#[derive(Default)]
pub(crate) struct Sleepers {
    /// Those that do, by number.
    asleep: Vec<Option<HostFiber>>,
    free: Vec<u32>,
    /// Those that run, the innermost last.
    running: Vec<Inside>,
}

// SAFETY: F6: a fiber is resumed on its own thread only (`can_wake`, `end_dropped`), and forgotten elsewhere (`end_all`).
// Suspenders are those of fibers that run.
unsafe impl Send for Sleepers {}
// SAFETY: F6: with a shared reference nothing is done but reading names and threads.
unsafe impl Sync for Sleepers {}

impl Sleepers {
    fn insert(&mut self, fiber: HostFiber) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.asleep.push(None);
            (self.asleep.len() - 1) as u32
        });
        self.asleep[number as usize] = Some(fiber);
        number
    }

    fn take(&mut self, number: u32) -> Option<HostFiber> {
        let fiber = self.asleep.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(fiber)
    }

    fn get(&self, number: u32) -> Option<&HostFiber> {
        self.asleep.get(number as usize)?.as_ref()
    }

    fn is_of(&self, number: u32, thread: ThreadId) -> bool {
        self.get(number).is_some_and(|f| f.inside.thread == thread)
    }
}

impl StoreOpaque {
    /// The name of a host function that sleeps in a continuation, if there is any.
    pub(crate) fn sleeping_host_func(&self) -> Option<String> {
        let number = self.vm.sleepers().next()?;
        let fiber = self.sleepers.get(number)?;
        // SAFETY: H2: functions live as long as the store.
        Some(unsafe { &*fiber.func }.stack_name().to_owned())
    }
}

thread_local! {
    /// The thread whose work this one does: another one where fibers are threads.
    static THREAD: Cell<Option<ThreadId>> = const { Cell::new(None) };
}

fn this_thread() -> ThreadId {
    THREAD.get().unwrap_or_else(|| {
        let id = std::thread::current().id();
        THREAD.set(Some(id));
        id
    })
}

const HOOKS: SleepHooks = SleepHooks { can_wake, wake };

/// The entry of host functions that can sleep.
///
/// # Safety
/// - `data` is the `HostFunc` that was registered with it (H2, H6), `cx` the store (H1).
pub(crate) unsafe fn on_fiber(cx: *mut (), data: *const (), frame: u32) -> HostStatus {
    let opaque = cx.cast::<StoreOpaque>();
    let func = data.cast::<HostFunc>();
    // SAFETY: H1, H6: nobody else uses the store now.
    unsafe {
        match begin(opaque, func, frame) {
            Ok(fiber) => run(opaque, fiber),
            Err(error) => {
                let name = (*func).stack_name();
                let error = error.context(format!("no stack for the host function `{name}`"));
                (*opaque).set_failure(Failure::Error(error));
                HostStatus::Failed
            }
        }
    }
}

/// A fiber for a host function that is called.
unsafe fn begin(opaque: *mut StoreOpaque, func: *const HostFunc, frame: u32) -> Result<HostFiber> {
    // SAFETY: H2: the function lives as long as the store.
    let on = unsafe { (*func).on() };
    let on = on.ok_or_else(|| anyhow::anyhow!("it is registered without one"))?;
    let stack = match on.take_measured()? {
        Some(measured) => Stack::Measured(measured),
        None => Stack::Plain(on.stack()?),
    };
    let thread = this_thread();
    let body = move |suspender: &Suspender<(), ()>, ()| {
        THREAD.set(Some(thread));
        let extent = Some(suspender.stack_bounds().into());
        // SAFETY: H1, H6, S2: whoever resumes the fiber lets it have the store.
        unsafe {
            (*opaque).host_stack = extent;
            if let Some(inside) = (*opaque).sleepers.running.last_mut() {
                (inside.suspender, inside.extent) = (suspender, extent);
            }
            ((*func).entry)(opaque.cast(), data_ptr(&*(*func).data), frame)
        }
    };
    let fiber = Fiber::new(stack, body)?;
    // SAFETY: H1.
    let lane = unsafe { (*opaque).vm.begin_sleeper(HOOKS) };
    Ok(HostFiber {
        fiber,
        func,
        lane,
        inside: Inside {
            suspender: null(),
            extent: None,
            thread,
        },
    })
}

/// Runs a host function until it sleeps or ends.
///
/// # Safety
/// - As [`on_fiber`]; the fiber is of this thread.
unsafe fn run(opaque: *mut StoreOpaque, mut fiber: HostFiber) -> HostStatus {
    // SAFETY: H1: the store is used by the fiber alone until `resume` returns; H2 for the function. It never unwinds, as
    // the entry does not.
    unsafe {
        let Some(on) = (*fiber.func).on() else {
            return HostStatus::Failed;
        };
        let outer_lane = (*opaque).vm.enter_sleeper(fiber.lane);
        let outer_stack = core::mem::replace(&mut (*opaque).host_stack, fiber.inside.extent);
        (*opaque).sleepers.running.push(fiber.inside);
        let step = fiber.fiber.resume_watched(on.name(), ());
        let inside = (*opaque).sleepers.running.pop();
        (*opaque).host_stack = outer_stack;
        (*opaque).vm.leave_sleeper(outer_lane);
        let lane = fiber.lane;
        match step {
            Ok(Step::Yielded(())) => {
                fiber.inside = inside.unwrap_or(fiber.inside);
                let number = (*opaque).sleepers.insert(fiber);
                (*opaque).vm.asleep(number, lane);
                HostStatus::Asleep
            }
            Ok(Step::Returned(status)) => {
                (*opaque).vm.end_sleeper(lane);
                if let Ok(Stack::Measured(stack)) = fiber.fiber.into_stack() {
                    on.give_measured(stack);
                }
                status
            }
            Err(_) => HostStatus::Failed,
        }
    }
}

unsafe fn wake(cx: *mut (), number: u32) -> HostStatus {
    let opaque = cx.cast::<StoreOpaque>();
    // SAFETY: H1, H6, S1: that this is the fiber's thread, the machine asked (`can_wake`), or `end_dropped` did.
    unsafe {
        let fiber = (*opaque).sleepers.take(number);
        match fiber {
            Some(fiber) => run(opaque, fiber),
            None => HostStatus::Failed,
        }
    }
}

unsafe fn can_wake(cx: *mut (), number: u32) -> bool {
    let opaque = cx.cast::<StoreOpaque>();
    // SAFETY: H1, H2, H6: only fields beside the machine are used.
    unsafe {
        let sleepers = &(*opaque).sleepers;
        let Some(fiber) = sleepers.get(number) else {
            return false;
        };
        if fiber.inside.thread == this_thread() {
            return true;
        }
        let name = (*fiber.func).stack_name().to_owned();
        let error = HostFrameError::OtherThread(name).into();
        let failure = (*opaque).failure.get_mut();
        *failure.unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Failure::Error(error));
        false
    }
}

/// The innermost activation has ended with [`Exit::Crosses`]: suspends the fiber that this runs on, and goes on when that is
/// woken.
///
/// # Safety
/// - As for `epochs::go_on`.
#[cold]
pub(crate) unsafe fn sleep(
    opaque: *mut StoreOpaque,
    vm: *mut Vm,
    mut activation: Activation,
) -> (Activation, Result<(), Exit>) {
    // SAFETY: H1, S1: no reference into the store is alive while the fiber sleeps, or the machine runs.
    unsafe {
        let running = &(*opaque).sleepers.running;
        let suspender = running.last().map_or(null(), |inside| inside.suspender);
        let (crossed, here) = ((*vm).to_be_crossed(), this_thread());
        let of_here = running.iter().rev().take(crossed);
        let can = of_here.clone().count() == crossed && of_here.clone().all(|r| r.thread == here);
        if !can || suspender.is_null() || panicking() {
            (*vm).do_not_cross();
            return (activation, Err(Exit::Trap(Trap::UnhandledTag)));
        }
        let slept = (*vm).sleep(&activation);
        // SAFETY: F3, S1: it is that of the innermost fiber that runs, on this thread, and this is on it or on one within.
        (*suspender).suspend(());
        let result = Vm::awake(vm, &mut activation, slept);
        (activation, result)
    }
}

/// What a host function panicked with.
type Panic = Box<dyn Any + Send>;

/// Ends continuations that nothing refers to, as far as they are of this thread.
///
/// # Errors
/// With what the first host function panicked that did.
#[cold]
pub(crate) fn end_dropped<T: 'static>(mut store: StoreRef<'_, T>) -> Result<(), Panic> {
    let (here, mut panicked) = (this_thread(), Ok(()));
    // Whoever ends them may be about to throw.
    let scope = store.opaque.vm.roots().begin_scope();
    let pending = store.opaque.vm.take_pending_exception();
    let pending = store.opaque.vm.roots_mut().push(pending);
    loop {
        let opaque = &mut store.opaque;
        let sleepers = &opaque.sleepers;
        let next = opaque.vm.next_dropped(|n| sleepers.is_of(n, here));
        let Some(inner) = next else {
            break;
        };
        // SAFETY: H1: nothing of the store is borrowed.
        let ended = with_machine(store.reborrow(), |_, vm| unsafe {
            Vm::end_dropped(vm, inner)
        });
        // How it failed is nobody's business any more.
        if let Some(Failure::Panic(payload)) = store.opaque.take_failure()
            && panicked.is_ok()
        {
            panicked = Err(payload);
        }
        if ended.is_err() {
            break;
        }
    }
    let vm = &mut store.opaque.vm;
    let pending = vm.roots().get(pending).unwrap_or_default();
    vm.set_pending_exception(pending);
    vm.roots_mut().end_scope(scope);
    panicked
}

/// As [`end_dropped`], but lets such a panic go on.
#[cold]
pub(crate) fn end_dropped_or_panic<T: 'static>(store: StoreRef<'_, T>) {
    if let Err(payload) = end_dropped(store) {
        std::panic::resume_unwind(payload);
    }
}

/// The store is about to be dropped: ends all that sleeps, and leaks what is of other threads.
///
/// # Errors
/// As [`end_dropped`].
#[cold]
pub(crate) fn end_all<T: 'static>(mut store: StoreRef<'_, T>) -> Result<(), Panic> {
    let mut panicked = Ok(());
    // What ends can make more.
    for _ in 0..100 {
        store.opaque.vm.drop_all_sleepers();
        let before = store.opaque.vm.sleepers().count();
        let ended = end_dropped(store.reborrow());
        if panicked.is_ok() {
            panicked = ended;
        }
        let left = store.opaque.vm.sleepers().count();
        if left == 0 || left == before {
            break;
        }
    }
    let left = core::mem::take(&mut store.opaque.sleepers.asleep);
    if left.iter().any(Option::is_some) {
        // Frames on them may have been lent to other threads, and what they borrow of their functions, too (F1, S2).
        core::mem::forget(core::mem::take(&mut store.opaque.host_funcs));
        core::mem::forget(left);
    }
    panicked
}

impl HostFunc {
    fn on(&self) -> Option<&OnStack> {
        self.place.on_stack()
    }

    fn stack_name(&self) -> &str {
        self.on().map_or("", OnStack::name)
    }
}
