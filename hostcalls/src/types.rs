//! Types of what modules import and export.

use std::sync::Arc;

use sheave_loader as loader;
use sheave_types::TypeDef;

use crate::Result;
pub use crate::composite::{
    ArrayType, ContType, FieldType, Finality, FuncType, StorageType, StructType,
};
use crate::engine::Engine;
pub use crate::memory_type::{MemoryType, MemoryTypeBuilder};
pub use crate::valtype::{HeapType, RefType, ValType};

/// Whether a global can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mutability {
    /// It cannot.
    Const,
    /// It can.
    Var,
}

impl Mutability {
    pub(crate) fn of(mutable: bool) -> Mutability {
        if mutable {
            Mutability::Var
        } else {
            Mutability::Const
        }
    }

    /// Whether it cannot be changed.
    pub fn is_const(&self) -> bool {
        *self == Mutability::Const
    }

    /// Whether it can be changed.
    pub fn is_var(&self) -> bool {
        *self == Mutability::Var
    }
}

/// The type of a global. Spec: syntax-globaltype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GlobalType(pub(crate) loader::GlobalType, ValType);

impl GlobalType {
    /// From the loader's, where `types` are the module's.
    pub(crate) fn from_loader(
        engine: &Engine,
        ty: &loader::GlobalType,
        types: &[Arc<TypeDef>],
    ) -> GlobalType {
        let content = ty.content.map(|x| Some(types.get(x as usize)?.id));
        let content = content.expect("a module's types are consistent");
        GlobalType::from_plain(engine, loader::GlobalType { content, ..*ty })
    }

    /// Of a type whose numbers are identities.
    pub(crate) fn from_plain(engine: &Engine, plain: loader::GlobalType) -> GlobalType {
        GlobalType(plain, ValType::from_plain(engine, plain.content))
    }

    /// A global type.
    pub fn new(content: ValType, mutability: Mutability) -> GlobalType {
        let plain = loader::GlobalType {
            content: content.plain(),
            mutable: mutability == Mutability::Var,
        };
        GlobalType(plain, content)
    }

    /// The type of its value.
    pub fn content(&self) -> &ValType {
        &self.1
    }

    /// Whether it can be changed.
    pub fn mutability(&self) -> Mutability {
        Mutability::of(self.0.mutable)
    }
}

/// The type of a table; sizes are in elements. Spec: syntax-tabletype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TableType(pub(crate) loader::TableType, RefType);

impl TableType {
    /// From the loader's, where `types` are the module's.
    pub(crate) fn from_loader(
        engine: &Engine,
        ty: &loader::TableType,
        types: &[Arc<TypeDef>],
    ) -> TableType {
        let element = ty.element.map(|x| Some(types.get(x as usize)?.id));
        let element = element.expect("a module's types are consistent");
        TableType::from_plain(engine, loader::TableType { element, ..*ty })
    }

    /// Of a type whose numbers are identities.
    pub(crate) fn from_plain(engine: &Engine, plain: loader::TableType) -> TableType {
        TableType(plain, RefType::from_plain(engine, plain.element))
    }

    /// A table type.
    pub fn new(element: RefType, min: u32, max: Option<u32>) -> TableType {
        let plain = loader::TableType {
            element: element.plain(),
            min: min.into(),
            max: max.map(u64::from),
            table64: false,
        };
        TableType(plain, element)
    }

    /// A type of tables with 64-bit indices.
    pub fn new64(element: RefType, min: u64, max: Option<u64>) -> TableType {
        let plain = loader::TableType {
            element: element.plain(),
            min,
            max,
            table64: true,
        };
        TableType(plain, element)
    }

    /// Whether indices have 64 bits.
    pub fn is_64(&self) -> bool {
        self.0.table64
    }

    /// The type of its elements.
    pub fn element(&self) -> &RefType {
        &self.1
    }

    /// The least size.
    pub fn minimum(&self) -> u64 {
        self.0.min
    }

    /// The largest size.
    pub fn maximum(&self) -> Option<u64> {
        self.0.max
    }
}

/// The type of a tag: of a function whose parameters are the payload, and whose results are what a suspension with it
/// gives. Only tags without results are for exceptions. Spec: syntax-tagtype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TagType(FuncType);

impl TagType {
    /// A tag type.
    pub fn new(ty: FuncType) -> TagType {
        TagType(ty)
    }

