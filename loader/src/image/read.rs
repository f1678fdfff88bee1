//! Opening images.

#![allow(unsafe_code, reason = "mapping a file is unsafe")]

use super::format::{ENTRY_BYTES, Header, IndexEntry, RUN_BYTES, Run, Span, flags};
use super::memory;
use super::sections::{self, Class};
use crate::error::{ImageErrorKind, ImagePart, LoadError};
use crate::features::FEATURES;
use crate::info::ModuleInfo;
use crate::module::FunctionCode;
use crate::options::Options;
use crate::parse;
use crate::translate::MAX_SLOTS;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use memmap2::Mmap;
use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use wasmparser::WasmFeatures;

/// The bytes of an image.
#[derive(Debug)]
pub(crate) enum Storage {
    Owned(Vec<u8>),
    Mapped(Mmap, File),
    Shared(Shared),
}

/// Bytes that somebody else keeps too.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<dyn AsRef<[u8]> + Send + Sync>);

impl core::fmt::Debug for Shared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Shared")
    }
}

impl core::ops::Deref for Storage {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Mapped(map, _) => map,
            Self::Shared(Shared(bytes)) => (**bytes).as_ref(),
        }
    }
}

impl Storage {
    /// Maps a file, or reads it where it cannot be mapped.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let file = File::open(path).map_err(|e| LoadError::io(&e))?;
        if cfg!(miri) || !file.metadata().is_ok_and(|m| m.is_file() && m.len() > 0) {
            return std::fs::read(path)
                .map(Self::Owned)
                .map_err(|e| LoadError::io(&e));
        }
        // SAFETY: L1, images are replaced by renaming and never written in place.
        let map = unsafe { Mmap::map(&file) };
        match map {
            Ok(map) => Ok(Self::Mapped(map, file)),
            Err(error) => Err(LoadError::io(&error)),
        }
    }
}

/// An image that was found to be whole as far as opening it looks.
#[derive(Debug)]
pub(crate) struct Image {
    storage: Storage,
    wasm: Range<usize>,
    index: Range<usize>,
    code: Range<usize>,
    wasm_crcs: [u32; 4],
    /// What was checked already, by class.
    checked: [AtomicBool; 4],
    runs: Vec<Run>,
    runs_checked: AtomicBool,
    pub(crate) features: WasmFeatures,
}

/// Bytes that a memory holds at first, from a module's image.
#[derive(Clone, Copy, Debug)]
pub struct InitialMemory<'a> {
    /// Which memory, by its index.
    pub memory: u32,
    /// Where in the memory.
    pub at: u64,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where they are in a file too: it can be mapped, as [`Module::open_image`] says.
    ///
    /// [`Module::open_image`]: crate::Module::open_image
    pub file: Option<(&'a File, u64)>,
}

fn inconsistent<T>(offset: usize, part: ImagePart) -> Result<T, LoadError> {
    Err(LoadError::image(
        offset as u64,
        ImageErrorKind::Inconsistent(part),
    ))
}

impl Image {
    /// Checks header, index and declarations, and reads the declarations.
    pub(crate) fn open(
        storage: Storage,
        options: &Options,
    ) -> Result<(Self, ModuleInfo), LoadError> {
        let header = Header::decode(&storage)?;
        check_versions(&header, options)?;
        let file_len = storage.len();
        let range = |span: Span| match span.range(file_len) {
            Some(range) => Ok(range),
            None => inconsistent(0, ImagePart::Header),
        };
        let mut image = Self {
            wasm: range(header.wasm)?,
            index: range(header.index)?,
            code: range(header.code)?,
            wasm_crcs: header.wasm_crcs,
            checked: Default::default(),
            runs: Vec::new(),
            runs_checked: AtomicBool::new(false),
            features: WasmFeatures::from_bits_truncate(header.features),
            storage,
        };
        if image.index.len() as u64 != u64::from(header.n_funcs) * ENTRY_BYTES as u64 {
            return inconsistent(0, ImagePart::Header);
        }
        if crc32fast::hash(&image.storage[image.index.clone()]) != header.index_crc {
            let offset = image.index.start as u64;
            return Err(LoadError::image(
                offset,
                ImageErrorKind::Checksum(ImagePart::Index),
            ));
        }
        let runs = &image.storage[range(header.runs)?];
        if crc32fast::hash(runs) != header.runs_crc {
            let kind = ImageErrorKind::Checksum(ImagePart::Memories);
            return Err(LoadError::image(header.runs.start, kind));
        }
        image.runs = runs.chunks_exact(RUN_BYTES).map(Run::decode).collect();
        image.check(Class::Declarations)?;
        let info = image.declarations()?;
        if !image.runs.iter().all(|run| image.is_within(run, &info)) {
            return inconsistent(header.runs.start as usize, ImagePart::Memories);
        }
        Ok((image, info))
    }

