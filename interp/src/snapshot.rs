//! What a machine holds, as plain data, and a machine made anew from it.
//!
//! Nothing of the old machine's layout is taken over: tables, globals and stack get fresh places in the new arena, and
//! what is said of them is checked. So whatever the data says, the new store can only fool itself: memory bounds, code,
//! host functions and types come from where they always come from.
//!
//! Addresses (of functions, tables, …) stay, as the guest's references are made of them. A return record is named by
//! the call that left it; where that call's function lies in the code space, and how far its frame moves, is found anew.
#![allow(
    unsafe_code,
    reason = "writes frames and records of a paused activation"
)]

use core::fmt;
use std::sync::Arc;

use sheave_isa::{FuncShape, Instr, Instrs, Op};

use crate::code_space::{CROSS_AT, EXIT_AT};
use crate::memories::MemorySpec;
use crate::module::{CodeModule, FrameInfo, SourceError};
use crate::pause::Paused;
use crate::store::{ElemSegment, FuncAddr, GlobalAddr, InstAddr, MemAddr, StoreError, TableAddr};
use crate::trap::Trap;
use crate::vm::{HostEntry, Vm};

/// What a machine holds, but for the bytes of its memories.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct VmState {
    /// Fuel left.
    pub fuel: u64,
    /// By MemAddr; `bytes` is the present length.
    pub memories: Vec<MemorySpec>,
    /// By TableAddr.
    pub tables: Vec<TableState>,
    /// By GlobalAddr: the bits of its value.
    pub globals: Vec<u128>,
    /// By FuncAddr.
    pub funcs: Vec<FuncState>,
    /// By InstAddr.
    pub instances: Vec<InstanceState>,
    /// The activation that waits.
    pub paused: Option<PausedState>,
}

/// A table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TableState {
    /// Its entries.
    pub entries: Vec<u32>,
    /// The most entries it may grow to.
    pub max: Option<u64>,
    /// Whether its indices have 64 bits.
    pub table64: bool,
}

/// A function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FuncState {
    /// A host function; which one, the host knows.
    Host {
        /// Engine-wide identity of its type.
        ty: u32,
        /// Slots of its parameters or results, whichever is more.
        slots: u16,
    },
    /// A function that an instance defines.
    Wasm {
        /// The instance.
        inst: InstAddr,
        /// Its index, imports included.
        func: u32,
    },
}

/// An instance.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct InstanceState {
    /// Its imported functions.
    pub imported_funcs: Vec<FuncAddr>,
    /// All its tables.
    pub tables: Vec<TableAddr>,
    /// All its memories.
    pub memories: Vec<MemAddr>,
    /// All its globals.
    pub globals: Vec<GlobalAddr>,
    /// The references of its element segments; nothing of those that were dropped.
    pub elems: Vec<Vec<u32>>,
    /// Which of its data segments were dropped.
    pub data_dropped: Vec<bool>,
}

/// An activation that waits.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PausedState {
    /// Its frames, from the innermost outward: where each is in its code.
    pub frames: Vec<FrameInfo>,
    /// The bytes of the frames, from the outermost up.
    pub bytes: Vec<u8>,
    /// Slots of the results that it is to give.
    pub results: u32,
}