    /// The function type.
    pub fn ty(&self) -> &FuncType {
        &self.0
    }
}

/// The type of an exception: what its tag's type says of the values that it carries.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ExnType(TagType);

impl ExnType {
    /// The type of exceptions with these values.
    ///
    /// # Errors
    /// None; here for the likeness to Wasmtime.
    ///
    /// # Panics
    /// As [`FuncType::new`].
    pub fn new(engine: &Engine, fields: impl IntoIterator<Item = ValType>) -> Result<ExnType> {
        ExnType::from_tag_type(&TagType(FuncType::new(engine, fields, [])))
    }

    /// The type of exceptions with tags of that type.
    ///
    /// # Errors
    /// If the tag's type has results.
    pub fn from_tag_type(tag: &TagType) -> Result<ExnType> {
        anyhow::ensure!(tag.0.results().len() == 0, "a tag's type has no results");
        Ok(ExnType(tag.clone()))
    }

    /// The type of its tag.
    pub fn tag_type(&self) -> TagType {
        self.0.clone()
    }

    /// The type of one of the values.
    pub fn field(&self, i: usize) -> Option<FieldType> {
        self.0.0.param(i).map(constant)
    }

    /// The types of the values.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = FieldType> + '_ {
        self.0.0.params().map(constant)
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.0.0.engine()
    }
}

fn constant(ty: ValType) -> FieldType {
    FieldType::new(Mutability::Const, StorageType::ValType(ty))
}

/// The type of something imported or exported. Spec: syntax-externtype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A global.
    Global(GlobalType),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A tag.
    Tag(TagType),
}

macro_rules! extern_types {
    ($($get:ident $unwrap:ident $variant:ident $ty:ty, $what:literal;)*) => {
        impl ExternType { $(
            #[doc = concat!("The ", $what, " type, if it is one.")]
            pub fn $get(&self) -> Option<&$ty> {
                if let ExternType::$variant(t) = self { Some(t) } else { None }
            }

            #[doc = concat!("The ", $what, " type.\n\n# Panics\nIf it is another kind.")]
            pub fn $unwrap(&self) -> &$ty {
                self.$get().expect(concat!("a ", $what, " type"))
            }
        )* }
        $( impl From<$ty> for ExternType {
            fn from(t: $ty) -> ExternType {
                ExternType::$variant(t)
            }
        } )*
    };
}

extern_types! {
    func unwrap_func Func FuncType, "function";
    global unwrap_global Global GlobalType, "global";
    table unwrap_table Table TableType, "table";
    memory unwrap_memory Memory MemoryType, "memory";
    tag unwrap_tag Tag TagType, "tag";
}

impl ExternType {
    /// From the loader's, where `types` are the module's.
    ///
    /// # Panics
    /// If the type has numbers that are not the module's.
    pub(crate) fn from_loader(
        engine: &Engine,
        ty: &loader::ImportType,
        types: &[Arc<TypeDef>],
    ) -> ExternType {
        match ty {
            loader::ImportType::Func(i) => {
                ExternType::Func(FuncType(types[*i as usize].clone(), engine.clone()))
            }
            loader::ImportType::Table(t) => TableType::from_loader(engine, t, types).into(),
            loader::ImportType::Memory(t) => ExternType::Memory(MemoryType(*t)),
            loader::ImportType::Global(t) => GlobalType::from_loader(engine, t, types).into(),
            loader::ImportType::Tag(i) => {
                TagType(FuncType(types[*i as usize].clone(), engine.clone())).into()
            }
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            ExternType::Func(_) => "function",
            ExternType::Global(_) => "global",
            ExternType::Table(_) => "table",
            ExternType::Memory(_) => "memory",
            ExternType::Tag(_) => "tag",
        }
    }
}

/// What a module wants.
#[derive(Clone, Debug)]
pub struct ImportType<'m> {
    pub(crate) module: &'m str,
    pub(crate) name: &'m str,
    pub(crate) ty: ExternType,
}

impl<'m> ImportType<'m> {
    /// The first of its two names.
    pub fn module(&self) -> &'m str {
        self.module
    }

    /// The second of its two names.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// Its type.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}

/// What a module offers.
#[derive(Clone, Debug)]
pub struct ExportType<'m> {
    pub(crate) name: &'m str,
    pub(crate) ty: ExternType,
}

impl<'m> ExportType<'m> {
    /// Its name.
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// Its type.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}
