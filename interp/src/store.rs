//! What a store holds: functions, tables, memories, globals, instances, and how they are made.
#![allow(unsafe_code, reason = "reads and writes globals in the arena")]

use core::sync::atomic::AtomicU64;
use std::sync::Arc;

use sheave_arena::{ArenaError, MemoryId};

use crate::module::{CodeModule, ModuleDesc, SourceError};
use crate::vm::{HostEntry, LimitAnswer, Vm};

macro_rules! addresses {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub struct $name(pub u32);
    )* };
}

addresses! {
    /// A function of the store. Spec: syntax-funcaddr.
    FuncAddr
    /// A table of the store. Spec: syntax-tableaddr.
    TableAddr
    /// A memory of the store. Spec: syntax-memaddr.
    MemAddr
    /// A global of the store. Spec: syntax-globaladdr.
    GlobalAddr
    /// A tag of the store. Spec: syntax-tagaddr.
    TagAddr
    /// An instance of the store.
    InstAddr
}

/// Something could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The arena has no room, or its budget is used up.
    Arena(ArenaError),
    /// The embedder's limit refused.
    Limit,
    /// More entries than `u32` addresses.
    TooMany,
}

impl From<ArenaError> for StoreError {
    fn from(e: ArenaError) -> StoreError {
        StoreError::Arena(e)
    }
}

impl core::fmt::Display for StoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            StoreError::Arena(e) => e.fmt(f),
            StoreError::Limit => f.write_str("refused by the store's resource limiter"),
            StoreError::TooMany => f.write_str("too many objects in one store"),
        }
    }
}

impl core::error::Error for StoreError {}

/// A wish to grow, for the embedder to refuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitRequest {
    /// A memory, in bytes.
    Memory {
        /// Its size.
        current: u64,
        /// The size it is to have.
        desired: u64,
        /// Its type's maximum.
        maximum: Option<u64>,
    },
    /// A table, in elements.
    Table {
        /// Its size.
        current: u64,
        /// The size it is to have.
        desired: u64,
        /// Its type's maximum.
        maximum: Option<u64>,
    },
    /// No wish: a memory has not grown.
    MemoryFailed {
        /// Because of its type's maximum; else there is no room.
        at_maximum: bool,
    },
    /// No wish: a table has not grown.
    TableFailed {
        /// Because of its type's maximum; else there is no room.
        at_maximum: bool,
    },
}

/// A function: where its code is, or its host function. Authority, so kept in host memory.
#[derive(Clone)]
pub(crate) struct FuncRec {
    pub(crate) cell: *const AtomicU64,
    /// Engine-wide identity of its type.
    pub(crate) ty: u32,
    /// Its instance; `u32::MAX` for a host function.
    pub(crate) inst: u32,
    pub(crate) entry: Option<HostEntry>,
    pub(crate) data: *const (),
    /// Slots of parameters or results, whichever is more.
    pub(crate) slots: u16,
}

#[derive(Clone)]
pub(crate) struct MemRec {
    pub(crate) id: MemoryId,
    pub(crate) max_bytes: Option<u64>,
    /// The most bytes that its address type can say.
    pub(crate) limit_bytes: u64,
    pub(crate) page_size_log2: u8,
    pub(crate) memory64: bool,
    pub(crate) shared: bool,
}

#[derive(Clone)]
pub(crate) struct TableRec {
    /// Offset of the entries in the arena, `cap` of them.
    pub(crate) off: u32,
    pub(crate) len: u32,
    pub(crate) cap: u32,
    pub(crate) max: Option<u64>,
    pub(crate) table64: bool,
    /// Whether the entries are references that the collector follows.
    pub(crate) traced: bool,
}

#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) module: Arc<CodeModule>,
    /// By function index: FuncAddr + 1, or 0 if nobody asked for it yet.
    pub(crate) funcs: Vec<u32>,
    pub(crate) tables: Vec<TableAddr>,
    pub(crate) memories: Vec<MemAddr>,
    pub(crate) globals: Vec<GlobalAddr>,
    pub(crate) tags: Vec<TagAddr>,
    /// Offsets of the imported globals' cells.
    pub(crate) imported_globals: Vec<u32>,
    /// Offset of the own globals' cells.
    pub(crate) globals_off: u32,
    /// Offset and length of each element segment's references; length 0 once dropped.
    pub(crate) elems: Vec<(u32, u32)>,
    /// Which of them hold references that the collector follows.
    pub(crate) traced_elems: Vec<u32>,
    pub(crate) data_dropped: Vec<bool>,
}

