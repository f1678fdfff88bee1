//! Defined types as the embedder sees them: of functions, structs, arrays and continuations.

use core::fmt;
use std::sync::Arc;

use anyhow::bail;
use sheave_types as plain;
use sheave_types::{CompositeType, SubType, TypeDef};

use crate::Result;
use crate::engine::Engine;
use crate::types::Mutability;
use crate::valtype::{RefType, ValType};

/// Whether a type can have subtypes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Finality {
    /// It cannot.
    Final,
    /// It can.
    NonFinal,
}

impl Finality {
    /// Whether it can have no subtypes.
    pub fn is_final(&self) -> bool {
        *self == Finality::Final
    }

    /// Whether it can have subtypes.
    pub fn is_non_final(&self) -> bool {
        *self == Finality::NonFinal
    }
}

/// What a field or an element holds. Spec: syntax-storagetype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StorageType {
    /// The low 8 bits of an i32.
    I8,
    /// The low 16 bits of an i32.
    I16,
    /// A value.
    ValType(ValType),
}

impl StorageType {
    /// Whether it is `i8`.
    pub fn is_i8(&self) -> bool {
        *self == StorageType::I8
    }

    /// Whether it is `i16`.
    pub fn is_i16(&self) -> bool {
        *self == StorageType::I16
    }

    /// Whether it is the type of a value.
    pub fn is_val_type(&self) -> bool {
        self.as_val_type().is_some()
    }

    /// The type of the value, if it is one.
    pub fn as_val_type(&self) -> Option<&ValType> {
        match self {
            StorageType::ValType(ty) => Some(ty),
            _ => None,
        }
    }

    /// The type of the value.
    ///
    /// # Panics
    /// If it is a packed type.
    pub fn unwrap_val_type(&self) -> &ValType {
        self.as_val_type().expect("the type of a value")
    }

    /// The type that a field of this type is read as.
    pub fn unpack(&self) -> &ValType {
        self.as_val_type().unwrap_or(&ValType::I32)
    }

    /// Whether what is read from this can stand where `other` is wanted. Spec: match-storagetype.
    pub fn matches(&self, other: &StorageType) -> bool {
        match (self, other) {
            (StorageType::ValType(a), StorageType::ValType(b)) => a.matches(b),
            _ => self == other,
        }
    }

    fn from_plain(engine: &Engine, ty: plain::StorageType) -> StorageType {
        match ty {
            plain::StorageType::I8 => StorageType::I8,
            plain::StorageType::I16 => StorageType::I16,
            plain::StorageType::Val(ty) => StorageType::ValType(ValType::from_plain(engine, ty)),
        }
    }

    pub(crate) fn plain(&self) -> plain::StorageType {
        match self {
            StorageType::I8 => plain::StorageType::I8,
            StorageType::I16 => plain::StorageType::I16,
            StorageType::ValType(ty) => plain::StorageType::Val(ty.plain()),
        }
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt(f)
    }
}

impl From<ValType> for StorageType {
    fn from(ty: ValType) -> StorageType {
        StorageType::ValType(ty)
    }
}

impl From<RefType> for StorageType {
    fn from(ty: RefType) -> StorageType {
        StorageType::ValType(ty.into())
    }
}

/// A field of a struct, or the elements of an array. Spec: syntax-fieldtype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FieldType {
    mutability: Mutability,
    element_type: StorageType,
}

impl FieldType {
    /// A field type.
    pub fn new(mutability: Mutability, element_type: StorageType) -> FieldType {
        FieldType {
            mutability,
            element_type,
        }
    }

    /// Whether it can be changed.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    /// What it holds.
    pub fn element_type(&self) -> &StorageType {
        &self.element_type
    }

    /// Whether a field of this type can stand where one of type `other` is wanted: one that can be changed only if the
    /// types are the same. Spec: match-fieldtype.
    pub fn matches(&self, other: &FieldType) -> bool {
        self == other
            || (self.mutability == Mutability::Const
                && other.mutability == Mutability::Const
                && self.element_type.matches(&other.element_type))
    }

    fn from_plain(engine: &Engine, ty: plain::FieldType) -> FieldType {
        FieldType {
            mutability: Mutability::of(ty.mutable),
            element_type: StorageType::from_plain(engine, ty.storage),
        }
    }

    fn plain(&self) -> plain::FieldType {
        plain::FieldType {
            storage: self.element_type.plain(),
            mutable: self.mutability == Mutability::Var,
        }
    }

