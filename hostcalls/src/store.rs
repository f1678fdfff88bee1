//! A store, and the ways to hold one.

use core::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sheave_interp::{FuncAddr, GcStats, InstAddr, Vm, VmConfig};

use crate::engine::Engine;
use crate::epochs::DeadlineCallback;
use crate::exceptions::Thrown;
use crate::externs::Extern;
use crate::fuel::FuelReserve;
use crate::gc::{Externs, GcHeapOutOfMemory};
use crate::host::HostFunc;
use crate::host_frames::{Sleepers, end_dropped_or_panic};
use crate::host_stacks::Extent;
use crate::interrupt::InterruptHandle;
use crate::limits::ResourceLimiter;
use crate::module::Module;
use crate::resume::PausedState;
use crate::snapshot::Restored;
use crate::store_ref::{StoreBox, StoreRef};
use crate::types::{GlobalType, MemoryType, TableType};
use crate::{Error, Result};

/// Instances, memories, tables and globals with everything a guest can touch, and the embedder's own `T`.
///
/// ```
/// use sheave_hostcalls::{Engine, Store};
/// let mut store = Store::new(&Engine::default(), 5);
/// *store.data_mut() += 1;
/// assert_eq!(store.into_data(), 6);
/// ```
pub struct Store<T: 'static>(pub(crate) StoreBox<T>);

/// What a [`Store`] holds. Host functions get back to it from the pointer that the machine passes along.
///
/// The part without `T` comes first: who does not know `T` gets to it by the same pointer (`host_stacks.rs`).
#[repr(C)]
pub(crate) struct StoreInner<T: 'static> {
    pub(crate) opaque: StoreOpaque,
    pub(crate) data: T,
    pub(crate) limiter: Option<Limiter<T>>,
    pub(crate) deadline_callback: Option<DeadlineCallback<T>>,
}

pub(crate) type Limiter<T> = Box<dyn (Fn(&mut T) -> &mut dyn ResourceLimiter) + Send + Sync>;

/// The part of a store that does not depend on the embedder's type.
pub(crate) struct StoreOpaque {
    // The machine goes before what its functions and modules live in.
    pub(crate) vm: Vm,
    pub(crate) id: u64,
    pub(crate) engine: Engine,
    pub(crate) externs: Externs,
    /// By InstAddr.
    pub(crate) instances: Vec<Module>,
    pub(crate) host_funcs: Vec<Arc<HostFunc>>,
    /// Host functions of linkers by address, so that each is registered once.
    pub(crate) known_host_funcs: HashMap<usize, FuncAddr>,
    /// By MemAddr, TableAddr, GlobalAddr.
    pub(crate) memory_types: Vec<MemoryType>,
    pub(crate) table_types: Vec<TableType>,
    pub(crate) global_types: Vec<GlobalType>,
    /// Why the host function failed that is just being unwound.
    /// In a mutex for the sake of `Sync` alone: it is never locked.
    pub(crate) failure: Mutex<Option<Failure>>,
    /// The call that paused and can go on.
    pub(crate) paused: Option<PausedState>,
    /// The error of the exception that a host function threw last. In a mutex as `failure` is.
    pub(crate) thrown: Mutex<Thrown>,
    /// Fuel that the machine does not have yet.
    pub(crate) fuel_reserve: FuelReserve,
    /// What has a name from the snapshot that this was restored from.
    pub(crate) restored: Restored,
    /// The stack that the innermost host function runs on, if it is not its caller's.
    pub(crate) host_stack: Option<Extent>,
    /// Host functions that sleep in continuations.
    pub(crate) sleepers: Sleepers,
}

/// How a host function failed.
pub(crate) enum Failure {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

impl<T: 'static> Store<T> {
    /// An empty store.
    ///
    /// # Panics
    /// If there is no memory for it; see [`Store::try_new`].
    pub fn new(engine: &Engine, data: T) -> Store<T> {
        Store::try_new(engine, data).expect("memory for a store")
    }

    /// An empty store.
    ///
    /// # Errors
    /// If there is no memory (or no address space) for it.
    pub fn try_new(engine: &Engine, data: T) -> Result<Store<T>> {
        Ok(Store::from_opaque(StoreOpaque::try_new(engine)?, data))
    }

    pub(crate) fn from_opaque(opaque: StoreOpaque, data: T) -> Store<T> {
        Store(StoreBox::new(StoreInner {
            opaque,
            data,
            limiter: None,
            deadline_callback: None,
        }))
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.0.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.0.data
    }

