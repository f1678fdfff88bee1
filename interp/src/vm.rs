//! The machine: one a store.
#![allow(
    unsafe_code,
    reason = "keeps raw pointers into the arena and the code space beside them"
)]

use core::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::Arc;

use sheave_arena::{Arena, ArenaConfig};
use sheave_types::{TypeDef, TypeRegistry};

use crate::activation::PauseReason;
use crate::awaiting::Awaited;
use crate::code_space::CodeSpace;
use crate::conts::{Across, HostClauses, Stacks, Standing, State, Suspended};
use crate::exceptions::TagRec;
use crate::executor::Executor;
use crate::gc::Gc;
use crate::module::SourceError;
use crate::store::{FuncRec, Instance, LimitRequest, MemRec, StoreError, TableRec, TagAddr};
use crate::trap::Trap;

/// How a host function ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostStatus {
    /// Its results are in its frame.
    Done,
    /// It failed; whoever made it keeps the reason.
    Failed,
    /// It traps.
    Trap(Trap),
    /// It throws what [`Vm::set_pending_exception`] set; wasm may catch that.
    Thrown,
    /// It has done nothing yet, and is to be called again, with the same arguments, when the activation goes on. Where
    /// that cannot be, it failed.
    Pause,
    /// It suspends as [`Vm::set_suspension`] says. What it is resumed with are its results, so the tag's type must have
    /// the same.
    Suspend,
    /// It sleeps in a continuation ([`Vm::asleep`]).
    Asleep,
    /// It has not begun, and is run when the machine has been left: [`Exit::Awaits`](crate::Exit::Awaits).
    Awaits,
}

/// A host function: `cx` is [`Vm::set_host_context`]'s, `data` is what it was registered with, `frame` is where its
/// arguments are and its results go: [`Vm::frame_ptr`], to be asked again after anything that can run wasm or allocate.
pub type HostEntry = unsafe fn(cx: *mut (), data: *const (), frame: u32) -> HostStatus;

/// Asked before a memory or table grows; `cx` is [`Vm::set_host_context`]'s. It does not unwind, and uses nothing of the
/// machine.
pub type LimitHook = unsafe fn(cx: *mut (), request: LimitRequest) -> LimitAnswer;

/// What a [`LimitHook`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitAnswer {
    /// It may grow.
    Allow,
    /// It may not: the growth fails as the specification allows.
    Refuse,
    /// It may not, and the guest that asked ends with a trap; whoever made the hook keeps the reason.
    Fail,
}

/// How a machine is made.
#[derive(Clone, Debug)]
pub struct VmConfig {
    /// The arena's backend, reservations and budget.
    pub arena: ArenaConfig,
    /// Most bytes a stack may have; more is "call stack exhausted".
    pub max_stack_bytes: u32,
}

impl Default for VmConfig {
    fn default() -> VmConfig {
        VmConfig {
            arena: ArenaConfig::default(),
            max_stack_bytes: 1 << 20,
        }
    }
}

/// The machine of one store.
///
/// The first fields are what handlers read. They are a cache of the current instance and of the arena's place:
/// `install` and `refresh` alone write them (I5).
#[repr(C)]
pub struct Vm {
    pub(crate) mem0_len: u64,
    pub(crate) cells: *const AtomicU64,
    pub(crate) code_base: *mut u8,
    pub(crate) globals: *mut u64,
    pub(crate) table0: *mut u32,
    pub(crate) table0_len: u64,
    pub(crate) types: *const u32,
    pub(crate) funcs_ptr: *const FuncRec,
    pub(crate) funcs_len: usize,
    pub(crate) inst: u32,
    pub(crate) trap: Trap,
    /// How a stack of the current instance stands that was suspended, and can be gone to within it.
    pub(crate) goes_on: Standing,
    pub(crate) fuel: u64,
    pub(crate) interrupt_ptr: *const AtomicU32,
    pub(crate) imported_globals: *const u32,
    pub(crate) arena_base: *mut u8,
    pub(crate) tags_ptr: *const TagAddr,
    /// From addresses below this, 8 bytes are inside memory 0.
    pub(crate) mem0_inner: u64,
    /// The heap of objects: where it lies, its length, and the free bytes that the next objects get.
    pub(crate) gc_base: *mut u8,
    pub(crate) gc_len: u64,
    pub(crate) gc_bump: u32,
    pub(crate) gc_limit: u32,

