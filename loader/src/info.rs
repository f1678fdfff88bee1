//! What a module declares, apart from the code of its functions.

use crate::types::{
    DataSegment, ElementSegment, Export, ExportKind, FuncType, GlobalDef, GlobalType, Import,
    ImportType, MemoryType, SubType, TableDef, TableType, ValType,
};
use core::ops::Range;
use sheave_isa::FuncShape;
use sheave_types::{FieldLayout, Layout};
use std::sync::OnceLock;

/// The declarations of a module. Index spaces have imports first, as in the specification.
#[derive(Clone, Debug, Default)]
pub struct ModuleInfo {
    /// Defined types, by type index.
    pub types: Vec<SubType>,
    /// Where each recursion group ends, in type indices; they follow each other.
    pub group_ends: Vec<u32>,
    /// How many slots the parameters and results of each function type take, by type index; of a continuation type,
    /// those of its function type.
    pub shapes: Vec<FuncShape>,
    /// Which of the globals that are defined here, counted from the first of them, are vectors.
    pub vector_globals: Vec<u32>,
    /// Imports in the order of the module.
    pub imports: Vec<Import>,
    /// Exports in the order of the module.
    pub exports: Vec<Export>,
    /// Type index of each function.
    pub funcs: Vec<u32>,
    /// Type of each table.
    pub tables: Vec<TableType>,
    /// Type of each memory.
    pub memories: Vec<MemoryType>,
    /// Type of each global.
    pub globals: Vec<GlobalType>,
    /// Type index of each tag: of a function type whose parameters are the payload, and whose results are what a
    /// suspension gives.
    pub tags: Vec<u32>,
    /// How many functions are imported.
    pub n_imported_funcs: u32,
    /// How many tables are imported.
    pub n_imported_tables: u32,
    /// How many memories are imported.
    pub n_imported_memories: u32,
    /// How many globals are imported.
    pub n_imported_globals: u32,
    /// How many tags are imported.
    pub n_imported_tags: u32,
    /// Tables defined here.
    pub table_defs: Vec<TableDef>,
    /// Globals defined here.
    pub global_defs: Vec<GlobalDef>,
    /// Element segments.
    pub elements: Vec<ElementSegment>,
    /// Data segments. None for an image that holds what memories hold at first, if no code names one.
    pub data: Vec<DataSegment>,
    /// Whether there is a data count section: only then can code name data segments.
    pub names_data: bool,
    /// The start function.
    pub start: Option<u32>,
    /// Where the bodies of the defined functions (locals and operators) are in the module's bytes.
    pub bodies: Vec<Range<u32>>,
    /// Where the contents of the name section are in the module's bytes.
    pub name_section: Option<Range<usize>>,
    /// Custom sections: name, and where their contents are in the module's bytes.
    pub custom_sections: Vec<(Box<str>, Range<usize>)>,
    /// How objects of each type lie in memory, once it was asked for.
    pub(crate) layouts: OnceLock<Box<[Layout]>>,
}

impl ModuleInfo {
    /// Adds a type.
    pub(crate) fn add_type(&mut self, ty: SubType) {
        let (params, results) = ty.as_func().map_or((0, 0), FuncType::slots);
        self.shapes.push(FuncShape { params, results });
        self.types.push(ty);
    }

    /// Ends a recursion group with the type that was added last.
    pub(crate) fn end_group(&mut self) {
        let start = self.group_ends.last().map_or(0, |end| *end as usize);
        self.group_ends.push(self.types.len() as u32);
        // The function type of a continuation type may stand behind it.
        for at in start..self.types.len() {
            if let Some(func) = self.types[at].as_cont() {
                let shape = self.shapes.get(func as usize).copied();
                self.shapes[at] = shape.unwrap_or_default();
            }
        }
    }

    /// Where a field of a struct type lies.
    pub(crate) fn field(&self, ty: u32, field: u32) -> Option<FieldLayout> {
        let is_func = |x: u32| self.type_as_func(x).is_some();
        let layouts = self.layouts.get_or_init(|| {
            let types = self.types.iter();
            types
                .map(|ty| Layout::new(&ty.composite, is_func))
                .collect()
        });
        match layouts.get(ty as usize)? {
            Layout::Struct(layout) => layout.fields.get(field as usize).copied(),
            _ => None,
        }
    }

    /// Adds a global that is defined here.
    pub(crate) fn add_global(&mut self, def: GlobalDef) {
        if def.ty.content == ValType::V128 {
            self.vector_globals.push(self.global_defs.len() as u32);
        }
        self.globals.push(def.ty);
        self.global_defs.push(def);
    }

    /// The first cell of the `i`-th global that is defined here: a vector takes two.
    #[inline]
    pub(crate) fn global_cell(&self, i: u32) -> u32 {
        i + self.vector_globals.partition_point(|vector| *vector < i) as u32
    }
    /// Type of a function, imported or defined.
    #[must_use]
    #[inline]
    pub fn func_type(&self, func: u32) -> Option<&FuncType> {
        self.type_as_func(*self.funcs.get(func as usize)?)
    }

    /// The function type of that type index, if it is one.
    #[must_use]
    #[inline]
    pub fn type_as_func(&self, index: u32) -> Option<&FuncType> {
        self.types.get(index as usize)?.as_func()
    }

    /// The recursion groups: the first type index of each, and its types.
    pub fn groups(&self) -> impl Iterator<Item = (u32, &[SubType])> {
        let mut first = 0;
        self.group_ends.iter().map(move |end| {
            let start = core::mem::replace(&mut first, *end);
            let types = self.types.get(start as usize..*end as usize);
            (start, types.unwrap_or_default())
        })
    }

    /// How many functions are defined here.
    #[must_use]
    pub fn n_defined_funcs(&self) -> u32 {
        // Never more than `funcs`, and those are counted in 32 bits.
        u32::try_from(self.bodies.len()).unwrap_or(u32::MAX)
    }

    /// Type of an export.
    #[must_use]
    pub fn export_type(&self, export: &Export) -> Option<ImportType> {
        let index = export.index as usize;
        Some(match export.kind {
            ExportKind::Func => ImportType::Func(*self.funcs.get(index)?),
            ExportKind::Table => ImportType::Table(*self.tables.get(index)?),
            ExportKind::Memory => ImportType::Memory(*self.memories.get(index)?),
            ExportKind::Global => ImportType::Global(*self.globals.get(index)?),
            ExportKind::Tag => ImportType::Tag(*self.tags.get(index)?),
        })
    }
}
