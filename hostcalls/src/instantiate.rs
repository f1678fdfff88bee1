//! Making an instance, step by step as the specification has it. Spec: exec-instantiation.

use core::marker::PhantomData;

use anyhow::{anyhow, bail};
use sheave_interp::{
    ElemSegment, FuncAddr, InstAddr, InstanceInit, LimitAnswer, LimitRequest, Trap,
};
use sheave_loader::{ConstExpr, ConstOp, DataMode, ElementItems, ElementMode};
use sheave_types::ValType;

use crate::Result;
use crate::engine::Engine;
use crate::externs::Extern;
use crate::host::{self, limit_hook};
use crate::instance::Instance;
use crate::linker::Definition;
use crate::matching;
use crate::module::Module;
use crate::store::{AsContextMut, StoreInner, StoreOpaque};
use crate::types::{ExternType, GlobalType, MemoryType, TableType};
use crate::vector::V128;

/// A module whose imports were found and checked once, to be instantiated often.
pub struct InstancePre<T: 'static> {
    pub(crate) module: Module,
    pub(crate) imports: Vec<Definition>,
    pub(crate) data: PhantomData<fn(T)>,
}

impl<T: 'static> InstancePre<T> {
    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Makes an instance.
    ///
    /// # Errors
    /// If a limit refuses, or the start function or a segment traps.
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>) -> Result<Instance> {
        let store = store.as_context_mut().0;
        let imports = self
            .imports
            .iter()
            .map(|d| d.resolve(&mut store.opaque))
            .collect::<Result<Vec<_>>>()?;
        instantiate(store, &self.module, &imports)
    }
}

impl<T: 'static> Clone for InstancePre<T> {
    fn clone(&self) -> Self {
        InstancePre {
            module: self.module.clone(),
            imports: self.imports.clone(),
            data: PhantomData,
        }
    }
}

impl<T: 'static> core::fmt::Debug for InstancePre<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("InstancePre")
            .field("module", &self.module)
            .finish_non_exhaustive()
    }
}

impl<T: 'static> StoreInner<T> {
    fn limit_count(
        &mut self,
        have: usize,
        what: &str,
        limit: impl Fn(&dyn crate::ResourceLimiter) -> usize,
    ) -> Result<()> {
        if let Some(limiter) = &self.limiter {
            let most = limit(limiter(&mut self.data));
            if have >= most {
                bail!(
                    "resource limit exceeded: {what} count too high at {}",
                    have + 1
                );
            }
        }
        Ok(())
    }

    fn limit_growth(&mut self, request: LimitRequest, what: &str) -> Result<()> {
        let this: *mut StoreInner<T> = self;
        #[expect(unsafe_code, reason = "the hook takes the store as a pointer")]
        // SAFETY: H1: the hook uses the limiter and the data only, and the borrow is ours.
        let answer = unsafe { limit_hook::<T>(this.cast(), request) };
        match self.opaque.take_failure() {
            Some(failure) => Err(failure.raise()),
            None if answer == LimitAnswer::Allow => Ok(()),
            None => bail!("{what} minimum size exceeds the store's limits"),
        }
    }

    pub(crate) fn limit_new_memory(&mut self, ty: &MemoryType) -> Result<()> {
        self.limit_count(self.opaque.memory_types.len(), "memory", |l| l.memories())?;
        self.limit_growth(
            LimitRequest::Memory {
                current: 0,
                desired: ty.bytes(ty.minimum()),
                maximum: ty.maximum().map(|pages| ty.bytes(pages)),
            },
            "memory",
        )
    }

    pub(crate) fn limit_new_table(&mut self, ty: &TableType) -> Result<()> {
        self.limit_count(self.opaque.table_types.len(), "table", |l| l.tables())?;
        self.limit_growth(
            LimitRequest::Table {
                current: 0,
                desired: ty.minimum(),
                maximum: ty.maximum(),
            },
            "table",
        )
    }
}

