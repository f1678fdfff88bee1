//! Modules: valid, and translated on demand.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use sheave_interp::{CodeModule, FunctionCode, ModuleDesc, ModuleSource, RefMaps, SourceError};
use sheave_loader as loader;
use sheave_types::{TypeDef, ValType};

use crate::Result;
use crate::engine::Engine;
use crate::snapshot::ModuleHash;
use crate::types::{ExportType, ExternType, ImportType};

/// A module. Cheap to clone; `Send + Sync`; any number of stores can have instances of it.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    engine: Engine,
    loaded: Arc<loader::Module>,
    /// By type index.
    types: Box<[Arc<TypeDef>]>,
    code: Arc<CodeModule>,
    exports: OnceLock<HashMap<Box<str>, usize>>,
    hash: OnceLock<ModuleHash>,
}

/// The module's types as the engine has them, by type index.
fn register(engine: &Engine, info: &loader::ModuleInfo) -> Result<Box<[Arc<TypeDef>]>> {
    let mut ids = Vec::with_capacity(info.types.len());
    for (first, group) in info.groups() {
        let id = engine.types().register(group, first, &ids)?;
        ids.extend((id..).take(group.len()));
    }
    let def = |id| engine.types().get(id);
    Ok(ids.into_iter().filter_map(def).collect())
}

/// Whether a collector follows values of a type of the module.
pub(crate) fn is_traced(ty: ValType, info: &loader::ModuleInfo) -> bool {
    ty.is_traced(|x| info.type_as_func(x).is_some())
}

/// The loader as the machine wants it.
struct Source(Arc<loader::Module>);

impl ModuleSource for Source {
    fn code(&self, func: u32) -> Result<FunctionCode<'_>, SourceError> {
        let code = self.0.code(func)?;
        Ok(FunctionCode {
            frame_slots: code.frame_slots,
            code: code.code,
        })
    }

    fn ref_maps(&self, func: u32) -> Result<RefMaps, SourceError> {
        let mut maps = RefMaps::new();
        for (pos, slots) in self.0.ref_maps(func)?.iter() {
            maps.push(pos, slots.iter().copied());
        }
        Ok(maps)
    }

    fn data(&self, segment: u32) -> &[u8] {
        // Instantiation asked for them first, and failed if an image was damaged there.
        self.0.data(segment).unwrap_or_default()
    }
}

