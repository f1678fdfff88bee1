//! Names for what modules import.

use core::marker::PhantomData;
use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use sheave_interp::FuncAddr;

use crate::Result;
use crate::engine::Engine;
use crate::externs::Extern;
use crate::func::Func;
use crate::host::HostFunc;
use crate::instance::Instance;
use crate::instantiate::{self, InstancePre};
use crate::into_func::IntoFunc;
use crate::matching;
use crate::module::Module;
use crate::store::{AsContext, AsContextMut, Caller, StoreContextMut, StoreOpaque};
use crate::types::{ExternType, FuncType};
use crate::values::Val;

/// Finds imports by their two names, and instantiates modules with them.
///
/// ```
/// use sheave_hostcalls::{Engine, Linker, Module, Store};
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "double", |x: i32| x * 2)?;
/// let module = Module::new(&engine, r#"(module
///     (import "host" "double" (func $double (param i32) (result i32)))
///     (func (export "quadruple") (param i32) (result i32) (call $double (call $double (local.get 0)))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = linker.instantiate(&mut store, &module)?;
/// let f = instance.get_typed_func::<i32, i32>(&mut store, "quadruple")?;
/// assert_eq!(f.call(&mut store, 5)?, 20);
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
pub struct Linker<T: 'static> {
    engine: Engine,
    allow_shadowing: bool,
    allow_unknown_exports: bool,
    definitions: HashMap<Box<str>, HashMap<Box<str>, Definition>>,
    data: PhantomData<fn(T)>,
}

/// What a name stands for.
#[derive(Clone)]
pub(crate) enum Definition {
    Extern(Extern, ExternType),
    Host(Arc<HostFunc>),
}

impl Definition {
    pub(crate) fn ty(&self) -> ExternType {
        match self {
            Definition::Extern(_, ty) => ty.clone(),
            Definition::Host(f) => ExternType::Func(f.ty.clone()),
        }
    }

    /// In a store.
    pub(crate) fn resolve(&self, opaque: &mut StoreOpaque) -> Result<Extern> {
        Ok(match self {
            Definition::Extern(e, _) => *e,
            Definition::Host(f) => {
                let addr: FuncAddr = opaque.host_func(f)?;
                Extern::Func(Func {
                    store: opaque.id,
                    addr,
                })
            }
        })
    }
}

/// What [`Linker::module`] does with a module.
pub(crate) enum ModuleKind {
    /// It gets an instance for each call.
    Command,
    /// It is instantiated once.
    Reactor,
}

impl ModuleKind {
    pub(crate) fn of(module: &Module) -> Result<ModuleKind> {
        let is_func = |name| module.get_export(name).map(|ty| ty.func().is_some());
        match (is_func("_start"), is_func("_initialize")) {
            (Some(true), None) => Ok(ModuleKind::Command),
            (None, None | Some(true)) => Ok(ModuleKind::Reactor),
            (Some(_), Some(_)) => bail!("Program cannot be both a Command and a Reactor"),
            (Some(false), None) => bail!("`_start` must be a function"),
            (None, Some(false)) => bail!("`_initialize` must be a function"),
        }
    }
}

/// Imports that a linker does not know.
#[derive(Clone, Debug)]
pub struct UnknownImportError {
    module: String,
    name: String,
    ty: ExternType,
}

impl UnknownImportError {
    /// The first of its names.
    pub fn module(&self) -> &str {
        &self.module
    }

    /// The second of its names.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type that was wanted.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}

impl core::fmt::Display for UnknownImportError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "unknown import: `{}::{}` has not been defined",
            self.module, self.name
        )
    }
}

impl core::error::Error for UnknownImportError {}

