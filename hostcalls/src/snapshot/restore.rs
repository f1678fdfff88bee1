//! Making a store from a snapshot.
#![allow(unsafe_code, reason = "registers host functions with the machine")]

use core::any::Any;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use sheave_interp::{FuncState, InstAddr, VmState};
use sheave_loader as loader;
use sheave_types::ValType;

use super::contents::{CodeVersion, Contents};
use super::handles;
use super::modules::ModuleHash;
use super::template::{LoadExtern, Template};
use super::{Snapshot, types};
use crate::host::HostFunc;
use crate::linker::Linker;
use crate::module::{Module, is_traced};
use crate::resume::PausedState;
use crate::store::{Store, StoreOpaque};
use crate::types::{ExternType, FuncType, GlobalType, MemoryType, TableType};
use crate::{Engine, Func, Instance, Result, matching};

type Lookup<'a> = Box<dyn FnMut(&ModuleHash) -> Result<Option<Module>> + 'a>;

/// How a store is restored: what [`Store::restore`] does, with more to say. It ends in one store, or in a [`Template`] for
/// many.
pub struct Restore<'a, T: 'static> {
    engine: &'a Engine,
    snapshot: &'a Snapshot,
    linker: &'a Linker<T>,
    modules: Lookup<'a>,
    externs: Option<Arc<LoadExtern>>,
}

impl<'a, T: 'static> Restore<'a, T> {
    /// As [`Store::restore`] does it.
    pub fn new(
        engine: &'a Engine,
        snapshot: &'a Snapshot,
        linker: &'a Linker<T>,
    ) -> Restore<'a, T> {
        Restore {
            engine,
            snapshot,
            linker,
            modules: Box::new(|_| Ok(None)),
            externs: None,
        }
    }

    /// Asks for modules of this engine, also for those that the snapshot contains, so that they need not be validated and
    /// translated again. `None` means that the one in the snapshot is taken.
    pub fn modules(
        mut self,
        lookup: impl FnMut(&ModuleHash) -> Result<Option<Module>> + 'a,
    ) -> Self {
        self.modules = Box::new(lookup);
        self
    }

    /// Makes host values from what [`SnapshotOptions::externs`](crate::SnapshotOptions::externs) saved.
    pub fn externs(
        mut self,
        load: impl Fn(&[u8]) -> Result<Box<dyn Any + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.externs = Some(Arc::new(load));
        self
    }

    /// One store.
    ///
    /// # Errors
    /// As [`Store::restore`]; and what the embedder's functions return.
    pub fn store(self, data: T) -> Result<Store<T>> {
        self.template()?.into_store(data)
    }

    /// What is the same for all stores: modules are loaded, imports found, and everything is checked.
    ///
    /// # Errors
    /// As [`Restore::store`].
    pub fn template(mut self) -> Result<Template<T>> {
        let (engine, snapshot) = (self.engine, self.snapshot);
        let contents = snapshot.contents();
        check_code(contents.code, CodeVersion::of(engine))?;
        // Before the modules, so that a new engine's identities are the snapshot's numbers.
        let ids = types::register(engine.types(), &contents.types, &contents.group_ends)?;
        let chain = snapshot.chain()?;
        let same_engine =
            |s: &Snapshot| s.0.engine.as_ref().is_some_and(|e| Engine::same(e, engine));
        let mut modules = Vec::with_capacity(contents.modules.len());
        for source in &contents.modules {
            // One that is not in the snapshot may be in those that it is relative to.
            let hash = source.is_elsewhere().then(|| source.hash());
            let others = chain.iter().flat_map(|s| &s.contents().modules);
            let mut others = others.filter(|s| Some(s.hash()) == hash && !s.is_elsewhere());
            let source = others.next().unwrap_or(source);
            modules.push(source.load(engine, &mut self.modules)?);
        }
        let host = host_funcs(engine, contents, self.linker, &ids)?;
        let mut store = StoreOpaque::try_new(engine)?;
        store.fill(contents, &modules, &ids)?;
        let mut vm = identities(contents, &ids)?;
        trace(&mut vm, &store);
        store.check_types(&vm)?;
        store.restore_machine(contents, &vm, host)?;
        store.restored = handles::restored(&contents.handles, &vm)?;
        let mut template = Template::new(store, &chain, self.externs)?;
        if let Some(rename) = contents.heap.renaming(same_engine(snapshot), &ids) {
            template.rename_heap(&contents.heap.runs()?, rename)?;
        }
        Ok(template)
    }
}

impl<T: 'static> core::fmt::Debug for Restore<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Restore")
            .field("snapshot", &self.snapshot)
            .finish_non_exhaustive()
    }
}