/// Makes an instance of `module` whose imports are `imports`, in order.
pub(crate) fn instantiate<T: 'static>(
    store: &mut StoreInner<T>,
    module: &Module,
    imports: &[Extern],
) -> Result<Instance> {
    if !Engine::same(module.engine(), &store.opaque.engine) {
        bail!("the module and the store are of different engines");
    }
    let wanted = module.imports();
    if wanted.len() != imports.len() {
        bail!("expected {} imports, found {}", wanted.len(), imports.len());
    }
    for (want, have) in wanted.zip(imports) {
        have.check(&store.opaque)?;
        let have = have.ty_in(&store.opaque);
        matching::check(
            module.engine().types(),
            want.module,
            want.name,
            &want.ty,
            &have,
        )?;
    }
    store.limit_count(store.opaque.instances.len(), "instance", |l| l.instances())?;

    let info = module.loaded().info();
    let mut init = InstanceInit {
        module: module.code().clone(),
        imported_funcs: vec![],
        tables: vec![],
        memories: vec![],
        imported_globals: vec![],
    };
    for import in imports {
        match import {
            Extern::Func(f) => init.imported_funcs.push(f.addr),
            Extern::Table(t) => init.tables.push(t.addr),
            Extern::Memory(m) => init.memories.push(m.addr),
            Extern::Global(g) => init.imported_globals.push(g.addr),
        }
    }
    for def in &info.table_defs {
        let ty = TableType::from_loader(module.engine(), &def.ty, module.types());
        store.limit_new_table(&ty)?;
        init.tables.push(store.opaque.new_table(ty, 0)?);
    }
    for ty in &info.memories[info.n_imported_memories as usize..] {
        let ty = MemoryType(*ty);
        store.limit_new_memory(&ty)?;
        init.memories.push(store.opaque.new_memory(ty)?);
    }
    let inst = store.opaque.vm.new_instance(init)?;
    store.opaque.instances.push(module.clone());
    initialize(&mut store.opaque, inst, module)?;
    let instance = Instance {
        store: store.opaque.id,
        addr: inst,
    };
    if let Some(start) = info.start {
        let addr = store.opaque.vm.func_addr(inst, start)?;
        host::call(store, addr, 0, |_, _| Ok(()), |_, _| ())?;
    }
    Ok(instance)
}

/// Globals, then tables' initial values, then segments in order; each as a constant expression says.
fn initialize(opaque: &mut StoreOpaque, inst: InstAddr, module: &Module) -> Result<()> {
    let info = module.loaded().info();
    for def in &info.global_defs {
        let ty = GlobalType::from_loader(module.engine(), &def.ty, module.types());
        opaque.global_types.push(ty);
    }
    for (i, def) in info.global_defs.iter().enumerate() {
        let bits = match def.init[..] {
            [ConstOp::V128Const(bytes)] => V128::from(u128::from_le_bytes(bytes)).to_slots(),
            [ConstOp::GlobalGet(g)] if def.ty.content == ValType::V128 => opaque
                .vm
                .instance_global(inst, g)
                .map_or([0; 2], |g| opaque.global_get(g, ValType::V128)),
            _ => [opaque.evaluate(inst, &def.init)?, 0],
        };
        let global = opaque
            .vm
            .instance_global(inst, info.n_imported_globals + i as u32)
            .ok_or_else(|| anyhow!("no such global"))?;
        opaque.global_set(global, def.ty.content, bits);
    }
    for (i, def) in info.table_defs.iter().enumerate() {
        if let Some(expr) = &def.init {
            let entry = opaque.evaluate(inst, expr)? as u32;
            let table = opaque
                .vm
                .instance_table(inst, info.n_imported_tables + i as u32)
                .ok_or_else(|| anyhow!("no such table"))?;
            let len = opaque.vm.table_len(table);
            opaque.vm.table_fill(table, 0, entry, len.into());
        }
    }
    for (i, segment) in info.elements.iter().enumerate() {
        let elem = i as u32;
        if segment.mode == ElementMode::Declared {
            continue;
        }
        let refs = match &segment.items {
            ElementItems::Funcs(funcs) => funcs
                .iter()
                .map(|f| Ok(opaque.vm.func_addr(inst, *f)?.0 + 1))
                .collect::<Result<Vec<u32>>>()?,
            ElementItems::Exprs(exprs) => exprs
                .iter()
                .map(|e| Ok(opaque.evaluate(inst, e)? as u32))
                .collect::<Result<Vec<u32>>>()?,
        };
        if let ElementMode::Active { table, offset } = &segment.mode {
            let at = opaque.evaluate(inst, offset)?;
            let table = opaque
                .vm
                .instance_table(inst, *table)
                .ok_or_else(|| anyhow!("no such table"))?;
            let len = u64::from(opaque.vm.table_len(table));
            if at
                .checked_add(refs.len() as u64)
                .is_none_or(|end| end > len)
            {
                return Err(Trap::TableOutOfBounds.into());
            }
            for (k, entry) in refs.into_iter().enumerate() {
                opaque.vm.table_set(table, at + k as u64, entry);
            }
        } else {
            opaque.vm.set_elem(
                inst,
                elem,
                &ElemSegment {
                    refs,
                    traced: false,
                },
            )?;
        }
    }
    let prepared = prepared_memories(opaque, inst, module)?;
    for (i, segment) in info.data.iter().enumerate() {
        // Also of those that `memory.init` will want: an image is checked here.
        let bytes = module.loaded().data(i as u32)?.len() as u64;
        if let DataMode::Active { memory, offset } = &segment.mode {
            if prepared {
                opaque.vm.data_drop(inst, i as u32);
                continue;
            }
            let at = opaque.evaluate(inst, offset)?;
            let memory = opaque
                .vm
                .instance_memory(inst, *memory)
                .ok_or_else(|| anyhow!("no such memory"))?;
            opaque
                .vm
                .memory_init(inst, i as u32, memory, at, 0, bytes)?;
            opaque.vm.data_drop(inst, i as u32);
        }
    }
    Ok(())
}