impl<T: 'static> Linker<T> {
    /// A linker that knows nothing.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker {
            engine: engine.clone(),
            allow_shadowing: false,
            allow_unknown_exports: false,
            definitions: HashMap::new(),
            data: PhantomData,
        }
    }

    /// Its engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a name may be defined again. Off at first.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.allow_shadowing = allow;
        self
    }

    /// Whether a command given to [`Linker::module`] may export whatever it likes; by default functions, and what
    /// compilers export besides. Only functions are defined.
    pub fn allow_unknown_exports(&mut self, allow: bool) -> &mut Self {
        self.allow_unknown_exports = allow;
        self
    }

    pub(crate) fn insert(
        &mut self,
        module: &str,
        name: &str,
        definition: Definition,
    ) -> Result<&mut Self> {
        let names = match self.definitions.get_mut(module) {
            Some(names) => names,
            None => self.definitions.entry(module.into()).or_default(),
        };
        if !self.allow_shadowing && names.contains_key(name) {
            bail!("import of `{module}::{name}` defined twice");
        }
        if let Definition::Host(func) = &definition {
            func.set_name(module, name);
        }
        names.insert(name.into(), definition);
        Ok(self)
    }

    fn find(&self, module: &str, name: &str) -> Option<&Definition> {
        self.definitions.get(module)?.get(name)
    }

    /// The host function of that name, if it is one and belongs to no store.
    pub(crate) fn host_func(&self, module: &str, name: &str) -> Option<&Arc<HostFunc>> {
        match self.find(module, name)? {
            Definition::Host(func) => Some(func),
            Definition::Extern(..) => None,
        }
    }

    /// Defines an item of a store.
    ///
    /// # Errors
    /// If the name is taken, or the item is a shared memory of another store.
    pub fn define(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self> {
        let item = item.into();
        let opaque = &store.as_context().0.opaque;
        item.check(opaque)?;
        let ty = item.ty_in(opaque);
        self.insert(module, name, Definition::Extern(item, ty))
    }

    /// Defines a host function from a closure with native types; see [`Func::wrap`].
    ///
    /// # Errors
    /// If the name is taken.
    pub fn func_wrap<Params, Args>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, Params, Args>,
    ) -> Result<&mut Self> {
        let func = self.engine.wrap_host_func(func);
        self.insert(module, name, Definition::Host(func))
    }

    /// Defines a host function of any type; see [`Func::new`].
    ///
    /// # Errors
    /// If the name is taken.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        self.insert(module, name, Definition::Host(HostFunc::dynamic(ty, func)))
    }

    /// Defines all exports of an instance under `module`.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn instance(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        instance.check(store.as_context_mut());
        let opaque = &mut store.as_context_mut().0.opaque;
        for (name, item) in instance.exports_of(opaque) {
            let ty = item.ty_in(opaque);
            self.insert(module, &name, Definition::Extern(item, ty))?;
        }
        Ok(self)
    }

    /// Defines the exports of `module` under `module_name`. A reactor (any module without `_start`) is instantiated, its
    /// `_initialize` called, and its exports defined; a command (with `_start`) gets a new instance for each call of one
    /// of its functions.
    ///
    /// # Errors
    /// If it cannot be instantiated, or a name is taken.
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        module: &Module,
    ) -> Result<&mut Self> {
        match ModuleKind::of(module)? {
            ModuleKind::Command => {
                self.command(store, module_name, module, |store, pre, ty, name| {
                    Func::new(store, ty, move |mut caller, params, results| {
                        let instance = pre.instantiate(&mut caller)?;
                        let func = instance
                            .get_func(&mut caller, &name)
                            .ok_or_else(|| anyhow!("no function `{name}`"))?;
                        func.call(&mut caller, params, results)
                    })
                })
            }
            ModuleKind::Reactor => {
                let instance = self.instantiate(store.as_context_mut(), module)?;
                if let Some(init) = instance.get_func(store.as_context_mut(), "_initialize") {
                    init.typed::<(), ()>(store.as_context_mut())?
                        .call(store.as_context_mut(), ())?;
                }
                self.instance(store, module_name, instance)
            }
        }
    }

    /// Defines what a command exports, as `func` makes it: it gets the function's type and name.
    pub(crate) fn command(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        module: &Module,
        func: impl Fn(StoreContextMut<'_, T>, InstancePre<T>, FuncType, String) -> Func,
    ) -> Result<&mut Self> {
        /// What commands may export besides functions.
        const USUAL: [&str; 7] = [
            "memory",
            "table",
            "__indirect_function_table",
            "__data_end",
            "__heap_base",
            "__dso_handle",
            "__rtti_base",
        ];
        let pre = self.instantiate_pre(module)?;
        for export in module.exports() {
            let Some(ty) = export.ty.func() else {
                if !self.allow_unknown_exports && !USUAL.contains(&export.name) {
                    bail!("command export '{}' is not a function", export.name);
                }
                continue;
            };
            let (pre, name) = (pre.clone(), export.name.into());
            let func = func(store.as_context_mut(), pre, ty.clone(), name);
            self.define(store.as_context_mut(), module_name, export.name, func)?;
        }
        Ok(self)
    }

    /// The function that a module defined by [`Linker::module`] is run by: the one without a name, or `_start`, or one
    /// that does nothing.
    ///
    /// # Errors
    /// If what has that name is no function.
    pub fn get_default(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
    ) -> Result<Func> {
        for name in ["", "_start"] {
            if let Some(item) = self.get(store.as_context_mut(), module, name) {
                return item
                    .into_func()
                    .ok_or_else(|| anyhow!("export `{name}` in '{module}' is not a function"));
            }
        }
        Ok(Func::wrap(store, || {}))
    }

    /// All that is defined: module, name, item. In no order.
    pub fn iter<'a: 'p, 'p>(
        &'a self,
        mut store: impl AsContextMut<Data = T> + 'p,
    ) -> impl Iterator<Item = (&'a str, &'a str, Extern)> + 'p {
        let all = self
            .definitions
            .iter()
            .flat_map(|(module, names)| names.iter().map(move |(name, d)| (&**module, &**name, d)));
        all.filter_map(move |(module, name, d)| {
            Some((
                module,
                name,
                d.resolve(&mut store.as_context_mut().0.opaque).ok()?,
            ))
        })
    }

    /// What is defined for an import.
    pub fn get_by_import(
        &self,
        store: impl AsContextMut<Data = T>,
        import: &crate::ImportType<'_>,
    ) -> Option<Extern> {
        self.get(store, import.module, import.name)
    }

    /// Gives what is defined under one name a second one.
    ///
    /// # Errors
    /// If the first is not defined, or the second is taken.
    pub fn alias(
        &mut self,
        module: &str,
        name: &str,
        as_module: &str,
        as_name: &str,
    ) -> Result<&mut Self> {
        let definition = self
            .find(module, name)
            .cloned()
            .ok_or_else(|| anyhow!("no item named `{module}::{name}` defined"))?;
        self.insert(as_module, as_name, definition)
    }

    /// Gives all that is defined under one module name a second one.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<()> {
        let all: Vec<_> = self
            .definitions
            .get(module)
            .into_iter()
            .flatten()
            .map(|(n, d)| (n.clone(), d.clone()))
            .collect();
        for (name, definition) in all {
            self.insert(as_module, &name, definition)?;
        }
        Ok(())
    }

    /// Makes each function that `module` wants and this linker does not know one that traps when called.
    ///
    /// # Errors
    /// Never, so far.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        for import in module.imports() {
            if let (None, ExternType::Func(ty)) =
                (self.find(import.module, import.name), &import.ty)
            {
                let error = UnknownImportError {
                    module: import.module.into(),
                    name: import.name.into(),
                    ty: import.ty.clone(),
                };
                let func =
                    HostFunc::dynamic::<T, _>(ty.clone(), move |_, _, _| Err(error.clone().into()));
                self.insert(import.module, import.name, Definition::Host(func))?;
            }
        }
        Ok(())
    }

    /// Defines whatever `module` wants and this linker does not know: functions that return zeros, empty memories and
    /// tables, zero globals.
    ///
    /// # Errors
    /// If a type has no default value, or the store refuses.
    pub fn define_unknown_imports_as_default_values(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<()> {
        for import in module.imports() {
            if self.find(import.module, import.name).is_some() {
                continue;
            }
            let definition = if let ExternType::Func(ty) = &import.ty {
                for result in ty.results() {
                    if Val::default_for_ty(&result).is_none() {
                        bail!("no default value of type {result}");
                    }
                }
                Definition::Host(HostFunc::dynamic::<T, _>(ty.clone(), |_, _, _| Ok(())))
            } else {
                let item = instantiate::default_extern(store.as_context_mut().0, &import.ty)?;
                Definition::Extern(item, import.ty.clone())
            };
            self.insert(import.module, import.name, definition)?;
        }
        Ok(())
    }

    /// What is defined under a name.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Option<Extern> {
        self.find(module, name)?
            .resolve(&mut store.as_context_mut().0.opaque)
            .ok()
    }

    /// The definitions that `module` wants, all checked.
    fn wanted(&self, module: &Module) -> Result<Vec<Definition>> {
        let mut found = Vec::new();
        let mut unknown: Vec<UnknownImportError> = Vec::new();
        for import in module.imports() {
            match self.find(import.module, import.name) {
                Some(d) => {
                    // What can grow is checked when it is given to an instance: its size now may be another then.
                    if let (ExternType::Func(_) | ExternType::Global(_), ty) = (&import.ty, d.ty())
                    {
                        matching::check(
                            module.engine().types(),
                            import.module,
                            import.name,
                            &import.ty,
                            &ty,
                        )?;
                    }
                    found.push(d.clone());
                }
                None => unknown.push(UnknownImportError {
                    module: import.module.into(),
                    name: import.name.into(),
                    ty: import.ty,
                }),
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let others: Vec<String> = unknown[1..]
            .iter()
            .map(|u| format!("`{}::{}`", u.module, u.name))
            .collect();
        let first = anyhow::Error::from(unknown.swap_remove(0));
        if others.is_empty() {
            Err(first)
        } else {
            Err(first.context(format!(
                "{} imports are unknown, also {}",
                others.len() + 1,
                others.join(", ")
            )))
        }
    }

    /// Finds and checks the imports of `module`, to instantiate it often.
    ///
    /// # Errors
    /// If an import is unknown ([`UnknownImportError`]) or has another type.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>> {
        Ok(InstancePre {
            module: module.clone(),
            imports: self.wanted(module)?,
            data: PhantomData,
        })
    }

    /// Makes an instance of `module`.
    ///
    /// # Errors
    /// As [`Linker::instantiate_pre`] and [`InstancePre::instantiate`].
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        self.instantiate_pre(module)?.instantiate(store)
    }
}

impl<T: 'static> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Linker {
            engine: self.engine.clone(),
            allow_shadowing: self.allow_shadowing,
            allow_unknown_exports: self.allow_unknown_exports,
            definitions: self.definitions.clone(),
            data: PhantomData,
        }
    }
}

impl<T: 'static> core::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Linker")
            .field("modules", &self.definitions.keys())
            .finish_non_exhaustive()
    }
}