    /// Ends the store and gives the embedder's data back.
    pub fn into_data(self) -> T {
        self.0.into_inner().data
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.opaque.engine
    }

    /// Asks the limiter that is found in the embedder's data before anything grows.
    ///
    /// ```
    /// use sheave_hostcalls::{Engine, Store, StoreLimits, StoreLimitsBuilder};
    /// let mut store = Store::new(&Engine::default(), StoreLimitsBuilder::new().memory_size(1 << 20).build());
    /// store.limiter(|limits| limits);
    /// ```
    pub fn limiter(
        &mut self,
        limiter: impl (Fn(&mut T) -> &mut dyn ResourceLimiter) + Send + Sync + 'static,
    ) {
        self.0.limiter = Some(Box::new(limiter));
        self.0
            .opaque
            .vm
            .set_limit_hook(Some(crate::host::limit_hook::<T>));
    }

    /// A handle that interrupts this store from any thread. Works if the engine was made with
    /// [`Config::interruption`](crate::Config::interruption).
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(Arc::clone(self.0.opaque.vm.interrupt_flag()))
    }

    /// Frees what neither the guest nor the host holds any more: structs, arrays, exceptions, host values. `why` may be
    /// the error of an allocation that found no room.
    ///
    /// # Errors
    /// If a function on the stack cannot be translated once more; nothing is freed then.
    pub fn gc(&mut self, why: Option<&GcHeapOutOfMemory<()>>) -> Result<()> {
        self.as_context_mut().gc(why)
    }

    /// Bytes of the heap of garbage-collected objects, free ones included; 0 before there was one.
    pub fn gc_heap_capacity(&self) -> usize {
        usize::try_from(self.gc_stats().heap_bytes).unwrap_or(usize::MAX)
    }

    /// What the collector has done so far.
    pub fn gc_stats(&self) -> GcStats {
        self.0.opaque.vm.gc_stats()
    }

    /// Moves everything the guest can touch to another address. Handles stay valid; the guest cannot tell.
    ///
    /// # Errors
    /// If there is no memory for a second block.
    pub fn relocate(&mut self) -> Result<()> {
        Ok(self.0.opaque.vm.relocate()?)
    }

    /// Gives `f` everything of the store's block that holds what the guest can touch, part after part, to write there
    /// what it likes: frames, tables, globals, element segments, objects, memories. Whatever that is, the store fools
    /// only itself; that this is so is what fuzzers ask.
    #[cfg(feature = "fuzzing")]
    pub fn damage(&mut self, mut f: impl FnMut(&mut [u8])) {
        self.0.opaque.vm.guest_bytes(&mut f);
    }

    /// Bytes of memory that the store's block uses.
    pub fn used_bytes(&self) -> u64 {
        self.0.opaque.vm.arena().used_bytes()
    }
}

impl StoreOpaque {
    pub(crate) fn try_new(engine: &Engine) -> Result<StoreOpaque> {
        let config = engine.config();
        let max_stack_bytes = u32::try_from(config.max_wasm_stack).unwrap_or(u32::MAX);
        let mut vm = Vm::new(
            &VmConfig {
                arena: config.arena.clone(),
                max_stack_bytes,
            },
            Arc::clone(engine.space()),
            Arc::clone(engine.types()),
        )?;
        vm.set_gc_stress(config.gc_stress);
        Ok(StoreOpaque {
            vm,
            id: Engine::next_store_id(),
            engine: engine.clone(),
            externs: Externs::default(),
            instances: Vec::new(),
            host_funcs: Vec::new(),
            known_host_funcs: HashMap::new(),
            memory_types: Vec::new(),
            table_types: Vec::new(),
            global_types: Vec::new(),
            failure: Mutex::new(None),
            paused: None,
            thrown: Mutex::new(None),
            fuel_reserve: FuelReserve::default(),
            restored: Restored::default(),
            host_stack: None,
            sleepers: Sleepers::default(),
        })
    }

    pub(crate) fn set_failure(&mut self, failure: Failure) {
        *self
            .failure
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Handles are numbers: used with another store they would mean something else.
    #[inline]
    pub(crate) fn check(&self, id: u64) {
        assert!(id == self.id, "object used with the wrong store");
    }
}

impl<T: core::fmt::Debug + 'static> core::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store")
            .field("data", &self.0.data)
            .finish_non_exhaustive()
    }
}

