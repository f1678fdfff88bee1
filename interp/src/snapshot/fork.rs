//! A second machine from one that stands still.
#![allow(unsafe_code, reason = "derives the registers of the new stack")]

use std::sync::Arc;

use crate::pause::Paused;
use crate::store::StoreError;
use crate::vm::Vm;

impl Vm {
    /// A machine that holds what this one does, but for the bytes of its memories and of its heap: those are zero. Its
    /// interrupt flag is its own. Nothing may run in this machine; what waits in it waits in the other too, and
    /// `paused` is put aside there.
    ///
    /// Only tables, globals, segments and stack are copied, so this takes no longer for larger memories.
    ///
    /// # Errors
    /// If the system has no memory or address space.
    ///
    /// # Safety
    /// - The data of host functions ([`Vm::new_host_func`]) lives as long as the new machine, too.
    pub unsafe fn fork(&self, paused: Option<&Paused>) -> Result<(Vm, Option<Paused>), StoreError> {
        let arena = self.arena.fork()?;
        let (space, types) = (Arc::clone(&self.space), Arc::clone(&self.registry));
        let stacks = self.stacks.clone();
        let mut vm = Vm {
            trap: self.trap,
            fuel: self.fuel,
            gc_bump: self.gc_bump,
            gc_limit: self.gc_limit,
            ip: self.ip,
            acc: self.acc,
            top: self.top,
            depth: self.depth,
            current: self.current,
            entry_stack: self.entry_stack,
            chain_bytes: self.chain_bytes,
            pause: self.pause,
            catches: self.catches,
            type_defs: self.type_defs.clone(),
            funcs: self.funcs.clone(),
            instances: self.instances.clone(),
            memories: self.memories.clone(),
            tables: self.tables.clone(),
            tags: self.tags.clone(),
            global_cells: self.global_cells.clone(),
            gc: self.gc.fork(),
            ..Vm::bare(arena, space, types, stacks, self.max_stack)
        };
        let (fp, records) = (self.frame_at() as usize, self.records_bytes() as usize);
        vm.place_heap();
        // SAFETY: I3, both were inside the chunk, which has the same length here.
        unsafe {
            vm.fp = vm.stack_base().add(fp);
            vm.csp = vm.stack_end().sub(records);
        }
        vm.install(self.inst);
        Ok((vm, paused.map(Paused::same_in_fork)))
    }
}
