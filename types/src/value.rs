//! Types of values. Spec: syntax-valtype, syntax-heaptype.

use core::fmt;

/// The type of a value. Spec: syntax-valtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// A reference.
    Ref(RefType),
}

impl ValType {
    /// `funcref`.
    pub const FUNCREF: Self = Self::Ref(RefType::FUNCREF);
    /// `externref`.
    pub const EXTERNREF: Self = Self::Ref(RefType::EXTERNREF);
    /// `anyref`.
    pub const ANYREF: Self = Self::Ref(RefType::new(true, HeapType::Any));
    /// `eqref`.
    pub const EQREF: Self = Self::Ref(RefType::new(true, HeapType::Eq));
    /// `i31ref`.
    pub const I31REF: Self = Self::Ref(RefType::new(true, HeapType::I31));
    /// `structref`.
    pub const STRUCTREF: Self = Self::Ref(RefType::new(true, HeapType::Struct));
    /// `arrayref`.
    pub const ARRAYREF: Self = Self::Ref(RefType::new(true, HeapType::Array));
    /// `nullref`.
    pub const NULLREF: Self = Self::Ref(RefType::new(true, HeapType::None));
    /// `nullfuncref`.
    pub const NULLFUNCREF: Self = Self::Ref(RefType::new(true, HeapType::NoFunc));
    /// `nullexternref`.
    pub const NULLEXTERNREF: Self = Self::Ref(RefType::new(true, HeapType::NoExtern));
    /// `exnref`.
    pub const EXNREF: Self = Self::Ref(RefType::EXNREF);

    /// Whether values of this type are references.
    #[must_use]
    pub const fn is_ref(self) -> bool {
        matches!(self, Self::Ref(_))
    }

    /// The reference type, if it is one.
    #[must_use]
    pub const fn as_ref(self) -> Option<RefType> {
        match self {
            Self::Ref(r) => Some(r),
            _ => None,
        }
    }

    /// How many frame slots of 8 bytes a value takes: two for a vector, one for all else.
    #[must_use]
    #[inline]
    pub const fn slots(self) -> u32 {
        match self {
            Self::V128 => 2,
            _ => 1,
        }
    }

    /// Whether there is a value to start with: zero or null. Spec: defaultable.
    #[must_use]
    pub const fn has_default(self) -> bool {
        match self {
            Self::Ref(r) => r.nullable,
            _ => true,
        }
    }

    /// The same type with the number of a concrete type replaced; none if `f` gives none.
    #[must_use]
    pub fn map(self, f: impl FnOnce(u32) -> Option<u32>) -> Option<Self> {
        Some(match self {
            Self::Ref(r) => Self::Ref(r.map(f)?),
            other => other,
        })
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32 => f.write_str("i32"),
            Self::I64 => f.write_str("i64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::V128 => f.write_str("v128"),
            Self::Ref(r) => r.fmt(f),
        }
    }
}

/// The type of a reference. Spec: syntax-reftype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    /// Whether it may be null.
    pub nullable: bool,
    /// What it refers to.
    pub heap_type: HeapType,
}

impl RefType {
    /// `funcref`, that is `(ref null func)`.
    pub const FUNCREF: Self = Self::new(true, HeapType::Func);
    /// `externref`, that is `(ref null extern)`.
    pub const EXTERNREF: Self = Self::new(true, HeapType::Extern);
    /// `exnref`, that is `(ref null exn)`.
    pub const EXNREF: Self = Self::new(true, HeapType::Exn);

    /// A reference type.
    #[must_use]
    pub const fn new(nullable: bool, heap_type: HeapType) -> Self {
        Self {
            nullable,
            heap_type,
        }
    }

    /// Whether it may be null.
    #[must_use]
    pub const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What it refers to.
    #[must_use]
    pub const fn heap_type(&self) -> &HeapType {
        &self.heap_type
    }

    /// The same type with the number of a concrete type replaced; none if `f` gives none.
    #[must_use]
    pub fn map(self, f: impl FnOnce(u32) -> Option<u32>) -> Option<Self> {
        Some(Self {
            nullable: self.nullable,
            heap_type: self.heap_type.map(f)?,
        })
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = match self.heap_type {
            HeapType::Concrete(_) => None,
            HeapType::None => Some("nullref"),
            HeapType::NoFunc => Some("nullfuncref"),
            HeapType::NoExtern => Some("nullexternref"),
            HeapType::NoExn => Some("nullexnref"),
            HeapType::NoCont => Some("nullcontref"),
            _ => None,
        };
        match (self.nullable, short, self.heap_type) {
            (true, Some(short), _) => f.write_str(short),
            (true, None, heap @ HeapType::Concrete(_)) => write!(f, "(ref null {heap})"),
            (true, None, heap) => write!(f, "{heap}ref"),
            (false, _, heap) => write!(f, "(ref {heap})"),
        }
    }
}

/// What a reference refers to. Spec: syntax-heaptype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeapType {
    /// Any function.
    Func,
    /// No function.
    NoFunc,
    /// Any host value, or an internal one that was converted.
    Extern,
    /// No host value.
    NoExtern,
    /// Any internal value.
    Any,
    /// Any internal value that can be compared.
    Eq,
    /// An unboxed 31-bit integer.
    I31,
    /// Any struct.
    Struct,
    /// Any array.
    Array,
    /// No internal value.
    None,
    /// Any exception.
    Exn,
    /// No exception.
    NoExn,
    /// Any continuation.
    Cont,
    /// No continuation.
    NoCont,
    /// A defined type: see the crate's documentation for what the number means.
    Concrete(u32),
}

impl HeapType {
    /// The same type with the number of a concrete type replaced; none if `f` gives none.
    #[must_use]
    pub fn map(self, f: impl FnOnce(u32) -> Option<u32>) -> Option<Self> {
        Some(match self {
            Self::Concrete(x) => Self::Concrete(f(x)?),
            other => other,
        })
    }

    /// The number of a concrete type.
    #[must_use]
    pub const fn concrete(self) -> Option<u32> {
        match self {
            Self::Concrete(x) => Some(x),
            _ => None,
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Func => "func",
            Self::NoFunc => "nofunc",
            Self::Extern => "extern",
            Self::NoExtern => "noextern",
            Self::Any => "any",
            Self::Eq => "eq",
            Self::I31 => "i31",
            Self::Struct => "struct",
            Self::Array => "array",
            Self::None => "none",
            Self::Exn => "exn",
            Self::NoExn => "noexn",
            Self::Cont => "cont",
            Self::NoCont => "nocont",
            Self::Concrete(x) => return x.fmt(f),
        })
    }
}
