//! Instances of a store.

use anyhow::{Context as _, anyhow};
use sheave_interp::InstAddr;
use sheave_loader::ExportKind;

use crate::Result;
use crate::externs::{Export, Extern};
use crate::func::Func;
use crate::global::Global;
use crate::instantiate;
use crate::memory::Memory;
use crate::module::Module;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::table::Table;
use crate::tag::Tag;
use crate::typed::{TypedFunc, WasmParams, WasmResults};

/// An instance of a module in a store. Spec: syntax-moduleinst.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Instance {
    pub(crate) store: u64,
    pub(crate) addr: InstAddr,
}

/// An export of an instance.
pub(crate) fn export(opaque: &mut StoreOpaque, inst: InstAddr, name: &str) -> Option<Extern> {
    let module = opaque.instances.get(inst.0 as usize)?.clone();
    let e = module.export_at(name)?;
    export_of(opaque, inst, e.kind, e.index)
}

fn export_of(opaque: &mut StoreOpaque, inst: InstAddr, kind: ExportKind, i: u32) -> Option<Extern> {
    let store = opaque.id;
    Some(match kind {
        ExportKind::Func => Extern::Func(Func {
            store,
            addr: opaque.vm.func_addr(inst, i).ok()?,
        }),
        ExportKind::Table => Extern::Table(Table {
            store,
            addr: opaque.vm.instance_table(inst, i)?,
        }),
        ExportKind::Memory => Extern::Memory(Memory {
            store,
            addr: opaque.vm.instance_memory(inst, i)?,
            shared: opaque.instances[inst.0 as usize]
                .loaded()
                .info()
                .memories
                .get(i as usize)?
                .shared,
        }),
        ExportKind::Tag => Extern::Tag(Tag {
            store,
            addr: opaque.vm.instance_tag(inst, i)?,
        }),
        ExportKind::Global => Extern::Global(Global {
            store,
            addr: opaque.vm.instance_global(inst, i)?,
        }),
    })
}

impl Instance {
    /// Makes an instance with these imports, in the order of the module's imports.
    ///
    /// # Errors
    /// If they do not fit, a limit refuses, or the start function or a segment traps.
    pub fn new(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        instantiate::instantiate(store.as_context_mut().0, module, imports)
    }

    /// Its module.
    pub fn module<'a, T: 'static>(
        &self,
        store: impl Into<crate::StoreContext<'a, T>>,
    ) -> &'a Module {
        let opaque = &store.into().0.opaque;
        opaque.check(self.store);
        &opaque.instances[self.addr.0 as usize]
    }

    /// The export of that name.
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        let opaque = &mut store.as_context_mut().0.opaque;
        opaque.check(self.store);
        export(opaque, self.addr, name)
    }

    /// The exported function of that name.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported function of that name, with native types.
    ///
    /// # Errors
    /// If there is none, or its type is another.
    pub fn get_typed_func<Params: WasmParams, Results: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<Params, Results>> {
        let f = self
            .get_export(store.as_context_mut(), name)
            .and_then(Extern::into_func)
            .ok_or_else(|| anyhow!("failed to find function export `{name}`"))?;
        f.typed(store)
            .with_context(|| format!("failed to convert function `{name}` to given type"))
    }

    /// The exported memory of that name.
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The exported table of that name.
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The exported global of that name.
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }

    /// The exported tag of that name.
    pub fn get_tag(&self, store: impl AsContextMut, name: &str) -> Option<Tag> {
        self.get_export(store, name)?.into_tag()
    }

    /// All exports, in the module's order.
    pub fn exports<'a, T: 'static>(
        &self,
        store: impl Into<crate::StoreContextMut<'a, T>>,
    ) -> impl ExactSizeIterator<Item = Export<'a>> {
        let opaque: &'a mut StoreOpaque = &mut store.into().0.into_mut().opaque;
        opaque.check(self.store);
        let module = opaque.instances[self.addr.0 as usize].clone();
        let definitions: Vec<Option<Extern>> = module
            .loaded()
            .info()
            .exports
            .iter()
            .map(|e| export_of(opaque, self.addr, e.kind, e.index))
            .collect();
        let opaque: &'a StoreOpaque = opaque;
        let names = &opaque.instances[self.addr.0 as usize]
            .loaded()
            .info()
            .exports;
        let all: Vec<Export<'a>> = names
            .iter()
            .zip(definitions)
            .filter_map(|(e, d)| {
                Some(Export {
                    name: &e.name,
                    definition: d?,
                })
            })
            .collect();
        all.into_iter()
    }

    pub(crate) fn exports_of(&self, opaque: &mut StoreOpaque) -> Vec<(String, Extern)> {
        let module = opaque.instances[self.addr.0 as usize].clone();
        module
            .loaded()
            .info()
            .exports
            .iter()
            .filter_map(|e| {
                Some((
                    e.name.to_string(),
                    export_of(opaque, self.addr, e.kind, e.index)?,
                ))
            })
            .collect()
    }

    pub(crate) fn check(&self, store: impl AsContext) {
        store.as_context().0.opaque.check(self.store);
    }
}
