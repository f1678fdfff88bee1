//! Taking a snapshot.

use core::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use sheave_interp::{FuncAddr, FuncState, GlobalAddr, MemAddr, TypeWords};
use sheave_loader as loader;

use super::Snapshot;
use super::contents::{CodeVersion, Contents, HostName};
use super::delta::Lookup;
use super::handles;
use super::heap::{HeapPages, Words};
use super::modules::ModuleSource;
use super::pages::PageSet;
use super::types::Collector;
use crate::host_frames::HostFrameError;
use crate::module::Module;
use crate::store::{Store, StoreOpaque};
use crate::{Error, Extern, Func, Result};

/// Turns a host value into bytes; `None` if it cannot.
type SaveExtern<'a> = dyn FnMut(&(dyn Any + Send + Sync)) -> Result<Option<Vec<u8>>> + 'a;

/// Gives the name by which a linker will have a host function.
type NameFunc<'a> = dyn FnMut(&Func) -> Option<(String, String)> + 'a;

/// How a snapshot is taken: [`Store::snapshot_with`].
#[derive(Default)]
pub struct SnapshotOptions<'a> {
    since: Option<&'a Snapshot>,
    save_extern: Option<Box<SaveExtern<'a>>>,
    name_func: Option<Box<NameFunc<'a>>>,
    handles: BTreeMap<String, Extern>,
}

impl<'a> SnapshotOptions<'a> {
    /// As [`Store::snapshot`] does it.
    pub fn new() -> SnapshotOptions<'a> {
        SnapshotOptions::default()
    }

    /// Takes only the pages of memories that differ from those of `base`: see [`Store::snapshot_since`].
    pub fn since(mut self, base: &'a Snapshot) -> Self {
        self.since = Some(base);
        self
    }

    /// Turns the value of each [`ExternRef`](crate::ExternRef) that can be reached into bytes, from which
    /// [`Restore::externs`](crate::Restore::externs) makes it again. `None` means that it cannot, which is an error.
    pub fn externs(
        mut self,
        save: impl FnMut(&(dyn Any + Send + Sync)) -> Result<Option<Vec<u8>>> + 'a,
    ) -> Self {
        self.save_extern = Some(Box::new(save));
        self
    }

    /// Gives something a name by which it is found again: [`Store::restored`].
    pub fn handle(mut self, name: impl Into<String>, item: impl Into<Extern>) -> Self {
        self.handles.insert(name.into(), item.into());
        self
    }

    /// Names host functions that no instance imports (made by [`Func::new`] and put into a table, for example): by module
    /// and name, under which the linker has them when the store is restored. `None` means that it has no name, which is an
    /// error.
    pub fn funcs(mut self, name: impl FnMut(&Func) -> Option<(String, String)> + 'a) -> Self {
        self.name_func = Some(Box::new(name));
        self
    }
}

impl core::fmt::Debug for SnapshotOptions<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SnapshotOptions")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl<T: 'static> Store<T> {
    /// The state of this store: at rest, or with a call that waits ([`Func::call_resumable`](crate::Func::call_resumable)).
    /// The store is as before, and can go on.
    ///
    /// Not part of it are the embedder's data (`T`; see [`Snapshot::with_host_state`]), limits, and handles.
    ///
    /// # Errors
    /// If there is something in the store that cannot be found again elsewhere; the message says what it is and where it
    /// can be reached from: a host function that no instance imports (what is imported has a name to find it by), or an
    /// external reference. [`Store::snapshot_with`] can save these. If a host function sleeps in a continuation
    /// ([`HostFrameError::InSnapshot`]).
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.snapshot_with(SnapshotOptions::new())
    }

    /// As [`Store::snapshot`], but of the memories only the pages that differ from those of `base`, which is needed to
    /// restore it: it stays part of the new snapshot, and a file of that names it. It may be of any earlier state, and
    /// may itself be relative to another.
    ///
    /// # Errors
    /// As [`Store::snapshot`]; and if `base` lacks its own base.
    pub fn snapshot_since(&mut self, base: &Snapshot) -> Result<Snapshot> {
        self.snapshot_with(SnapshotOptions::new().since(base))
    }

    /// As [`Store::snapshot`], with options.
    ///
    /// # Errors
    /// As [`Store::snapshot`] and [`Store::snapshot_since`]; and what the embedder's functions return.
    pub fn snapshot_with(&mut self, options: SnapshotOptions<'_>) -> Result<Snapshot> {
        if self.0.opaque.sleeping_host_func().is_some() {
            // Maybe nothing refers to it any more.
            self.gc(None)?;
        }
        self.0.opaque.take_snapshot(options)
    }
}