    // The registers, while nobody runs.
    pub(crate) ip: *const u8,
    pub(crate) fp: *mut u8,
    pub(crate) csp: *mut u8,
    pub(crate) mem0: *mut u8,
    pub(crate) acc: u64,

    // The first byte above all frames in use.
    pub(crate) top: u32,
    pub(crate) depth: u32,
    pub(crate) max_stack: u32,

    // Continuations: all stacks, which one is the current, the one that the innermost activation began on, and the bytes
    // of the chunks of the current one and all around it.
    pub(crate) stacks: Stacks,
    pub(crate) current: u32,
    pub(crate) entry_stack: u32,
    pub(crate) chain_bytes: u32,
    pub(crate) host_clauses: Vec<HostClauses>,
    /// What suspended to the host.
    pub(crate) suspended: Option<Suspended>,
    /// The tag that a host function suspends with, and the payload.
    pub(crate) suspending: Option<(TagAddr, Vec<u64>)>,

    pub(crate) across: Across,

    pub(crate) host_cx: *mut (),
    pub(crate) limit_hook: Option<LimitHook>,
    /// What the hook said last was `Fail`.
    pub(crate) limit_failed: bool,
    pub(crate) load_error: Option<SourceError>,
    pub(crate) pause: PauseReason,
    pub(crate) awaited: Awaited,
    /// How many exceptions were caught.
    pub(crate) catches: u64,

    pub(crate) generation: u64,
    pub(crate) arena: Arena,
    pub(crate) space: Arc<CodeSpace>,
    pub(crate) interrupt: Arc<AtomicU32>,
    /// What the flag was when it last stopped the machine.
    pub(crate) interrupted_by: u32,
    /// The engine's types, and those of them that this store can meet, by identity.
    pub(crate) registry: Arc<TypeRegistry>,
    pub(crate) type_defs: Vec<Arc<TypeDef>>,
    pub(crate) funcs: Vec<FuncRec>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) memories: Vec<MemRec>,
    pub(crate) tables: Vec<TableRec>,
    pub(crate) tags: Vec<TagRec>,
    /// By GlobalAddr: offset of the cell.
    pub(crate) global_cells: Vec<u32>,
    pub(crate) gc: Gc,
}

// SAFETY: every pointer leads into the arena, the code space or an Arc'd module, which the vm owns or shares as
// Sync data. Host contexts and the data of host functions are the caller's business (`new_host_func` is unsafe).
unsafe impl Send for Vm {}
// SAFETY: `&Vm` gives no access through the pointers other than reads of what `&mut Vm` alone writes.
unsafe impl Sync for Vm {}

/// No instance is installed.
pub(crate) const NO_INSTANCE: u32 = u32::MAX;
/// What is added up to twice this is still a number of 32 bits.
const MOST_STACK_BYTES: u32 = i32::MAX as u32;
const FIRST_STACK_BYTES: u32 = if cfg!(miri) { 1 << 12 } else { 1 << 15 };

impl Vm {
    /// A machine with nothing in it but an empty stack.
    ///
    /// # Errors
    /// If the arena cannot be made.
    pub fn new(
        config: &VmConfig,
        space: Arc<CodeSpace>,
        types: Arc<TypeRegistry>,
    ) -> Result<Vm, StoreError> {
        let mut arena = Arena::new(&config.arena)?;
        let max_stack = config.max_stack_bytes.clamp(1 << 10, MOST_STACK_BYTES) & !15;
        let stack_len = FIRST_STACK_BYTES.min(max_stack);
        let stack_off = arena.alloc(stack_len)?.get();
        let stacks = Stacks::new(stack_off, stack_len);
        let mut vm = Vm::bare(arena, space, types, stacks, max_stack);
        vm.chain_bytes = stack_len;
        vm.csp = vm.stack_end();
        vm.fp = vm.stack_base();
        vm.install(NO_INSTANCE);
        Ok(vm)
    }

