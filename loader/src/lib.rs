//! WebAssembly bytes to validated, translated sheave bytecode; image files.
//!
//! A [`Module`] owns the bytes of a WebAssembly module and its declarations ([`ModuleInfo`]), and
//! gives the bytecode of each function on demand. It knows nothing about running it.

mod const_expr;
mod error;
mod features;
mod functions;
mod image;
mod info;
mod module;
mod names;
mod options;
mod parse;
mod translate;
mod types;

pub use error::{ImageErrorKind, ImagePart, LoadError, LoadErrorKind};
pub use features::{DEFAULT_FEATURES, FEATURES, Feature, FeatureOrigin, SUPPORTED_FEATURES};
pub use image::InitialMemory;
pub use image::{replace_file, write_file};
pub use info::ModuleInfo;
pub use module::{FunctionCode, Module};
pub use options::Options;
pub use translate::RefMaps;
pub use types::{
    ArrayType, CompositeType, ConstExpr, ConstOp, DataMode, DataSegment, ElementItems, ElementMode,
    ElementSegment, Export, ExportKind, FieldType, FuncType, GlobalDef, GlobalType, HeapType,
    Import, ImportType, MemoryType, RefType, StorageType, StructType, SubType, TableDef, TableType,
    ValType,
};
pub use wasmparser::WasmFeatures;