/// Why no machine can be made from a state.
#[derive(Debug)]
#[non_exhaustive]
pub enum RestoreError {
    /// It contradicts itself or its modules; with what does.
    Inconsistent(&'static str),
    /// There is no room for it.
    Store(StoreError),
    /// The frames do not fit in the stack limit.
    StackOverflow,
    /// A function that the paused call is in cannot be loaded.
    Load(SourceError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inconsistent(what) => write!(f, "inconsistent snapshot: {what}"),
            Self::Store(error) => error.fmt(f),
            Self::StackOverflow => f.write_str("the paused call does not fit in the stack limit"),
            Self::Load(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RestoreError {}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Trap> for RestoreError {
    fn from(_: Trap) -> Self {
        Self::StackOverflow
    }
}

const fn inconsistent<T>(what: &'static str) -> Result<T, RestoreError> {
    Err(RestoreError::Inconsistent(what))
}

/// A host function as it is registered: see [`Vm::new_host_func`].
pub type HostFunc = (HostEntry, *const ());

/// Which instance defines each global, as its how-manieth, by GlobalAddr; none does if the host made it.
type Owners = Vec<Option<(usize, u32)>>;

impl Vm {
    /// What it holds. `paused` is the activation that waits, if there is one; no other may be under way.
    pub fn state(&mut self, paused: Option<&Paused>) -> VmState {
        let memories = self.memories.iter().map(|m| MemorySpec {
            bytes: self.arena.memory_len(m.id),
            max_bytes: m.max_bytes,
            limit_bytes: m.limit_bytes,
            page_size_log2: m.page_size_log2,
            memory64: m.memory64,
            shared: m.shared,
        });
        let memories = memories.collect();
        let tables = (0..self.tables.len()).map(|i| {
            let (off, len) = (self.tables[i].off, self.tables[i].len);
            TableState {
                entries: self.entries(off, len),
                max: self.tables[i].max,
                table64: self.tables[i].table64,
            }
        });
        let tables = tables.collect();
        let instances = (0..self.instances.len()).map(|i| self.instance_state(i));
        let instances: Vec<InstanceState> = instances.collect();
        let funcs = (0..self.funcs.len() as u32).map(|addr| self.func_state(FuncAddr(addr)));
        VmState {
            fuel: self.fuel,
            memories,
            tables,
            globals: self.global_values(&instances),
            funcs: funcs.collect(),
            instances,
            paused: paused.map(|p| self.paused_state(p)),
        }
    }

    fn entries(&mut self, off: u32, len: u32) -> Vec<u32> {
        let entries = self.entries_mut(off, len).iter();
        entries.map(|e| u32::from_le(*e)).collect()
    }

    fn func_state(&self, addr: FuncAddr) -> FuncState {
        if let Some((inst, func)) = self.func_origin(addr) {
            return FuncState::Wasm { inst, func };
        }
        let rec = &self.funcs[addr.0 as usize];
        FuncState::Host {
            ty: rec.ty,
            slots: rec.slots,
        }
    }

    fn instance_state(&mut self, inst: usize) -> InstanceState {
        let elems = self.instances[inst].elems.clone();
        let elems = elems.into_iter().map(|(off, len)| self.entries(off, len));
        let elems = elems.collect();
        let i = &self.instances[inst];
        let imported = &i.funcs[..i.module.desc().imported_funcs as usize];
        InstanceState {
            imported_funcs: imported.iter().map(|f| FuncAddr(f - 1)).collect(),
            tables: i.tables.clone(),
            memories: i.memories.clone(),
            globals: i.globals.clone(),
            elems,
            data_dropped: i.data_dropped.clone(),
        }
    }

    fn global_values(&self, instances: &[InstanceState]) -> Vec<u128> {
        let modules: Vec<_> = self.instances.iter().map(|i| &*i.module).collect();
        let owners = owners(self.global_cells.len(), instances, &modules).unwrap_or_default();
        let values = (0..).map(GlobalAddr).zip(&owners);
        let value = |(global, owner): (GlobalAddr, &Option<(usize, u32)>)| {
            if has_two_cells(*owner, &modules) {
                self.global_get_v128(global)
            } else {
                self.global_get(global).into()
            }
        };
        values.map(value).collect()
    }

    fn paused_state(&self, paused: &Paused) -> PausedState {
        let bytes = (paused.frame()..self.top).map(|at| {
            // SAFETY: I3, `put_aside` set `top` to the end of the innermost frame.
            unsafe { self.stack_base.add(at as usize).read() }
        });
        let frames = self.paused_backtrace(paused, usize::MAX);
        let outermost = frames.last().and_then(|f| {
            let module = &self.instances.get(f.inst.0 as usize)?.module;
            module.defined_shape(f.func)
        });
        PausedState {
            bytes: bytes.collect(),
            results: outermost.map_or(0, |(shape, _)| shape.results),
            frames,
        }
    }

    /// Fills a new machine with what another held. `modules` are those of the instances; `host` gives host functions by
    /// address. Memories have their lengths; their bytes are zero.
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
            let off = self.tables[addr.0 as usize].off;
            for (to, from) in self.entries_mut(off, len).iter_mut().zip(&table.entries) {
                *to = from.to_le();
            }
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
        self.refresh();
        match &state.paused {
            Some(paused) => self.restore_paused(paused).map(Some),
            None => Ok(None),
        }
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
            && fits(instance.elems.len(), desc.elems)
            && fits(instance.data_dropped.len(), desc.data)
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
            );
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
            imported_globals: Vec::new(),
            globals_off: 0,
            elems: vec![(0, 0); desc.elems as usize],
            traced_elems: Vec::new(),
            data_dropped: instance.data_dropped.clone(),
            module: Arc::clone(module),
        });
        for (elem, refs) in (0..).zip(&instance.elems) {
            let segment = ElemSegment {
                refs: refs.clone(),
                traced: false,
            };
            self.set_elem(inst, elem, &segment)?;
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
        for inst in 0..self.instances.len() {
            self.instances[inst].globals_off = self.alloc_own_globals(descs[inst].desc())?;
        }
        for (owner, bits) in owners.iter().zip(&state.globals) {
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
            if has_two_cells(*owner, &descs) {
                self.global_set_v128(global, *bits);
            } else {
                self.global_set(global, *bits as u64);
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

    fn restore_paused(&mut self, paused: &PausedState) -> Result<Paused, RestoreError> {
        let [innermost, outer @ ..] = &paused.frames[..] else {
            return inconsistent("a paused call without frames");
        };
        let outermost = paused.frames.last().unwrap_or(innermost);
        let mut callee = self.restored_frame(outermost)?;
        let shape = callee.shape;
        if shape.results != paused.results {
            return inconsistent("the paused call gives other results");
        }
        let activation = self.begin(shape.params.max(shape.results))?;
        let mut fp = activation.frame();
        self.reserve_stack(fp, callee.bytes.into())?;
        // SAFETY: I3, room for records was made with that of the frame.
        unsafe { self.push_record(EXIT_AT, 0) };
        for (caller, frame) in outer.iter().zip(&paused.frames).rev() {
            let caller_code = callee;
            callee = self.restored_frame(frame)?;
            let Some(call) = caller_code.call(caller.pos) else {
                return inconsistent("a frame waits where no call is");
            };
            if call.results != callee.shape.results {
                return inconsistent("a call waits for other results");
            }
            let delta = u32::from(call.base) * 8;
            self.reserve_stack(fp + delta, callee.bytes.into())?;
            fp += delta;
            // SAFETY: I3, as above.
            unsafe {
                self.push_record(caller_code.start + call.next, delta);
                if frame.inst != caller.inst {
                    self.push_record(caller.inst.0, 0);
                    self.push_record(CROSS_AT, 0);
                }
            }
        }
        let Some(ip) = callee.pause(innermost.pos) else {
            return inconsistent("a call waits where it cannot pause");
        };
        let end = fp + callee.bytes;
        if paused.bytes.len() != (end - activation.frame()) as usize {
            return inconsistent("length of the frames");
        }
        // SAFETY: I3, room was made up to the end of the innermost frame.
        unsafe {
            let to = self.stack_base.add(activation.frame() as usize);
            to.copy_from_nonoverlapping(paused.bytes.as_ptr(), paused.bytes.len());
            self.fp = self.stack_base.add(fp as usize);
        }
        self.install(innermost.inst.0);
        let at = callee.start + ip;
        Ok(self.paused_at(activation, at, end))
    }

    /// The code of a frame's function, linked.
    fn restored_frame(&self, frame: &FrameInfo) -> Result<FrameCode, RestoreError> {
        let module = self.instances.get(frame.inst.0 as usize).map(|i| &i.module);
        let Some((module, (shape, _))) =
            module.and_then(|m| Some((m, m.defined_shape(frame.func)?)))
        else {
            return inconsistent("a frame of no function");
        };
        let cell = module.link(frame.func).map_err(RestoreError::Load)?;
        let source = module
            .source()
            .code(frame.func)
            .map_err(RestoreError::Load)?;
        Ok(FrameCode {
            module: Arc::clone(module),
            code: source.code.into_owned(),
            shape,
            start: cell as u32,
            bytes: (cell >> 32) as u32,
        })
    }
}

/// The code of a frame that is made anew.
struct FrameCode {
    module: Arc<CodeModule>,
    code: Vec<u16>,
    shape: FuncShape,
    /// Where its linked form lies in the code space.
    start: u32,
    /// Bytes of the frame.
    bytes: u32,
}

/// A call that a frame waits for.
struct WaitingCall {
    base: u16,
    /// Slots of its results.
    results: u32,
    /// Where the frame goes on, in bytes of the linked form.
    next: u32,
}

impl FrameCode {
    /// The op at `pos` and the one before it.
    fn at(&self, pos: u32) -> Option<(Instr<'_>, Option<Instr<'_>>)> {
        let mut before = None;
        for instr in Instrs::new(&self.code) {
            let instr = instr.ok()?;
            if instr.pos >= pos {
                return (instr.pos == pos).then_some((instr, before));
            }
            before = Some(instr);
        }
        None
    }

    /// The call at `pos`.
    fn call(&self, pos: u32) -> Option<WaitingCall> {
        let (instr, _) = self.at(pos)?;
        let index = |name| instr.get(name).map(|x| x as u32);
        let (shape, _) = match instr.op {
            Op::Call => self.module.defined_shape(index("func")?)?,
            Op::CallImport => self.module.shape(index("import")?)?,
            Op::CallIndirect | Op::CallRef => {
                *self.module.desc().types.get(index("ty")? as usize)?
            }
            _ => return None,
        };
        Some(WaitingCall {
            base: instr.get("base")? as u16,
            results: shape.results,
            next: self.linked(pos + instr.units.len() as u32),
        })
    }

    /// Where a pause at `pos` goes on, in bytes of the linked form.
    fn pause(&self, pos: u32) -> Option<u32> {
        let (instr, before) = self.at(pos)?;
        let behind_check = before.is_some_and(|before| before.op == Op::Check);
        (behind_check || matches!(instr.op, Op::Fuel | Op::Check)).then(|| self.linked(pos))
    }

    fn linked(&self, pos: u32) -> u32 {
        self.module.linked_position(&self.code, pos)
    }
}

/// Which instance defines each global; none if two do.
fn owners(n: usize, instances: &[InstanceState], modules: &[&CodeModule]) -> Option<Owners> {
    let mut owners: Owners = vec![None; n];
    for (inst, (instance, module)) in instances.iter().zip(modules).enumerate() {
        let own = instance
            .globals
            .get(module.desc().imported_globals as usize..)?;
        for (k, global) in (0..).zip(own) {
            let before = owners.get_mut(global.0 as usize)?.replace((inst, k));
            if before.is_some() {
                return None;
            }
        }
    }
    Some(owners)
}

/// Whether a global may be a vector: an instance's own that is, or one that the host made.
fn has_two_cells(owner: Option<(usize, u32)>, modules: &[&CodeModule]) -> bool {
    owner.is_none_or(|(inst, k)| modules[inst].desc().own_vectors.binary_search(&k).is_ok())
}
