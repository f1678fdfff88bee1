//! The sections of a module, read into [`ModuleInfo`]; validated on the way when asked to.
//!
//! Function bodies are only located here. What a module needs from its features is wasmparser's
//! to check: a module that has not passed it (an image, whose module was validated before it was
//! written) is read with the same code, and whatever does not fit is an error, never a panic.

use crate::const_expr::const_expr;
use crate::error::{LoadError, LoadErrorKind};
use crate::info::ModuleInfo;
use crate::translate::decode;
use crate::types::{
    ArrayType, CompositeType, ConstExpr, ConstOp, DataMode, DataSegment, ElementItems, ElementMode,
    ElementSegment, Export, ExportKind, FieldType, FuncType, GlobalDef, GlobalType, HeapType,
    Import, ImportType, MemoryType, RefType, StorageType, StructType, SubType, TableDef, TableType,
    ValType,
};
use core::ops::Range;
use wasmparser::{
    BinaryReader, Chunk, CompositeInnerType, ExternalKind, Parser, Payload, TypeRef, Validator,
    ValidatorResources, WasmFeatures,
};

type Result<T, E = LoadError> = core::result::Result<T, E>;

/// A module's declarations, and what is needed to validate its functions.
pub(crate) struct Parsed {
    pub(crate) info: ModuleInfo,
    /// None for a module without functions, or one that is not validated.
    pub(crate) resources: Option<ValidatorResources>,
    /// An error behind the code section; an error in a function body comes before it.
    pub(crate) late_error: Option<LoadError>,
    /// Where the debugging sections are, headers included.
    pub(crate) debugging: Vec<Range<usize>>,
}

/// Reads and validates everything but function bodies.
pub(crate) fn parse_validated(bytes: &[u8], features: WasmFeatures) -> Result<Parsed> {
    reject_component(bytes)?;
    let mut validator = Validator::new_with_features(features);
    let mut sections = Sections::default();
    let mut late_error = None;
    if let Err(error) = sections.read_all(bytes, features, Some(&mut validator)) {
        if sections.resources.is_none() {
            return Err(error);
        }
        late_error = Some(error);
    }
    Ok(Parsed {
        info: sections.info,
        resources: sections.resources,
        late_error,
        debugging: sections.debugging,
    })
}

/// Reads everything but the code section of a module that was validated before. With `prepared`
/// memories, data segments that no code can name are left out too.
pub(crate) fn parse_trusted(
    bytes: &[u8],
    features: WasmFeatures,
    prepared: bool,
) -> Result<ModuleInfo> {
    reject_component(bytes)?;
    let mut sections = Sections {
        skip_data: prepared,
        ..Sections::default()
    };
    sections.read_all(bytes, features, None)?;
    Ok(sections.info)
}