    /// A machine with nothing in it, whose registers are to be set.
    pub(crate) fn bare(
        arena: Arena,
        space: Arc<CodeSpace>,
        types: Arc<TypeRegistry>,
        stacks: Stacks,
        max_stack: u32,
    ) -> Vm {
        let interrupt = Arc::new(AtomicU32::new(0));
        Vm {
            mem0_len: 0,
            cells: core::ptr::null(),
            code_base: space.base(),
            globals: core::ptr::null_mut(),
            table0: core::ptr::null_mut(),
            table0_len: 0,
            types: core::ptr::null(),
            funcs_ptr: core::ptr::null(),
            funcs_len: 0,
            inst: NO_INSTANCE,
            trap: Trap::Unreachable,
            goes_on: Standing::default(),
            fuel: 0,
            interrupt_ptr: Arc::as_ptr(&interrupt),
            imported_globals: core::ptr::null(),
            arena_base: arena.base(),
            tags_ptr: core::ptr::null(),
            mem0_inner: 0,
            gc_base: core::ptr::NonNull::dangling().as_ptr(),
            gc_len: 0,
            gc_bump: 0,
            gc_limit: 0,
            ip: space.base(),
            fp: core::ptr::null_mut(),
            csp: core::ptr::null_mut(),
            mem0: core::ptr::null_mut(),
            acc: 0,
            top: 0,
            depth: 0,
            max_stack,
            stacks,
            current: 0,
            entry_stack: 0,
            chain_bytes: 0,
            host_clauses: Vec::new(),
            suspended: None,
            suspending: None,
            across: Across::default(),
            host_cx: core::ptr::null_mut(),
            limit_hook: None,
            limit_failed: false,
            load_error: None,
            pause: PauseReason::OutOfFuel,
            awaited: Awaited::NONE,
            catches: 0,
            generation: arena.generation(),
            arena,
            space,
            interrupt,
            interrupted_by: 0,
            registry: types,
            type_defs: Vec::new(),
            funcs: Vec::new(),
            instances: Vec::new(),
            memories: Vec::new(),
            tables: Vec::new(),
            tags: Vec::new(),
            global_cells: Vec::new(),
            gc: Gc::default(),
        }
    }

    #[cfg_attr(not(threaded), expect(dead_code, reason = "there is but one"))]
    pub(crate) fn executor(&self) -> Executor {
        self.space.executor()
    }

    /// The code space it runs.
    pub fn code_space(&self) -> &Arc<CodeSpace> {
        &self.space
    }

    /// What host functions and the limit hook get as `cx`. To be set before each call into the machine.
    pub fn set_host_context(&mut self, cx: *mut ()) {
        self.host_cx = cx;
    }

    /// What [`Vm::set_host_context`] set last.
    pub fn host_context(&self) -> *mut () {
        self.host_cx
    }

    /// Asked before memories and tables grow.
    pub fn set_limit_hook(&mut self, hook: Option<LimitHook>) {
        self.limit_hook = hook;
    }

    /// Fuel left.
    pub fn fuel(&self) -> u64 {
        self.fuel
    }

    /// Sets the fuel left.
    pub fn set_fuel(&mut self, fuel: u64) {
        self.fuel = fuel;
    }

    /// The flag that asks running code to pause when it is not 0. Only code translated with interruption looks at it.
    pub fn interrupt_flag(&self) -> &Arc<AtomicU32> {
        &self.interrupt
    }

    /// The bits of the flag that stopped the machine last ([`PauseReason::Interrupted`]).
    pub fn interrupted_by(&self) -> u32 {
        self.interrupted_by
    }

