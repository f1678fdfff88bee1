//! What a module declares, imports and exports, as plain Rust values.
//!
//! They do not depend on wasmparser, so that the crates above see no parser in their interfaces. Numbers of concrete
//! types are type indices of the module.

pub use sheave_types::{
    ArrayType, CompositeType, FieldType, FuncType, HeapType, RefType, StorageType, StructType,
    SubType, ValType,
};

/// The type of a table. Sizes count elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// Type of its elements.
    pub element: RefType,
    /// Initial size.
    pub min: u64,
    /// Largest size it may grow to.
    pub max: Option<u64>,
    /// Whether indices are 64-bit.
    pub table64: bool,
}

/// The type of a linear memory. Sizes count pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// Initial size.
    pub min_pages: u64,
    /// Largest size it may grow to.
    pub max_pages: Option<u64>,
    /// Whether addresses are 64-bit.
    pub memory64: bool,
    /// Whether threads may share it.
    pub shared: bool,
    /// Binary logarithm of the bytes of a page: 16 unless the type says otherwise.
    pub page_size_log2: u8,
}

impl MemoryType {
    /// Bytes of a page where the type does not say otherwise.
    pub const DEFAULT_PAGE_SIZE_LOG2: u8 = 16;

    /// The most pages that a type may have.
    #[must_use]
    pub fn limit_pages(&self) -> u64 {
        match (self.memory64, self.page_size_log2) {
            (false, 0) => u64::from(u32::MAX),
            (true, 0) => u64::MAX,
            (false, log2) => (1 << 32) >> log2,
            (true, log2) => 1 << (64 - u32::from(log2).min(63)),
        }
    }

    /// The most bytes that a memory can have and its size still be a number of its address type.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        match (self.memory64, self.page_size_log2) {
            (false, 0) => u64::from(u32::MAX),
            (false, _) => 1 << 32,
            (true, log2) => u64::MAX >> log2 << log2,
        }
    }
}

/// The type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// Type of its value.
    pub content: ValType,
    /// Whether it can be changed.
    pub mutable: bool,
}

/// The type of something imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImportType {
    /// A function, by index of its type.
    Func(u32),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
    /// A tag of exceptions, by index of its type.
    Tag(u32),
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Import {
    /// First name.
    pub module: Box<str>,
    /// Second name.
    pub name: Box<str>,
    /// What is wanted.
    pub ty: ImportType,
}

/// One export.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Export {
    /// Its name, unique in the module.
    pub name: Box<str>,
    /// Which index space.
    pub kind: ExportKind,
    /// Index in it, imports included.
    pub index: u32,
}

/// The index space of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExportKind {
    /// Functions.
    Func,
    /// Tables.
    Table,
    /// Memories.
    Memory,
    /// Globals.
    Global,
    /// Tags.
    Tag,
}

/// An operator of a constant expression. They form a postfix program that leaves one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConstOp {
    /// `i32.const`
    I32Const(i32),
    /// `i64.const`
    I64Const(i64),
    /// `f32.const`, by bits
    F32Const(u32),
    /// `f64.const`, by bits
    F64Const(u64),
    /// `v128.const`, by its bytes in memory
    V128Const([u8; 16]),
    /// `ref.null`
    RefNull(HeapType),
    /// `ref.func`
    RefFunc(u32),
    /// `global.get`
    GlobalGet(u32),
    /// `i32.add`
    I32Add,
    /// `i32.sub`
    I32Sub,
    /// `i32.mul`
    I32Mul,
    /// `i64.add`
    I64Add,
    /// `i64.sub`
    I64Sub,
    /// `i64.mul`
    I64Mul,
    /// `struct.new`, by type index
    StructNew(u32),
    /// `struct.new_default`, by type index
    StructNewDefault(u32),
    /// `array.new`, by type index
    ArrayNew(u32),
    /// `array.new_default`, by type index
    ArrayNewDefault(u32),
    /// `array.new_fixed`, by type index, of so many elements
    ArrayNewFixed(u32, u32),
    /// `ref.i31`
    RefI31,
    /// `any.convert_extern`
    AnyConvertExtern,
    /// `extern.convert_any`
    ExternConvertAny,
}

/// A constant expression: its operators without the final `end`. Never empty in a valid module.
pub type ConstExpr = smallvec::SmallVec<[ConstOp; 1]>;

/// A table defined by the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDef {
    /// Its type.
    pub ty: TableType,
    /// What its elements start as; null if there is none.
    pub init: Option<ConstExpr>,
}

/// A global defined by the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalDef {
    /// Its type.
    pub ty: GlobalType,
    /// What it starts as.
    pub init: ConstExpr,
}

/// An element segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementSegment {
    /// When it is used.
    pub mode: ElementMode,
    /// Type of its elements.
    pub ty: RefType,
    /// The elements.
    pub items: ElementItems,
}

/// When an element segment is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementMode {
    /// By `table.init`.
    Passive,
    /// Copied to a table at instantiation.
    Active {
        /// Index of the table.
        table: u32,
        /// Where in it.
        offset: ConstExpr,
    },
    /// Never: it only declares that functions may be referred to.
    Declared,
}

/// The elements of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementItems {
    /// References to functions, by index.
    Funcs(Box<[u32]>),
    /// One constant expression for each.
    Exprs(Box<[ConstExpr]>),
}

impl ElementItems {
    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Funcs(items) => items.len(),
            Self::Exprs(items) => items.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSegment {
    /// When it is used.
    pub mode: DataMode,
    /// Where its bytes are in the module's bytes.
    pub range: core::ops::Range<usize>,
}

/// When a data segment is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// By `memory.init`.
    Passive,
    /// Copied to a memory at instantiation.
    Active {
        /// Index of the memory.
        memory: u32,
        /// Where in it.
        offset: ConstExpr,
    },
}