    /// Whether a run lies in its memory and in the image.
    fn is_within(&self, run: &Run, info: &ModuleInfo) -> bool {
        let end = |start: u64| start.saturating_add(run.len);
        memory::first_bytes(info, run.memory).is_some_and(|len| end(run.at) <= len)
            && end(run.start) <= self.storage.len() as u64
    }

    /// What the memories hold at first, checked; nothing if the data segments say it.
    pub(crate) fn initial_memory(&self) -> Result<Vec<InitialMemory<'_>>, LoadError> {
        let file = match &self.storage {
            Storage::Owned(_) | Storage::Shared(_) => None,
            Storage::Mapped(_, file) => Some(file),
        };
        let checked = self.runs_checked.load(Ordering::Relaxed);
        let mut all = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            let bytes = &self.storage[run.start as usize..(run.start + run.len) as usize];
            if !checked && crc32fast::hash(bytes) != run.crc {
                let kind = ImageErrorKind::Checksum(ImagePart::Memories);
                return Err(LoadError::image(run.start, kind));
            }
            all.push(InitialMemory {
                memory: run.memory,
                at: run.at,
                bytes,
                file: file.map(|file| (file, run.start)),
            });
        }
        self.runs_checked.store(true, Ordering::Relaxed);
        Ok(all)
    }

    /// Reads what the module declares, its bodies from the index.
    fn declarations(&self) -> Result<ModuleInfo, LoadError> {
        let prepared = !self.runs.is_empty();
        let Ok(mut info) = parse::parse_trusted(self.wasm(), self.features, prepared) else {
            return inconsistent(self.wasm.start, ImagePart::Module);
        };
        let entries = self.storage[self.index.clone()].chunks_exact(ENTRY_BYTES);
        let n_defined = info.funcs.len().checked_sub(info.n_imported_funcs as usize);
        if n_defined != Some(entries.len()) || !is_consistent(&info) {
            return inconsistent(self.index.start, ImagePart::Index);
        }
        let units = self.code.len() / 2;
        for entry in entries.map(IndexEntry::decode) {
            let end = u64::from(entry.start) + u64::from(entry.len);
            let body_ok =
                entry.body_start <= entry.body_end && entry.body_end as usize <= self.wasm.len();
            if end > units as u64 || !body_ok || entry.frame_slots > MAX_SLOTS {
                return inconsistent(self.index.start, ImagePart::Index);
            }
            info.bodies.push(entry.body_start..entry.body_end);
        }
        Ok(info)
    }

    /// The WebAssembly module.
    pub(crate) fn wasm(&self) -> &[u8] {
        &self.storage[self.wasm.clone()]
    }

    /// The whole image.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.storage
    }

    /// Checks a part of the module.
    fn check(&self, class: Class) -> Result<(), LoadError> {
        let found = sections::checksum(self.wasm(), class);
        if found == Some(self.wasm_crcs[class as usize]) {
            return Ok(());
        }
        let offset = self.wasm.start as u64;
        Err(LoadError::image(
            offset,
            ImageErrorKind::Checksum(ImagePart::Module),
        ))
    }

    /// Checks a part of the module unless that was done.
    pub(crate) fn check_once(&self, class: Class) -> Result<(), LoadError> {
        let checked = &self.checked[class as usize];
        if !checked.load(Ordering::Relaxed) {
            self.check(class)?;
            checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The bytecode of a function, checked.
    pub(crate) fn code(&self, defined_func: u32) -> Result<FunctionCode<'_>, LoadError> {
        let at = defined_func as usize * ENTRY_BYTES;
        let entry = self.storage[self.index.clone()].get(at..at + ENTRY_BYTES);
        let Some(entry) = entry.map(IndexEntry::decode) else {
            return Err(LoadError::invalid(0, "no such function"));
        };
        let start = self.code.start + entry.start as usize * 2;
        // Opening the image has found it to lie within.
        let bytes = &self.storage[start..start + entry.len as usize * 2];
        if crc32fast::hash(bytes) != entry.crc {
            let kind = ImageErrorKind::Checksum(ImagePart::Code(defined_func));
            return Err(LoadError::image(start as u64, kind));
        }
        Ok(FunctionCode {
            frame_slots: entry.frame_slots,
            code: units(bytes),
        })
    }
}