/// A borrowed store.
#[derive(Debug)]
pub struct StoreContext<'a, T: 'static>(pub(crate) &'a StoreInner<T>);

/// A mutably borrowed store.
#[derive(Debug)]
pub struct StoreContextMut<'a, T: 'static>(pub(crate) StoreRef<'a, T>);

impl<T: 'static> core::fmt::Debug for StoreInner<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StoreInner").finish_non_exhaustive()
    }
}

impl<'a, T: 'static> StoreContext<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &'a T {
        &self.0.data
    }

    /// The engine.
    pub fn engine(&self) -> &'a Engine {
        &self.0.opaque.engine
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// Frees what nobody holds any more; see [`Store::gc`].
    ///
    /// # Errors
    /// As there.
    pub fn gc(&mut self, why: Option<&GcHeapOutOfMemory<()>>) -> Result<()> {
        let _ = why;
        let opaque = &mut self.0.opaque;
        let done = opaque.vm.gc();
        opaque.drop_dead_externs();
        if opaque.vm.has_dropped() {
            end_dropped_or_panic(self.0.reborrow());
        }
        done.map_err(Error::from_boxed)
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.0.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.0.data
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.0.opaque.engine
    }
}

/// Whatever a store can be read through.
pub trait AsContext {
    /// The embedder's data of the store.
    type Data: 'static;
    /// The store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// Whatever a store can be changed through.
pub trait AsContextMut: AsContext {
    /// The store.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<T: 'static> AsContext for Store<T> {
    type Data = T;
    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(&self.0)
    }
}

impl<T: 'static> AsContextMut for Store<T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.0.borrow())
    }
}

impl<T: 'static> AsContext for StoreContext<'_, T> {
    type Data = T;
    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T: 'static> AsContext for StoreContextMut<'_, T> {
    type Data = T;
    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(&self.0)
    }
}

impl<T: 'static> AsContextMut for StoreContextMut<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.0.reborrow())
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;
    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;
    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        C::as_context_mut(self)
    }
}

impl<'a, T: 'static> From<&'a Store<T>> for StoreContext<'a, T> {
    fn from(s: &'a Store<T>) -> StoreContext<'a, T> {
        StoreContext(&s.0)
    }
}

impl<'a, T: 'static> From<&'a mut Store<T>> for StoreContext<'a, T> {
    fn from(s: &'a mut Store<T>) -> StoreContext<'a, T> {
        StoreContext(&s.0)
    }
}

impl<'a, T: 'static> From<&'a mut Store<T>> for StoreContextMut<'a, T> {
    fn from(s: &'a mut Store<T>) -> StoreContextMut<'a, T> {
        StoreContextMut(s.0.borrow())
    }
}

impl<'a, T: 'static> From<&'a Caller<'_, T>> for StoreContext<'a, T> {
    fn from(c: &'a Caller<'_, T>) -> StoreContext<'a, T> {
        StoreContext(&c.store.0)
    }
}

impl<'a, T: 'static> From<&'a mut Caller<'_, T>> for StoreContext<'a, T> {
    fn from(c: &'a mut Caller<'_, T>) -> StoreContext<'a, T> {
        StoreContext(&c.store.0)
    }
}

impl<'a, T: 'static> From<&'a mut Caller<'_, T>> for StoreContextMut<'a, T> {
    fn from(c: &'a mut Caller<'_, T>) -> StoreContextMut<'a, T> {
        StoreContextMut(c.store.0.reborrow())
    }
}

impl<'a, T: 'static> From<StoreContextMut<'a, T>> for StoreContext<'a, T> {
    fn from(s: StoreContextMut<'a, T>) -> StoreContext<'a, T> {
        StoreContext(s.0.into_ref())
    }
}

/// What a host function is given: the store, and the instance that calls.
#[derive(Debug)]
pub struct Caller<'a, T: 'static> {
    pub(crate) store: StoreContextMut<'a, T>,
    pub(crate) instance: Option<InstAddr>,
}

impl<T: 'static> Caller<'_, T> {
    /// Frees what nobody holds any more; see [`Store::gc`].
    ///
    /// # Errors
    /// As there.
    pub fn gc(&mut self, why: Option<&GcHeapOutOfMemory<()>>) -> Result<()> {
        self.store.gc(why)
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.store.0.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.store.0.data
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.store.0.opaque.engine
    }

    /// An export of the calling instance; `None` too if the host itself calls.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        crate::instance::export(&mut self.store.0.opaque, self.instance?, name)
    }
}

impl<T: 'static> AsContext for Caller<'_, T> {
    type Data = T;
    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(&self.store.0)
    }
}

impl<T: 'static> AsContextMut for Caller<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.store.0.reborrow())
    }
}