impl StoreOpaque {
    fn take_snapshot(&mut self, mut options: SnapshotOptions<'_>) -> Result<Snapshot> {
        if let Some(name) = self.sleeping_host_func() {
            return Err(HostFrameError::InSnapshot(name).into());
        }
        let engine = self.engine.clone();
        let lookup = options.since.map(Lookup::new).transpose()?;
        let base = options.since.map(Snapshot::id).transpose()?;
        let mut types = Collector::new(engine.types());
        let mut modules: Vec<Module> = Vec::new();
        let mut instances = Vec::new();
        for module in &self.instances {
            let known = modules.iter().position(|m| Module::same(m, module));
            instances.push(known.unwrap_or(modules.len()) as u32);
            if known.is_none() {
                modules.push(module.clone());
            }
        }
        let externs = self.save_externs(&mut options)?;
        let paused = self.paused.as_ref();
        let state = self.vm.state(paused.map(|p| &p.paused));
        let (mut vm, objects) = state.map_err(Error::from_boxed)?;
        vm.fuel = self.all_fuel();
        // Nothing is renamed: this tells the types.
        let number = |id| types.number(id).ok().map(|_| id);
        if !self.vm.rename_heap(&objects, TypeWords::Identities, number) {
            return Err(anyhow!("the heap cannot be walked"));
        }
        for func in &mut vm.funcs {
            if let FuncState::Host { ty, .. } = func {
                *ty = types.number(*ty)?;
            }
        }
        for ty in &mut vm.tags {
            *ty = types.number(*ty)?;
        }
        let tables = self.table_types.iter().map(|ty| {
            let mut element = ty.0.element;
            if let Some(id) = element.heap_type.concrete() {
                element.heap_type = loader::HeapType::Concrete(types.number(id)?);
            }
            Ok(loader::TableType { element, ..ty.0 })
        });
        let table_types = tables.collect::<Result<_>>()?;
        let globals = self.global_types.iter().map(|ty| {
            let content = match ty.0.content.as_ref().and_then(|r| r.heap_type.concrete()) {
                Some(id) => {
                    let number = types.number(id)?;
                    ty.0.content.map(|_| Some(number)).unwrap_or(ty.0.content)
                }
                None => ty.0.content,
            };
            Ok(loader::GlobalType { content, ..ty.0 })
        });
        let global_types = globals.collect::<Result<_>>()?;
        let memories: Vec<&[u8]> = (0..vm.memories.len() as u32)
            .map(|memory| self.vm.memory_bytes(MemAddr(memory)))
            .collect();
        let memories = match &lookup {
            Some(base) => {
                PageSet::collect(&memories, |m, page, bytes| base.differs(m, page, bytes))
            }
            None => PageSet::not_zero(&memories),
        }
        .context("keeping the pages of memories")?;
        let heap = HeapPages {
            objects: HeapPages::encode_objects(&objects).into(),
            pages: PageSet::not_zero(&[self.vm.heap_bytes()])?,
            words: Words::Identities(Arc::new(types.numbers().clone())),
        };
        let host_funcs = self.host_names(&vm.funcs, &mut options)?;
        let paused = self.paused.as_ref();
        let mut names = Vec::new();
        for (name, item) in &options.handles {
            item.check(self)?;
            names.push((name.as_str().into(), handles::of(item)));
        }
        let contents = Contents {
            code: CodeVersion::of(&engine),
            modules: modules.into_iter().map(ModuleSource::Module).collect(),
            instances,
            memory_types: self.memory_types.iter().map(|ty| ty.0).collect(),
            table_types,
            global_types,
            host_funcs,
            paused: paused.map(|p| (p.func.addr, p.reason)),
            memories,
            heap,
            externs,
            handles: names,
            base,
            types: types.types,
            group_ends: types.group_ends,
            vm,
        };
        Ok(Snapshot::taken(contents, engine, options.since))
    }

    /// The bytes of the host values that can be reached, which are numbered from 0 then.
    fn save_externs(&mut self, options: &mut SnapshotOptions<'_>) -> Result<Vec<Vec<u8>>> {
        let mut order = Vec::new();
        let numbered = self.vm.number_externs(|old| order.push(old));
        numbered.map_err(Error::from_boxed)?;
        // Those that died are none of them.
        let _ = self.vm.take_dead_externs();
        self.externs.reorder(&order);
        let mut all = Vec::new();
        for index in 0..order.len() as u32 {
            let value = self.externs.get(index);
            let save = options.save_extern.as_mut().zip(value);
            let bytes = match save {
                Some((save, value)) => save(value)?,
                None => None,
            };
            all.push(bytes.ok_or_else(|| {
                let place = self.vm.where_extern(index);
                anyhow!("only the host knows what an external reference refers to, and it does not save it; it is reached from {place}")
            })?);
        }
        Ok(all)
    }

    /// A name for each host function.
    fn host_names(
        &mut self,
        funcs: &[FuncState],
        options: &mut SnapshotOptions<'_>,
    ) -> Result<Vec<HostName>> {
        let mut names: Vec<Option<HostName>> = vec![None; funcs.len()];
        for (inst, module) in (0..).zip(&self.instances) {
            let imports = &module.loaded().info().imports;
            let imports = imports
                .iter()
                .filter(|i| matches!(i.ty, loader::ImportType::Func(_)));
            for (k, import) in (0..).zip(imports) {
                let addr = self.vm.imported_func(sheave_interp::InstAddr(inst), k);
                if let Some(slot) = addr.and_then(|a| names.get_mut(a.0 as usize)) {
                    slot.get_or_insert_with(|| HostName {
                        addr: addr.unwrap_or(FuncAddr(0)),
                        module: import.module.clone(),
                        name: import.name.clone(),
                    });
                }
            }
        }
        let host = (0..)
            .zip(funcs)
            .filter(|(_, f)| matches!(f, FuncState::Host { .. }));
        host.map(|(addr, _)| {
            let func = Func {
                store: self.id,
                addr: FuncAddr(addr),
            };
            let named = || {
                let (module, name) = options.name_func.as_mut()?(&func)?;
                Some(HostName {
                    addr: func.addr,
                    module: module.into(),
                    name: name.into(),
                })
            };
            names[addr as usize].take().or_else(named).ok_or_else(|| {
                let globals = &self.global_types;
                let is_func = |g: GlobalAddr| {
                    let ty = globals.get(g.0 as usize);
                    ty.is_some_and(|ty| ty.content().as_ref().is_some())
                };
                let place = self.vm.where_func(func.addr, is_func);
                let ty = self.func_type(func.addr);
                anyhow!("a host function of type {ty} is imported by no instance, so there is no name to find it by; it is reached from {place}")
            })
        })
        .collect()
    }
}
