//! Types of values as the embedder sees them: a concrete type is that of a function, a struct, an array or a continuation.

use core::fmt;
use std::sync::Arc;

use sheave_types as plain;
use sheave_types::{CompositeType, TypeDef, TypeRegistry};

use crate::composite::{ArrayType, ContType, FuncType, StructType};
use crate::engine::Engine;
use crate::values::Val;

/// The type of a value. Spec: syntax-valtype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
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

macro_rules! is {
    ($($name:ident $variant:ident $what:literal;)*) => { $(
        #[doc = concat!("Whether it is `", $what, "`.")]
        pub fn $name(&self) -> bool {
            matches!(self, ValType::$variant)
        }
    )* };
}

impl ValType {
    /// `funcref`.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `nullfuncref`.
    pub const NULLFUNCREF: ValType = ValType::Ref(RefType::NULLFUNCREF);
    /// `externref`.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);
    /// `nullexternref`.
    pub const NULLEXTERNREF: ValType = ValType::Ref(RefType::NULLEXTERNREF);
    /// `anyref`.
    pub const ANYREF: ValType = ValType::Ref(RefType::ANYREF);
    /// `eqref`.
    pub const EQREF: ValType = ValType::Ref(RefType::EQREF);
    /// `i31ref`.
    pub const I31REF: ValType = ValType::Ref(RefType::I31REF);
    /// `structref`.
    pub const STRUCTREF: ValType = ValType::Ref(RefType::STRUCTREF);
    /// `arrayref`.
    pub const ARRAYREF: ValType = ValType::Ref(RefType::ARRAYREF);
    /// `nullref`.
    pub const NULLREF: ValType = ValType::Ref(RefType::NULLREF);
    /// `exnref`.
    pub const EXNREF: ValType = ValType::Ref(RefType::EXNREF);
    /// `nullexnref`.
    pub const NULLEXNREF: ValType = ValType::Ref(RefType::NULLEXNREF);
    /// `contref`.
    pub const CONTREF: ValType = ValType::Ref(RefType::CONTREF);
    /// `nullcontref`.
    pub const NULLCONTREF: ValType = ValType::Ref(RefType::NULLCONTREF);

    is! {
        is_i32 I32 "i32";
        is_i64 I64 "i64";
        is_f32 F32 "f32";
        is_f64 F64 "f64";
        is_v128 V128 "v128";
    }

    /// Whether it is a number's.
    pub fn is_num(&self) -> bool {
        !self.is_ref() && !self.is_v128()
    }

    /// Whether it is a reference's.
    pub fn is_ref(&self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// Whether it is `funcref`.
    pub fn is_funcref(&self) -> bool {
        *self == ValType::FUNCREF
    }

    /// Whether it is `externref`.
    pub fn is_externref(&self) -> bool {
        *self == ValType::EXTERNREF
    }

    /// Whether it is `anyref`.
    pub fn is_anyref(&self) -> bool {
        *self == ValType::ANYREF
    }

    /// The reference type, if it is one.
    pub fn as_ref(&self) -> Option<&RefType> {
        match self {
            ValType::Ref(r) => Some(r),
            _ => None,
        }
    }

    /// The reference type.
    ///
    /// # Panics
    /// If it is none.
    pub fn unwrap_ref(&self) -> &RefType {
        self.as_ref().expect("a reference type")
    }

    /// Whether a value of this type can stand where one of type `other` is wanted. Spec: match-valtype.
    pub fn matches(&self, other: &ValType) -> bool {
        match (self, other) {
            (ValType::Ref(a), ValType::Ref(b)) => a.matches(b),
            _ => self == other,
        }
    }

    /// The zero or null of this type, where it has one.
    pub fn default_value(&self) -> Option<Val> {
        Val::default_for_ty(self)
    }

    pub(crate) fn from_plain(engine: &Engine, ty: plain::ValType) -> ValType {
        match ty {
            plain::ValType::I32 => ValType::I32,
            plain::ValType::I64 => ValType::I64,
            plain::ValType::F32 => ValType::F32,
            plain::ValType::F64 => ValType::F64,
            plain::ValType::V128 => ValType::V128,
            plain::ValType::Ref(r) => ValType::Ref(RefType::from_plain(engine, r)),
        }
    }

    pub(crate) fn plain(&self) -> plain::ValType {
        match self {
            ValType::I32 => plain::ValType::I32,
            ValType::I64 => plain::ValType::I64,
            ValType::F32 => plain::ValType::F32,
            ValType::F64 => plain::ValType::F64,
            ValType::V128 => plain::ValType::V128,
            ValType::Ref(r) => plain::ValType::Ref(r.plain()),
        }
    }

    pub(crate) fn is_of(&self, engine: &Engine) -> bool {
        self.as_ref().is_none_or(|r| r.heap_type.is_of(engine))
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt(f)
    }
}

impl From<RefType> for ValType {
    fn from(ty: RefType) -> ValType {
        ValType::Ref(ty)
    }
}

/// The type of a reference. Spec: syntax-reftype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RefType {
    nullable: bool,
    heap_type: HeapType,
}