impl<T: 'static> Store<T> {
    /// A store with the state that a snapshot holds. Host functions are taken from `linker` under the names by which the
    /// instances import them. If a call waits, [`Store::resume_call`] goes on with it. [`Restore`] has more to say;
    /// a [`Template`] makes many stores.
    ///
    /// The state may come from another machine, operating system, processor or executor. It is checked: whatever a damaged
    /// or made-up snapshot says, the store can only fool itself.
    ///
    /// # Errors
    /// If `linker` has not all the host functions (the message lists what is missing or of another type), if the engine
    /// translates other code than the snapshot's (another version of sheave, or other settings of fuel or interruption),
    /// if a module is not there or not valid here, if the snapshot contradicts itself, or if there is no room.
    pub fn restore(
        engine: &Engine,
        snapshot: &Snapshot,
        linker: &Linker<T>,
        data: T,
    ) -> Result<Store<T>> {
        Restore::new(engine, snapshot, linker).store(data)
    }

    /// The instances of this store, in the order in which they were made.
    pub fn instances(&self) -> impl ExactSizeIterator<Item = Instance> + use<T> {
        let store = self.0.opaque.id;
        let all = 0..self.0.opaque.instances.len() as u32;
        all.map(move |addr| Instance {
            store,
            addr: InstAddr(addr),
        })
    }
}

fn check_code(have: CodeVersion, want: CodeVersion) -> Result<()> {
    if (have.isa_version, have.isa_hash) != (want.isa_version, want.isa_hash) {
        bail!("the snapshot is of another version of sheave's bytecode");
    }
    if (have.fuel, have.interruption) != (want.fuel, want.interruption) {
        let show = |c: CodeVersion| {
            let on = |b| if b { "on" } else { "off" };
            format!("fuel {}, interruption {}", on(c.fuel), on(c.interruption))
        };
        bail!(
            "the snapshot was taken with {}, but the engine has {}",
            show(have),
            show(want)
        );
    }
    Ok(())
}

/// The host functions, in the order of their addresses.
fn host_funcs<T: 'static>(
    engine: &Engine,
    contents: &Contents,
    linker: &Linker<T>,
    ids: &[u32],
) -> Result<Vec<Arc<HostFunc>>> {
    let wanted = contents.vm.funcs.iter().filter_map(|f| match f {
        FuncState::Host { ty, .. } => Some(*ty),
        FuncState::Wasm { .. } => None,
    });
    let wanted: Vec<u32> = wanted.collect();
    if wanted.len() != contents.host_funcs.len() {
        bail!("inconsistent snapshot: names of host functions");
    }
    let (mut found, mut wrong) = (Vec::new(), String::new());
    for (name, ty) in contents.host_funcs.iter().zip(wanted) {
        let def = ids.get(ty as usize).and_then(|id| engine.types().get(*id));
        let want = def
            .and_then(|def| FuncType::from_def(engine, def))
            .ok_or_else(|| anyhow!("inconsistent snapshot: type of a host function"))?;
        let (module, item) = (&*name.module, &*name.name);
        match linker.host_func(module, item) {
            Some(func) if func.ty.matches(&want) => found.push(Arc::clone(func)),
            Some(func) => drop(write!(
                wrong,
                "\n  `{module}::{item}` has type {}, wanted is {want}",
                func.ty
            )),
            None => drop(write!(
                wrong,
                "\n  `{module}::{item}` of type {want} is not defined"
            )),
        }
    }
    if !wrong.is_empty() {
        bail!("the linker has not all host functions that the snapshot needs:{wrong}");
    }
    Ok(found)
}

/// The machine's state with identities for type numbers.
fn identities(contents: &Contents, ids: &[u32]) -> Result<VmState> {
    let mut vm = contents.vm.clone();
    for func in &mut vm.funcs {
        if let FuncState::Host { ty, .. } = func {
            let id = ids.get(*ty as usize);
            *ty = *id.ok_or_else(|| anyhow!("inconsistent snapshot: type of a host function"))?;
        }
    }
    for ty in &mut vm.tags {
        let id = ids.get(*ty as usize);
        *ty = *id.ok_or_else(|| anyhow!("inconsistent snapshot: type of a tag"))?;
    }
    Ok(vm)
}

/// Notes what the collector follows, as types say.
fn trace(vm: &mut VmState, opaque: &StoreOpaque) {
    let types = opaque.engine.types();
    for (table, ty) in vm.tables.iter_mut().zip(&opaque.table_types) {
        table.traced = types.is_traced(ValType::Ref(ty.0.element));
    }
    for (global, ty) in vm.globals.iter_mut().zip(&opaque.global_types) {
        global.traced = types.is_traced(ty.0.content);
    }
    for (instance, module) in vm.instances.iter_mut().zip(&opaque.instances) {
        let info = module.loaded().info();
        for (elem, segment) in instance.elems.iter_mut().zip(&info.elements) {
            elem.traced = is_traced(ValType::Ref(segment.ty), info);
        }
    }
}