    fn is_of(&self, engine: &Engine) -> bool {
        self.element_type.unpack().is_of(engine)
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt(f)
    }
}

macro_rules! defined {
    ($($(#[$doc:meta])* $ty:ident $what:literal;)*) => { $(
        $(#[$doc])*
        ///
        /// Types of one engine are equal if they are one; those of different engines never are.
        #[derive(Clone)]
        pub struct $ty(pub(crate) Arc<TypeDef>, pub(crate) Engine);

        impl $ty {
            /// Its engine.
            pub fn engine(&self) -> &Engine {
                &self.1
            }

            /// Whether it can have subtypes.
            pub fn finality(&self) -> Finality {
                if self.0.ty.is_final { Finality::Final } else { Finality::NonFinal }
            }

            /// The type that it was declared a subtype of.
            pub fn supertype(&self) -> Option<$ty> {
                let def = self.1.types().get(self.0.ty.supertype?)?;
                Some($ty(def, self.1.clone()))
            }

            #[doc = concat!("Whether ", $what, " of this type can stand where one of type `other` is wanted.")]
            /// Spec: match-deftype.
            pub fn matches(&self, other: &$ty) -> bool {
                Engine::same(&self.1, &other.1) && self.0.is_subtype_of(&other.0)
            }
        }

        impl PartialEq for $ty {
            fn eq(&self, other: &$ty) -> bool {
                Arc::ptr_eq(&self.0, &other.0)
            }
        }

        impl Eq for $ty {}

        impl core::hash::Hash for $ty {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.0.id.hash(state);
            }
        }

        impl fmt::Debug for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($ty)).field(&self.0.ty).finish()
            }
        }
    )* };
}

defined! {
    /// The type of a function. Spec: syntax-functype.
    FuncType "a function";
    /// The type of a struct. Spec: syntax-comptype.
    StructType "a struct";
    /// The type of an array. Spec: syntax-comptype.
    ArrayType "an array";
    /// The type of a continuation.
    ContType "a continuation";
}