/// Gives the memories what an image has ready for them; false if it has nothing.
fn prepared_memories(opaque: &mut StoreOpaque, inst: InstAddr, module: &Module) -> Result<bool> {
    let all = module.loaded().initial_memory()?;
    for initial in &all {
        let memory = opaque
            .vm
            .instance_memory(inst, initial.memory)
            .ok_or_else(|| anyhow!("no such memory"))?;
        let (at, bytes) = (initial.at, initial.bytes);
        #[cfg(unix)]
        if let Some((file, offset)) = initial.file {
            let place = sheave_interp::FilePlace {
                descriptor: std::os::fd::AsRawFd::as_raw_fd(file),
                offset,
            };
            #[expect(unsafe_code, reason = "nobody may change the file")]
            // SAFETY: L1: the bytes are those of the file there, and stay.
            unsafe { opaque.vm.memory_map(memory, at, bytes, place) }?;
            continue;
        }
        opaque.vm.memory_write(memory, at, bytes)?;
    }
    Ok(!all.is_empty())
}

impl StoreOpaque {
    /// The slot's bits of a constant expression; of an i32 zero-extended, as in a slot. Spec: valid-constant.
    fn evaluate(&mut self, inst: InstAddr, expr: &ConstExpr) -> Result<u64> {
        // Nearly all are one constant, and a module can have many thousands of them.
        if let [ConstOp::I32Const(v)] = expr[..] {
            return Ok(u64::from(v as u32));
        }
        let mut stack: Vec<u64> = Vec::with_capacity(2);
        for op in expr {
            let mut binary = |f: fn(u64, u64) -> u64| {
                let (b, a) = (stack.pop().unwrap_or(0), stack.pop().unwrap_or(0));
                f(a, b)
            };
            let v = match *op {
                ConstOp::I32Const(v) => u64::from(v as u32),
                ConstOp::I64Const(v) => v as u64,
                ConstOp::F32Const(bits) => bits.into(),
                ConstOp::F64Const(bits) => bits,
                // Only globals can be vectors, and there is nothing to calculate.
                ConstOp::V128Const(bytes) => u128::from_le_bytes(bytes) as u64,
                ConstOp::RefNull(_) => 0,
                ConstOp::RefFunc(f) => {
                    let FuncAddr(a) = self.vm.func_addr(inst, f)?;
                    u64::from(a) + 1
                }
                ConstOp::GlobalGet(g) => self
                    .vm
                    .instance_global(inst, g)
                    .map_or(0, |g| self.vm.global_get(g)),
                ConstOp::I32Add => binary(|a, b| u64::from((a as u32).wrapping_add(b as u32))),
                ConstOp::I32Sub => binary(|a, b| u64::from((a as u32).wrapping_sub(b as u32))),
                ConstOp::I32Mul => binary(|a, b| u64::from((a as u32).wrapping_mul(b as u32))),
                ConstOp::I64Add => binary(u64::wrapping_add),
                ConstOp::I64Sub => binary(u64::wrapping_sub),
                ConstOp::I64Mul => binary(u64::wrapping_mul),
            };
            stack.push(v);
        }
        stack
            .pop()
            .ok_or_else(|| anyhow!("an empty constant expression"))
    }
}

/// The default value for an unknown import of that type, where one can be made up.
pub(crate) fn default_extern<T: 'static>(
    store: &mut StoreInner<T>,
    ty: &ExternType,
) -> Result<Extern> {
    use crate::{Global, Memory, Ref, StoreContextMut, Table, Val};
    let context = StoreContextMut(store);
    Ok(match ty {
        ExternType::Global(g) => {
            let v = Val::default_for_ty(g.content())
                .ok_or_else(|| anyhow!("no default value of type {}", g.content()))?;
            Global::new(context, g.clone(), v)?.into()
        }
        ExternType::Table(t) => {
            Table::new(context, t.clone(), Ref::null(t.element().heap_type()))?.into()
        }
        ExternType::Memory(m) => Memory::new(context, m.clone())?.into(),
        ExternType::Func(_) => bail!("functions are defined by the linker"),
    })
}
