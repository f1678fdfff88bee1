//! A machine made from plain data.
#![allow(unsafe_code, reason = "registers host functions")]

use std::sync::Arc;

use super::{
    FuncState, HostFunc, InstanceState, RestoreError, VmState, has_two_cells, inconsistent, owners,
};
use crate::layout::Layouts;
use crate::module::CodeModule;
use crate::pause::Paused;
use crate::store::{FuncAddr, GlobalAddr, InstAddr, StoreError};
use crate::vm::Vm;

impl Vm {
    /// Fills a new machine with what another held. `modules` are those of the instances; `host` gives host functions by
    /// address. Memories and the heap have their lengths; their bytes are zero.
    ///
    /// # Errors
    /// If the state is not one that a machine with these modules could have, or there is no room. The machine must not
    /// be used then.
    ///
    /// # Panics
    /// If the machine is not new.
    ///
    /// # Safety
    /// - Each host function may be called as [`Vm::new_host_func`] wants it.
    /// - The types of tables, memories and globals are those that the modules which have them declare or may import.
    pub unsafe fn restore(
        &mut self,
        state: &VmState,
        modules: &[Arc<CodeModule>],
        mut host: impl FnMut(FuncAddr) -> Option<HostFunc>,
    ) -> Result<Option<Paused>, RestoreError> {
        let is_new = self.funcs.is_empty() && self.instances.is_empty() && self.depth == 0;
        assert!(is_new, "a new machine");
        if modules.len() != state.instances.len() {
            return inconsistent("number of modules");
        }
        self.update_types();
        self.fuel = state.fuel;
        for spec in &state.memories {
            self.new_memory(spec)?;
        }
        for table in &state.tables {
            let len = u32::try_from(table.entries.len()).map_err(|_| StoreError::TooMany)?;
            let addr = self.new_table(len, table.max, table.table64, 0)?;
            if table.traced {
                self.trace_table(addr);
            }
            let off = self.tables[addr.0 as usize].off;
            for (to, from) in self.entries_mut(off, len).iter_mut().zip(&table.entries) {
                *to = from.to_le();
            }
        }
        for ty in &state.tags {
            self.new_tag(*ty)?;
        }
        for (instance, module) in state.instances.iter().zip(modules) {
            self.restore_instance(state, instance, module)?;
        }
        self.restore_globals(state, modules)?;
        for (addr, func) in (0..).map(FuncAddr).zip(&state.funcs) {
            // SAFETY: the caller's promise.
            unsafe { self.restore_func(addr, *func, &mut host)? };
        }
        self.check_imported_funcs()?;
        self.restore_heap(&state.heap)?;
        self.refresh();
        let mut layouts = Layouts::default();
        self.restore_stacks(state, &mut layouts)?;
        let paused = match &state.paused {
            Some(paused) => Some(self.restore_paused(paused, &mut layouts)?),
            None => None,
        };
        Ok(paused)
    }

    fn restore_instance(
        &mut self,
        state: &VmState,
        instance: &InstanceState,
        module: &Arc<CodeModule>,
    ) -> Result<(), RestoreError> {
        let desc = module.desc();
        let fits = |len: usize, want: u32| len == want as usize;
        let within =
            |mut all: core::slice::Iter<'_, u32>, len: usize| all.all(|i| (*i as usize) < len);
        let addresses = |all: Vec<u32>, len: usize| within(all.iter(), len);
        let ok = fits(instance.imported_funcs.len(), desc.imported_funcs)
            && fits(instance.tables.len(), desc.tables)
            && fits(instance.memories.len(), desc.memories)
            && fits(
                instance.globals.len(),
                desc.imported_globals.saturating_add(desc.own_globals),
            )
            && instance.tags.len() == desc.tags.len()
            && fits(instance.elems.len(), desc.elems)
            && fits(
                instance.data_dropped.len(),
                if desc.names_data { desc.data } else { 0 },
            )
            && addresses(
                instance.imported_funcs.iter().map(|a| a.0).collect(),
                state.funcs.len(),
            )
            && addresses(
                instance.tables.iter().map(|a| a.0).collect(),
                state.tables.len(),
            )
            && addresses(
                instance.memories.iter().map(|a| a.0).collect(),
                state.memories.len(),
            )
            && addresses(
                instance.globals.iter().map(|a| a.0).collect(),
                state.globals.len(),
            )
            && (instance.tags.iter().zip(&desc.tags)).all(|(tag, ty)| {
                let want = desc.types.get(*ty as usize).map(|t| t.1);
                want.is_some() && self.tag_type(*tag) == want
            });
        if !ok {
            return inconsistent("an instance has not what its module has");
        }
        let mut funcs = vec![0; desc.funcs.len()];
        for (slot, func) in funcs.iter_mut().zip(&instance.imported_funcs) {
            *slot = func.0 + 1;
        }
        let inst = InstAddr(self.instances.len() as u32);
        self.instances.push(crate::store::Instance {
            funcs,
            tables: instance.tables.clone(),
            memories: instance.memories.clone(),
            globals: instance.globals.clone(),
            tags: instance.tags.clone(),
            imported_globals: Vec::new(),
            globals_off: 0,
            elems: vec![(0, 0); desc.elems as usize],
            traced_elems: Vec::new(),
            data_dropped: if desc.names_data {
                instance.data_dropped.clone()
            } else {
                vec![true; desc.data as usize]
            },
            module: Arc::clone(module),
        });
        for (elem, segment) in (0..).zip(&instance.elems) {
            self.set_elem(inst, elem, segment)?;
        }
        Ok(())
    }

