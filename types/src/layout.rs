//! How structs and arrays lie in memory.
//!
//! Every object starts with a header of [`HEADER_BYTES`]. Fields follow in the order of declaration, each aligned to its
//! size, but a vector only to 8 bytes; so the fields of a supertype lie in all its subtypes where they lie in itself.
//! The elements of an array start right behind the header. References take 4 bytes. Little-endian everywhere.

use crate::composite::{ArrayType, CompositeType, StorageType, StructType};
use crate::value::{HeapType, ValType};

/// Bytes of an object before its first field or element.
pub const HEADER_BYTES: u32 = 8;

/// Bytes that a field of this type takes.
const fn bytes(storage: StorageType) -> u32 {
    match storage {
        StorageType::I8 => 1,
        StorageType::I16 => 2,
        StorageType::Val(ValType::I32 | ValType::F32 | ValType::Ref(_)) => 4,
        StorageType::Val(ValType::I64 | ValType::F64) => 8,
        StorageType::Val(ValType::V128) => 16,
    }
}

/// Where a field lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLayout {
    /// Bytes from the object's start.
    pub offset: u32,
    /// What it holds.
    pub storage: StorageType,
}

impl FieldLayout {
    /// Bytes it takes.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        bytes(self.storage)
    }
}

/// How a struct lies in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructLayout {
    /// Bytes of an object, header included.
    pub bytes: u32,
    /// Its fields.
    pub fields: Box<[FieldLayout]>,
    /// Offsets of the fields that a collector follows.
    pub traced: Box<[u32]>,
}

impl StructLayout {
    /// The layout of a struct; `is_func` says of a defined type whether it is a function's.
    #[must_use]
    pub fn new(ty: &StructType, is_func: impl Fn(u32) -> bool) -> Self {
        let mut end = HEADER_BYTES;
        let mut traced = Vec::new();
        let fields = ty.fields.iter().map(|field| {
            let size = bytes(field.storage);
            let offset = end.next_multiple_of(size.min(8));
            end = offset + size;
            if is_traced(field.storage, &is_func) {
                traced.push(offset);
            }
            FieldLayout {
                offset,
                storage: field.storage,
            }
        });
        let fields = fields.collect();
        Self {
            bytes: end.next_multiple_of(8),
            fields,
            traced: traced.into(),
        }
    }
}

/// How an array lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayLayout {
    /// Bytes of an element.
    pub element_bytes: u32,
    /// What an element holds.
    pub storage: StorageType,
    /// Whether a collector follows the elements.
    pub traced: bool,
}

impl ArrayLayout {
    /// The layout of an array; `is_func` says of a defined type whether it is a function's.
    #[must_use]
    pub fn new(ty: &ArrayType, is_func: impl Fn(u32) -> bool) -> Self {
        let storage = ty.element.storage;
        Self {
            element_bytes: bytes(storage),
            storage,
            traced: is_traced(storage, &is_func),
        }
    }

    /// Bytes of an object of `len` elements, header included; none if they are 2³² or more.
    #[must_use]
    pub fn bytes(&self, len: u32) -> Option<u32> {
        let bytes = u64::from(self.element_bytes) * u64::from(len) + u64::from(HEADER_BYTES);
        u32::try_from(bytes.next_multiple_of(8)).ok()
    }
}

/// How objects of a type lie in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The type has no objects of this kind: it is a function's or a continuation's.
    None,
    /// A struct.
    Struct(StructLayout),
    /// An array.
    Array(ArrayLayout),
}

impl Layout {
    /// The layout of a type; `is_func` says of a defined type whether it is a function's.
    #[must_use]
    pub fn new(ty: &CompositeType, is_func: impl Fn(u32) -> bool) -> Self {
        match ty {
            CompositeType::Struct(ty) => Self::Struct(StructLayout::new(ty, is_func)),
            CompositeType::Array(ty) => Self::Array(ArrayLayout::new(ty, is_func)),
            CompositeType::Func(_) | CompositeType::Cont(_) => Self::None,
        }
    }
}

fn is_traced(storage: StorageType, is_func: &impl Fn(u32) -> bool) -> bool {
    match storage {
        StorageType::Val(ty) => ty.is_traced(is_func),
        _ => false,
    }
}

impl ValType {
    /// Whether a collector follows values of this type: all references but those to functions. `is_func` says of a
    /// defined type whether it is a function's.
    #[must_use]
    pub fn is_traced(self, is_func: impl Fn(u32) -> bool) -> bool {
        match self {
            Self::Ref(r) => match r.heap_type {
                HeapType::Func | HeapType::NoFunc => false,
                HeapType::Concrete(x) => !is_func(x),
                _ => true,
            },
            _ => false,
        }
    }
}
