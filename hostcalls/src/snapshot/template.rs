//! Many stores from one snapshot.
#![allow(unsafe_code, reason = "maps pages of snapshots into memories")]

use core::any::Any;
use core::marker::PhantomData;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, anyhow, bail};
use sheave_interp::{FilePlace, MemAddr, ObjectRun, TypeWords};

use super::Snapshot;
use super::pages::PageSet;
use crate::gc::Externs;
use crate::resume::PausedState;
use crate::store::{Store, StoreOpaque};
use crate::{Engine, Func, Result};

/// Makes a host value from bytes.
pub(super) type LoadExtern = dyn Fn(&[u8]) -> Result<Box<dyn Any + Send + Sync>> + Send + Sync;

/// A snapshot that was prepared for an engine and a linker, to make stores from it: each in the state of the snapshot, each
/// on its own. `Send + Sync`: stores can be made on many threads at once.
///
/// What is prepared need not be done again: modules are loaded, imports found, everything is checked. The pages of
/// memories, and of the heap of objects, are mapped copy-on-write where the system can do that, so that a store takes
/// memory for what it changes only, and making one takes no longer if the memories are larger. Elsewhere they are copied.
///
/// ```
/// # use sheave_hostcalls::{Engine, Instance, Linker, Module, Restore, Store};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (global $n (mut i32) (i32.const 0))
///     (func (export "next") (result i32)
///         (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#)?;
/// let mut store = Store::new(&engine, ());
/// let next = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), i32>(&mut store, "next")?;
/// next.call(&mut store, ())?;
///
/// let (snapshot, linker) = (store.snapshot()?, Linker::new(&engine));
/// let template = Restore::new(&engine, &snapshot, &linker).template()?;
/// for _ in 0..3 {
///     let mut fork = template.store(())?;
///     let first = fork.instances().next().unwrap();
///     let next = first.get_typed_func::<(), i32>(&mut fork, "next")?;
///     assert_eq!(next.call(&mut fork, ())?, 2);
/// }
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
pub struct Template<T: 'static> {
    /// A store in which nothing runs, whose memories and heap are all zero.
    store: StoreOpaque,
    pages: Vec<PageSet>,
    heap: PageSet,
    /// What host values are made from, and how.
    externs: Vec<Vec<u8>>,
    load_extern: Option<Arc<LoadExtern>>,
    data: PhantomData<fn(T)>,
}

impl<T: 'static> Template<T> {
    /// Of a store without pages, and the snapshots that have them.
    pub(super) fn new(
        store: StoreOpaque,
        chain: &[&Snapshot],
        load_extern: Option<Arc<LoadExtern>>,
    ) -> Result<Template<T>> {
        let own = chain
            .last()
            .ok_or_else(|| anyhow!("no snapshot"))?
            .contents();
        if !own.externs.is_empty() && load_extern.is_none() {
            bail!("the snapshot has host values, which nobody makes again (`Restore::externs`)");
        }
        Ok(Template {
            store,
            pages: chain
                .iter()
                .map(|s| s.contents().memories.clone())
                .collect(),
            heap: own.heap.pages.clone(),
            externs: own.externs.clone(),
            load_extern,
            data: PhantomData,
        })
    }

    /// Gives the objects the types of this engine, once for all stores.
    pub(super) fn rename_heap(
        &mut self,
        objects: &[ObjectRun],
        rename: impl FnMut(u32) -> Option<u32>,
    ) -> Result<()> {
        self.store.fill_heap(&self.heap)?;
        if !self
            .store
            .vm
            .rename_heap(objects, TypeWords::Numbers, rename)
        {
            bail!("inconsistent snapshot: an object of no type");
        }
        self.heap = PageSet::not_zero(&[self.store.vm.heap_bytes()])?;
        Ok(())
    }

    /// A store.
    ///
    /// # Errors
    /// If there is no memory or address space for it, or a host value cannot be made.
    pub fn store(&self, data: T) -> Result<Store<T>> {
        let store = self.store.fork()?;
        self.finish(store, data)
    }

    /// The last store.
    pub(super) fn into_store(mut self, data: T) -> Result<Store<T>> {
        let empty = StoreOpaque::try_new(&self.store.engine)?;
        let store = core::mem::replace(&mut self.store, empty);
        self.finish(store, data)
    }

    fn finish(&self, mut store: StoreOpaque, data: T) -> Result<Store<T>> {
        store.fill_memories(&self.pages)?;
        store.fill_heap(&self.heap)?;
        if let Some(load) = &self.load_extern {
            let values = self.externs.iter().map(|bytes| load(bytes));
            let values = values.collect::<Result<_>>();
            store.externs = Externs::new(values.context("making a host value again")?);
        }
        Ok(Store::from_opaque(store, data))
    }
}

impl<T: 'static> core::fmt::Debug for Template<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}

impl StoreOpaque {
    /// A store in the same state, but for the bytes of memories and heap, which are zero, and host values.
    fn fork(&self) -> Result<StoreOpaque> {
        let id = Engine::next_store_id();
        let paused = self.paused.as_ref();
        // SAFETY: H2: the closures live in `host_funcs` as long as the new store.
        let (vm, waits) = unsafe { self.vm.fork(paused.map(|p| &p.paused)) }?;
        let paused = paused.zip(waits).map(|(state, paused)| PausedState {
            func: Func {
                store: id,
                addr: state.func.addr,
            },
            ty: state.ty.clone(),
            reason: state.reason,
            paused,
        });
        Ok(StoreOpaque {
            vm,
            id,
            engine: self.engine.clone(),
            externs: Externs::default(),
            instances: self.instances.clone(),
            host_funcs: self.host_funcs.clone(),
            known_host_funcs: self.known_host_funcs.clone(),
            memory_types: self.memory_types.clone(),
            table_types: self.table_types.clone(),
            global_types: self.global_types.clone(),
            failure: Mutex::new(None),
            paused,
            thrown: Mutex::new(None),
            fuel_reserve: self.fuel_reserve,
            restored: self.restored.clone(),
            host_stack: None,
            sleepers: crate::host_frames::Sleepers::default(),
        })
    }

    /// Puts pages into memories that are all zero, one set over the other.
    fn fill_memories(&mut self, sets: &[PageSet]) -> Result<()> {
        for (i, set) in sets.iter().enumerate() {
            let lens: Vec<u64> = (0..self.memory_types.len() as u32)
                .map(|m| self.vm.memory(MemAddr(m)).1)
                .collect();
            // What others hold beyond the end of a memory here is not part of it.
            let own = i + 1 == sets.len();
            let put = |memory, at, bytes: &[u8], file: Option<FilePlace>| {
                let memory = MemAddr(memory);
                match file {
                    // SAFETY: L1: the file holds these bytes, and nobody changes them.
                    Some(file) => unsafe { self.vm.memory_map(memory, at, bytes, file) }?,
                    None => self.vm.memory_write(memory, at, bytes)?,
                }
                Ok(())
            };
            set.fill(own, |memory| lens.get(memory as usize).copied(), put)?;
        }
        Ok(())
    }

    /// Puts pages into a heap that is all zero.
    fn fill_heap(&mut self, set: &PageSet) -> Result<()> {
        let len = self.vm.heap_bytes().len() as u64;
        let put = |_, at, bytes: &[u8], file| {
            // SAFETY: L1: as above.
            unsafe { self.vm.heap_map(at, bytes, file) }?;
            Ok(())
        };
        set.fill(true, |memory| (memory == 0).then_some(len), put)
    }
}