macro_rules! nullable {
    ($($name:ident $heap:ident $what:literal;)*) => { $(
        #[doc = concat!("`", $what, "`.")]
        pub const $name: RefType = RefType { nullable: true, heap_type: HeapType::$heap };
    )* };
}

impl RefType {
    nullable! {
        FUNCREF Func "funcref";
        NULLFUNCREF NoFunc "nullfuncref";
        EXTERNREF Extern "externref";
        NULLEXTERNREF NoExtern "nullexternref";
        ANYREF Any "anyref";
        EQREF Eq "eqref";
        I31REF I31 "i31ref";
        STRUCTREF Struct "structref";
        ARRAYREF Array "arrayref";
        NULLREF None "nullref";
        EXNREF Exn "exnref";
        NULLEXNREF NoExn "nullexnref";
        CONTREF Cont "contref";
        NULLCONTREF NoCont "nullcontref";
    }

    /// A reference type.
    pub fn new(is_nullable: bool, heap_type: HeapType) -> RefType {
        RefType {
            nullable: is_nullable,
            heap_type,
        }
    }

    /// Whether it may be null.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What it refers to.
    pub fn heap_type(&self) -> &HeapType {
        &self.heap_type
    }

    /// Whether a reference of this type can stand where one of type `other` is wanted. Spec: match-reftype.
    pub fn matches(&self, other: &RefType) -> bool {
        (other.nullable || !self.nullable) && self.heap_type.matches(&other.heap_type)
    }

    pub(crate) fn from_plain(engine: &Engine, ty: plain::RefType) -> RefType {
        RefType::new(ty.nullable, HeapType::from_plain(engine, ty.heap_type))
    }

    pub(crate) fn plain(&self) -> plain::RefType {
        plain::RefType::new(self.nullable, self.heap_type.plain())
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt(f)
    }
}

/// What a reference refers to. Spec: syntax-heaptype.
///
/// ```
/// use sheave_hostcalls::{Engine, HeapType, StructType};
/// let empty = StructType::new(&Engine::default(), [])?;
/// let ty = HeapType::from(empty);
/// assert!(ty.matches(&HeapType::Eq) && HeapType::None.matches(&ty));
/// assert_eq!(ty.top(), HeapType::Any);
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum HeapType {
    /// Any host value, or an internal one that was converted.
    Extern,
    /// No host value.
    NoExtern,
    /// Any function.
    Func,
    /// A function of a certain type.
    ConcreteFunc(FuncType),
    /// No function.
    NoFunc,
    /// Any internal value.
    Any,
    /// Any internal value that can be compared.
    Eq,
    /// An unboxed 31-bit integer.
    I31,
    /// Any array.
    Array,
    /// An array of a certain type.
    ConcreteArray(ArrayType),
    /// Any struct.
    Struct,
    /// A struct of a certain type.
    ConcreteStruct(StructType),
    /// No internal value.
    None,
    /// Any exception.
    Exn,
    /// No exception.
    NoExn,
    /// Any continuation.
    Cont,
    /// A continuation of a certain type.
    ConcreteCont(ContType),
    /// No continuation.
    NoCont,
}

macro_rules! concrete {
    ($($is:ident $as:ident $unwrap:ident $variant:ident $ty:ident $what:literal;)*) => {
        impl HeapType { $(
            #[doc = concat!("Whether it is the type of certain ", $what, "s.")]
            pub fn $is(&self) -> bool {
                matches!(self, HeapType::$variant(_))
            }

            #[doc = concat!("The ", $what, " type, if it is one.")]
            pub fn $as(&self) -> Option<&$ty> {
                if let HeapType::$variant(ty) = self { Some(ty) } else { None }
            }

            #[doc = concat!("The ", $what, " type.\n\n# Panics\nIf it is none.")]
            pub fn $unwrap(&self) -> &$ty {
                self.$as().expect(concat!("a concrete ", $what, " type"))
            }
        )* }
        $( impl From<$ty> for HeapType {
            fn from(ty: $ty) -> HeapType {
                HeapType::$variant(ty)
            }
        } )*
    };
}

concrete! {
    is_concrete_func as_concrete_func unwrap_concrete_func ConcreteFunc FuncType "function";
    is_concrete_struct as_concrete_struct unwrap_concrete_struct ConcreteStruct StructType "struct";
    is_concrete_array as_concrete_array unwrap_concrete_array ConcreteArray ArrayType "array";
    is_concrete_cont as_concrete_cont unwrap_concrete_cont ConcreteCont ContType "continuation";
}

impl HeapType {
    /// Whether it is the same in all engines.
    pub fn is_abstract(&self) -> bool {
        self.defined().is_none()
    }

    /// Whether it is a type that a module or the host has defined.
    pub fn is_concrete(&self) -> bool {
        !self.is_abstract()
    }

