//! Making an instance, step by step as the specification has it. Spec: exec-instantiation.

use core::marker::PhantomData;

use anyhow::{anyhow, bail};
use sheave_interp::{
    ElemSegment, FuncAddr, InstAddr, InstanceInit, LimitAnswer, LimitRequest, Trap,
};
use sheave_loader::{DataMode, ElementItems, ElementMode, ElementSegment};
use sheave_types::ValType;

use crate::Result;
use crate::engine::Engine;
use crate::externs::Extern;
use crate::host::{self, limit_hook};
use crate::instance::Instance;
use crate::linker::Definition;
use crate::matching;
use crate::module::{Module, is_traced};
use crate::store::{AsContextMut, StoreInner, StoreOpaque};
use crate::store_ref::StoreRef;
use crate::types::{ExternType, GlobalType, MemoryType, TableType};

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
        let mut store = store.as_context_mut().0;
        let imports = self.resolve(store.reborrow())?;
        instantiate(store, &self.module, &imports)
    }

    /// The imports in a store.
    pub(crate) fn resolve(&self, mut store: StoreRef<'_, T>) -> Result<Vec<Extern>> {
        let imports = self.imports.iter();
        imports.map(|d| d.resolve(&mut store.opaque)).collect()
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
    mut store: StoreRef<'_, T>,
    module: &Module,
    imports: &[Extern],
) -> Result<Instance> {
    let (instance, start) = prepare(store.reborrow(), module, imports)?;
    if let Some(start) = start {
        host::call(store, start, 0, |_, _| Ok(()), |_, _| ())?;
    }
    Ok(instance)
}

/// As [`instantiate`], up to the start function, which is given.
pub(crate) fn prepare<T: 'static>(
    mut store: StoreRef<'_, T>,
    module: &Module,
    imports: &[Extern],
) -> Result<(Instance, Option<FuncAddr>)> {
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
    let instances = store.opaque.instances.len();
    store.limit_count(instances, "instance", |l| l.instances())?;

    let info = module.loaded().info();
    let mut init = InstanceInit {
        module: module.code().clone(),
        imported_funcs: vec![],
        tables: vec![],
        memories: vec![],
        imported_globals: vec![],
        imported_tags: vec![],
    };
    for import in imports {
        match import {
            Extern::Func(f) => init.imported_funcs.push(f.addr),
            Extern::Table(t) => init.tables.push(t.addr),
            Extern::Memory(m) => init.memories.push(m.addr),
            Extern::Global(g) => init.imported_globals.push(g.addr),
            Extern::Tag(t) => init.imported_tags.push(t.addr),
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
    initialize_within_limits(store.reborrow(), inst, module)?;
    let instance = Instance {
        store: store.opaque.id,
        addr: inst,
    };
    let start = info.start.map(|f| store.opaque.vm.func_addr(inst, f));
    Ok((instance, start.transpose()?))
}

/// As [`initialize`]. If constant expressions make the heap of objects grow, the limiter is asked afterwards: it cannot be
/// while the store is in use (H1).
fn initialize_within_limits<T: 'static>(
    mut store: StoreRef<'_, T>,
    inst: InstAddr,
    module: &Module,
) -> Result<()> {
    let before = store.opaque.vm.gc_stats().heap_bytes;
    store.opaque.vm.set_limit_hook(None);
    let done = initialize(&mut store.opaque, inst, module);
    if store.limiter.is_some() {
        store.opaque.vm.set_limit_hook(Some(limit_hook::<T>));
    }
    done?;
    let after = store.opaque.vm.gc_stats().heap_bytes;
    if after > before {
        let request = LimitRequest::Memory {
            current: before,
            desired: after,
            maximum: None,
        };
        store.limit_growth(request, "GC heap")?;
    }
    Ok(())
}

/// Globals, then tables' initial values, then segments in order; each as a constant expression says.
fn initialize(opaque: &mut StoreOpaque, inst: InstAddr, module: &Module) -> Result<()> {
    let info = module.loaded().info();
    for def in &info.global_defs {
        let ty = GlobalType::from_loader(module.engine(), &def.ty, module.types());
        opaque.global_types.push(ty);
    }
    for (i, def) in info.global_defs.iter().enumerate() {
        let bits = opaque.evaluate(module, inst, &def.init)?;
        let global = opaque
            .vm
            .instance_global(inst, info.n_imported_globals + i as u32)
            .ok_or_else(|| anyhow!("no such global"))?;
        opaque.global_set(global, def.ty.content, bits);
    }
    for (i, def) in info.table_defs.iter().enumerate() {
        if let Some(expr) = &def.init {
            let [entry, _] = opaque.evaluate(module, inst, expr)?;
            let table = opaque
                .vm
                .instance_table(inst, info.n_imported_tables + i as u32)
                .ok_or_else(|| anyhow!("no such table"))?;
            let len = opaque.vm.table_len(table);
            opaque.vm.table_fill(table, 0, entry as u32, len.into());
        }
    }
    for (i, segment) in info.elements.iter().enumerate() {
        if segment.mode != ElementMode::Declared {
            let scope = opaque.vm.roots().begin_scope();
            let done = element_segment(opaque, inst, module, i as u32, segment);
            opaque.vm.roots_mut().end_scope(scope);
            done?;
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
            let [at, _] = opaque.evaluate(module, inst, offset)?;
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

/// Makes the references of an element segment, in a scope of roots, and puts them where they are wanted.
fn element_segment(
    opaque: &mut StoreOpaque,
    inst: InstAddr,
    module: &Module,
    elem: u32,
    segment: &ElementSegment,
) -> Result<()> {
    let info = module.loaded().info();
    let traced = is_traced(ValType::Ref(segment.ty), info);
    let refs = match &segment.items {
        ElementItems::Funcs(funcs) => funcs
            .iter()
            .map(|f| Ok(opaque.vm.func_addr(inst, *f)?.0 + 1))
            .collect::<Result<Vec<u32>>>()?,
        ElementItems::Exprs(exprs) => exprs
            .iter()
            .map(|e| {
                let [made, _] = opaque.evaluate(module, inst, e)?;
                if traced {
                    opaque.vm.roots_mut().push(made as u32);
                }
                Ok(made as u32)
            })
            .collect::<Result<Vec<u32>>>()?,
    };
    let ElementMode::Active { table, offset } = &segment.mode else {
        opaque
            .vm
            .set_elem(inst, elem, &ElemSegment { refs, traced })?;
        return Ok(());
    };
    let [at, _] = opaque.evaluate(module, inst, offset)?;
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

/// The default value for an unknown import of that type, where one can be made up.
pub(crate) fn default_extern<T: 'static>(
    store: StoreRef<'_, T>,
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
        ExternType::Tag(t) => crate::Tag::new(context, t)?.into(),
        ExternType::Func(_) => bail!("functions are defined by the linker"),
    })
}