impl StoreOpaque {
    /// The machine, but for the bytes of its memories and its heap.
    fn restore_machine(
        &mut self,
        contents: &Contents,
        vm: &VmState,
        host: Vec<Arc<HostFunc>>,
    ) -> Result<()> {
        let code: Vec<_> = self
            .instances
            .iter()
            .map(|m| Arc::clone(m.code()))
            .collect();
        let mut next = host.iter();
        let engine = self.engine.clone();
        // SAFETY: H2: the closures live in `host_funcs` as long as the store. The types were checked before.
        let paused = unsafe {
            self.vm.restore(vm, &code, |_| {
                let func: &Arc<HostFunc> = next.next()?;
                Some(func.registered(&engine))
            })
        };
        let paused = paused?;
        for (name, func) in contents.host_funcs.iter().zip(host) {
            let key = Arc::as_ptr(&func).addr();
            self.known_host_funcs.insert(key, name.addr);
            self.host_funcs.push(func);
        }
        if let (Some(paused), Some((addr, reason))) = (paused, contents.paused) {
            self.paused = Some(PausedState {
                func: Func {
                    store: self.id,
                    addr,
                },
                ty: self.func_type(addr),
                reason,
                paused,
            });
        }
        Ok(())
    }

    /// What the store keeps beside the machine.
    fn fill(&mut self, contents: &Contents, modules: &[Module], ids: &[u32]) -> Result<()> {
        let bad = || anyhow!("inconsistent snapshot: a number leads nowhere");
        for module in &contents.instances {
            let module = modules.get(*module as usize).ok_or_else(bad)?;
            self.instances.push(module.clone());
        }
        let id = |x: u32| ids.get(x as usize).copied();
        self.memory_types = contents
            .memory_types
            .iter()
            .map(|t| MemoryType(*t))
            .collect();
        for ty in &contents.table_types {
            let element = ty.element.map(id).ok_or_else(bad)?;
            let ty = loader::TableType { element, ..*ty };
            self.table_types
                .push(TableType::from_plain(&self.engine, ty));
        }
        for ty in &contents.global_types {
            let content = ty.content.map(id).ok_or_else(bad)?;
            let ty = loader::GlobalType { content, ..*ty };
            self.global_types
                .push(GlobalType::from_plain(&self.engine, ty));
        }
        let vm = &contents.vm;
        let sizes = vm.memories.len() == self.memory_types.len()
            && vm.tables.len() == self.table_types.len()
            && vm.globals.len() == self.global_types.len()
            && vm.heap.externs.len() == contents.externs.len()
            && vm.paused.is_some() == contents.paused.is_some();
        let memories = vm.memories.iter().zip(&self.memory_types);
        let memories = { memories }.all(|(spec, ty)| *spec == ty.spec(spec.bytes));
        let tables = vm.tables.iter().zip(&self.table_types);
        let tables = { tables }.all(|(t, ty)| t.max == ty.0.max && t.table64 == ty.0.table64);
        let paused = contents.paused.zip(vm.paused.as_ref());
        let paused = paused.is_none_or(|((addr, _), _)| (addr.0 as usize) < vm.funcs.len());
        if sizes && memories && tables && paused {
            Ok(())
        } else {
            bail!("inconsistent snapshot: types of memories, tables or globals")
        }
    }

    /// Whether what each instance has is what its module wants.
    fn check_types(&self, vm: &VmState) -> Result<()> {
        for (module, instance) in self.instances.iter().zip(&vm.instances) {
            let (info, types) = (module.loaded().info(), module.types());
            let check = |want: loader::ImportType, have: Option<ExternType>| {
                let have =
                    have.ok_or_else(|| anyhow!("inconsistent snapshot: an address leads nowhere"))?;
                let want = ExternType::from_loader(&self.engine, &want, types);
                matching::check(self.engine.types(), "snapshot", want.kind(), &want, &have)
            };
            for (want, addr) in info.memories.iter().zip(&instance.memories) {
                let have = self.memory_types.get(addr.0 as usize).map(|ty| {
                    let bytes = vm.memories[addr.0 as usize].bytes;
                    ty.at_length(bytes).into()
                });
                check(loader::ImportType::Memory(*want), have)?;
            }
            for (want, addr) in info.tables.iter().zip(&instance.tables) {
                let have = self.table_types.get(addr.0 as usize).map(|ty| {
                    let min = vm.tables[addr.0 as usize].entries.len() as u64;
                    TableType::from_plain(&self.engine, loader::TableType { min, ..ty.0 }).into()
                });
                check(loader::ImportType::Table(*want), have)?;
            }
            for (want, addr) in info.globals.iter().zip(&instance.globals) {
                let have = self.global_types.get(addr.0 as usize).cloned();
                check(
                    loader::ImportType::Global(*want),
                    have.map(ExternType::from),
                )?;
            }
        }
        Ok(())
    }
}
