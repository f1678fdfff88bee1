//! A second machine from one that stands still.
#![allow(unsafe_code, reason = "derives the registers of the new stack")]

use core::sync::atomic::AtomicU32;
use std::sync::Arc;

use crate::awaiting::Awaited;
use crate::conts::Across;
use crate::pause::Paused;
use crate::store::StoreError;
use crate::vm::{NO_INSTANCE, Vm};

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
        let interrupt = Arc::new(AtomicU32::new(0));
        let mut vm = Vm {
            mem0_len: 0,
            cells: core::ptr::null(),
            code_base: self.code_base,
            globals: core::ptr::null_mut(),
            table0: core::ptr::null_mut(),
            table0_len: 0,
            types: core::ptr::null(),
            funcs_ptr: core::ptr::null(),
            funcs_len: 0,
            inst: NO_INSTANCE,
            trap: self.trap,
            fuel: self.fuel,
            interrupt_ptr: Arc::as_ptr(&interrupt),
            imported_globals: core::ptr::null(),
            arena_base: core::ptr::null_mut(),
            tags_ptr: core::ptr::null(),
            mem0_inner: 0,
            gc_base: core::ptr::NonNull::dangling().as_ptr(),
            gc_len: 0,
            gc_bump: self.gc_bump,
            gc_limit: self.gc_limit,
            ip: self.ip,
            fp: core::ptr::null_mut(),
            csp: core::ptr::null_mut(),
            mem0: core::ptr::null_mut(),
            acc: self.acc,
            stack_base: core::ptr::null_mut(),
            top: self.top,
            depth: self.depth,
            max_stack: self.max_stack,
            stacks: self.stacks.clone(),
            current: self.current,
            entry_stack: self.entry_stack,
            chain_bytes: self.chain_bytes,
            host_clauses: Vec::new(),
            suspended: None,
            suspending: None,
            across: Across::default(),
            host_cx: core::ptr::null_mut(),
            limit_hook: None,
            limit_failed: false,
            load_error: None,
            pause: self.pause,
            awaited: Awaited::NONE,
            catches: self.catches,
            generation: arena.generation(),
            arena,
            space: Arc::clone(&self.space),
            interrupt,
            interrupted_by: 0,
            registry: Arc::clone(&self.registry),
            type_defs: self.type_defs.clone(),
            funcs: self.funcs.clone(),
            instances: self.instances.clone(),
            memories: self.memories.clone(),
            tables: self.tables.clone(),
            tags: self.tags.clone(),
            global_cells: self.global_cells.clone(),
            gc: self.gc.fork(),
        };
        let (fp, records) = (self.frame_at() as usize, self.records_bytes() as usize);
        vm.place_heap();
        vm.place_stack();
        // SAFETY: I3, both were inside the chunk, which has the same length here.
        unsafe {
            vm.fp = vm.stack_base.add(fp);
            vm.csp = vm.stack_end().sub(records);
        }
        vm.install(self.inst);
        Ok((vm, paused.map(Paused::same_in_fork)))
    }
}
