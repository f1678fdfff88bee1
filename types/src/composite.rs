//! Defined types: functions, structs, arrays, continuations. Spec: syntax-comptype, syntax-subtype.

use core::fmt;

use crate::value::{HeapType, ValType};

/// The type of a function. Spec: syntax-functype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FuncType {
    /// Parameters first, then results.
    all: Box<[ValType]>,
    n_params: u32,
}

impl FuncType {
    /// A function type with these parameters and results.
    ///
    /// # Panics
    ///
    /// With more than 2³² parameters.
    pub fn new(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Self {
        let mut all: Vec<ValType> = params.into_iter().collect();
        let n_params = u32::try_from(all.len()).expect("fewer than 2^32 parameters");
        all.extend(results);
        Self {
            all: all.into(),
            n_params,
        }
    }

    /// Types of the parameters.
    #[must_use]
    #[inline]
    pub fn params(&self) -> &[ValType] {
        &self.all[..self.n_params as usize]
    }

    /// Types of the results.
    #[must_use]
    #[inline]
    pub fn results(&self) -> &[ValType] {
        &self.all[self.n_params as usize..]
    }

    /// Frame slots of the parameters and of the results.
    #[must_use]
    pub fn slots(&self) -> (u32, u32) {
        let slots = |types: &[ValType]| types.iter().map(|t| t.slots()).sum();
        (slots(self.params()), slots(self.results()))
    }

    fn map(&self, f: &mut impl FnMut(u32) -> Option<u32>) -> Option<Self> {
        let all: Option<_> = self.all.iter().map(|t| t.map(&mut *f)).collect();
        Some(Self {
            all: all?,
            n_params: self.n_params,
        })
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            f.write_str("[")?;
            for (i, ty) in types.iter().enumerate() {
                write!(f, "{}{ty}", if i > 0 { " " } else { "" })?;
            }
            f.write_str("]")
        };
        list(f, self.params())?;
        f.write_str(" -> ")?;
        list(f, self.results())
    }
}

/// What a field or an element holds. Spec: syntax-storagetype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// The low 8 bits of an i32.
    I8,
    /// The low 16 bits of an i32.
    I16,
    /// A value.
    Val(ValType),
}

impl StorageType {
    /// The type that a field of this type is read as. Spec: aux-unpack.
    #[must_use]
    pub const fn unpack(self) -> ValType {
        match self {
            Self::I8 | Self::I16 => ValType::I32,
            Self::Val(ty) => ty,
        }
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I8 => f.write_str("i8"),
            Self::I16 => f.write_str("i16"),
            Self::Val(ty) => ty.fmt(f),
        }
    }
}

/// A field of a struct, or the elements of an array. Spec: syntax-fieldtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    /// What it holds.
    pub storage: StorageType,
    /// Whether it can be changed.
    pub mutable: bool,
}

impl FieldType {
    fn map(self, f: &mut impl FnMut(u32) -> Option<u32>) -> Option<Self> {
        Some(Self {
            storage: match self.storage {
                StorageType::Val(ty) => StorageType::Val(ty.map(f)?),
                packed => packed,
            },
            mutable: self.mutable,
        })
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mutable {
            write!(f, "(mut {})", self.storage)
        } else {
            self.storage.fmt(f)
        }
    }
}

/// The type of a struct. Spec: syntax-comptype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructType {
    /// Its fields.
    pub fields: Box<[FieldType]>,
}

/// The type of an array. Spec: syntax-comptype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArrayType {
    /// Its elements.
    pub element: FieldType,
}

/// A composite type. Spec: syntax-comptype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CompositeType {
    /// A function.
    Func(FuncType),
    /// A struct.
    Struct(StructType),
    /// An array.
    Array(ArrayType),
    /// A continuation of a function type, by its number.
    Cont(u32),
}

impl CompositeType {
    /// The abstract type just above.
    #[must_use]
    pub const fn abstract_super(&self) -> HeapType {
        match self {
            Self::Func(_) => HeapType::Func,
            Self::Struct(_) => HeapType::Struct,
            Self::Array(_) => HeapType::Array,
            Self::Cont(_) => HeapType::Cont,
        }
    }

    fn map(&self, f: &mut impl FnMut(u32) -> Option<u32>) -> Option<Self> {
        Some(match self {
            Self::Func(ty) => Self::Func(ty.map(f)?),
            Self::Struct(ty) => {
                let fields: Option<_> = ty.fields.iter().map(|t| t.map(f)).collect();
                Self::Struct(StructType { fields: fields? })
            }
            Self::Array(ty) => Self::Array(ArrayType {
                element: ty.element.map(f)?,
            }),
            Self::Cont(x) => Self::Cont(f(*x)?),
        })
    }
}

impl fmt::Display for CompositeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Func(ty) => ty.fmt(f),
            Self::Struct(ty) => {
                f.write_str("(struct")?;
                for field in &ty.fields {
                    write!(f, " (field {field})")?;
                }
                f.write_str(")")
            }
            Self::Array(ty) => write!(f, "(array {})", ty.element),
            Self::Cont(x) => write!(f, "(cont {x})"),
        }
    }
}

/// A defined type with its place among the others. Spec: syntax-subtype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubType {
    /// Whether it can have subtypes: not if it is final.
    pub is_final: bool,
    /// The type that it is declared a subtype of.
    pub supertype: Option<u32>,
    /// What it is.
    pub composite: CompositeType,
}

impl SubType {
    /// A final type without supertype: what `(type (func ..))` declares.
    #[must_use]
    pub const fn plain(composite: CompositeType) -> Self {
        Self {
            is_final: true,
            supertype: None,
            composite,
        }
    }

    /// The function type, if it is one.
    #[must_use]
    #[inline]
    pub const fn as_func(&self) -> Option<&FuncType> {
        match &self.composite {
            CompositeType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// The struct type, if it is one.
    #[must_use]
    pub const fn as_struct(&self) -> Option<&StructType> {
        match &self.composite {
            CompositeType::Struct(ty) => Some(ty),
            _ => None,
        }
    }

    /// The array type, if it is one.
    #[must_use]
    pub const fn as_array(&self) -> Option<&ArrayType> {
        match &self.composite {
            CompositeType::Array(ty) => Some(ty),
            _ => None,
        }
    }

    /// The number of the function type, if it is a continuation type.
    #[must_use]
    pub const fn as_cont(&self) -> Option<u32> {
        match self.composite {
            CompositeType::Cont(func) => Some(func),
            _ => None,
        }
    }

    /// The same type with all numbers of defined types replaced; none if `f` gives none.
    #[must_use]
    pub fn map(&self, mut f: impl FnMut(u32) -> Option<u32>) -> Option<Self> {
        Some(Self {
            is_final: self.is_final,
            supertype: match self.supertype {
                Some(x) => Some(f(x)?),
                None => None,
            },
            composite: self.composite.map(&mut f)?,
        })
    }
}

impl From<FuncType> for SubType {
    fn from(ty: FuncType) -> Self {
        Self::plain(CompositeType::Func(ty))
    }
}