/// An element segment of a new instance.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ElemSegment {
    /// Its references, as table entries.
    pub refs: Vec<u32>,
    /// Whether they are references that the collector follows.
    pub traced: bool,
}

/// What a new instance is made of; index spaces in the module's order, imports first.
#[derive(Clone, Debug)]
pub struct InstanceInit {
    /// Its code.
    pub module: Arc<CodeModule>,
    /// The imported functions.
    pub imported_funcs: Vec<FuncAddr>,
    /// All tables.
    pub tables: Vec<TableAddr>,
    /// All memories.
    pub memories: Vec<MemAddr>,
    /// The imported globals.
    pub imported_globals: Vec<GlobalAddr>,
    /// The imported tags.
    pub imported_tags: Vec<TagAddr>,
}

const HOST: u32 = u32::MAX;

pub(crate) fn next_addr(len: usize) -> Result<u32, StoreError> {
    // One less than all, as references are addresses plus one.
    u32::try_from(len)
        .ok()
        .filter(|n| *n < u32::MAX - 1)
        .ok_or(StoreError::TooMany)
}

impl Vm {
    pub(crate) fn allowed(&mut self, request: LimitRequest) -> bool {
        // SAFETY: whoever set the hook set the context that goes with it.
        let answer = self.limit_hook.map_or(LimitAnswer::Allow, |hook| unsafe {
            hook(self.host_cx, request)
        });
        self.limit_failed = answer == LimitAnswer::Fail;
        answer == LimitAnswer::Allow
    }

    /// Tells the embedder of a growth that failed, who may want the guest to end for it.
    #[cold]
    pub(crate) fn growth_failed(&mut self, what: LimitRequest) -> bool {
        self.allowed(what);
        false
    }

    // ---- globals ---------------------------------------------------------------------------------------------------

    /// A global that no instance defines.
    ///
    /// # Errors
    /// If the arena or the budget has no room.
    pub fn new_global(&mut self, bits: u64) -> Result<GlobalAddr, StoreError> {
        let addr = next_addr(self.global_cells.len())?;
        let off = self.arena.alloc(16)?.get();
        self.global_cells.push(off);
        self.refresh();
        self.global_set(GlobalAddr(addr), bits);
        Ok(GlobalAddr(addr))
    }

    fn global_ptr(&self, global: GlobalAddr) -> *mut u64 {
        // SAFETY: I5, the offset leads to a live cell.
        unsafe {
            self.arena
                .base()
                .add(self.global_cells[global.0 as usize] as usize)
                .cast()
        }
    }

    /// The bits of a global's value.
    pub fn global_get(&self, global: GlobalAddr) -> u64 {
        // SAFETY: I5, as above.
        u64::from_le(unsafe { self.global_ptr(global).read() })
    }

    /// Sets the bits of a global's value.
    pub fn global_set(&mut self, global: GlobalAddr, bits: u64) {
        // SAFETY: I5, as above.
        unsafe { self.global_ptr(global).write(bits.to_le()) }
    }

    /// The 128 bits of a global of type v128.
    pub fn global_get_v128(&self, global: GlobalAddr) -> u128 {
        // SAFETY: I5, as above; behind each cell there is room for another.
        u128::from_le_bytes(unsafe { self.global_ptr(global).cast::<[u8; 16]>().read() })
    }

    /// Sets the 128 bits of a global of type v128.
    pub fn global_set_v128(&mut self, global: GlobalAddr, bits: u128) {
        // SAFETY: I5, as above; behind each cell there is room for another.
        unsafe {
            self.global_ptr(global)
                .cast::<[u8; 16]>()
                .write(bits.to_le_bytes());
        }
    }

    // ---- functions and instances -----------------------------------------------------------------------------------