impl Module {
    /// A module from its bytes: the binary format, or (with feature `wat`) the text format.
    ///
    /// ```
    /// # use sheave_hostcalls::{Engine, Module};
    /// let module = Module::new(&Engine::default(), r#"(module (func (export "f")))"#)?;
    /// assert_eq!(module.exports().len(), 1);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it is malformed or invalid, or uses a feature that is off ([`LoadError`](crate::LoadError)).
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        #[cfg(feature = "wat")]
        let bytes =
            wat::parse_bytes(bytes.as_ref()).map_err(|e| crate::Error::msg(e.to_string()))?;
        #[cfg(not(feature = "wat"))]
        let bytes = std::borrow::Cow::Borrowed(bytes.as_ref());
        Module::from_binary(engine, &bytes)
    }

    /// A module from the binary format only.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_binary(engine: &Engine, bytes: &[u8]) -> Result<Module> {
        Module::from_loaded(
            engine,
            loader::Module::from_slice(bytes, &engine.config().options)?,
        )
    }

    /// As [`Module::from_binary`], without copying the bytes: they are kept for as long as the module lives.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_vec(engine: &Engine, bytes: Vec<u8>) -> Result<Module> {
        Module::from_loaded(
            engine,
            loader::Module::new(bytes, &engine.config().options)?,
        )
    }

    /// A module from a file in either format.
    ///
    /// # Errors
    /// If the file cannot be read; as [`Module::new`].
    pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))?;
        #[cfg(feature = "wat")]
        if !bytes.starts_with(b"\0asm") {
            let text = wat::parse_bytes(&bytes).map_err(|mut e| {
                e.set_path(path);
                crate::Error::msg(e.to_string())
            })?;
            return Module::from_vec(engine, text.into_owned());
        }
        Module::from_vec(engine, bytes)
    }

    /// Whether `bytes` are a valid module in the binary format.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn validate(engine: &Engine, bytes: &[u8]) -> Result<()> {
        let options = loader::Options {
            lazy_validation: false,
            lazy_translation: true,
            ..engine.config().options.clone()
        };
        loader::Module::new(bytes, &options)?;
        Ok(())
    }

    /// The module as an image: its bytes and the bytecode of all its functions, translated now if they are not yet.
    ///
    /// ```
    /// # use sheave_hostcalls::{Engine, Module};
    /// let engine = Engine::default();
    /// let image = Module::new(&engine, r#"(module (func (export "f")))"#)?.serialize()?;
    /// let module = Module::deserialize(&engine, &image)?;
    /// assert_eq!(module.exports().len(), 1);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a function is invalid and was not validated before, or cannot be translated.
    pub fn serialize(&self) -> Result<Vec<u8>> {
        Ok(self.0.loaded.to_image()?)
    }

    /// Writes the image to a file, which is never seen half written.
    ///
    /// # Errors
    /// As [`Module::serialize`], and if the file cannot be written.
    pub fn write_image(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(self.0.loaded.write_image(path)?)
    }

    /// A module from the bytes of an image. Safe, unlike elsewhere: the code in an image is verified before it runs, so
    /// that a damaged one may fail or compute nonsense, but no more.
    ///
    /// An image by an engine that counts fuel or looks for interruptions, where this one does not, or the other way
    /// round, is translated anew, from the module in it.
    ///
    /// # Errors
    /// If the bytes are no image, or a damaged one, or one by an engine of another version or with other features.
    pub fn deserialize(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        let bytes = bytes.as_ref();
        Module::of_image(engine, |options| loader::Module::from_image(bytes, options))
    }

    /// A module from an image file, which is mapped. Nothing may write to the file while the module is in use;
    /// replacing it by renaming another, as [`Module::write_image`] does, is fine.
    ///
    /// # Errors
    /// As [`Module::deserialize`], and if the file cannot be read.
    pub fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        Module::of_image(engine, |options| loader::Module::open_image(path, options))
    }

    /// The same as [`Module::deserialize_file`].
    ///
    /// # Errors
    /// As there.
    pub fn open_image(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        Module::deserialize_file(engine, path)
    }

    /// A module from the bytes of an image, which stay where they are.
    pub(crate) fn shared_image(
        engine: &Engine,
        bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    ) -> Result<Module> {
        let open = |options: &_| loader::Module::from_shared_image(Arc::clone(&bytes), options);
        Module::of_image(engine, open)
    }

    fn of_image(
        engine: &Engine,
        open: impl Fn(&loader::Options) -> Result<loader::Module, loader::LoadError>,
    ) -> Result<Module> {
        let options = &engine.config().options;
        let error = match open(options) {
            Ok(loaded) => return Module::from_loaded(engine, loaded),
            Err(error) => error,
        };
        if error.kind == loader::LoadErrorKind::Image(loader::ImageErrorKind::Options) {
            for (fuel, interruption) in [(false, false), (false, true), (true, false), (true, true)]
            {
                if let Ok(other) = open(&loader::Options {
                    fuel,
                    interruption,
                    ..options.clone()
                }) {
                    return Module::from_binary(engine, other.wasm());
                }
            }
        }
        Err(error.into())
    }

    /// Whether these bytes begin as an image does.
    pub fn is_image(bytes: &[u8]) -> bool {
        loader::Module::is_image(bytes)
    }

    /// Whether both are the same module.
    pub fn same(a: &Module, b: &Module) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// The contents of the custom sections of that name, in the module's order.
    pub fn custom_sections<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        let sections = self
            .0
            .loaded
            .info()
            .custom_sections
            .iter()
            .filter(move |(n, _)| **n == *name);
        sections.filter_map(|(_, range)| self.0.loaded.wasm().get(range.clone()))
    }

    pub(crate) fn from_loaded(engine: &Engine, loaded: loader::Module) -> Result<Module> {
        let loaded = Arc::new(loaded);
        let info = loaded.info();
        let types = register(engine, info)?;
        let count = |n: usize| n as u32;
        let desc = ModuleDesc {
            types: types
                .iter()
                .zip(&info.shapes)
                .map(|(t, shape)| (*shape, t.id))
                .collect(),
            funcs: info.funcs.clone(),
            imported_funcs: info.n_imported_funcs,
            tables: count(info.tables.len()),
            memories: count(info.memories.len()),
            own_globals: count(info.globals.len()) - info.n_imported_globals,
            own_vectors: info.vector_globals.clone(),
            traced_globals: info
                .global_defs
                .iter()
                .zip(0..)
                .filter(|(def, _)| is_traced(def.ty.content, info))
                .map(|(_, i)| i)
                .collect(),
            imported_globals: info.n_imported_globals,
            tags: info.tags.clone(),
            imported_tags: info.n_imported_tags,
            data: count(info.data.len()),
            names_data: info.names_data,
            elems: count(info.elements.len()),
        };
        let code = CodeModule::new(
            Arc::clone(engine.space()),
            desc,
            Box::new(Source(Arc::clone(&loaded))),
        );
        Ok(Module(Arc::new(Inner {
            engine: engine.clone(),
            loaded,
            types,
            code,
            exports: OnceLock::new(),
            hash: OnceLock::new(),
        })))
    }

    /// Its types as the engine has them, by type index.
    pub(crate) fn types(&self) -> &[Arc<TypeDef>] {
        &self.0.types
    }

    /// Its engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Its name, from the name section.
    pub fn name(&self) -> Option<&str> {
        self.0.loaded.module_name()
    }

    /// What it wants, in its order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        let info = self.0.loaded.info();
        info.imports.iter().map(|i| ImportType {
            module: &i.module,
            name: &i.name,
            ty: ExternType::from_loader(&self.0.engine, &i.ty, &self.0.types),
        })
    }

    /// What it offers, in its order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        let info = self.0.loaded.info();
        info.exports.iter().map(|e| ExportType {
            name: &e.name,
            ty: self.export_type(e),
        })
    }

    fn export_type(&self, export: &loader::Export) -> ExternType {
        let info = self.0.loaded.info();
        let i = export.index as usize;
        let ty = match export.kind {
            loader::ExportKind::Func => loader::ImportType::Func(info.funcs[i]),
            loader::ExportKind::Table => loader::ImportType::Table(info.tables[i]),
            loader::ExportKind::Memory => loader::ImportType::Memory(info.memories[i]),
            loader::ExportKind::Global => loader::ImportType::Global(info.globals[i]),
            loader::ExportKind::Tag => loader::ImportType::Tag(info.tags[i]),
        };
        ExternType::from_loader(&self.0.engine, &ty, &self.0.types)
    }

    /// The type of the export of that name.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        self.export_at(name).map(|e| self.export_type(e))
    }

    pub(crate) fn export_at(&self, name: &str) -> Option<&loader::Export> {
        let exports = &self.0.loaded.info().exports;
        let by_name = self.0.exports.get_or_init(|| {
            exports
                .iter()
                .enumerate()
                .map(|(i, e)| (e.name.clone(), i))
                .collect()
        });
        exports.get(*by_name.get(name)?)
    }

    pub(crate) fn loaded(&self) -> &loader::Module {
        &self.0.loaded
    }

    pub(crate) fn code(&self) -> &Arc<CodeModule> {
        &self.0.code
    }

    /// The SHA-256 of its bytes in the binary format, by which a snapshot can name it. Made when it is first asked for.
    pub fn hash(&self) -> ModuleHash {
        let hash = || ModuleHash::of(self.wasm());
        *self.0.hash.get_or_init(hash)
    }

    /// The bytes of the module in the binary format.
    pub fn wasm(&self) -> &[u8] {
        self.0.loaded.wasm()
    }

    /// The name of a function (imports included), from the name section.
    pub fn func_name(&self, func: u32) -> Option<&str> {
        self.0.loaded.func_name(func)
    }
}

impl core::fmt::Debug for Module {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