fn reject_component(bytes: &[u8]) -> Result<()> {
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Err(LoadError::new(4, LoadErrorKind::Component)),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Sections {
    info: ModuleInfo,
    debugging: Vec<Range<usize>>,
    resources: Option<ValidatorResources>,
    /// Whether data segments are of no interest.
    skip_data: bool,
}

impl Sections {
    fn read_all(
        &mut self,
        bytes: &[u8],
        features: WasmFeatures,
        mut validator: Option<&mut Validator>,
    ) -> Result<()> {
        let mut parser = Parser::new(0);
        parser.set_features(features);
        let mut rest = bytes;
        loop {
            let payload = match parser.parse(rest, true)? {
                Chunk::Parsed { consumed, payload } => {
                    if matches!(&payload, Payload::CustomSection(s) if s.name().starts_with(".debug_"))
                    {
                        let start = bytes.len() - rest.len();
                        self.debugging.push(start..start + consumed);
                    }
                    rest = &rest[consumed..];
                    payload
                }
                Chunk::NeedMoreData(_) => {
                    return Err(LoadError::invalid(bytes.len() as u64, "unexpected end"));
                }
            };
            match (&payload, validator.as_deref_mut()) {
                (Payload::CodeSectionEntry(body), Some(validator)) => {
                    let func = validator.code_section_entry(body)?;
                    if self.resources.is_none() {
                        self.resources = Some(func.resources);
                    }
                    self.info.bodies.push(range32(&body.range())?);
                    continue;
                }
                (Payload::CodeSectionStart { size, .. }, None) => {
                    parser.skip_section();
                    rest = rest.get(*size as usize..).unwrap_or_default();
                    continue;
                }
                (payload, Some(validator)) => drop(validator.payload(payload)?),
                (_, None) => {}
            }
            if matches!(payload, Payload::End(_)) {
                return Ok(());
            }
            self.section(bytes, payload)?;
        }
    }

    fn section(&mut self, bytes: &[u8], payload: Payload<'_>) -> Result<()> {
        let info = &mut self.info;
        match payload {
            Payload::TypeSection(reader) => {
                for group in reader {
                    for ty in group?.into_types() {
                        info.add_type(sub_type(&ty)?);
                    }
                    info.end_group();
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    add_import(info, &import?)?;
                }
            }
            Payload::FunctionSection(reader) => {
                info.funcs.reserve(reserved(reader.count()));
                info.bodies.reserve(reserved(reader.count()));
                for ty in reader {
                    info.funcs.push(ty?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    let table = table?;
                    let ty = table_type(&table.ty)?;
                    let init = match &table.init {
                        wasmparser::TableInit::RefNull => None,
                        wasmparser::TableInit::Expr(expr) => Some(const_expr(expr)?),
                    };
                    info.tables.push(ty);
                    info.table_defs.push(TableDef { ty, init });
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    info.memories.push(memory_type(&memory?));
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader {
                    let global = global?;
                    let ty = global_type(&global.ty)?;
                    info.add_global(GlobalDef {
                        ty,
                        init: const_expr(&global.init_expr)?,
                    });
                }
            }
            Payload::TagSection(reader) => {
                for tag in reader {
                    info.tags.push(tag?.func_type_idx);
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    info.exports.push(export_of(&export?)?);
                }
            }
            Payload::StartSection { func, .. } => info.start = Some(func),
            Payload::ElementSection(reader) => {
                for segment in reader {
                    info.elements.push(element_segment(&segment?)?);
                }
            }
            // Only with this section can code name data segments.
            Payload::DataCountSection { .. } => {
                info.names_data = true;
                self.skip_data = false;
            }
            Payload::DataSection(reader) if !self.skip_data => {
                info.data = data_segments(bytes, &reader)?;
            }
            Payload::CustomSection(reader) => {
                let range = range_usize(reader.data_offset(), reader.data().len());
                if reader.name() == "name" && info.name_section.is_none() {
                    info.name_section = Some(range.clone());
                }
                info.custom_sections.push((reader.name().into(), range));
            }
            _ => {}
        }
        Ok(())
    }
}

/// How many items to make room for when a section says that it has `count`.
fn reserved(count: u32) -> usize {
    count.min(100_000) as usize
}

pub(crate) fn unsupported<T>(what: &str) -> Result<T> {
    Err(LoadError::invalid(0, what))
}

fn range32(range: &Range<u64>) -> Result<Range<u32>> {
    match (u32::try_from(range.start), u32::try_from(range.end)) {
        (Ok(start), Ok(end)) => Ok(start..end),
        _ => Err(LoadError::invalid(
            range.start,
            "module is larger than 4 GiB",
        )),
    }
}

fn range_usize(start: u64, len: usize) -> Range<usize> {
    // Offsets come from a slice in memory.
    let start = usize::try_from(start).unwrap_or(usize::MAX - len);
    start..start + len
}

fn sub_type(ty: &wasmparser::SubType) -> Result<SubType> {
    let composite = match &ty.composite_type.inner {
        CompositeInnerType::Func(ty) => CompositeType::Func(func_type(ty)?),
        CompositeInnerType::Struct(ty) => CompositeType::Struct(StructType {
            fields: ty.fields.iter().map(field_type).collect::<Result<_>>()?,
        }),
        CompositeInnerType::Array(ty) => CompositeType::Array(ArrayType {
            element: field_type(&ty.0)?,
        }),
        CompositeInnerType::Cont(ty) => CompositeType::Cont(type_index(ty.0.unpack())?),
    };
    Ok(SubType {
        is_final: ty.is_final,
        supertype: match ty.supertype_idxs[..] {
            [] => None,
            [above] => Some(type_index(above.unpack())?),
            _ => return unsupported("type has several supertypes"),
        },
        composite,
    })
}

fn type_index(index: wasmparser::UnpackedIndex) -> Result<u32> {
    match index {
        wasmparser::UnpackedIndex::Module(index) => Ok(index),
        _ => unsupported("type index is not the module's"),
    }
}

fn field_type(ty: &wasmparser::FieldType) -> Result<FieldType> {
    Ok(FieldType {
        storage: match ty.element_type {
            wasmparser::StorageType::I8 => StorageType::I8,
            wasmparser::StorageType::I16 => StorageType::I16,
            wasmparser::StorageType::Val(ty) => StorageType::Val(val_type(ty)?),
        },
        mutable: ty.mutable,
    })
}

fn func_type(func: &wasmparser::FuncType) -> Result<FuncType> {
    // Checked first so that the conversion can be a plain iterator.
    for ty in func.params().iter().chain(func.results()) {
        val_type(*ty)?;
    }
    let convert = |ty: &wasmparser::ValType| val_type(*ty).unwrap_or(ValType::I32);
    Ok(FuncType::new(
        func.params().iter().map(convert),
        func.results().iter().map(convert),
    ))
}

pub(crate) fn val_type(ty: wasmparser::ValType) -> Result<ValType> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty)?),
    })
}

