//! Types of what modules import and export.

use std::sync::Arc;

use sheave_loader as loader;
use sheave_types::TypeDef;

pub use loader::{HeapType, RefType, ValType};

use crate::engine::Engine;
pub use crate::memory_type::{MemoryType, MemoryTypeBuilder};

/// Whether a global can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mutability {
    /// It cannot.
    Const,
    /// It can.
    Var,
}

/// The type of a function. Spec: syntax-functype.
#[derive(Clone, Debug)]
pub struct FuncType(pub(crate) Arc<TypeDef>);

impl FuncType {
    /// A function type, final and without supertype.
    ///
    /// # Panics
    /// With a concrete type that is not of this engine, or if the engine has too many types.
    pub fn new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        let types = engine.types();
        let id = types.register_func(loader::FuncType::new(params, results));
        let def = id.ok().and_then(|id| types.get(id));
        FuncType(def.expect("the types are of this engine"))
    }

    /// Of a type that is a function type.
    pub(crate) fn from_def(def: Arc<TypeDef>) -> Option<FuncType> {
        def.ty.as_func().is_some().then_some(FuncType(def))
    }

    pub(crate) fn plain(&self) -> &loader::FuncType {
        self.0.ty.as_func().expect("checked when it was made")
    }

    /// Types of the parameters.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.plain().params().iter().copied()
    }

    /// Types of the results.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.plain().results().iter().copied()
    }

    /// Whether a function of this type can stand where one of type `other` is wanted. Spec: match-deftype.
    pub fn matches(&self, other: &FuncType) -> bool {
        self.0.is_subtype_of(&other.0)
    }

    /// The type of parameter `i`.
    pub fn param(&self, i: usize) -> Option<ValType> {
        self.plain().params().get(i).copied()
    }

    /// The type of result `i`.
    pub fn result(&self, i: usize) -> Option<ValType> {
        self.plain().results().get(i).copied()
    }
}

/// Types of one engine are equal if they are one; those of different engines never are.
impl PartialEq for FuncType {
    fn eq(&self, other: &FuncType) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for FuncType {}

impl core::hash::Hash for FuncType {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl core::fmt::Display for FuncType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let list = |f: &mut core::fmt::Formatter<'_>, name: &str, types: &[ValType]| {
            if types.is_empty() {
                return Ok(());
            }
            write!(f, " ({name}")?;
            for t in types {
                write!(f, " {t}")?;
            }
            f.write_str(")")
        };
        f.write_str("(func")?;
        list(f, "param", self.plain().params())?;
        list(f, "result", self.plain().results())?;
        f.write_str(")")
    }
}

/// The type of a global. Spec: syntax-globaltype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GlobalType(pub(crate) loader::GlobalType);

impl GlobalType {
    /// From the loader's, where `types` are the module's.
    pub(crate) fn from_loader(ty: &loader::GlobalType, types: &[Arc<TypeDef>]) -> GlobalType {
        let content = ty.content.map(|x| Some(types.get(x as usize)?.id));
        GlobalType(loader::GlobalType {
            content: content.expect("a module's types are consistent"),
            ..*ty
        })
    }

    /// A global type.
    pub fn new(content: ValType, mutability: Mutability) -> GlobalType {
        GlobalType(loader::GlobalType {
            content,
            mutable: mutability == Mutability::Var,
        })
    }

    /// The type of its value.
    pub fn content(&self) -> &ValType {
        &self.0.content
    }

    /// Whether it can be changed.
    pub fn mutability(&self) -> Mutability {
        if self.0.mutable {
            Mutability::Var
        } else {
            Mutability::Const
        }
    }
}

/// The type of a table; sizes are in elements. Spec: syntax-tabletype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TableType(pub(crate) loader::TableType);

impl TableType {
    /// From the loader's, where `types` are the module's.
    pub(crate) fn from_loader(ty: &loader::TableType, types: &[Arc<TypeDef>]) -> TableType {
        let element = ty.element.map(|x| Some(types.get(x as usize)?.id));
        TableType(loader::TableType {
            element: element.expect("a module's types are consistent"),
            ..*ty
        })
    }

    /// A table type.
    pub fn new(element: RefType, min: u32, max: Option<u32>) -> TableType {
        TableType(loader::TableType {
            element,
            min: min.into(),
            max: max.map(u64::from),
            table64: false,
        })
    }

    /// A type of tables with 64-bit indices.
    pub fn new64(element: RefType, min: u64, max: Option<u64>) -> TableType {
        TableType(loader::TableType {
            element,
            min,
            max,
            table64: true,
        })
    }

    /// Whether indices have 64 bits.
    pub fn is_64(&self) -> bool {
        self.0.table64
    }

    /// The type of its elements.
    pub fn element(&self) -> &RefType {
        &self.0.element
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
}

impl ExternType {
    /// From the loader's, where `types` are the module's.
    ///
    /// # Panics
    /// If the type has numbers that are not the module's.
    pub(crate) fn from_loader(ty: &loader::ImportType, types: &[Arc<TypeDef>]) -> ExternType {
        match ty {
            loader::ImportType::Func(i) => ExternType::Func(FuncType(types[*i as usize].clone())),
            loader::ImportType::Table(t) => TableType::from_loader(t, types).into(),
            loader::ImportType::Memory(t) => ExternType::Memory(MemoryType(*t)),
            loader::ImportType::Global(t) => GlobalType::from_loader(t, types).into(),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            ExternType::Func(_) => "function",
            ExternType::Global(_) => "global",
            ExternType::Table(_) => "table",
            ExternType::Memory(_) => "memory",
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