    /// The widest type of its hierarchy.
    pub fn top(&self) -> HeapType {
        match self {
            HeapType::Func | HeapType::ConcreteFunc(_) | HeapType::NoFunc => HeapType::Func,
            HeapType::Extern | HeapType::NoExtern => HeapType::Extern,
            HeapType::Exn | HeapType::NoExn => HeapType::Exn,
            HeapType::Cont | HeapType::ConcreteCont(_) | HeapType::NoCont => HeapType::Cont,
            HeapType::Any
            | HeapType::Eq
            | HeapType::I31
            | HeapType::Array
            | HeapType::ConcreteArray(_)
            | HeapType::Struct
            | HeapType::ConcreteStruct(_)
            | HeapType::None => HeapType::Any,
        }
    }

    /// Whether nothing in its hierarchy is wider.
    pub fn is_top(&self) -> bool {
        *self == self.top()
    }

    /// The narrowest type of its hierarchy, which has null alone.
    pub fn bottom(&self) -> HeapType {
        match self.top() {
            HeapType::Func => HeapType::NoFunc,
            HeapType::Extern => HeapType::NoExtern,
            HeapType::Exn => HeapType::NoExn,
            HeapType::Cont => HeapType::NoCont,
            _ => HeapType::None,
        }
    }

    /// Whether nothing in its hierarchy is narrower.
    pub fn is_bottom(&self) -> bool {
        *self == self.bottom()
    }

    /// Whether what has this type can stand where type `other` is wanted. Types of different engines never match.
    /// Spec: match-heaptype.
    pub fn matches(&self, other: &HeapType) -> bool {
        match (self.defined(), other.defined()) {
            (Some((e, a)), Some((f, b))) => Engine::same(e, f) && a.is_subtype_of(b),
            (Some((engine, _)), None) | (None, Some((engine, _))) => engine
                .types()
                .heap_type_matches(self.plain(), other.plain()),
            (None, None) => TypeRegistry::default().heap_type_matches(self.plain(), other.plain()),
        }
    }

    fn defined(&self) -> Option<(&Engine, &Arc<TypeDef>)> {
        Some(match self {
            HeapType::ConcreteFunc(ty) => (&ty.1, &ty.0),
            HeapType::ConcreteStruct(ty) => (&ty.1, &ty.0),
            HeapType::ConcreteArray(ty) => (&ty.1, &ty.0),
            HeapType::ConcreteCont(ty) => (&ty.1, &ty.0),
            _ => return None,
        })
    }

    pub(crate) fn is_of(&self, engine: &Engine) -> bool {
        self.defined().is_none_or(|(e, _)| Engine::same(e, engine))
    }

    pub(crate) fn from_def(engine: &Engine, def: Arc<TypeDef>) -> HeapType {
        let engine = engine.clone();
        match def.ty.composite {
            CompositeType::Func(_) => HeapType::ConcreteFunc(FuncType(def, engine)),
            CompositeType::Struct(_) => HeapType::ConcreteStruct(StructType(def, engine)),
            CompositeType::Array(_) => HeapType::ConcreteArray(ArrayType(def, engine)),
            CompositeType::Cont(_) => HeapType::ConcreteCont(ContType(def, engine)),
        }
    }

    /// # Panics
    /// If the number is not of this engine.
    pub(crate) fn from_plain(engine: &Engine, ty: plain::HeapType) -> HeapType {
        use plain::HeapType as P;
        match ty {
            P::Func => HeapType::Func,
            P::NoFunc => HeapType::NoFunc,
            P::Extern => HeapType::Extern,
            P::NoExtern => HeapType::NoExtern,
            P::Any => HeapType::Any,
            P::Eq => HeapType::Eq,
            P::I31 => HeapType::I31,
            P::Struct => HeapType::Struct,
            P::Array => HeapType::Array,
            P::Exn => HeapType::Exn,
            P::NoExn => HeapType::NoExn,
            P::Cont => HeapType::Cont,
            P::NoCont => HeapType::NoCont,
            P::Concrete(id) => {
                let def = engine.types().get(id);
                HeapType::from_def(engine, def.expect("a type of the engine"))
            }
            _ => HeapType::None,
        }
    }

    pub(crate) fn plain(&self) -> plain::HeapType {
        use plain::HeapType as P;
        match self {
            HeapType::Func => P::Func,
            HeapType::NoFunc => P::NoFunc,
            HeapType::Extern => P::Extern,
            HeapType::NoExtern => P::NoExtern,
            HeapType::Any => P::Any,
            HeapType::Eq => P::Eq,
            HeapType::I31 => P::I31,
            HeapType::Struct => P::Struct,
            HeapType::Array => P::Array,
            HeapType::None => P::None,
            HeapType::Exn => P::Exn,
            HeapType::NoExn => P::NoExn,
            HeapType::Cont => P::Cont,
            HeapType::NoCont => P::NoCont,
            HeapType::ConcreteFunc(FuncType(def, _))
            | HeapType::ConcreteStruct(StructType(def, _))
            | HeapType::ConcreteArray(ArrayType(def, _))
            | HeapType::ConcreteCont(ContType(def, _)) => P::Concrete(def.id),
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt(f)
    }
}