fn ref_type(ty: wasmparser::RefType) -> Result<RefType> {
    Ok(RefType {
        nullable: ty.is_nullable(),
        heap_type: heap_type(ty.heap_type())?,
    })
}

pub(crate) fn heap_type(ty: wasmparser::HeapType) -> Result<HeapType> {
    use wasmparser::{AbstractHeapType as A, HeapType as H};
    Ok(match ty {
        H::Abstract { ty, .. } => match ty {
            A::Func => HeapType::Func,
            A::NoFunc => HeapType::NoFunc,
            A::Extern => HeapType::Extern,
            A::NoExtern => HeapType::NoExtern,
            A::Any => HeapType::Any,
            A::Eq => HeapType::Eq,
            A::I31 => HeapType::I31,
            A::Struct => HeapType::Struct,
            A::Array => HeapType::Array,
            A::None => HeapType::None,
            A::Exn => HeapType::Exn,
            A::NoExn => HeapType::NoExn,
            A::Cont => HeapType::Cont,
            A::NoCont => HeapType::NoCont,
        },
        H::Concrete(index) => HeapType::Concrete(type_index(index)?),
        _ => return unsupported("heap type is not supported"),
    })
}

fn table_type(ty: &wasmparser::TableType) -> Result<TableType> {
    Ok(TableType {
        element: ref_type(ty.element_type)?,
        min: ty.initial,
        max: ty.maximum,
        table64: ty.table64,
    })
}

fn memory_type(ty: &wasmparser::MemoryType) -> MemoryType {
    MemoryType {
        min_pages: ty.initial,
        max_pages: ty.maximum,
        memory64: ty.memory64,
        shared: ty.shared,
        page_size_log2: ty.page_size_log2() as u8,
    }
}

fn global_type(ty: &wasmparser::GlobalType) -> Result<GlobalType> {
    Ok(GlobalType {
        content: val_type(ty.content_type)?,
        mutable: ty.mutable,
    })
}

fn add_import(info: &mut ModuleInfo, import: &wasmparser::Import<'_>) -> Result<()> {
    let ty = match import.ty {
        TypeRef::Func(ty) => {
            info.funcs.push(ty);
            info.n_imported_funcs += 1;
            ImportType::Func(ty)
        }
        TypeRef::Table(ty) => {
            let ty = table_type(&ty)?;
            info.tables.push(ty);
            info.n_imported_tables += 1;
            ImportType::Table(ty)
        }
        TypeRef::Memory(ty) => {
            let ty = memory_type(&ty);
            info.memories.push(ty);
            info.n_imported_memories += 1;
            ImportType::Memory(ty)
        }
        TypeRef::Global(ty) => {
            let ty = global_type(&ty)?;
            info.globals.push(ty);
            info.n_imported_globals += 1;
            ImportType::Global(ty)
        }
        TypeRef::Tag(ty) => {
            info.tags.push(ty.func_type_idx);
            info.n_imported_tags += 1;
            ImportType::Tag(ty.func_type_idx)
        }
        TypeRef::FuncExact(_) => return unsupported("import is not supported"),
    };
    info.imports.push(Import {
        module: import.module.into(),
        name: import.name.into(),
        ty,
    });
    Ok(())
}