/// Little-endian bytes as units, in place where the machine can.
fn units(bytes: &[u8]) -> Cow<'_, [u16]> {
    if cfg!(target_endian = "little")
        && let Ok(units) = bytemuck::try_cast_slice(bytes)
    {
        return Cow::Borrowed(units);
    }
    Cow::Owned(
        bytes
            .chunks_exact(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .collect(),
    )
}

fn check_versions(header: &Header, options: &Options) -> Result<(), LoadError> {
    let err = |offset, kind| Err(LoadError::image(offset, kind));
    if (header.isa_version, header.isa_hash) != (sheave_isa::ISA_VERSION, sheave_isa::ISA_HASH) {
        return err(12, ImageErrorKind::BytecodeVersion);
    }
    let flags = flags(options.fuel, options.interruption);
    if header.flags != flags {
        return err(24, ImageErrorKind::Options);
    }
    // Which of its features the module needs is not known.
    let off = header.features & !options.enabled_features().bits();
    if off != 0 {
        let name = FEATURES.iter().find(|f| off & f.flag.bits() != 0);
        let kind = name.map_or(ImageErrorKind::Options, |f| {
            ImageErrorKind::FeatureOff(f.name)
        });
        return err(32, kind);
    }
    Ok(())
}

/// Whether all indices in the declarations lead somewhere, which validation has once shown: whoever
/// uses them need not be afraid of an image that was made up.
fn is_consistent(info: &ModuleInfo) -> bool {
    use crate::types::{ConstOp, DataMode, ElementItems, ElementMode, ExportKind, ValType};
    let func = |i: u32| (i as usize) < info.funcs.len();
    let expr = |expr: &[ConstOp]| {
        !expr.is_empty()
            && expr.iter().all(|op| match op {
                ConstOp::RefFunc(i) => func(*i),
                ConstOp::GlobalGet(i) => (*i as usize) < info.globals.len(),
                ConstOp::StructNew(i) | ConstOp::StructNewDefault(i) => {
                    let ty = info.types.get(*i as usize);
                    ty.is_some_and(|ty| ty.as_struct().is_some())
                }
                ConstOp::ArrayNew(i)
                | ConstOp::ArrayNewDefault(i)
                | ConstOp::ArrayNewFixed(i, _) => {
                    let ty = info.types.get(*i as usize);
                    ty.is_some_and(|ty| ty.as_array().is_some())
                }
                _ => true,
            })
    };
    let ty = |ty: ValType| {
        ty.map(|x| ((x as usize) < info.types.len()).then_some(x))
            .is_some()
    };
    info.globals.iter().all(|global| ty(global.content))
        && info
            .tables
            .iter()
            .all(|table| ty(ValType::Ref(table.element)))
        && info
            .elements
            .iter()
            .all(|segment| ty(ValType::Ref(segment.ty)))
        && info.funcs.iter().all(|ty| info.type_as_func(*ty).is_some())
        && info.tags.iter().all(|ty| info.type_as_func(*ty).is_some())
        && info.start.is_none_or(func)
        && info.exports.iter().all(|export| {
            let len = match export.kind {
                ExportKind::Func => info.funcs.len(),
                ExportKind::Table => info.tables.len(),
                ExportKind::Memory => info.memories.len(),
                ExportKind::Global => info.globals.len(),
                ExportKind::Tag => info.tags.len(),
            };
            (export.index as usize) < len
        })
        && info.global_defs.iter().all(|global| expr(&global.init))
        && info
            .table_defs
            .iter()
            .all(|table| table.init.as_ref().is_none_or(|init| expr(init)))
        && info.data.iter().all(|segment| match &segment.mode {
            DataMode::Passive => true,
            DataMode::Active { memory, offset } => {
                (*memory as usize) < info.memories.len() && expr(offset)
            }
        })
        && info.elements.iter().all(|segment| {
            let mode = match &segment.mode {
                ElementMode::Passive | ElementMode::Declared => true,
                ElementMode::Active { table, offset } => {
                    (*table as usize) < info.tables.len() && expr(offset)
                }
            };
            let items = match &segment.items {
                ElementItems::Funcs(items) => items.iter().all(|i| func(*i)),
                ElementItems::Exprs(items) => items.iter().all(|item| expr(item)),
            };
            mode && items
        })
}