    /// Bytes of the arena in use, and its budget.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Moves the whole store to another address. Nothing in it can tell.
    ///
    /// # Errors
    /// If there is no memory for a second block.
    pub fn relocate(&mut self) -> Result<(), StoreError> {
        self.arena.relocate()?;
        self.refresh();
        Ok(())
    }

    /// Makes `inst` the current instance: everything handlers read of it is taken anew.
    pub(crate) fn install(&mut self, inst: u32) {
        self.inst = inst;
        self.goes_on = Standing::new(inst, State::Suspended);
        self.stacks[self.current].standing.inst = inst;
        self.arena_base = self.arena.base();
        self.funcs_ptr = self.funcs.as_ptr();
        self.funcs_len = self.funcs.len();
        let Some(i) = self.instances.get(inst as usize) else {
            (self.mem0, self.mem0_len) = (core::ptr::NonNull::dangling().as_ptr(), 0);
            self.mem0_inner = 0;
            self.table0_len = 0;
            return;
        };
        self.cells = i.module.cells();
        self.types = i.module.type_ids();
        self.imported_globals = i.imported_globals.as_ptr();
        self.tags_ptr = i.tags.as_ptr();
        // SAFETY: I5, the offset was given by the arena; the block has provenance over all of it.
        self.globals = unsafe { self.arena_base.add(i.globals_off as usize) }.cast();
        (self.mem0, self.mem0_len) = match i.memories.first() {
            Some(m) => {
                let id = self.memories[m.0 as usize].id;
                (self.arena.memory_ptr(id), self.arena.memory_len(id))
            }
            None => (core::ptr::NonNull::dangling().as_ptr(), 0),
        };
        self.mem0_inner = self.mem0_len.saturating_sub(7);
        (self.table0, self.table0_len) = match i.tables.first() {
            Some(t) => {
                let t = &self.tables[t.0 as usize];
                // SAFETY: as for `globals`.
                (
                    unsafe { self.arena_base.add(t.off as usize) }.cast(),
                    u64::from(t.len),
                )
            }
            None => (core::ptr::null_mut(), 0),
        };
    }

    /// After anything that can move the arena, or change a memory or table: takes every cached pointer anew.
    pub(crate) fn refresh(&mut self) {
        if self.generation != self.arena.generation() {
            self.generation = self.arena.generation();
            let (fp, records) = (self.frame_at() as usize, self.records_bytes() as usize);
            self.arena_base = self.arena.base();
            self.place_heap();
            // SAFETY: I3, both were inside the chunk, which has the same length.
            unsafe {
                self.fp = self.stack_base().add(fp);
                self.csp = self.stack_end().sub(records);
            }
        }
        self.install(self.inst);
    }

    /// Where memory `mem` of the current instance lies, and its length.
    ///
    /// # Safety
    /// - `vm` is alive; the current instance has that memory (I2).
    #[inline(never)]
    pub(crate) unsafe fn memory_view(vm: *mut Vm, mem: u16) -> (*mut u8, u64) {
        // SAFETY: the caller's promise; nobody else uses the vm while a handler runs.
        let vm = unsafe { &*vm };
        let addr = vm.instances[vm.inst as usize].memories[usize::from(mem)];
        let id = vm.memories[addr.0 as usize].id;
        (vm.arena.memory_ptr(id), vm.arena.memory_len(id))
    }

    /// Where the frame at byte `frame` of the stack lies now.
    #[inline]
    pub fn frame_ptr(&self, frame: u32) -> *mut u64 {
        debug_assert!(frame <= self.stack_len(), "a frame inside the chunk");
        // SAFETY: I3, frames lie inside the chunk.
        unsafe { self.stack_base().add(frame as usize) }.cast()
    }
}

impl core::fmt::Debug for Vm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vm")
            .field("instances", &self.instances.len())
            .field("memories", &self.memories.len())
            .finish_non_exhaustive()
    }
}