fn export_of(export: &wasmparser::Export<'_>) -> Result<Export> {
    let kind = match export.kind {
        ExternalKind::Func => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
        ExternalKind::FuncExact => {
            return unsupported("export is not supported");
        }
    };
    Ok(Export {
        name: export.name.into(),
        kind,
        index: export.index,
    })
}

fn element_segment(segment: &wasmparser::Element<'_>) -> Result<ElementSegment> {
    let mode = match &segment.kind {
        wasmparser::ElementKind::Passive => ElementMode::Passive,
        wasmparser::ElementKind::Declared => ElementMode::Declared,
        wasmparser::ElementKind::Active {
            table_index,
            offset_expr,
        } => ElementMode::Active {
            table: table_index.unwrap_or(0),
            offset: const_expr(offset_expr)?,
        },
    };
    let (ty, items) = match &segment.items {
        wasmparser::ElementItems::Functions(reader) => {
            let items = reader.clone().into_iter().collect::<Result<_, _>>()?;
            (RefType::FUNCREF, ElementItems::Funcs(items))
        }
        wasmparser::ElementItems::Expressions(ty, reader) => {
            let items = reader
                .clone()
                .into_iter()
                .map(|e| const_expr(&e?))
                .collect::<Result<_>>()?;
            (ref_type(*ty)?, ElementItems::Exprs(items))
        }
    };
    Ok(ElementSegment { mode, ty, items })
}

/// All data segments. Big modules have tens of thousands, and nearly all are alike.
fn data_segments(
    bytes: &[u8],
    reader: &wasmparser::DataSectionReader<'_>,
) -> Result<Vec<DataSegment>> {
    let mut segments = Vec::with_capacity(reserved(reader.count()));
    let section = bytes.get(..reader.range().end as usize).unwrap_or_default();
    let mut at = reader.original_position() as usize;
    for _ in 0..reader.count() {
        let rest = section.get(at..).unwrap_or_default();
        let segment = if let Some(segment) = plain_data_segment(rest, at) {
            segment
        } else {
            data_segment(&BinaryReader::new(rest, at as u64).read()?)?
        };
        at = segment.range.end;
        segments.push(segment);
    }
    Ok(segments)
}

/// A segment for a constant place in the first memory, if its numbers are short.
fn plain_data_segment(bytes: &[u8], at: usize) -> Option<DataSegment> {
    let [0, 0x41, rest @ ..] = bytes else {
        return None;
    };
    let (offset, n) = decode::signed(rest)?;
    let [0x0b, rest @ ..] = &rest[n..] else {
        return None;
    };
    let (len, n) = decode::unsigned(rest)?;
    rest[n..].get(..len as usize)?;
    let start = at + bytes.len() - rest.len() + n;
    let mut place = ConstExpr::new();
    place.push(ConstOp::I32Const(offset));
    Some(DataSegment {
        mode: DataMode::Active {
            memory: 0,
            offset: place,
        },
        range: start..start + len as usize,
    })
}

fn data_segment(segment: &wasmparser::Data<'_>) -> Result<DataSegment> {
    let mode = match &segment.kind {
        wasmparser::DataKind::Passive => DataMode::Passive,
        wasmparser::DataKind::Active {
            memory_index,
            offset_expr,
        } => DataMode::Active {
            memory: *memory_index,
            offset: const_expr(offset_expr)?,
        },
    };
    // The bytes end where the segment ends.
    let start = segment.range.end - segment.data.len() as u64;
    Ok(DataSegment {
        mode,
        range: range_usize(start, segment.data.len()),
    })
}