/// The type with its place among the others, registered.
pub(crate) fn register(
    engine: &Engine,
    finality: Finality,
    supertype: Option<(&TypeDef, &Engine)>,
    composite: CompositeType,
    fits: bool,
) -> Result<Arc<TypeDef>> {
    if let Some((above, of)) = supertype {
        if !Engine::same(engine, of) {
            bail!("the supertype is of another engine");
        }
        if above.ty.is_final {
            bail!("cannot create a subtype of a final supertype");
        }
        if !fits {
            bail!("type must match its supertype");
        }
    }
    let ty = SubType {
        is_final: finality.is_final(),
        supertype: supertype.map(|(above, _)| above.id),
        composite,
    };
    let id = engine.types().register_alone(ty)?;
    let def = engine.types().get(id);
    def.ok_or_else(|| anyhow::anyhow!("no such type"))
}

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
        FuncType::try_new(engine, params, results).expect("the types are of this engine")
    }

    /// A function type, final and without supertype.
    ///
    /// # Errors
    /// With a concrete type that is not of this engine, or if the engine has too many types.
    pub fn try_new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<FuncType> {
        FuncType::with_finality_and_supertype(engine, Finality::Final, None, params, results)
    }

    /// A function type with its place among the others.
    ///
    /// # Errors
    /// As [`FuncType::try_new`]; if the supertype is final or does not match.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&FuncType>,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<FuncType> {
        let list = |types: &mut dyn Iterator<Item = ValType>| -> Result<Vec<plain::ValType>> {
            let plain = types.map(|ty| ty.is_of(engine).then(|| ty.plain()));
            plain
                .collect::<Option<_>>()
                .ok_or_else(|| anyhow::anyhow!("a type of another engine"))
        };
        let params = list(&mut params.into_iter())?;
        let results = list(&mut results.into_iter())?;
        let ty = plain::FuncType::new(params, results);
        let fits = supertype.is_none_or(|s| engine.types().func_type_matches(&ty, s.plain()));
        let def = register(
            engine,
            finality,
            supertype.map(|s| (&*s.0, &s.1)),
            CompositeType::Func(ty),
            fits,
        )?;
        Ok(FuncType(def, engine.clone()))
    }

    /// Of a type that is a function type.
    pub(crate) fn from_def(engine: &Engine, def: Arc<TypeDef>) -> Option<FuncType> {
        let is_func = def.ty.as_func().is_some();
        is_func.then(|| FuncType(def, engine.clone()))
    }

    pub(crate) fn plain(&self) -> &plain::FuncType {
        self.0.ty.as_func().expect("checked when it was made")
    }

    /// Types of the parameters.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        let params = self.plain().params().iter();
        params.map(|ty| ValType::from_plain(&self.1, *ty))
    }

    /// Types of the results.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        let results = self.plain().results().iter();
        results.map(|ty| ValType::from_plain(&self.1, *ty))
    }

    /// The type of parameter `i`.
    pub fn param(&self, i: usize) -> Option<ValType> {
        self.params().nth(i)
    }

    /// The type of result `i`.
    pub fn result(&self, i: usize) -> Option<ValType> {
        self.results().nth(i)
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, name: &str, types: &[plain::ValType]| {
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

impl StructType {
    /// A struct type, final and without supertype.
    ///
    /// # Errors
    /// With a concrete type that is not of this engine, or if the engine has too many types.
    pub fn new(engine: &Engine, fields: impl IntoIterator<Item = FieldType>) -> Result<StructType> {
        StructType::with_finality_and_supertype(engine, Finality::Final, None, fields)
    }

    /// A struct type with its place among the others.
    ///
    /// # Errors
    /// As [`StructType::new`]; if the supertype is final or does not match.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&StructType>,
        fields: impl IntoIterator<Item = FieldType>,
    ) -> Result<StructType> {
        let fields: Vec<FieldType> = fields.into_iter().collect();
        if !fields.iter().all(|field| field.is_of(engine)) {
            bail!("a type of another engine");
        }
        let fits = supertype.is_none_or(|s| {
            let above = s.fields();
            above.len() <= fields.len() && above.zip(&fields).all(|(a, f)| f.matches(&a))
        });
        let composite = CompositeType::Struct(plain::StructType {
            fields: fields.iter().map(FieldType::plain).collect(),
        });
        let supertype = supertype.map(|s| (&*s.0, &s.1));
        let def = register(engine, finality, supertype, composite, fits)?;
        Ok(StructType(def, engine.clone()))
    }

    pub(crate) fn plain(&self) -> &[plain::FieldType] {
        let ty = self.0.ty.as_struct().expect("checked when it was made");
        &ty.fields
    }

    /// The type of field `i`.
    pub fn field(&self, i: usize) -> Option<FieldType> {
        self.fields().nth(i)
    }

    /// Types of the fields.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = FieldType> + '_ {
        let fields = self.plain().iter();
        fields.map(|ty| FieldType::from_plain(&self.1, *ty))
    }
}

impl fmt::Display for StructType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.ty.composite.fmt(f)
    }
}

impl ArrayType {
    /// An array type, final and without supertype.
    ///
    /// # Panics
    /// With a concrete type that is not of this engine, or if the engine has too many types.
    pub fn new(engine: &Engine, field_type: FieldType) -> ArrayType {
        ArrayType::with_finality_and_supertype(engine, Finality::Final, None, field_type)
            .expect("the type is of this engine")
    }

    /// An array type with its place among the others.
    ///
    /// # Errors
    /// With a concrete type that is not of this engine; if the supertype is final or does not match; if the engine has
    /// too many types.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&ArrayType>,
        field_type: FieldType,
    ) -> Result<ArrayType> {
        if !field_type.is_of(engine) {
            bail!("a type of another engine");
        }
        let fits = supertype.is_none_or(|s| field_type.matches(&s.field_type()));
        let element = field_type.plain();
        let def = register(
            engine,
            finality,
            supertype.map(|s| (&*s.0, &s.1)),
            CompositeType::Array(plain::ArrayType { element }),
            fits,
        )?;
        Ok(ArrayType(def, engine.clone()))
    }

    pub(crate) fn plain(&self) -> plain::FieldType {
        let ty = self.0.ty.as_array().expect("checked when it was made");
        ty.element
    }

    /// The type of its elements, and whether they can be changed.
    pub fn field_type(&self) -> FieldType {
        FieldType::from_plain(&self.1, self.plain())
    }

    /// Whether its elements can be changed.
    pub fn mutability(&self) -> Mutability {
        Mutability::of(self.plain().mutable)
    }

    /// What its elements hold.
    pub fn element_type(&self) -> StorageType {
        StorageType::from_plain(&self.1, self.plain().storage)
    }
}

impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.ty.composite.fmt(f)
    }
}
