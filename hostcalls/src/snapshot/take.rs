//! Taking a snapshot.

use std::sync::Arc;

use anyhow::{anyhow, bail};
use sheave_interp::{FuncAddr, FuncState, MemAddr};
use sheave_loader as loader;

use super::Snapshot;
use super::contents::{CodeVersion, Contents, HostName};
use super::{pages, types::Collector};
use crate::module::Module;
use crate::store::{Store, StoreOpaque};
use crate::{Error, Result};

impl<T: 'static> Store<T> {
    /// The state of this store: at rest, or with a call that waits ([`Func::call_resumable`](crate::Func::call_resumable)).
    /// The store is as before, and can go on.
    ///
    /// Not part of it are the embedder's data (`T`), limits, and handles.
    ///
    /// # Errors
    /// If there is something in the store that cannot be found again elsewhere; the message names it: a host function that
    /// no instance imports (what is imported has a name to find it by), or an external reference.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.0.opaque.take_snapshot()
    }
}

impl StoreOpaque {
    fn take_snapshot(&mut self) -> Result<Snapshot> {
        let engine = self.engine.clone();
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
        let paused = self.paused.as_ref();
        let number = |id| types.number(id).ok();
        let mut vm = self
            .vm
            .state(paused.map(|p| &p.paused), number)
            .map_err(Error::from_boxed)?;
        if self.vm.has_externs() {
            bail!(
                "an external reference can be reached, and only the host knows what it refers to"
            );
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
        let (mut runs, mut pages) = (Vec::new(), Vec::new());
        for memory in 0..vm.memories.len() as u32 {
            let bytes = self.vm.memory_bytes(MemAddr(memory));
            pages::collect(memory, bytes, &mut runs, &mut pages);
        }
        let contents = Contents {
            code: CodeVersion::of(&engine),
            modules: modules
                .iter()
                .map(|m| Arc::from(m.loaded().wasm()))
                .collect(),
            instances,
            memory_types: self.memory_types.iter().map(|ty| ty.0).collect(),
            table_types,
            global_types,
            host_funcs: self.host_names(&vm.funcs)?,
            paused: paused.map(|p| (p.func.addr, p.reason)),
            runs,
            pages,
            types: types.types,
            group_ends: types.group_ends,
            vm,
        };
        Ok(Snapshot::new(contents, Some((engine, modules))))
    }

    /// A name for each host function.
    fn host_names(&self, funcs: &[FuncState]) -> Result<Vec<HostName>> {
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
            names[addr as usize].take().ok_or_else(|| {
                let ty = self.func_type(FuncAddr(addr));
                anyhow!("a host function of type {ty} is imported by no instance, so there is no name to find it by")
            })
        })
        .collect()
    }
}