    /// Registers a host function of `params` and `results` slots whose type has the engine-wide identity `ty`.
    ///
    /// # Errors
    /// If there are too many.
    ///
    /// # Safety
    /// - `entry` may be called with the host context and `data` as long as the machine lives, from whatever thread
    ///   owns the machine.
    /// - `entry` does not unwind, and writes no more than `results` slots at its frame.
    pub unsafe fn new_host_func(
        &mut self,
        ty: u32,
        params: u16,
        results: u16,
        entry: HostEntry,
        data: *const (),
    ) -> Result<FuncAddr, StoreError> {
        let addr = next_addr(self.funcs.len())?;
        self.update_types();
        self.funcs.push(FuncRec {
            cell: core::ptr::null(),
            ty,
            inst: HOST,
            entry: Some(entry),
            data,
            slots: params.max(results),
        });
        self.refresh();
        Ok(FuncAddr(addr))
    }

    /// Room for the globals of a new instance.
    pub(crate) fn alloc_own_globals(&mut self, desc: &ModuleDesc) -> Result<u32, StoreError> {
        // One cell more than there are: see `Cell64::read_v128`.
        let cells = desc.own_global_cells().saturating_add(1);
        let bytes = cells.checked_mul(8).ok_or(StoreError::TooMany)?;
        Ok(self.arena.alloc(bytes.max(16))?.get())
    }

    /// Makes an instance: its own globals are zero, its element segments empty, nothing has run.
    ///
    /// # Errors
    /// If the arena or the budget has no room.
    pub fn new_instance(&mut self, init: InstanceInit) -> Result<InstAddr, StoreError> {
        let addr = next_addr(self.instances.len())?;
        self.update_types();
        let desc = init.module.desc();
        let globals_off = self.alloc_own_globals(desc)?;
        let mut tags = init.imported_tags.clone();
        for k in desc.imported_tags as usize..desc.tags.len() {
            let ty = desc.types.get(desc.tags[k] as usize);
            let ty = ty.ok_or(StoreError::TooMany)?.1;
            tags.push(self.new_tag(ty)?);
        }
        let mut globals = init.imported_globals.clone();
        let imported_globals = globals
            .iter()
            .map(|g| self.global_cells[g.0 as usize])
            .collect();
        let mut vectors = desc.own_vectors.iter().copied().peekable();
        let mut traced = desc.traced_globals.iter().copied().peekable();
        let mut cell = globals_off;
        for k in 0..desc.own_globals {
            globals.push(GlobalAddr(next_addr(self.global_cells.len())?));
            self.global_cells.push(cell);
            if traced.next_if_eq(&k).is_some() {
                self.gc.traced_globals.push(cell);
            }
            cell += if vectors.next_if_eq(&k).is_some() {
                16
            } else {
                8
            };
        }
        let mut funcs = vec![0; desc.funcs.len()];
        for (slot, f) in funcs.iter_mut().zip(&init.imported_funcs) {
            *slot = f.0 + 1;
        }
        self.instances.push(Instance {
            funcs,
            tables: init.tables,
            memories: init.memories,
            globals,
            tags,
            imported_globals,
            globals_off,
            elems: vec![(0, 0); desc.elems as usize],
            traced_elems: Vec::new(),
            data_dropped: vec![false; desc.data as usize],
            module: init.module,
        });
        self.refresh();
        Ok(InstAddr(addr))
    }

    /// Gives an instance the references of one of its element segments.
    ///
    /// # Errors
    /// If the arena or the budget has no room.
    pub fn set_elem(
        &mut self,
        inst: InstAddr,
        elem: u32,
        segment: &ElemSegment,
    ) -> Result<(), StoreError> {
        let n = u32::try_from(segment.refs.len()).map_err(|_| StoreError::TooMany)?;
        if n > 0 {
            let off = self.alloc_u32s(n)?;
            for (to, from) in self.entries_mut(off, n).iter_mut().zip(&segment.refs) {
                *to = from.to_le();
            }
            let i = &mut self.instances[inst.0 as usize];
            i.elems[elem as usize] = (off, n);
            if segment.traced {
                i.traced_elems.push(elem);
            }
            self.refresh();
        }
        Ok(())
    }