    /// Gives every global its cell and its value.
    fn restore_globals(
        &mut self,
        state: &VmState,
        modules: &[Arc<CodeModule>],
    ) -> Result<(), RestoreError> {
        let descs: Vec<_> = modules.iter().map(|m| &**m).collect();
        let Some(owners) = owners(state.globals.len(), &state.instances, &descs) else {
            return inconsistent("a global of two instances");
        };
        #[allow(clippy::needless_range_loop, reason = "two lists, and one is changed")]
        for inst in 0..self.instances.len() {
            self.instances[inst].globals_off = self.alloc_own_globals(descs[inst].desc())?;
        }
        for (owner, value) in owners.iter().zip(&state.globals) {
            let cell = match owner {
                Some((inst, k)) => {
                    let vectors = &descs[*inst].desc().own_vectors;
                    let before = vectors.partition_point(|v| v < k) as u32;
                    self.instances[*inst].globals_off + (k + before) * 8
                }
                None => self.arena.alloc(16).map_err(StoreError::from)?.get(),
            };
            let global = GlobalAddr(self.global_cells.len() as u32);
            self.global_cells.push(cell);
            if value.traced {
                self.gc.traced_globals.push(cell);
            }
            if has_two_cells(*owner, &descs) {
                self.global_set_v128(global, value.bits);
            } else {
                self.global_set(global, value.bits as u64);
            }
        }
        for i in &mut self.instances {
            let imported = &i.globals[..i.module.desc().imported_globals as usize];
            let cells = imported.iter().map(|g| self.global_cells[g.0 as usize]);
            i.imported_globals = cells.collect();
        }
        Ok(())
    }

    /// # Safety
    /// - As [`Vm::restore`].
    unsafe fn restore_func(
        &mut self,
        addr: FuncAddr,
        func: FuncState,
        host: &mut impl FnMut(FuncAddr) -> Option<HostFunc>,
    ) -> Result<(), RestoreError> {
        match func {
            FuncState::Host { ty, slots } => {
                let Some((entry, data)) = host(addr) else {
                    return inconsistent("a host function is missing");
                };
                // SAFETY: the caller's promise.
                unsafe { self.new_host_func(ty, slots, slots, entry, data)? };
            }
            FuncState::Wasm { inst, func } => {
                let instance = self.instances.get(inst.0 as usize);
                let defined = instance.is_some_and(|i| {
                    let imported = i.module.desc().imported_funcs;
                    func >= imported && i.funcs.get(func as usize) == Some(&0)
                });
                if !defined || self.func_addr(inst, func)? != addr {
                    return inconsistent("a function is no function, or two");
                }
            }
        }
        Ok(())
    }

    /// Whether each imported function has the type that the module wants.
    fn check_imported_funcs(&self) -> Result<(), RestoreError> {
        let fits = |i: &crate::store::Instance| {
            let imported = 0..i.module.desc().imported_funcs;
            imported.clone().all(|k| {
                let want = i.module.shape(k).map(|(_, ty)| ty);
                let have = i.funcs[k as usize] - 1;
                let have = self.funcs.get(have as usize).map(|f| f.ty);
                matches!((have, want), (Some(a), Some(b)) if a == b || self.is_subtype(a, b))
            })
        };
        if self.instances.iter().all(fits) {
            Ok(())
        } else {
            inconsistent("an imported function has another type")
        }
    }
}