    /// The address of a function of an instance by its index (imports first).
    ///
    /// # Errors
    /// If there are too many.
    pub fn func_addr(&mut self, inst: InstAddr, func: u32) -> Result<FuncAddr, StoreError> {
        let i = &self.instances[inst.0 as usize];
        let known = i.funcs[func as usize];
        if known != 0 {
            return Ok(FuncAddr(known - 1));
        }
        let addr = next_addr(self.funcs.len())?;
        let (shape, ty) = i.module.shape(func).ok_or(StoreError::TooMany)?;
        let defined = func - i.module.desc().imported_funcs;
        // SAFETY: I5, a defined function has a cell.
        let cell = unsafe { i.module.cells().add(defined as usize) };
        let slots = u16::try_from(shape.params.max(shape.results)).unwrap_or(u16::MAX);
        self.funcs.push(FuncRec {
            cell,
            ty,
            inst: inst.0,
            entry: None,
            data: core::ptr::null(),
            slots,
        });
        self.instances[inst.0 as usize].funcs[func as usize] = addr + 1;
        (self.funcs_ptr, self.funcs_len) = (self.funcs.as_ptr(), self.funcs.len());
        Ok(FuncAddr(addr))
    }

    /// Takes over the types that the engine has got since: before anything of them can appear in this store.
    pub(crate) fn update_types(&mut self) {
        self.registry.update(&mut self.type_defs);
        self.gc.types.update(&self.type_defs);
    }

    /// Whether type `a` is `b` or a subtype of it, by identity.
    pub(crate) fn is_subtype(&self, a: u32, b: u32) -> bool {
        let def = |x: u32| self.type_defs.get(x as usize);
        matches!((def(a), def(b)), (Some(a), Some(b)) if a.is_subtype_of(b))
    }

    /// Whether a function has parameters that the collector follows.
    pub(crate) fn takes_traced(&self, func: FuncAddr) -> bool {
        let ty = self.funcs.get(func.0 as usize).map(|rec| rec.ty);
        let ty = ty.and_then(|id| self.registry.get(id));
        let params = ty.as_ref().and_then(|def| def.ty.as_func());
        params.is_none_or(|ty| ty.params().iter().any(|p| self.registry.is_traced(*p)))
    }

    /// The engine-wide identity of a function's type, or `None` if there is no such function.
    pub fn func_type(&self, func: FuncAddr) -> Option<u32> {
        Some(self.funcs.get(func.0 as usize)?.ty)
    }

    /// The instance and index of a wasm function (imports first); `None` for a host function.
    pub fn func_origin(&self, func: FuncAddr) -> Option<(InstAddr, u32)> {
        let rec = self
            .funcs
            .get(func.0 as usize)
            .filter(|r| r.entry.is_none())?;
        let i = self.instances.get(rec.inst as usize)?;
        let defined = (rec.cell.addr() - i.module.cells().addr()) / size_of::<AtomicU64>();
        Some((
            InstAddr(rec.inst),
            defined as u32 + i.module.desc().imported_funcs,
        ))
    }

    /// The `k`-th imported function of an instance.
    pub fn imported_func(&self, inst: InstAddr, k: u32) -> Option<FuncAddr> {
        let i = self.instances.get(inst.0 as usize)?;
        let imported = &i.funcs[..i.module.desc().imported_funcs as usize];
        imported.get(k as usize).map(|f| FuncAddr(f - 1))
    }

    /// A table of an instance by its index.
    pub fn instance_table(&self, inst: InstAddr, i: u32) -> Option<TableAddr> {
        self.instances
            .get(inst.0 as usize)?
            .tables
            .get(i as usize)
            .copied()
    }

    /// A memory of an instance by its index.
    pub fn instance_memory(&self, inst: InstAddr, i: u32) -> Option<MemAddr> {
        self.instances
            .get(inst.0 as usize)?
            .memories
            .get(i as usize)
            .copied()
    }

    /// A global of an instance by its index.
    pub fn instance_global(&self, inst: InstAddr, i: u32) -> Option<GlobalAddr> {
        self.instances
            .get(inst.0 as usize)?
            .globals
            .get(i as usize)
            .copied()
    }

    /// The code of an instance.
    pub fn instance_module(&self, inst: InstAddr) -> Option<&Arc<CodeModule>> {
        Some(&self.instances.get(inst.0 as usize)?.module)
    }

    /// The instance whose code is running, or ran when a host function was called.
    pub fn current_instance(&self) -> Option<InstAddr> {
        (self.inst < self.instances.len() as u32).then_some(InstAddr(self.inst))
    }

    /// Links the function of a cell of the current instance's module.
    pub(crate) fn link_cell(&mut self, cell: *const AtomicU64) -> Result<u64, SourceError> {
        let module = &self.instances[self.inst as usize].module;
        let func = (cell.addr() - module.cells().addr()) / size_of::<AtomicU64>();
        module.link(func as u32)
    }
}
